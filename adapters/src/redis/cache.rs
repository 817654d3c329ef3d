//! Values that may be forgotten, in Redis: shared by all nodes, and gone without a loss.
//!
//! Nobody waits for it: while a server is away its keys fail at once, and one that is slow is
//! not waited for longer than the work that the cache saves would take.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barrow_engine::ports::{Cache, CacheError};
use bytes::Bytes;
use fred::interfaces::ClientLike;
use fred::types::{ClusterHash, CustomCommand, Value};
use fred::util::redis_keyslot;
use tokio::sync::Notify;

use super::client::{RedisError, RedisServers, check_prefix};
use super::link::{CallError, Link};
use super::nodes::Nodes;

/// About what a query of a store takes on a bad day.
const TIMEOUT: Duration = Duration::from_millis(100);

/// A cache in Redis.
pub struct RedisCache {
    nodes: Nodes<Link>,
    prefix: String,
    timeout: Duration,
}

impl RedisCache {
    /// A cache whose keys begin with the prefix and a colon. It connects in the background, to be
    /// called within a runtime: a Redis that is away keeps nobody from starting.
    pub fn new(servers: &RedisServers, prefix: &str) -> Result<RedisCache, RedisError> {
        check_prefix(prefix)?;
        let servers = Arc::new(servers.clone());
        let ask = Arc::new(Notify::new());
        let nodes = Nodes::start(Arc::clone(&servers), ask, move |address| {
            Link::start(Arc::clone(&servers), address)
        });
        Ok(RedisCache { nodes, prefix: prefix.to_owned(), timeout: TIMEOUT })
    }

    /// Waits so long for an answer: for a machine that has more to do than to answer.
    pub fn patient(self, timeout: Duration) -> RedisCache {
        RedisCache { timeout, ..self }
    }

    /// Waits until all servers are connected, for those that want to know.
    pub async fn connected(&self, within: Duration) -> Result<(), RedisError> {
        self.nodes.up(within).await
    }

    async fn call(
        &self,
        command: &'static str,
        key: &str,
        more: Vec<Value>,
    ) -> Result<Value, CacheError> {
        let key = format!("{}:{key}", self.prefix);
        let asked = async {
            let node = self.nodes.of_slot(redis_keyslot(key.as_bytes()))?;
            let connection = node.connection()?;
            let mut args = vec![Value::from(key.as_str())];
            args.extend(more);
            let command = CustomCommand::new_static(command, ClusterHash::FirstKey, false);
            let client = connection.client();
            let question = async { client.custom(command, args).await };
            let answer: Result<Value, CallError> =
                connection.call::<Value>(self.timeout, question).await;
            answer
        };
        asked.await.map_err(|error| {
            self.nodes.note(&error);
            CacheError(error.to_string())
        })
    }
}

/// A time to live as the server takes it: whole milliseconds, at least one.
fn ttl_ms(ttl: Duration) -> Value {
    Value::Integer(i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX).clamp(1, TTL_MS_MAX))
}

/// A hundred years. The server adds it to its clock, and refuses what does not fit.
const TTL_MS_MAX: i64 = 100 * 365 * 24 * 3_600 * 1_000;

#[async_trait]
impl Cache for RedisCache {
    async fn get(&self, key: &str, touch: Option<Duration>) -> Result<Option<Bytes>, CacheError> {
        let value = match touch {
            None => self.call("GET", key, vec![]).await?,
            // In one step, so that a touch never brings back what was replaced or removed.
            Some(ttl) => self.call("GETEX", key, vec!["PX".into(), ttl_ms(ttl)]).await?,
        };
        Ok(match value {
            Value::Null => None,
            Value::Bytes(bytes) => Some(bytes),
            Value::String(text) => Some(text.into_inner()),
            other => other.as_bytes().map(Bytes::copy_from_slice),
        })
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        let more = vec![Value::Bytes(value), "PX".into(), ttl_ms(ttl)];
        self.call("SET", key, more).await.map(drop)
    }

    async fn remove(&self, key: &str) -> Result<(), CacheError> {
        self.call("UNLINK", key, vec![]).await.map(drop)
    }
}
