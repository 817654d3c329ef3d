//! Rows of entities in DynamoDB: one item each, replaced by one conditional write (R1).
//!
//! A lone write is a request of its own; under load several share one (`write_queue`), each with
//! its own condition and its own outcome. A request is sent once. What certainly changed nothing
//! is told as such; whatever else goes wrong leaves the outcome open, and the actor repeats it
//! (R2). The index by which entities that are due are found is kept by DynamoDB itself, from the
//! same write, some moments later.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{
    BatchStatementErrorCodeEnum, BatchStatementRequest, BatchStatementResponse, ConsumedCapacity,
    ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
};
use barrow_engine::entity::{EntityKey, Shard};
use barrow_engine::ports::{
    BLOB_BYTES_MAX, CasOutcome, CasResult, DueEntity, EntityStore, Expected, Row, StoreError,
};
use barrow_engine::time::Timestamp;
use tokio::sync::{Semaphore, oneshot};

use super::client::Dynamo;
use super::due;
use super::errors::{fault_of, statement_fault};
use super::items::{Item, id, number};
use super::row_codec::{
    BLOB, DUE, EXPIRES, KEY, LANE, VERSION, WRITE_ID, bytes_of, decode_row, encode_row, key_of,
};
use super::tables::ENTITIES;
use super::write_queue::{Waiting, WriteQueue};

/// Requests for writes in flight at most: each holds a connection. At 5 ms each, they carry 3,000
/// writes a second alone and 80,000 together; behind a slow store the writers wait here.
pub const WRITE_REQUESTS_MAX: usize = 16;

/// Rows of entities.
pub struct DynamoEntityStore {
    dynamo: Dynamo,
    table: String,
    write_requests_max: usize,
    in_flight: Semaphore,
    queue: WriteQueue,
    counters: Counters,
}

/// What the writes came to so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct DynamoFigures {
    /// Requests sent, each for one row or more.
    pub write_requests: u64,
    /// Writes sent.
    pub writes: u64,
    pub written: u64,
    pub conflicts: u64,
    pub throttled: u64,
    pub outcomes_unknown: u64,
    /// Of all items sent, as DynamoDB counts them.
    pub item_bytes: u64,
    /// What DynamoDB bills for, the index included; refused conditions cost as well, but it
    /// does not say how much.
    pub write_units: f64,
    /// Requests sent and not yet answered.
    pub in_flight: u64,
}

#[derive(Default)]
struct Counters {
    write_requests: AtomicU64,
    writes: AtomicU64,
    written: AtomicU64,
    conflicts: AtomicU64,
    throttled: AtomicU64,
    outcomes_unknown: AtomicU64,
    item_bytes: AtomicU64,
    /// Units come in halves and quarters.
    write_milliunits: AtomicU64,
}

impl DynamoEntityStore {
    /// With [`WRITE_REQUESTS_MAX`].
    pub fn new(dynamo: Dynamo) -> DynamoEntityStore {
        DynamoEntityStore::bounded(dynamo, WRITE_REQUESTS_MAX)
    }

    pub fn bounded(dynamo: Dynamo, write_requests_max: usize) -> DynamoEntityStore {
        DynamoEntityStore {
            table: dynamo.table(ENTITIES.name),
            dynamo,
            write_requests_max,
            in_flight: Semaphore::new(write_requests_max),
            queue: WriteQueue::default(),
            counters: Counters::default(),
        }
    }

