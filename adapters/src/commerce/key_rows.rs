//! Rows of API keys, as they are read.

use barrow_engine::access::{ApiKey, KeyHash, ScopeSet};
use barrow_engine::ids::ApiKeyId;
use barrow_engine::ports::CommerceError;
use barrow_engine::time::Timestamp;

use super::rows::{Damage, id};

/// The columns of a key, in the order of its row.
macro_rules! key_columns {
    () => {
        "id, name, scopes, created_at, expires_at, last_used_at, revoked_at"
    };
}
pub(crate) use key_columns;

/// Id, name, scopes, created at, expires at, last used at, revoked at.
pub(crate) type KeyRow = (Vec<u8>, String, String, i64, Option<i64>, Option<i64>, Option<i64>);

/// The hash before the rest.
pub(crate) type HashedKeyRow =
    (Vec<u8>, Vec<u8>, String, String, i64, Option<i64>, Option<i64>, Option<i64>);

pub(crate) fn key(row: KeyRow) -> Result<ApiKey, Damage> {
    let (id, name, scopes, created_at, expires_at, last_used_at, revoked_at) = row;
    Ok(ApiKey {
        id: ApiKeyId(self::id(&id)?),
        name,
        scopes: ScopeSet::of_stored(&scopes),
        created_at: Timestamp::from_millis(created_at),
        expires_at: expires_at.map(Timestamp::from_millis),
        last_used_at: last_used_at.map(Timestamp::from_millis),
        revoked_at: revoked_at.map(Timestamp::from_millis),
    })
}

pub(crate) fn keys(rows: Vec<KeyRow>) -> Result<Vec<ApiKey>, CommerceError> {
    Ok(rows.into_iter().map(key).collect::<Result<_, _>>()?)
}

pub(crate) fn hashed_keys(
    rows: Vec<HashedKeyRow>,
) -> Result<Vec<(KeyHash, ApiKey)>, CommerceError> {
    let read = |(hash, a, b, c, d, e, f, g): HashedKeyRow| {
        let hash = hash.try_into().map_err(|_| Damage("a hash is cut short".to_owned()))?;
        Ok((KeyHash(hash), key((a, b, c, d, e, f, g))?))
    };
    Ok(rows.into_iter().map(read).collect::<Result<_, Damage>>()?)
}
