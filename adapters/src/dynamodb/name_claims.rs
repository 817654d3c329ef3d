//! The actions of which a transaction on a product and its names consists, and what it means
//! when it is cancelled.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Delete, Put,
    ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use barrow_engine::ids::ProductId;

use super::client::Dynamo;
use super::errors::{Fault, fault_of, is_throttling};
use super::items::{Item, id, number};
use super::product_names::{
    Claim, INTENT, Intent, NAME, OWNER, decode_claim, intent_key, intent_value, name_item, name_key,
};
use super::product_store::{VERSION, product_key};
use super::tables::{PRODUCT_NAMES, PRODUCTS};
use crate::catalog::names::Name;

/// A condition in DynamoDB's own terms. Its reserved words make a placeholder of each name.
pub(super) struct Condition {
    pub expression: String,
    pub names: HashMap<String, String>,
    pub values: Option<Item>,
}

impl Condition {
    fn new<const N: usize>(
        expression: &str,
        names: &[&str],
        values: [(&str, AttributeValue); N],
    ) -> Condition {
        let names = names.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect();
        // An empty list is refused.
        let values = (N > 0).then(|| super::items::item(values));
        Condition { expression: expression.to_owned(), names, values }
    }

    /// The product is stored with this version, or not at all.
    pub fn version_is(current: Option<u64>) -> Condition {
        match current {
            None => Condition::new("attribute_not_exists(#version)", &[VERSION], []),
            Some(version) => {
                Condition::new("#version = :version", &[VERSION], [(":version", number(version))])
            }
        }
    }

    fn owned_by(owner: ProductId) -> Condition {
        Condition::new("#owner = :me", &[OWNER], [(":me", id(owner.0))])
    }

    fn claimed_by(claim: ProductId, intent: Intent) -> Condition {
        let values = [(":me", id(claim.0)), (":intent", intent_value(intent))];
        Condition::new("#owner = :me AND #intent = :intent", &[OWNER, INTENT], values)
    }

    /// The name is free, or the product's own already, or this claim's, which is abandoned.
    fn free_for(product: ProductId, abandoned: Option<&Claim>) -> Condition {
        let free = "attribute_not_exists(#name) OR #owner = :me";
        match abandoned {
            Some(Claim { owner, intent: Some(intent) }) => {
                let expression = format!("{free} OR (#owner = :other AND #intent = :intent)");
                let values = [
                    (":me", id(product.0)),
                    (":other", id(owner.0)),
                    (":intent", intent_value(*intent)),
                ];
                Condition::new(&expression, &[NAME, OWNER, INTENT], values)
            }
            _ => Condition::new(free, &[NAME, OWNER], [(":me", id(product.0))]),
        }
    }
}

/// Actions that take effect together, or not at all.
pub(super) struct Actions<'a> {
    dynamo: &'a Dynamo,
    product: ProductId,
    items: Vec<TransactWriteItem>,
    /// Which name each of them claims.
    claims: Vec<Option<Name>>,
}

