//! The rows of entities in Redis: carts in memory, on as many nodes as the deployment waits for.
//!
//! A compare-and-set is one script on the primary of the entity's shard (`script`), and counts
//! as written once the chosen number of replicas has acknowledged it (`writer`). Rows are read
//! from primaries only.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barrow_engine::entity::{EntityKey, Shard};
use barrow_engine::ports::{
    BLOB_BYTES_MAX, CasOutcome, CasReply, DueEntity, EntityStore, Expected, Row, StoreError, Work,
};
use barrow_engine::time::Timestamp;
use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::types::{ClusterHash, CustomCommand, Value};
use tokio::sync::Notify;

use super::client::{Address, RedisError, RedisServers, check_prefix};
use super::due::Question;
use super::link::{CallError, Link};
use super::nodes::Nodes;
use super::policy::check_keeps_all;
use super::script::Keys;
use super::writer::{Primary, Replication, primary};
use crate::embedded::row_codec::decode_row;
use crate::submitted::outcome_of;

/// A start waits so long for the servers.
const START_MAX: Duration = Duration::from_secs(10);

/// A cart that wakes waits so long for its row.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// A read that came to the wrong server waits so long to learn of the right one.
const MAP_WAIT_MAX: Duration = Duration::from_millis(500);

/// How rows are kept.
#[derive(Debug, Clone)]
pub struct RedisEntityOptions {
    /// All keys begin with it and a colon. Two shops on one Redis need two.
    pub prefix: String,
    /// How many replicas must have a write before it is acknowledged. 0 for a server without
    /// replicas. With 1 the loss of one node loses nothing; a primary then needs two replicas to
    /// go on when it loses one of them.
    pub replicas: u32,
    /// How long they may take. Beyond it the outcome is unknown, and the write is repeated.
    pub replicas_wait_max: Duration,
}

impl RedisEntityOptions {
    /// For a server without replicas.
    pub fn new(prefix: &str) -> RedisEntityOptions {
        let replicas_wait_max = Duration::from_secs(1);
        RedisEntityOptions { prefix: prefix.to_owned(), replicas: 0, replicas_wait_max }
    }
}

/// Rows by entity, with the index of what is due.
pub struct RedisEntityStore {
    nodes: Nodes<Primary>,
    keys: Keys,
    replicas: u32,
}

impl RedisEntityStore {
    /// Connects to all primaries, and refuses them if they may drop rows when they are full.
    pub async fn connect(
        servers: &RedisServers,
        options: RedisEntityOptions,
    ) -> Result<RedisEntityStore, RedisError> {
        check_prefix(&options.prefix)?;
        let servers = Arc::new(servers.clone());
        let replicas = options.replicas;
        let replication = Replication { replicas, wait_max: options.replicas_wait_max };
        let ask = Arc::new(Notify::new());
        let nodes = Nodes::start(Arc::clone(&servers), Arc::clone(&ask), move |address| {
            let connect = |address: Address| Link::start(Arc::clone(&servers), address);
            primary(&connect, address, replication, &ask)
        });
        nodes.up(START_MAX).await?;
        for node in nodes.all() {
            node.writer.link().up(START_MAX).await?;
            check_keeps_all(&node.reads).await?;
        }
        Ok(RedisEntityStore { nodes, keys: Keys::new(&options.prefix), replicas })
    }

    /// Asks the primary of a shard; once more if the shard has moved.
    async fn read<F: Future<Output = Result<Value, Error>> + Send>(
        &self,
        shard: Shard,
        question: impl Fn(fred::clients::Client) -> F + Sync,
    ) -> Result<Value, StoreError> {
        let mut answer = self.read_once(shard, &question).await;
        if answer.as_ref().is_err_and(CallError::is_moved) {
            self.nodes.newer_map(MAP_WAIT_MAX).await;
            answer = self.read_once(shard, &question).await;
        }
        answer.map_err(|error| match error {
            CallError::Busy => StoreError::Throttled,
            error => StoreError::Unavailable(error.to_string()),
        })
    }

    async fn read_once<F: Future<Output = Result<Value, Error>> + Send>(
        &self,
        shard: Shard,
        question: &(impl Fn(fred::clients::Client) -> F + Sync),
    ) -> Result<Value, CallError> {
        let asked = async {
            let node = self.nodes.of_slot(self.keys.slot(shard))?;
            let connection = node.reads.connection()?;
            connection.call(READ_TIMEOUT, question(connection.client().clone())).await
        };
        let answer = asked.await;
        if let Err(error) = &answer {
            self.nodes.note(error);
        }
        answer
    }

    fn write(&self, key: EntityKey, expected: Expected, row: &Row, reply: CasReply) {
        let (bytes, limit) = (row.blob.len(), BLOB_BYTES_MAX);
        if bytes > limit {
            return reply.send(Err(StoreError::TooLarge { bytes, limit }));
        }
        match self.nodes.of_slot(self.keys.slot(key.shard())) {
            Ok(node) => node.writer.submit(&self.keys, key, expected, row, reply),
            Err(error) => {
                self.nodes.note(&error);
                reply.send(Err(StoreError::Unavailable(error.to_string())));
            }
        }
    }
}

#[async_trait]
impl EntityStore for RedisEntityStore {
    async fn load(&self, key: EntityKey) -> Result<Option<Row>, StoreError> {
        let name = self.keys.row(key);
        let get = CustomCommand::new_static("GET", ClusterHash::FirstKey, false);
        let question = |client: fred::clients::Client| {
            let (get, args) = (get.clone(), vec![Value::Bytes(name.clone())]);
            async move { client.custom(get, args).await }
        };
        match self.read(key.shard(), question).await? {
            Value::Null => Ok(None),
            value => {
                let bytes = value.as_bytes();
                let bytes = bytes.ok_or_else(|| StoreError::Damaged("it is no text".to_owned()))?;
                decode_row(bytes).map(Some)
            }
        }
    }

    async fn cas(
        &self,
        key: EntityKey,
        expected: Expected,
        row: Row,
    ) -> Result<CasOutcome, StoreError> {
        outcome_of(|reply| self.write(key, expected, &row, reply)).await
    }

    fn submit(
        self: Arc<Self>,
        key: EntityKey,
        expected: Expected,
        row: Row,
        reply: CasReply,
    ) -> Option<Work> {
        self.write(key, expected, &row, reply);
        None
    }

    async fn due(
        &self,
        shards: &[Shard],
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueEntity>, StoreError> {
        Question { nodes: &self.nodes, keys: &self.keys, before, limit }.ask(shards).await
    }

    fn durability(&self) -> &'static str {
        match self.replicas {
            0 => {
                "an acknowledged change survives the loss of any of our own nodes, but not that of \
                 the Redis server, or of the primary of its cluster"
            }
            1 => {
                "an acknowledged change is replicated: it survives the loss of one Redis node, \
                 but not of a primary together with its replicas or the whole cluster at once; \
                 while a primary is replaced, reads may not show it for a moment"
            }
            _ => {
                "an acknowledged change is replicated to several Redis nodes: it survives the \
                 loss of a primary and of one replica, but not of all nodes of its shard; while a \
                 primary is replaced, reads may not show it for a moment"
            }
        }
    }
}