    pub fn figures(&self) -> DynamoFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let idle = self.in_flight.available_permits();
        DynamoFigures {
            write_requests: read(&self.counters.write_requests),
            writes: read(&self.counters.writes),
            written: read(&self.counters.written),
            conflicts: read(&self.counters.conflicts),
            throttled: read(&self.counters.throttled),
            outcomes_unknown: read(&self.counters.outcomes_unknown),
            item_bytes: read(&self.counters.item_bytes),
            write_units: read(&self.counters.write_milliunits) as f64 / 1_000.0,
            in_flight: self.write_requests_max.saturating_sub(idle) as u64,
        }
    }

    /// Sends the writes in one request and tells each its outcome.
    async fn send(&self, mut writes: Vec<Waiting>) {
        self.counters.write_requests.fetch_add(1, Ordering::Relaxed);
        self.counters.writes.fetch_add(writes.len() as u64, Ordering::Relaxed);
        if let [_] = writes[..] {
            let write = writes.remove(0);
            let outcome = self.send_one(&write).await;
            self.tell(write, outcome);
            return;
        }
        let mut outcomes = self.send_many(&writes).await.into_iter();
        for write in writes {
            let none = || Err(StoreError::OutcomeUnknown("it was not answered".to_owned()));
            self.tell(write, outcomes.next().unwrap_or_else(none));
        }
    }

    fn tell(&self, write: Waiting, outcome: CasResult) {
        self.count(&outcome);
        // Who does not wait any more leaves the outcome open.
        let _ = write.reply.send(outcome);
    }

    async fn send_one(&self, write: &Waiting) -> CasResult {
        let item = encode_row(write.key, &write.row);
        self.counters.item_bytes.fetch_add(bytes_of(&item) as u64, Ordering::Relaxed);
        let put = self
            .dynamo
            .writes()
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match write.expected {
            Expected::Absent => put.condition_expression(format!("attribute_not_exists({KEY})")),
            Expected::Present { version, write_id } => put
                .condition_expression(format!("{VERSION} = :v AND {WRITE_ID} = :w"))
                .expression_attribute_values(":v", number(version))
                .expression_attribute_values(":w", id(write_id.0)),
        };
        match put.send().await {
            Ok(answer) => {
                self.count_units(answer.consumed_capacity());
                Ok(CasOutcome::Written)
            }
            Err(error) => outcome_of(error),
        }
    }

    /// Each write has its own outcome; where the request as a whole fails, they share it.
    async fn send_many(&self, writes: &[Waiting]) -> Vec<CasResult> {
        let statements = writes.iter().map(|write| {
            let item = encode_row(write.key, &write.row);
            self.counters.item_bytes.fetch_add(bytes_of(&item) as u64, Ordering::Relaxed);
            statement(&self.table, item, write.expected)
        });
        let request = self
            .dynamo
            .writes()
            .batch_execute_statement()
            .set_statements(Some(statements.collect()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        match request.send().await {
            Ok(answer) => {
                answer.consumed_capacity().iter().for_each(|units| self.count_units(Some(units)));
                answer.responses.unwrap_or_default().into_iter().map(outcome_of_one).collect()
            }
            Err(error) => {
                let fault = fault_of(&error);
                writes.iter().map(|_| Err(fault.clone().of_cas())).collect()
            }
        }
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
        let (reply, mut answer) = oneshot::channel();
        let ticket = self.queue.push(key, expected, row, reply);
        let slot = tokio::select! {
            biased;
            outcome = &mut answer => return outcome.unwrap_or_else(|_| Err(gone())),
            slot = self.in_flight.acquire() => slot.expect("the semaphore is never closed"),
        };
        let writes = self.queue.take(ticket);
        if writes.is_empty() {
            drop(slot);
        } else {
            self.send(writes).await;
        }
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    async fn due(
        &self,
        shards: &[Shard],
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueEntity>, StoreError> {
        due::read(&self.dynamo, &self.table, shards, before, limit).await
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

/// Who sent it with its own was dropped.
fn gone() -> StoreError {
    StoreError::OutcomeUnknown("the request that carried it was given up".to_owned())
}

/// A write among several, in DynamoDB's SQL: the row's place is named by its key, and all else
/// of the item is replaced.
fn statement(table: &str, mut item: Item, expected: Expected) -> BatchStatementRequest {
    let Expected::Present { version, write_id } = expected else {
        unreachable!("a write that creates a row goes alone");
    };
    let key = item.remove(KEY);
    let mut sets = String::new();
    let mut parameters = Vec::with_capacity(9);
    for name in [VERSION, WRITE_ID, BLOB, LANE, DUE, EXPIRES] {
        match item.remove(name) {
            Some(value) => {
                sets.push_str(&format!(" SET {name}=?"));
                parameters.push(value);
            }
            None => sets.push_str(&format!(" REMOVE {name}")),
        }
    }
    parameters.extend(key);
    parameters.extend([number(version), id(write_id.0)]);
    let text = format!("UPDATE \"{table}\"{sets} WHERE {KEY}=? AND {VERSION}=? AND {WRITE_ID}=?");
    BatchStatementRequest::builder()
        .statement(text)
        .set_parameters(Some(parameters))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build()
        .expect("the statement is set")
}

fn outcome_of_one(response: BatchStatementResponse) -> CasResult {
    let Some(error) = response.error else { return Ok(CasOutcome::Written) };
    if error.code == Some(BatchStatementErrorCodeEnum::ConditionalCheckFailed) {
        return Ok(CasOutcome::Conflict(error.item.map(decode_row).transpose()?));
    }
    let code = error.code.as_ref().map(BatchStatementErrorCodeEnum::as_str);
    Err(statement_fault(code, error.message.unwrap_or_default()).of_cas())
}
