//! API keys.

use async_trait::async_trait;
use barrow_engine::access::{ApiKey, ApiKeyDraft, KeyHash};
use barrow_engine::ids::ApiKeyId;
use barrow_engine::ports::{API_KEYS_MAX, ApiKeyStore, CommerceError, KeyMade};
use barrow_engine::time::Timestamp;
use sqlx::postgres::PgConnection;

use super::primary::Postgres;
use crate::commerce::key_rows::{HashedKeyRow, KeyRow, hashed_keys, key, key_columns, keys};
use crate::commerce::rows::limit;
use crate::commerce::{End, Fault};

type Result<T> = std::result::Result<T, CommerceError>;

/// Where API keys are kept.
pub struct PostgresApiKeys {
    postgres: Postgres,
}

impl PostgresApiKeys {
    pub fn new(postgres: &Postgres) -> PostgresApiKeys {
        PostgresApiKeys { postgres: postgres.clone() }
    }
}

/// One at a time makes a key, so that the count holds. Whoever reads is not kept waiting.
const LOCK: &str = "LOCK TABLE api_key IN SHARE ROW EXCLUSIVE MODE";

const IS_THERE: &str = "SELECT count(*) FROM api_key WHERE id = $1";

const UNREVOKED_COUNT: &str = "SELECT count(*) FROM api_key WHERE revoked_at IS NULL";

const INSERT: &str = "INSERT INTO api_key (id, hash, name, scopes, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6)";

const UNREVOKED: &str =
    concat!("SELECT hash, ", key_columns!(), " FROM api_key WHERE revoked_at IS NULL LIMIT $1");

const LIST: &str = concat!(
    "SELECT ",
    key_columns!(),
    " FROM api_key WHERE (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3"
);

const REVOKE: &str = concat!(
    "UPDATE api_key SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1 RETURNING ",
    key_columns!()
);

const TOUCH: &str = "UPDATE api_key SET last_used_at = used.at
    FROM unnest($1::bytea[], $2::int8[]) AS used (id, at)
    WHERE api_key.id = used.id AND (last_used_at IS NULL OR last_used_at < used.at)";

fn bytes(id: ApiKeyId) -> Vec<u8> {
    id.0.to_be_bytes().to_vec()
}

#[async_trait]
impl ApiKeyStore for PostgresApiKeys {
    async fn create(&self, draft: &ApiKeyDraft) -> Result<KeyMade> {
        let create =
            || async move |transaction: &mut PgConnection| create(transaction, draft).await;
        self.postgres.transact(create).await
    }

    async fn unrevoked(&self) -> Result<Vec<(KeyHash, ApiKey)>> {
        let rows: std::result::Result<Vec<HashedKeyRow>, _> = self
            .postgres
            .call(async |connection| {
                sqlx::query_as(UNREVOKED).bind(limit(API_KEYS_MAX)).fetch_all(connection).await
            })
            .await;
        hashed_keys(rows.map_err(|error| error.of_no_commit())?)
    }

    async fn list(&self, after: Option<(Timestamp, ApiKeyId)>, most: usize) -> Result<Vec<ApiKey>> {
        let (at, id) = after.unwrap_or((Timestamp::MAX, ApiKeyId(u128::MAX)));
        let rows: std::result::Result<Vec<KeyRow>, _> = self
            .postgres
            .call(async |connection| {
                let query = sqlx::query_as(LIST).bind(at.as_millis()).bind(bytes(id));
                query.bind(limit(most)).fetch_all(connection).await
            })
            .await;
        keys(rows.map_err(|error| error.of_no_commit())?)
    }

    async fn revoke(&self, id: ApiKeyId, at: Timestamp) -> Result<Option<ApiKey>> {
        let revoke = || {
            async move |transaction: &mut PgConnection| {
                let query = sqlx::query_as(REVOKE).bind(bytes(id)).bind(at.as_millis());
                let row: Option<KeyRow> = query.fetch_optional(transaction).await?;
                Ok::<_, Fault>(End::Commit(row.map(key).transpose()?))
            }
        };
        self.postgres.transact(revoke).await
    }

    async fn touch(&self, uses: &[(ApiKeyId, Timestamp)]) -> Result<()> {
        if uses.is_empty() {
            return Ok(());
        }
        let (ids, times): (Vec<_>, Vec<_>) =
            uses.iter().map(|(id, at)| (bytes(*id), at.as_millis())).unzip();
        let (ids, times) = (&ids, &times);
        let touch = || {
            async move |transaction: &mut PgConnection| {
                sqlx::query(TOUCH).bind(ids).bind(times).execute(transaction).await?;
                Ok::<_, Fault>(End::Commit(()))
            }
        };
        self.postgres.transact(touch).await
    }
}

async fn create(
    transaction: &mut PgConnection,
    draft: &ApiKeyDraft,
) -> std::result::Result<End<KeyMade>, Fault> {
    sqlx::query(LOCK).execute(&mut *transaction).await?;
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
