//! By which names a product is found: its slugs, its SKUs and its foreign id, each an item of its
//! own that leads to the product.
//!
//! A product and its names change in one transaction where they fit into it. Where they do not,
//! the names that come or go carry the *intent* of the change until it is done, and meanwhile
//! belong to the product if its document carries them. So each lookup answers as if product and
//! names had changed at once, and a change that ended in between leaves nothing wrong behind:
//!
//! - A name without an intent is carried by the product that it leads to.
//! - A name with an intent is free for others if the product it leads to does not carry it. Who
//!   takes it first ends the intent, an item of its own without which the product is not written.

use aws_sdk_dynamodb::types::AttributeValue;
use barrow_engine::ids::ProductId;
use barrow_engine::ports::{Entropy, ProductStoreError};

use super::client::Dynamo;
use super::errors::{Fault, fault_of};
use super::items::{Item, binary, id, id_of, item};
use super::product_store::{Result, read_product};
use super::tables::PRODUCT_NAMES;
use crate::catalog::names::{Name, names_of};
use crate::host::SystemEntropy;

pub(super) const NAME: &str = "name";
pub(super) const OWNER: &str = "owner";
pub(super) const INTENT: &str = "intent";

/// The kind of the items that hold intents, beside those of names.
const INTENT_KIND: u8 = b'i';

/// Names one attempt to change a product and more names than fit into a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Intent(pub u128);

impl Intent {
    pub fn new() -> Intent {
        Intent(SystemEntropy.next_u128())
    }
}

/// Whom a name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub owner: ProductId,
    pub intent: Option<Intent>,
}

pub(super) fn name_key(name: &Name) -> Item {
    item([(NAME, binary(name.key()))])
}

pub(super) fn intent_key(product: ProductId) -> Item {
    let mut key = vec![INTENT_KIND];
    key.extend_from_slice(&product.0.to_be_bytes());
    item([(NAME, binary(key))])
}

pub(super) fn intent_value(intent: Intent) -> AttributeValue {
    id(intent.0)
}

pub(super) fn name_item(name: &Name, claim: Claim) -> Item {
    let mut item = name_key(name);
    item.insert(OWNER.to_owned(), id(claim.owner.0));
    if let Some(intent) = claim.intent {
        item.insert(INTENT.to_owned(), intent_value(intent));
    }
    item
}

pub(super) fn decode_claim(item: &Item) -> Result<Claim> {
    let damaged = || ProductStoreError::Damaged("a name leads to no id".to_owned());
    let owner = ProductId(id_of(item, OWNER).ok_or_else(damaged)?);
    let intent = match item.contains_key(INTENT) {
        true => Some(Intent(id_of(item, INTENT).ok_or_else(damaged)?)),
        false => None,
    };
    Ok(Claim { owner, intent })
}

pub(super) async fn read_claim(dynamo: &Dynamo, name: &Name) -> Result<Option<Claim>> {
    let get = dynamo.reads().get_item().table_name(dynamo.table(PRODUCT_NAMES.name));
    let get = get.set_key(Some(name_key(name))).consistent_read(true);
    let answer = get.send().await.map_err(|error| fault_of(&error))?;
    answer.item.as_ref().map(decode_claim).transpose()
}

/// Which product has the name at this moment.
pub(super) async fn owner_of(dynamo: &Dynamo, name: &Name) -> Result<Option<ProductId>> {
    let Some(claim) = read_claim(dynamo, name).await? else { return Ok(None) };
    let is_owned = claim.intent.is_none() || carries(dynamo, claim.owner, name).await?;
    Ok(is_owned.then_some(claim.owner))
}

async fn carries(dynamo: &Dynamo, product: ProductId, name: &Name) -> Result<bool> {
    let product = read_product(dynamo, product).await?;
    Ok(product.is_some_and(|product| names_of(&product).contains(name)))
}

/// Whether another product may take the name that this claim with an intent holds. The intent
/// ends before its product is looked at: what is not written by then never will be.
pub(super) async fn is_abandoned(
    dynamo: &Dynamo,
    name: &Name,
    owner: ProductId,
    intent: Intent,
) -> Result<bool> {
    // As long as the product carries it the name is not free, and the change may go on.
    if carries(dynamo, owner, name).await? {
        return Ok(false);
    }
    end_intent(dynamo, owner, intent).await?;
    Ok(!carries(dynamo, owner, name).await?)
}

async fn end_intent(dynamo: &Dynamo, product: ProductId, intent: Intent) -> Result<()> {
    let delete = dynamo.writes().delete_item().table_name(dynamo.table(PRODUCT_NAMES.name));
    let deleted = delete
        .set_key(Some(intent_key(product)))
        .condition_expression("#intent = :intent")
        .expression_attribute_names("#intent", INTENT)
        .expression_attribute_values(":intent", intent_value(intent))
        .send()
        .await;
    match deleted {
        Ok(_) => Ok(()),
        // It has ended before.
        Err(error) if is_condition_failure(&error) => Ok(()),
        Err(error) => Err(fault_of(&error).into()),
    }
}

/// Makes an intent live; one that the product had before ends with it.
pub(super) async fn begin_intent(
    dynamo: &Dynamo,
    product: ProductId,
    intent: Intent,
) -> std::result::Result<(), Fault> {
    let mut item = intent_key(product);
    item.insert(INTENT.to_owned(), intent_value(intent));
    let put = dynamo.writes().put_item().table_name(dynamo.table(PRODUCT_NAMES.name));
    put.set_item(Some(item)).send().await.map_err(|error| fault_of(&error))?;
    Ok(())
}

pub(super) fn is_condition_failure<E>(
    error: &aws_sdk_dynamodb::error::SdkError<E, aws_sdk_dynamodb::config::http::HttpResponse>,
) -> bool
where
    E: aws_sdk_dynamodb::error::ProvideErrorMetadata,
{
    use aws_sdk_dynamodb::error::ProvideErrorMetadata;
    error.code() == Some("ConditionalCheckFailedException")
}
