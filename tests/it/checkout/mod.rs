//! Checkouts on the real carts, a real SQLite and the gateway for tests, from a full cart to an
//! order or back; with crashes at every step.

pub mod bank;
mod buying;
mod crashes;
mod expiry;
pub mod fuse;
pub mod shop;
