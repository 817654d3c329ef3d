//! What a session looked at last: volatile, with sliding expiry, and nobody's truth.

use std::time::Duration;

use barrow_engine::ids::{ProductId, SessionId};
use barrow_engine::ports::Cache;
use bytes::Bytes;

/// More are not shown anywhere.
const VIEWED_MAX: usize = 20;
const ID_LEN: usize = size_of::<u128>();

pub(super) async fn record(
    cache: &dyn Cache,
    session: SessionId,
    product: ProductId,
    ttl: Duration,
) {
    let mut viewed = read(cache, session, None).await;
    viewed.retain(|seen| *seen != product);
    viewed.insert(0, product);
    viewed.truncate(VIEWED_MAX);
    let value: Vec<u8> = viewed.iter().flat_map(|id| id.0.to_be_bytes()).collect();
    if let Err(error) = cache.put(&key(session), Bytes::from(value), ttl).await {
        tracing::debug!(%error, "what a session viewed is not remembered");
    }
}

pub(super) async fn read(
    cache: &dyn Cache,
    session: SessionId,
    touch: Option<Duration>,
) -> Vec<ProductId> {
    match cache.get(&key(session), touch).await {
        Ok(Some(value)) => value
            .chunks_exact(ID_LEN)
            .map(|id| ProductId(u128::from_be_bytes(id.try_into().expect("chunks of that size"))))
            .collect(),
        Ok(None) => Vec::new(),
        Err(error) => {
            tracing::debug!(%error, "what a session viewed could not be read");
            Vec::new()
        }
    }
}

fn key(session: SessionId) -> String {
    format!("viewed:{session}")
}
