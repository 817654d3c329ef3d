//! The control table in DynamoDB: an item each, changed by a conditional write and read strongly
//! consistent. All are in one partition, so that a list is strongly consistent, too: the nodes of a
//! cluster write a few items a second, far below what a partition takes.

use async_trait::async_trait;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use barrow_cluster::{ControlError, ControlOutcome, ControlRow, ControlTable, ROWS_MAX};

use super::client::Dynamo;
use super::errors::{Fault, fault_of};
use super::items::{Item, binary, binary_of, item, number, number_of, text, text_of};
use super::tables::CONTROL;

/// Holds the same for all items.
pub(super) const PARTITION: &str = "partition";
pub(super) const KEY: &str = "key";
const VERSION: &str = "version";
const VALUE: &str = "value";

/// Rows that nodes agree in.
#[derive(Debug, Clone)]
pub struct DynamoControlTable {
    dynamo: Dynamo,
    table: String,
}

impl DynamoControlTable {
    pub fn new(dynamo: Dynamo) -> DynamoControlTable {
        let table = dynamo.table(CONTROL.name);
        DynamoControlTable { dynamo, table }
    }
}

fn key_of(key: &str) -> [(&'static str, AttributeValue); 2] {
    [(PARTITION, number(0)), (KEY, text(key))]
}

fn decode(item: &Item) -> Result<ControlRow, ControlError> {
    let row = || {
        let value = binary_of(item, VALUE)?.to_vec();
        Some(ControlRow { version: number_of(item, VERSION)?, value })
    };
    row().ok_or_else(unreadable)
}

fn unreadable() -> ControlError {
    ControlError::Unavailable("a row cannot be read".to_owned())
}

fn unavailable(fault: Fault) -> ControlError {
    ControlError::Unavailable(fault.into_text())
}

fn write_error(fault: Fault) -> ControlError {
    match fault {
        Fault::Unknown(reason) => ControlError::OutcomeUnknown(reason),
        fault => unavailable(fault),
    }
}

/// The item of a refusal is what is there instead.
fn conflict(found: Option<&Item>) -> Result<ControlOutcome, ControlError> {
    Ok(ControlOutcome::Conflict(found.map(decode).transpose()?))
}

#[async_trait]
impl ControlTable for DynamoControlTable {
    async fn load(&self, key: &str) -> Result<Option<ControlRow>, ControlError> {
        let get = self.dynamo.reads().get_item().table_name(&self.table);
        let get = get.set_key(Some(item(key_of(key)))).consistent_read(true);
        let found = get.send().await.map_err(|error| unavailable(fault_of(&error)))?;
        found.item.as_ref().map(decode).transpose()
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, ControlRow)>, ControlError> {
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let query = self.dynamo.reads().query().table_name(&self.table).consistent_read(true);
            let query = query
                .expression_attribute_names("#partition", PARTITION)
                .expression_attribute_values(":partition", number(0))
                .set_exclusive_start_key(start);
            // No key begins with an empty text: DynamoDB takes none as the value of a key.
            let query = match prefix.is_empty() {
                true => query.key_condition_expression("#partition = :partition"),
                false => query
                    .key_condition_expression("#partition = :partition AND begins_with(#key, :key)")
                    .expression_attribute_names("#key", KEY)
                    .expression_attribute_values(":key", text(prefix)),
            };
            let page = query.send().await.map_err(|error| unavailable(fault_of(&error)))?;
            for item in page.items() {
                let key = text_of(item, KEY).ok_or_else(unreadable)?;
                found.push((key.to_owned(), decode(item)?));
            }
            if found.len() > ROWS_MAX {
                return Err(ControlError::Unavailable("there are too many rows".to_owned()));
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(found);
            }
        }
    }

    async fn cas(
        &self,
        key: &str,
        expected: u64,
        value: Vec<u8>,
    ) -> Result<ControlOutcome, ControlError> {
        let version = expected + 1;
        let [partition, key] = key_of(key);
        let row = [partition, key, (VERSION, number(version)), (VALUE, binary(value))];
        let put = self.dynamo.writes().put_item().table_name(&self.table);
        let put = put.set_item(Some(item(row)));
        let put = put.expression_attribute_names("#version", VERSION);
        let put = match expected {
            0 => put.condition_expression("attribute_not_exists(#version)"),
            _ => put
                .condition_expression("#version = :expected")
                .expression_attribute_values(":expected", number(expected)),
        };
        let old = ReturnValuesOnConditionCheckFailure::AllOld;
        match put.return_values_on_condition_check_failure(old).send().await {
            Ok(_) => Ok(ControlOutcome::Written),
            Err(SdkError::ServiceError(refused))
                if refused.err().is_conditional_check_failed_exception() =>
            {
                let PutItemError::ConditionalCheckFailedException(failed) = refused.into_err()
                else {
                    return Err(ControlError::OutcomeUnknown("an odd refusal".to_owned()));
                };
                conflict(failed.item.as_ref())
            }
            Err(error) => Err(write_error(fault_of(&error))),
        }
    }

    async fn delete(&self, key: &str, expected: u64) -> Result<ControlOutcome, ControlError> {
        let old = ReturnValuesOnConditionCheckFailure::AllOld;
        let delete = self.dynamo.writes().delete_item().table_name(&self.table);
        let delete = delete
            .set_key(Some(item(key_of(key))))
            .condition_expression("#version = :expected")
            .expression_attribute_names("#version", VERSION)
            .expression_attribute_values(":expected", number(expected))
            .return_values_on_condition_check_failure(old);
        match delete.send().await {
            Ok(_) => Ok(ControlOutcome::Written),
            Err(SdkError::ServiceError(refused))
                if refused.err().is_conditional_check_failed_exception() =>
            {
                let DeleteItemError::ConditionalCheckFailedException(failed) = refused.into_err()
                else {
                    return Err(ControlError::OutcomeUnknown("an odd refusal".to_owned()));
                };
                conflict(failed.item.as_ref())
            }
            Err(error) => Err(write_error(fault_of(&error))),
        }
    }
}
