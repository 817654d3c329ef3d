//! API keys.

use async_trait::async_trait;
use barrow_engine::access::{ApiKey, ApiKeyDraft, KeyHash};
use barrow_engine::ids::ApiKeyId;
use barrow_engine::ports::{API_KEYS_MAX, ApiKeyStore, CommerceError, KeyMade};
use barrow_engine::time::Timestamp;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnection;

use super::database::Sqlite;
use crate::commerce::key_rows::{HashedKeyRow, KeyRow, hashed_keys, key, key_columns, keys};
use crate::commerce::rows::limit;
use crate::commerce::{End, Fault};

type Result<T> = std::result::Result<T, CommerceError>;

/// Where API keys are kept.
pub struct SqliteApiKeys {
    sqlite: Sqlite,
}

impl SqliteApiKeys {
    pub fn new(sqlite: &Sqlite) -> SqliteApiKeys {
        SqliteApiKeys { sqlite: sqlite.clone() }
    }
}

const IS_THERE: &str = "SELECT count(*) FROM api_key WHERE id = ?1";

const UNREVOKED_COUNT: &str = "SELECT count(*) FROM api_key WHERE revoked_at IS NULL";

const INSERT: &str = "INSERT INTO api_key (id, hash, name, scopes, created_at, expires_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

const UNREVOKED: &str =
    concat!("SELECT hash, ", key_columns!(), " FROM api_key WHERE revoked_at IS NULL LIMIT ?1");

const LIST: &str = concat!(
    "SELECT ",
    key_columns!(),
    " FROM api_key WHERE (created_at, id) < (?1, ?2) ORDER BY created_at DESC, id DESC LIMIT ?3"
);

const REVOKE: &str = concat!(
    "UPDATE api_key SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1 RETURNING ",
    key_columns!()
);

const TOUCH: &str = "UPDATE api_key SET last_used_at = used.value ->> 1
    FROM json_each(?1) AS used
    WHERE api_key.id = unhex(used.value ->> 0)
        AND (last_used_at IS NULL OR last_used_at < used.value ->> 1)";

fn bytes(id: ApiKeyId) -> Vec<u8> {
    id.0.to_be_bytes().to_vec()
}

#[async_trait]
impl ApiKeyStore for SqliteApiKeys {
    async fn create(&self, draft: &ApiKeyDraft) -> Result<KeyMade> {
        self.sqlite.write(async |transaction| create(transaction, draft).await).await
    }

    async fn unrevoked(&self) -> Result<Vec<(KeyHash, ApiKey)>> {
        let rows: Vec<HashedKeyRow> = self
            .sqlite
            .read(async |connection| {
                sqlx::query_as(UNREVOKED).bind(limit(API_KEYS_MAX)).fetch_all(connection).await
            })
            .await?;
        hashed_keys(rows)
    }

    async fn list(&self, after: Option<(Timestamp, ApiKeyId)>, most: usize) -> Result<Vec<ApiKey>> {
        let (at, id) = after.unwrap_or((Timestamp::MAX, ApiKeyId(u128::MAX)));
        let rows: Vec<KeyRow> = self
            .sqlite
            .read(async |connection| {
                let query = sqlx::query_as(LIST).bind(at.as_millis()).bind(bytes(id));
                query.bind(limit(most)).fetch_all(connection).await
            })
            .await?;
        keys(rows)
    }

    async fn revoke(&self, id: ApiKeyId, at: Timestamp) -> Result<Option<ApiKey>> {
        let revoke = async |transaction: &mut SqliteConnection| {
            let query = sqlx::query_as(REVOKE).bind(bytes(id)).bind(at.as_millis());
            let row: Option<KeyRow> = query.fetch_optional(transaction).await?;
            Ok::<_, Fault>(End::Commit(row.map(key).transpose()?))
        };
        self.sqlite.write(revoke).await
    }

    async fn touch(&self, uses: &[(ApiKeyId, Timestamp)]) -> Result<()> {
        if uses.is_empty() {
            return Ok(());
        }
        let uses = uses.iter().map(|(id, at)| json!([format!("{:032x}", id.0), at.as_millis()]));
        let uses = Value::Array(uses.collect()).to_string();
        let touch = async |transaction: &mut SqliteConnection| {
            sqlx::query(TOUCH).bind(uses).execute(transaction).await?;
            Ok::<_, Fault>(End::Commit(()))
        };
        self.sqlite.write(touch).await
    }
}

async fn create(
    transaction: &mut SqliteConnection,
    draft: &ApiKeyDraft,
) -> std::result::Result<End<KeyMade>, Fault> {
    let there = sqlx::query_scalar(IS_THERE).bind(bytes(draft.id));
    let there: i64 = there.fetch_one(&mut *transaction).await?;
    if there > 0 {
        return Ok(End::Rollback(KeyMade::Done));
    }
    let count: i64 = sqlx::query_scalar(UNREVOKED_COUNT).fetch_one(&mut *transaction).await?;
    if count >= limit(API_KEYS_MAX) {
        return Ok(End::Rollback(KeyMade::Full));
    }
    let insert = sqlx::query(INSERT).bind(bytes(draft.id)).bind(draft.hash.0.to_vec());
    let insert = insert.bind(&draft.name).bind(draft.scopes.to_string());
    let insert = insert.bind(draft.created_at.as_millis());
    insert.bind(draft.expires_at.map(Timestamp::as_millis)).execute(transaction).await?;
    Ok(End::Commit(KeyMade::Done))
}
