//! The bare clients, each in the way its library shows first: one request for a change, many at
//! once. The condition is the same as ours, and so is what lies on the server.

use std::collections::HashMap;

use anyhow::{Context, ensure};
use aws_sdk_dynamodb::Client as DynamoClient;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use barrow_adapters::redis::COMPARE_AND_SET;
use barrow_engine::entity::EntityKey;
use barrow_engine::ports::{Expected, Row};
use barrow_servers::{ACCESS_KEY, REGION, SECRET_KEY};
use fred::prelude::*;
use fred::types::ConnectHandle;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use super::crowd::Writes;

/// fred: an `EVALSHA` of our script on one connection, which all share.
pub struct BareRedis {
    pub client: Client,
    _connection: ConnectHandle,
    hash: String,
}

impl BareRedis {
    pub async fn connect(url: &str) -> anyhow::Result<BareRedis> {
        let client = Builder::from_config(Config::from_url(url)?).build()?;
        let connection = client.init().await?;
        let hash: String = client.script_load(COMPARE_AND_SET).await?;
        Ok(BareRedis { client, _connection: connection, hash })
    }
}

impl Writes for BareRedis {
    async fn write(&self, key: EntityKey, expected: Expected, row: Row) -> anyhow::Result<()> {
        let shard = key.shard().index();
        let mut row_key = format!("bare:{{s{shard}}}:r:").into_bytes();
        row_key.extend_from_slice(&key.to_bytes());
        let keys: Vec<Key> = vec![row_key.as_slice().into(), format!("bare:{{s{shard}}}:d").into()];
        let mut stored = vec![1, 0];
        stored.extend_from_slice(&row.version.to_le_bytes());
        stored.extend_from_slice(&row.write_id.0.to_le_bytes());
        stored.extend_from_slice(&row.blob);
        let stamp = match expected {
            Expected::Absent => Vec::new(),
            Expected::Present { version, write_id } => {
                [&version.to_le_bytes()[..], &write_id.0.to_le_bytes()].concat()
            }
        };
        let value = |bytes: Vec<u8>| Value::Bytes(bytes.into());
        let args = vec![value(stored), value(stamp), value(key.to_bytes().to_vec()), "".into()];
        let answer: Value = self.client.evalsha(self.hash.as_str(), keys, args).await?;
        ensure!(answer == Value::Integer(1), "the script refused: {answer:?}");
        Ok(())
    }
}

/// sqlx: a statement for a change, on a pool as large as ours.
pub struct BarePostgres(pub PgPool);

const INSERT: &str = "INSERT INTO entity (key, shard, version, write_id, blob)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key) DO NOTHING";

const UPDATE: &str = "UPDATE entity SET version = $2, write_id = $3, blob = $4
    WHERE key = $1 AND version = $5 AND write_id = $6";

impl BarePostgres {
    pub async fn connect(url: &str, connections: u32) -> anyhow::Result<BarePostgres> {
        let pool = PgPoolOptions::new().max_connections(connections).test_before_acquire(false);
        Ok(BarePostgres(pool.min_connections(connections).connect(url).await?))
    }
}

impl Writes for BarePostgres {
    async fn write(&self, key: EntityKey, expected: Expected, row: Row) -> anyhow::Result<()> {
        let (key_bytes, id) = (key.to_bytes(), row.write_id.0.to_be_bytes());
        let version = i64::try_from(row.version)?;
        let query = match expected {
            Expected::Absent => sqlx::query(INSERT)
                .bind(key_bytes)
                .bind(key.shard().index() as i16)
                .bind(version)
                .bind(id)
                .bind(&row.blob[..]),
            Expected::Present { version: before, write_id } => sqlx::query(UPDATE)
                .bind(key_bytes)
                .bind(version)
                .bind(id)
                .bind(&row.blob[..])
                .bind(i64::try_from(before)?)
                .bind(write_id.0.to_be_bytes()),
        };
        let done = query.execute(&self.0).await?;
        ensure!(done.rows_affected() == 1, "another wrote a row that has one writer");
        Ok(())
    }
}

/// The SDK: a conditional `PutItem` for a change.
pub struct BareDynamo {
    pub client: DynamoClient,
    table: String,
}

impl BareDynamo {
    /// The table is one of ours, which is there already.
    pub fn new(endpoint: &str, table: String) -> BareDynamo {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .region(Region::from_static(REGION))
            .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "bench"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        BareDynamo { client: DynamoClient::from_conf(config), table }
    }
}

impl Writes for BareDynamo {
    async fn write(&self, key: EntityKey, expected: Expected, row: Row) -> anyhow::Result<()> {
        let blob = |bytes: &[u8]| AttributeValue::B(Blob::new(bytes));
        let number = |version: u64| AttributeValue::N(version.to_string());
        let item = HashMap::from([
            ("k".to_owned(), blob(&key.to_bytes())),
            ("v".to_owned(), number(row.version)),
            ("w".to_owned(), blob(&row.write_id.0.to_be_bytes())),
            ("b".to_owned(), blob(&row.blob)),
        ]);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match expected {
            Expected::Absent => put.condition_expression("attribute_not_exists(k)"),
            Expected::Present { version, write_id } => put
                .condition_expression("v = :v AND w = :w")
                .expression_attribute_values(":v", number(version))
                .expression_attribute_values(":w", blob(&write_id.0.to_be_bytes())),
        };
        put.send().await.context("the bare client of DynamoDB")?;
        Ok(())
    }
}
