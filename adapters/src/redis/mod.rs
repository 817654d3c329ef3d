//! Entities, the cache and announcements in Redis or ElastiCache, alone or as a cluster.
//!
//! The client library (`fred`) is used for one thing: a connection to one server, with TLS,
//! pipelining and pub/sub. Which server a key is on, when to connect again and whether to send
//! anything twice is decided here, because an entity's write must never be sent again behind its
//! back, and `WAIT` counts only the writes of the connection that it is sent on. So a connection
//! that breaks stays broken: its successor is another one.
//!
//! What an acknowledged write survives is said by
//! [`EntityStore::durability`](barrow_engine::ports::EntityStore::durability): less than with the
//! other stores, which is why it has to be chosen.

mod cache;
mod channel;
mod client;
mod due;
mod entity_store;
mod link;
mod nodes;
mod policy;
mod probe;
mod script;
mod slots;
mod writer;

pub use cache::RedisCache;
pub use channel::RedisAnnouncements;
pub use client::{RedisError, RedisServers};
pub use entity_store::{RedisEntityOptions, RedisEntityStore};
pub use script::SOURCE as COMPARE_AND_SET;
