//! What these tests share.

use std::path::Path;
use std::sync::Arc;

use barrow_adapters::redis::{RedisEntityOptions, RedisEntityStore, RedisServers};
use barrow_engine::ports::{EntityStore, Row};

pub use crate::support::*;

pub fn servers(url: &str) -> RedisServers {
    RedisServers::from_url(url, None).unwrap()
}

pub fn servers_with_tls(url: &str, ca_file: &Path) -> RedisServers {
    RedisServers::from_url(url, Some(ca_file)).unwrap()
}

/// Rows that count once so many replicas have them.
pub async fn store(url: &str, replicas: u32) -> Arc<RedisEntityStore> {
    let options = RedisEntityOptions { replicas, ..RedisEntityOptions::new("shop") };
    Arc::new(RedisEntityStore::connect(&servers(url), options).await.unwrap())
}

/// Writes a new row, which must be acknowledged.
pub async fn write_new(store: &dyn EntityStore, id: u128) -> Row {
    write(store, id, row(1, id)).await
}