impl<'a> Actions<'a> {
    pub fn new(dynamo: &'a Dynamo, product: ProductId) -> Actions<'a> {
        Actions { dynamo, product, items: Vec::new(), claims: Vec::new() }
    }

    pub fn put_product(&mut self, item: Item, current: Option<u64>) {
        let table = self.dynamo.table(PRODUCTS.name);
        self.put(table, item, Some(Condition::version_is(current)), None);
    }

    pub fn check_product(&mut self, current: Option<u64>) {
        let condition = Condition::version_is(current);
        let check = ConditionCheck::builder()
            .table_name(self.dynamo.table(PRODUCTS.name))
            .set_key(Some(product_key(self.product)))
            .condition_expression(condition.expression)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(condition.values);
        let check = check.build().expect("table, key and condition are set");
        self.push(TransactWriteItem::builder().condition_check(check).build(), None);
    }

    /// Takes a name that is free.
    pub fn claim(&mut self, name: &Name, intent: Option<Intent>, abandoned: Option<&Claim>) {
        let item = name_item(name, Claim { owner: self.product, intent });
        let condition = Condition::free_for(self.product, abandoned);
        self.put(self.names(), item, Some(condition), Some(name.clone()));
    }

    /// Takes a name whoever has it.
    pub fn set(&mut self, name: &Name) {
        let item = name_item(name, Claim { owner: self.product, intent: None });
        self.put(self.names(), item, None, None);
    }

    /// Gives up a name that is the product's; with an intent, only while it carries that one.
    pub fn free(&mut self, name: &Name, intent: Option<Intent>) {
        let condition = match intent {
            None => Condition::owned_by(self.product),
            Some(intent) => Condition::claimed_by(self.product, intent),
        };
        self.delete(name_key(name), condition);
    }

    /// Takes the intent off a name that the product carries now.
    pub fn settle(&mut self, name: &Name, intent: Intent) {
        let condition = Condition::claimed_by(self.product, intent);
        let update = Update::builder()
            .table_name(self.names())
            .set_key(Some(name_key(name)))
            .update_expression("REMOVE #intent")
            .condition_expression(condition.expression)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(condition.values);
        let update = update.build().expect("table, key and expression are set");
        self.push(TransactWriteItem::builder().update(update).build(), None);
    }

    pub fn end_intent(&mut self, intent: Intent) {
        let values = [(":intent", intent_value(intent))];
        let condition = Condition::new("#intent = :intent", &[INTENT], values);
        self.delete(intent_key(self.product), condition);
    }

    fn names(&self) -> String {
        self.dynamo.table(PRODUCT_NAMES.name)
    }

    fn put(
        &mut self,
        table: String,
        item: Item,
        condition: Option<Condition>,
        claims: Option<Name>,
    ) {
        let mut put = Put::builder().table_name(table).set_item(Some(item));
        if let Some(condition) = condition {
            put = put
                .condition_expression(condition.expression)
                .set_expression_attribute_names(Some(condition.names))
                .set_expression_attribute_values(condition.values);
        }
        if claims.is_some() {
            let all_old = ReturnValuesOnConditionCheckFailure::AllOld;
            put = put.return_values_on_condition_check_failure(all_old);
        }
        let put = put.build().expect("table and item are set");
        self.push(TransactWriteItem::builder().put(put).build(), claims);
    }

    fn delete(&mut self, key: Item, condition: Condition) {
        let delete = Delete::builder()
            .table_name(self.names())
            .set_key(Some(key))
            .condition_expression(condition.expression)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(condition.values);
        let delete = delete.build().expect("table and key are set");
        self.push(TransactWriteItem::builder().delete(delete).build(), None);
    }

    fn push(&mut self, item: TransactWriteItem, claims: Option<Name>) {
        self.items.push(item);
        self.claims.push(claims);
    }
}

/// Why a transaction did not take place.
pub(super) enum Cancelled {
    /// Something is not as it was when the actions were made, or is being changed right now.
    Moved,
    /// These names lead elsewhere; all else was as it should be.
    Contested(Vec<(Name, Claim)>),
    /// The service will never take it.
    Invalid(String),
}

pub(super) async fn transact(
    dynamo: &Dynamo,
    actions: Actions<'_>,
) -> Result<Result<(), Cancelled>, Fault> {
    let Actions { items, claims, .. } = actions;
    let request = dynamo.writes().transact_write_items().set_transact_items(Some(items));
    let error = match request.send().await {
        Ok(_) => return Ok(Ok(())),
        Err(error) => error,
    };
    if let SdkError::ServiceError(refused) = &error {
        match refused.err() {
            TransactWriteItemsError::TransactionCanceledException(cancelled) => {
                return Ok(Err(judge(cancelled.cancellation_reasons(), claims)));
            }
            TransactWriteItemsError::TransactionInProgressException(_) => {
                return Ok(Err(Cancelled::Moved));
            }
            _ => {}
        }
    }
    Err(fault_of(&error))
}

fn judge(reasons: &[CancellationReason], claims: Vec<Option<Name>>) -> Cancelled {
    let mut contested = Vec::new();
    let mut has_moved = false;
    for (reason, name) in reasons.iter().zip(claims) {
        match (reason.code().unwrap_or("None"), name) {
            ("None", _) => {}
            ("ConditionalCheckFailed", Some(name)) => match reason.item().map(decode_claim) {
                Some(Ok(claim)) => contested.push((name, claim)),
                // It was there when it was asked and is not any more; or it is not readable,
                // which reading it will tell.
                _ => has_moved = true,
            },
            ("ConditionalCheckFailed" | "TransactionConflict", _) => has_moved = true,
            (code, _) if is_throttling(code) || code == "ProvisionedThroughputExceeded" => {
                has_moved = true;
            }
            (code, _) => {
                let message = reason.message().unwrap_or_default();
                return Cancelled::Invalid(format!("{code}: {message}"));
            }
        }
    }
    if has_moved || contested.is_empty() {
        return Cancelled::Moved;
    }
    Cancelled::Contested(contested)
}
