//! What is due, read from the index lane by lane (see `row_codec`): a lane holds the entities of
//! other nodes' shards too, and those are passed over.

use std::collections::{BTreeMap, HashSet};

use barrow_engine::entity::{SHARDS, Shard};
use barrow_engine::ports::{DueEntity, StoreError};
use barrow_engine::time::Timestamp;
use futures::stream::{StreamExt, TryStreamExt};

use super::client::Dynamo;
use super::errors::fault_of;
use super::items::number;
use super::row_codec::{DUE, LANE, LANES, decode_due, lane_of};
use super::tables::DUE_INDEX;
use crate::due::earliest;

/// The most entries of the index in one page: some 50 KB.
const PAGE_MAX: usize = 1_000;

/// Pages of a lane that one call reads at most without filling its answer: 32,000 entities that
/// are due, most of them of other nodes.
const PAGES_MAX: usize = 32;

/// Lanes read at once: all of them take four round trips where nothing is due.
const LANES_AT_ONCE: usize = 4;

/// The shards of a lane that are asked for.
struct LanePart {
    lane: u16,
    shards: HashSet<Shard>,
}

impl LanePart {
    fn is_whole(&self) -> bool {
        self.shards.len() == usize::from(SHARDS / LANES)
    }
}

pub(super) async fn read(
    dynamo: &Dynamo,
    table: &str,
    shards: &[Shard],
    before: Timestamp,
    limit: usize,
) -> Result<Vec<DueEntity>, StoreError> {
    let mut parts: BTreeMap<u16, HashSet<Shard>> = BTreeMap::new();
    for shard in shards {
        parts.entry(lane_of(*shard)).or_default().insert(*shard);
    }
    let reads = parts.into_iter().map(|(lane, shards)| async move {
        let part = LanePart { lane, shards };
        read_part(dynamo, table, &part, before, limit).await
    });
    let reads = futures::stream::iter(reads).buffer_unordered(LANES_AT_ONCE);
    let found: Vec<Vec<DueEntity>> = reads.try_collect().await?;
    Ok(earliest(found.concat(), limit))
}

async fn read_part(
    dynamo: &Dynamo,
    table: &str,
    part: &LanePart,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<DueEntity>, StoreError> {
    let mut found = Vec::new();
    let mut start = None;
    for _ in 0..PAGES_MAX {
        if found.len() >= limit {
            return Ok(found);
        }
        // Among entities of other shards a page that is just large enough may hold none of ours.
        let wanted = if part.is_whole() { limit - found.len() } else { PAGE_MAX };
        let query = dynamo
            .reads()
            .query()
            .table_name(table)
            .index_name(DUE_INDEX)
            .key_condition_expression(format!("{LANE} = :l AND {DUE} <= :d"))
            .expression_attribute_values(":l", number(part.lane))
            .expression_attribute_values(":d", number(before.as_millis()))
            .set_exclusive_start_key(start)
            .limit(wanted.min(PAGE_MAX) as i32);
        let answer = query.send().await.map_err(|error| fault_of(&error).of_load())?;
        for item in answer.items() {
            let entity = decode_due(item)?;
            if part.shards.contains(&entity.key.shard()) && found.len() < limit {
                found.push(entity);
            }
        }
        start = answer.last_evaluated_key;
        if start.is_none() {
            return Ok(found);
        }
    }
    if found.len() < limit {
        let lane = part.lane;
        tracing::warn!(lane, found = found.len(), "what is due was not read to its end");
    }
    Ok(found)
}
