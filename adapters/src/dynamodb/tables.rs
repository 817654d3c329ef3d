//! The tables that the adapters need, and how they come about: what is missing or different is
//! told first, and made on request.
//!
//! Only rows of entities may expire, those that nobody needs any more: what DynamoDB removes by
//! itself it removes when it likes. Products, reviews and stock have no such time.

use std::time::Duration;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, ContinuousBackupsStatus, GlobalSecondaryIndex,
    KeySchemaElement, KeyType, PointInTimeRecoverySpecification, PointInTimeRecoveryStatus,
    Projection, ProjectionType, ScalarAttributeType, TableDescription, TableStatus,
};
use futures::stream::{StreamExt, TryStreamExt};

use super::client::Dynamo;
use super::errors::text_of;
use super::{control_table, product_names, product_store, reviews, row_codec, ttl};

/// A table as it must be. All are billed by the request and can be restored to any second of the
/// last 35 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Without the prefix.
    pub name: &'static str,
    pub keys: Keys,
    /// Finds items by other keys; holds keys only, of those items that have them.
    pub index: Option<(&'static str, Keys)>,
    /// The attribute that says when an item expires: the table's TTL.
    pub expires: Option<&'static str>,
}

/// By what items are found: one attribute spreads them, another one orders them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    pub hash: Key,
    pub range: Option<Key>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    pub name: &'static str,
    pub kind: KeyKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    Binary,
    Number,
    Text,
}

const fn key(name: &'static str, kind: KeyKind) -> Key {
    Key { name, kind }
}

const fn by(hash: Key) -> Keys {
    Keys { hash, range: None }
}

const fn ordered(hash: Key, range: Key) -> Keys {
    Keys { hash, range: Some(range) }
}

pub(super) const DUE_INDEX: &str = "due";

pub(super) const ENTITIES: Table = Table {
    name: "entities",
    keys: by(key(row_codec::KEY, KeyKind::Binary)),
    index: Some((
        DUE_INDEX,
        ordered(key(row_codec::LANE, KeyKind::Number), key(row_codec::DUE, KeyKind::Number)),
    )),
    expires: Some(row_codec::EXPIRES),
};

pub(super) const PRODUCTS: Table = Table {
    name: "products",
    keys: ordered(
        key(product_store::PARTITION, KeyKind::Number),
        key(product_store::ID, KeyKind::Binary),
    ),
    index: None,
    expires: None,
};

pub(super) const PRODUCT_NAMES: Table = Table {
    name: "product-names",
    keys: by(key(product_names::NAME, KeyKind::Binary)),
    index: None,
    expires: None,
};

pub(super) const COLLECTIONS: Table = Table {
    name: "collections",
    keys: by(key(product_store::ID, KeyKind::Binary)),
    index: None,
    expires: None,
};

pub(super) const REVIEWS: Table = Table {
    name: "reviews",
    keys: ordered(key(reviews::PRODUCT, KeyKind::Binary), key(reviews::PLACE, KeyKind::Binary)),
    index: None,
    expires: None,
};

pub(super) const REVIEW_PLACES: Table = Table {
    name: "review-places",
    keys: by(key(reviews::ID, KeyKind::Binary)),
    index: None,
    expires: None,
};

pub(super) const CONTROL: Table = Table {
    name: "control",
    keys: ordered(
        key(control_table::PARTITION, KeyKind::Number),
        key(control_table::KEY, KeyKind::Text),
    ),
    index: None,
    expires: None,
};

/// All of them.
pub const TABLES: [Table; 7] =
    [ENTITIES, PRODUCTS, PRODUCT_NAMES, COLLECTIONS, REVIEWS, REVIEW_PLACES, CONTROL];

