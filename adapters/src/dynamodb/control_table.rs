//! The control table in DynamoDB: an item each, changed by a conditional write and read strongly
//! consistent.

use async_trait::async_trait;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use barrow_cluster::{ControlError, ControlOutcome, ControlRow, ControlTable};

use super::client::Dynamo;
use super::errors::{Fault, fault_of};
use super::items::{Item, binary, binary_of, item, number, number_of, text};
use super::tables::CONTROL;

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

fn decode(item: &Item) -> Result<ControlRow, ControlError> {
    let row = || {
        let value = binary_of(item, VALUE)?.to_vec();
        Some(ControlRow { version: number_of(item, VERSION)?, value })
    };
    row().ok_or_else(|| ControlError::Unavailable("a row cannot be read".to_owned()))
}

fn unavailable(fault: Fault) -> ControlError {
    ControlError::Unavailable(fault.into_text())
}

#[async_trait]
impl ControlTable for DynamoControlTable {
    async fn load(&self, key: &str) -> Result<Option<ControlRow>, ControlError> {
        let get = self.dynamo.reads().get_item().table_name(&self.table);
        let get = get.set_key(Some(item([(KEY, text(key))]))).consistent_read(true);
        let found = get.send().await.map_err(|error| unavailable(fault_of(&error)))?;
        found.item.as_ref().map(decode).transpose()
    }

    async fn cas(
        &self,
        key: &str,
        expected: u64,
        value: Vec<u8>,
    ) -> Result<ControlOutcome, ControlError> {
        let version = expected + 1;
        let row = [(KEY, text(key)), (VERSION, number(version)), (VALUE, binary(value))];
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
                let found = failed.item.as_ref().map(decode).transpose()?;
                Ok(ControlOutcome::Conflict(found))
            }
            Err(error) => Err(match fault_of(&error) {
                Fault::Unknown(reason) => ControlError::OutcomeUnknown(reason),
                fault => unavailable(fault),
            }),
        }
    }
}
