//! Rows of entities in DynamoDB: one item each, replaced by one conditional write (R1).
//!
//! A write is sent once. What certainly changed nothing is told as such; whatever else goes wrong
//! leaves its outcome open, and the actor repeats it (R2). The index by which entities that are
//! due are found is kept by DynamoDB itself, from the same write, some moments later.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::{PutItemError, PutItemOutput};
use aws_sdk_dynamodb::types::{
    ConsumedCapacity, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
};
use barrow_engine::entity::{EntityKey, Shard};
use barrow_engine::ports::{
    BLOB_BYTES_MAX, CasOutcome, DueEntity, EntityStore, Expected, Row, StoreError,
};
use barrow_engine::time::Timestamp;
use tokio::sync::Semaphore;

use super::client::Dynamo;
use super::errors::fault_of;
use super::items::{Item, id, number};
use super::row_codec::{
    DUE, KEY, SHARD, VERSION, WRITE_ID, bytes_of, decode_due, decode_row, encode_row, key_of,
};
use super::tables::{DUE_INDEX, ENTITIES};

/// Writes in flight at most: each holds a connection. At 5 ms a write it is 50,000 a second;
/// behind a slow store the writers wait here, and no more is taken on.
pub const WRITES_IN_FLIGHT_MAX: usize = 256;

/// The most entries of the index in one page: some 50 KB.
const DUE_PAGE_MAX: usize = 1_000;

/// Rows of entities.
pub struct DynamoEntityStore {
    dynamo: Dynamo,
    table: String,
    in_flight: Semaphore,
    counters: Counters,
}

/// What the writes came to so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct DynamoFigures {
    /// Requests sent, each for one row.
    pub write_requests: u64,
    pub written: u64,
    pub conflicts: u64,
    pub throttled: u64,
    pub outcomes_unknown: u64,
    /// Of all items sent, as DynamoDB counts them.
    pub item_bytes: u64,
    /// What DynamoDB bills for, the index included; refused conditions cost as well, but it
    /// does not say how much.
    pub write_units: f64,
    /// Writes sent and not yet answered.
    pub in_flight: u64,
}

#[derive(Default)]
struct Counters {
    write_requests: AtomicU64,
    written: AtomicU64,
    conflicts: AtomicU64,
    throttled: AtomicU64,
    outcomes_unknown: AtomicU64,
    item_bytes: AtomicU64,
    /// Units come in halves and quarters.
    write_milliunits: AtomicU64,
}

impl DynamoEntityStore {
    pub fn new(dynamo: Dynamo) -> DynamoEntityStore {
        let table = dynamo.table(ENTITIES.name);
        let in_flight = Semaphore::new(WRITES_IN_FLIGHT_MAX);
        DynamoEntityStore { dynamo, table, in_flight, counters: Counters::default() }
    }

    pub fn figures(&self) -> DynamoFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let idle = self.in_flight.available_permits();
        DynamoFigures {
            write_requests: read(&self.counters.write_requests),
            written: read(&self.counters.written),
            conflicts: read(&self.counters.conflicts),
            throttled: read(&self.counters.throttled),
            outcomes_unknown: read(&self.counters.outcomes_unknown),
            item_bytes: read(&self.counters.item_bytes),
            write_units: read(&self.counters.write_milliunits) as f64 / 1_000.0,
            in_flight: WRITES_IN_FLIGHT_MAX.saturating_sub(idle) as u64,
        }
    }

    async fn send(
        &self,
        expected: Expected,
        item: Item,
    ) -> Result<PutItemOutput, SdkError<PutItemError, HttpResponse>> {
        let put = self
            .dynamo
            .writes()
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match expected {
            Expected::Absent => put.condition_expression(format!("attribute_not_exists({KEY})")),
            Expected::Present { version, write_id } => put
                .condition_expression(format!("{VERSION} = :v AND {WRITE_ID} = :w"))
                .expression_attribute_values(":v", number(version))
                .expression_attribute_values(":w", id(write_id.0)),
        };
        put.send().await
    }

    fn count(&self, outcome: &Result<CasOutcome, StoreError>) {
        let counter = match outcome {
            Ok(CasOutcome::Written) => &self.counters.written,
            Ok(CasOutcome::Conflict(_)) => &self.counters.conflicts,
            Err(StoreError::Throttled) => &self.counters.throttled,
            Err(StoreError::OutcomeUnknown(_)) => &self.counters.outcomes_unknown,
            Err(_) => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn count_units(&self, consumed: Option<&ConsumedCapacity>) {
        let units = consumed.and_then(|consumed| consumed.capacity_units).unwrap_or(0.0);
        let milliunits = (units * 1_000.0).round() as u64;
        self.counters.write_milliunits.fetch_add(milliunits, Ordering::Relaxed);
    }
}

#[async_trait]
impl EntityStore for DynamoEntityStore {
    async fn load(&self, key: EntityKey) -> Result<Option<Row>, StoreError> {
        let get = self.dynamo.reads().get_item().table_name(&self.table);
        let answer = get.key(KEY, key_of(key)).consistent_read(true).send().await;
        let answer = answer.map_err(|error| fault_of(&error).of_load())?;
        answer.item.map(decode_row).transpose()
    }

    async fn cas(
        &self,
        key: EntityKey,
        expected: Expected,
        row: Row,
    ) -> Result<CasOutcome, StoreError> {
        let bytes = row.blob.len();
        if bytes > BLOB_BYTES_MAX {
            return Err(StoreError::TooLarge { bytes, limit: BLOB_BYTES_MAX });
        }
        let item = encode_row(key, &row);
        let _permit = self.in_flight.acquire().await.expect("the semaphore is never closed");
        self.counters.write_requests.fetch_add(1, Ordering::Relaxed);
        self.counters.item_bytes.fetch_add(bytes_of(&item) as u64, Ordering::Relaxed);
        let outcome = match self.send(expected, item).await {
            Ok(answer) => {
                self.count_units(answer.consumed_capacity());
                Ok(CasOutcome::Written)
            }
            Err(error) => outcome_of(error),
        };
        self.count(&outcome);
        outcome
    }

    async fn due(
        &self,
        shard: Shard,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueEntity>, StoreError> {
        let mut found = Vec::new();
        let mut start = None;
        while found.len() < limit {
            let page = (limit - found.len()).min(DUE_PAGE_MAX) as i32;
            let query = self
                .dynamo
                .reads()
                .query()
                .table_name(&self.table)
                .index_name(DUE_INDEX)
                .key_condition_expression(format!("{SHARD} = :s AND {DUE} <= :d"))
                .expression_attribute_values(":s", number(shard.index()))
                .expression_attribute_values(":d", number(before.as_millis()))
                .set_exclusive_start_key(start)
                .limit(page);
            let answer = query.send().await.map_err(|error| fault_of(&error).of_load())?;
            for item in answer.items() {
                found.push(decode_due(item)?);
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        Ok(found)
    }

    fn durability(&self) -> &'static str {
        "DynamoDB: an acknowledged write is on disks in two availability zones or more, and \
         survives the loss of any process and of one zone"
    }
}

fn outcome_of(error: SdkError<PutItemError, HttpResponse>) -> Result<CasOutcome, StoreError> {
    if let SdkError::ServiceError(refused) = &error
        && let PutItemError::ConditionalCheckFailedException(failed) = refused.err()
    {
        let found = failed.item().cloned().map(decode_row).transpose()?;
        return Ok(CasOutcome::Conflict(found));
    }
    Err(fault_of(&error).of_cas())
}