/// What has to be done, or looked at, until the tables are as they must be. Tables go by their
/// full names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Create {
        table: String,
    },
    EnablePointInTimeRecovery {
        table: String,
    },
    EnableTtl {
        table: String,
        attribute: &'static str,
    },
    /// Nothing that may be changed without asking; it works like this.
    Differs {
        table: String,
        how: String,
    },
    /// It cannot work like this: the table is another one than it should be.
    Unusable {
        table: String,
        how: String,
    },
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Step::Create { table } => write!(f, "create the table {table}"),
            Step::EnablePointInTimeRecovery { table } => {
                write!(f, "enable point-in-time recovery of the table {table}")
            }
            Step::EnableTtl { table, attribute } => {
                write!(f, "enable the TTL of the table {table} on '{attribute}'")
            }
            Step::Differs { table, how } => write!(f, "the table {table} {how}"),
            Step::Unusable { table, how } => {
                write!(f, "the table {table} cannot be used: it {how}")
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    #[error("DynamoDB refused to {action} the table {table}: {reason}")]
    Refused { action: &'static str, table: String, reason: String },
    #[error("{0}")]
    Unusable(Step),
    #[error("the table {table} was not active after {seconds} seconds")]
    NotActive { table: String, seconds: u64 },
}

/// A table with an index is active within half a minute.
const ACTIVE_MAX: Duration = Duration::from_secs(120);
const ACTIVE_STEP: Duration = Duration::from_millis(250);

/// Tables looked at or made at once. DynamoDB makes at most 10 with an index at a time.
const TABLES_AT_ONCE: usize = 4;

/// What is missing or different. Changes nothing.
pub async fn plan(dynamo: &Dynamo) -> Result<Vec<Step>, SetupError> {
    let tables = futures::stream::iter(TABLES).map(|table| plan_one(dynamo, table));
    let steps: Vec<Vec<Step>> = tables.buffered(TABLES_AT_ONCE).try_collect().await?;
    Ok(steps.concat())
}

/// Makes what is missing, and waits until it can be used. Answers what was found, as [`plan`]
/// does. Where a table is unusable, nothing is made.
pub async fn create(dynamo: &Dynamo) -> Result<Vec<Step>, SetupError> {
    let planned = plan(dynamo).await?;
    if let Some(step) = planned.iter().find(|step| matches!(step, Step::Unusable { .. })) {
        return Err(SetupError::Unusable(step.clone()));
    }
    let tables = futures::stream::iter(TABLES).map(|table| create_one(dynamo, table, &planned));
    let done: Vec<()> = tables.buffer_unordered(TABLES_AT_ONCE).try_collect().await?;
    debug_assert_eq!(done.len(), TABLES.len());
    Ok(planned)
}

async fn plan_one(dynamo: &Dynamo, table: Table) -> Result<Vec<Step>, SetupError> {
    let name = dynamo.table(table.name);
    let Some(found) = describe(dynamo, &name).await? else {
        let ttl = table.expires.map(|attribute| (name.clone(), attribute));
        let ttl = ttl.map(|(table, attribute)| Step::EnableTtl { table, attribute });
        let made =
            [Step::Create { table: name.clone() }, Step::EnablePointInTimeRecovery { table: name }];
        return Ok(made.into_iter().chain(ttl).collect());
    };
    let mut steps = differences(&table, &name, &found);
    if is_recoverable(dynamo, &name).await? == Some(false) {
        steps.push(Step::EnablePointInTimeRecovery { table: name.clone() });
    }
    if let Some(attribute) = table.expires {
        steps.extend(ttl::missing(dynamo, &name, attribute).await?);
    }
    Ok(steps)
}

async fn create_one(dynamo: &Dynamo, table: Table, planned: &[Step]) -> Result<(), SetupError> {
    let name = dynamo.table(table.name);
    if planned.contains(&Step::Create { table: name.clone() }) {
        create_table(dynamo, &table, &name).await?;
    }
    wait_until_active(dynamo, &name).await?;
    if planned.contains(&Step::EnablePointInTimeRecovery { table: name.clone() }) {
        enable_recovery(dynamo, &name).await?;
    }
    if let Some(attribute) = table.expires
        && planned.contains(&Step::EnableTtl { table: name.clone(), attribute })
    {
        ttl::enable(dynamo, &name, attribute).await?;
    }
    Ok(())
}

pub(super) fn refused<E>(
    action: &'static str,
    table: &str,
    error: &SdkError<E, HttpResponse>,
) -> SetupError
where
    E: std::error::Error + 'static,
{
    SetupError::Refused { action, table: table.to_owned(), reason: text_of(error) }
}

async fn describe(dynamo: &Dynamo, name: &str) -> Result<Option<TableDescription>, SetupError> {
    match dynamo.tables().describe_table().table_name(name).send().await {
        Ok(answer) => Ok(answer.table),
        Err(SdkError::ServiceError(answer)) if answer.err().is_resource_not_found_exception() => {
            Ok(None)
        }
        Err(error) => Err(refused("describe", name, &error)),
    }
}

fn differences(table: &Table, name: &str, found: &TableDescription) -> Vec<Step> {
    let unusable = |how| Step::Unusable { table: name.to_owned(), how };
    let mut steps = Vec::new();
    let (keys, wanted) = (text_of_keys(found.key_schema(), found), wanted_text(&table.keys));
    if keys != wanted {
        steps.push(unusable(format!("has the key {keys} instead of {wanted}")));
    }
    if let Some((index, keys)) = table.index {
        let found_index =
            found.global_secondary_indexes().iter().find(|one| one.index_name() == Some(index));
        let found_keys = found_index.map(|one| text_of_keys(one.key_schema(), found));
        if found_keys.as_deref() != Some(&wanted_text(&keys)) {
            let found = found_keys.unwrap_or_else(|| "none".to_owned());
            let wanted = wanted_text(&keys);
            steps.push(unusable(format!("has as its index '{index}' {found} instead of {wanted}")));
        }
    }
    // Who chose to provision capacity did so on purpose.
    let billing = found.billing_mode_summary().and_then(|summary| summary.billing_mode());
    if billing.is_some_and(|mode| *mode != BillingMode::PayPerRequest) {
        let how = "is billed by provisioned capacity, which throttles what exceeds it".to_owned();
        steps.push(Step::Differs { table: name.to_owned(), how });
    }
    steps
}

/// `name:B` or `name:B, name:N`.
fn wanted_text(keys: &Keys) -> String {
    let keys = std::iter::once(keys.hash).chain(keys.range);
    let texts: Vec<_> = keys.map(|key| format!("{}:{}", key.name, key.kind.of_sdk())).collect();
    texts.join(", ")
}

fn text_of_keys(schema: &[KeySchemaElement], found: &TableDescription) -> String {
    let kind_of = |name: &str| {
        let mut definitions = found.attribute_definitions().iter();
        let found = definitions.find(|definition| definition.attribute_name() == name);
        found.map_or("?".to_owned(), |definition| definition.attribute_type().to_string())
    };
    let mut schema: Vec<_> = schema.iter().collect();
    schema.sort_by_key(|element| *element.key_type() != KeyType::Hash);
    let texts = schema.into_iter().map(|element| {
        format!("{}:{}", element.attribute_name(), kind_of(element.attribute_name()))
    });
    texts.collect::<Vec<_>>().join(", ")
}

impl KeyKind {
    fn of_sdk(self) -> ScalarAttributeType {
        match self {
            KeyKind::Binary => ScalarAttributeType::B,
            KeyKind::Number => ScalarAttributeType::N,
            KeyKind::Text => ScalarAttributeType::S,
        }
    }
}

fn schema_of(keys: &Keys) -> Vec<KeySchemaElement> {
    let element = |key: Key, role| {
        let element = KeySchemaElement::builder().attribute_name(key.name).key_type(role);
        element.build().expect("name and type are set")
    };
    let range = keys.range.map(|key| element(key, KeyType::Range));
    std::iter::once(element(keys.hash, KeyType::Hash)).chain(range).collect()
}

fn attributes_of(table: &Table) -> Vec<AttributeDefinition> {
    let all = std::iter::once(table.keys).chain(table.index.map(|(_, keys)| keys));
    let keys = all.flat_map(|keys| std::iter::once(keys.hash).chain(keys.range));
    let definition = |key: Key| {
        let definition = AttributeDefinition::builder().attribute_name(key.name);
        definition.attribute_type(key.kind.of_sdk()).build().expect("name and type are set")
    };
    keys.map(definition).collect()
}

async fn create_table(dynamo: &Dynamo, table: &Table, name: &str) -> Result<(), SetupError> {
    let index = table.index.map(|(index, keys)| {
        let projection = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
        let index = GlobalSecondaryIndex::builder().index_name(index).projection(projection);
        let index = index.set_key_schema(Some(schema_of(&keys))).build();
        vec![index.expect("name and keys are set")]
    });
    let created = dynamo
        .tables()
        .create_table()
        .table_name(name)
        .set_key_schema(Some(schema_of(&table.keys)))
        .set_attribute_definitions(Some(attributes_of(table)))
        .set_global_secondary_indexes(index)
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await;
    match created {
        Ok(_) => Ok(()),
        // Another process makes it at this moment.
        Err(SdkError::ServiceError(answer)) if answer.err().is_resource_in_use_exception() => {
            Ok(())
        }
        Err(error) => Err(refused("create", name, &error)),
    }
}

async fn wait_until_active(dynamo: &Dynamo, name: &str) -> Result<(), SetupError> {
    let mut waited = Duration::ZERO;
    loop {
        let found = describe(dynamo, name).await?;
        if found.is_some_and(|table| table.table_status == Some(TableStatus::Active)) {
            return Ok(());
        }
        if waited >= ACTIVE_MAX {
            let seconds = ACTIVE_MAX.as_secs();
            return Err(SetupError::NotActive { table: name.to_owned(), seconds });
        }
        tokio::time::sleep(ACTIVE_STEP).await;
        waited += ACTIVE_STEP;
    }
}

/// `None` where the server does not know of recovery at all: those for tests don't.
async fn is_recoverable(dynamo: &Dynamo, name: &str) -> Result<Option<bool>, SetupError> {
    let asked = dynamo.tables().describe_continuous_backups().table_name(name).send().await;
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) if is_unknown(&error) => return Ok(None),
        Err(error) => return Err(refused("describe the backups of", name, &error)),
    };
    let backups = answer.continuous_backups_description;
    let recovery = backups
        .filter(|backups| backups.continuous_backups_status == ContinuousBackupsStatus::Enabled)
        .and_then(|backups| backups.point_in_time_recovery_description);
    let status = recovery.and_then(|recovery| recovery.point_in_time_recovery_status);
    Ok(Some(status == Some(PointInTimeRecoveryStatus::Enabled)))
}

async fn enable_recovery(dynamo: &Dynamo, name: &str) -> Result<(), SetupError> {
    let enabled = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(true);
    let enabled = enabled.build().expect("it is set");
    let update = dynamo.tables().update_continuous_backups().table_name(name);
    match update.point_in_time_recovery_specification(enabled).send().await {
        Ok(_) => Ok(()),
        Err(error) if is_unknown(&error) => Ok(()),
        Err(error) => Err(refused("enable the recovery of", name, &error)),
    }
}

pub(super) fn is_unknown<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    error.code() == Some("UnknownOperationException")
}
