//! What is due in many shards: each primary is asked for its shards together.
//!
//! Each shard has a sorted set of its own, in a slot of its own. The questions to one server go
//! out in a few pieces, each answered in one round trip; loads of entities, which share the
//! connection, pass between them.

use std::sync::Arc;
use std::time::Duration;

use barrow_engine::entity::Shard;
use barrow_engine::ports::{DueEntity, StoreError};
use barrow_engine::time::Timestamp;
use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::types::{ClusterHash, CustomCommand, Value};
use futures::future::join_all;

use super::link::{CallError, is_broken};
use super::nodes::Nodes;
use super::script::{Keys, read_member, score};
use super::writer::Primary;
use crate::due::earliest;

/// The most entries that one call answers.
const DUE_MAX: usize = 10_000;

/// At first no more entries are asked of a shard than its share of the answer, or this many:
/// only where that leaves room is a shard that has more asked for all.
const SHARE_MIN: usize = 16;

/// A server waits so long for its answer.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Questions in one piece, some 90 bytes each. All 1,024 in one kept loads waiting on a slow line
/// for so long that it was taken for a dead one.
const PIECE_MAX: usize = 128;

/// Shards that have moved are asked again, where a newer map comes within this time.
const MAP_WAIT_MAX: Duration = Duration::from_millis(500);

/// What a shard answers.
type Answer = (Shard, Result<ShardDue, CallError>);

/// The first entries of a shard.
struct ShardDue {
    entities: Vec<DueEntity>,
    /// As many as were asked for: there may be more.
    is_full: bool,
}

/// A question for many shards.
pub(super) struct Question<'a> {
    pub nodes: &'a Nodes<Primary>,
    pub keys: &'a Keys,
    pub before: Timestamp,
    pub limit: usize,
}

impl Question<'_> {
    /// Where some of the servers do not answer, it is what the others say.
    pub(super) async fn ask(&self, shards: &[Shard]) -> Result<Vec<DueEntity>, StoreError> {
        if self.limit == 0 || shards.is_empty() {
            return Ok(Vec::new());
        }
        let limit = self.limit.min(DUE_MAX);
        let share = limit.div_ceil(shards.len()).max(SHARE_MIN).min(limit);
        let mut answers = self.ask_where_they_are(shards, share).await?;
        let found: usize = answers.iter().filter_map(entities).map(Vec::len).sum();
        if share < limit && found < limit {
            // Each has a share of the answer, which is not full: they are few.
            let is_full = |(_, due): &Answer| due.as_ref().is_ok_and(|due| due.is_full);
            let full: Vec<Shard> = answers.iter().filter(|it| is_full(it)).map(|it| it.0).collect();
            if !full.is_empty() {
                answers.retain(|answer| !is_full(answer));
                answers.extend(self.ask_where_they_are(&full, limit).await?);
            }
        }
        let silent = answers.iter().find_map(|(_, due)| due.as_ref().err());
        if let Some(error) = silent {
            if answers.iter().all(|(_, due)| due.is_err()) {
                return Err(match error {
                    CallError::Busy => StoreError::Throttled,
                    error => StoreError::Unavailable(error.to_string()),
                });
            }
            tracing::warn!(%error, "some shards do not tell what is due");
        }
        Ok(earliest(answers.iter().filter_map(entities).flatten().copied().collect(), limit))
    }

    /// Asks, and those that have moved meanwhile once more.
    async fn ask_where_they_are(
        &self,
        shards: &[Shard],
        limit: usize,
    ) -> Result<Vec<Answer>, StoreError> {
        let mut answers = self.ask_once(shards, limit).await?;
        let has_moved = |answer: &Answer| answer.1.as_ref().is_err_and(CallError::is_moved);
        let moved: Vec<Shard> = answers.iter().filter(|it| has_moved(it)).map(|it| it.0).collect();
        if !moved.is_empty() {
            self.nodes.newer_map(MAP_WAIT_MAX).await;
            answers.retain(|answer| !has_moved(answer));
            answers.extend(self.ask_once(&moved, limit).await?);
        }
        Ok(answers)
    }

    async fn ask_once(&self, shards: &[Shard], limit: usize) -> Result<Vec<Answer>, StoreError> {
        let mut by_node: Vec<(Arc<Primary>, Vec<Shard>)> = Vec::new();
        let mut answers = Vec::with_capacity(shards.len());
        for shard in shards {
            match self.nodes.of_slot(self.keys.slot(*shard)) {
                Ok(node) => match by_node.iter_mut().find(|(it, _)| Arc::ptr_eq(it, &node)) {
                    Some((_, theirs)) => theirs.push(*shard),
                    None => by_node.push((node, vec![*shard])),
                },
                Err(error) => answers.push((*shard, Err(error))),
            }
        }
        let asked = by_node.into_iter().map(async |(node, shards)| {
            let mut told = Vec::with_capacity(shards.len());
            for piece in shards.chunks(PIECE_MAX) {
                told.extend(self.ask_node(&node, piece, limit).await);
            }
            shards.into_iter().zip(told).collect::<Vec<_>>()
        });
        for (shard, told) in join_all(asked).await.into_iter().flatten() {
            let due = match told {
                Ok(value) => Ok(self.read(&value, limit)?),
                Err(error) => {
                    self.nodes.note(&error);
                    Err(error)
                }
            };
            answers.push((shard, due));
        }
        Ok(answers)
    }

    /// One answer for each of the shards.
    async fn ask_node(
        &self,
        node: &Primary,
        shards: &[Shard],
        limit: usize,
    ) -> Vec<Result<Value, CallError>> {
        let failed = |error: CallError| shards.iter().map(|_| Err(error.clone())).collect();
        let connection = match node.reads.connection() {
            Ok(connection) => connection,
            Err(error) => return failed(error),
        };
        let asked = async {
            let range = CustomCommand::new_static("ZRANGEBYSCORE", ClusterHash::FirstKey, false);
            let pipeline = connection.client().pipeline();
            for shard in shards {
                let args: Vec<Value> = vec![
                    self.keys.due(*shard).into(),
                    "-inf".into(),
                    score(self.before).into(),
                    "LIMIT".into(),
                    0.into(),
                    (limit as i64).into(),
                ];
                let queued: Result<Value, Error> = pipeline.custom(range.clone(), args).await;
                queued?;
            }
            Ok(pipeline.try_all::<Value>().await)
        };
        match connection.call(TIMEOUT, asked).await {
            Ok(values) if values.len() == shards.len() => {
                values.into_iter().map(|value| value.map_err(call_error)).collect()
            }
            Ok(_) => failed(CallError::Refused("an answer is not complete".to_owned())),
            Err(error) => failed(error),
        }
    }

    fn read(&self, value: &Value, limit: usize) -> Result<ShardDue, StoreError> {
        let Value::Array(members) = value else {
            return Ok(ShardDue { entities: Vec::new(), is_full: false });
        };
        let mut entities = Vec::with_capacity(members.len());
        for member in members {
            let entity = read_member(member.as_bytes().unwrap_or_default())?;
            // Those of the same score that are due later come last.
            if entity.due > self.before {
                break;
            }
            entities.push(entity);
        }
        let is_full = entities.len() >= limit;
        Ok(ShardDue { entities, is_full })
    }
}

fn entities((_, due): &Answer) -> Option<&Vec<DueEntity>> {
    due.as_ref().ok().map(|due| &due.entities)
}

fn call_error(error: Error) -> CallError {
    match is_broken(&error) {
        true => CallError::Broken,
        false => CallError::Refused(error.details().to_owned()),
    }
}
