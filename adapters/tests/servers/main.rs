//! The adapters that stand on a server beside the process, against the real servers: each passes
//! its port's suite, and keeps its promises while the server is cut off, slow or restarted.

#![expect(clippy::unwrap_used, reason = "what does not go as planned fails the test")]

mod cached_products;
mod commerce;
mod dynamodb;
mod outbox;
mod postgres;
mod redis;
mod s3;
#[path = "../shared/mod.rs"]
mod shared;
mod support;
