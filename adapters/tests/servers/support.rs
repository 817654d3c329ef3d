//! What these tests share.

use std::future::Future;
use std::time::{Duration, Instant};

use barrow_engine::ports::{Row, WriteId};
use bytes::Bytes;

pub use crate::shared::*;

/// A row that is never due.
pub fn row(version: u64, write_id: u128) -> Row {
    let blob = Bytes::from(format!("row {version} of write {write_id}"));
    Row { version, write_id: WriteId(write_id), due: None, expires: None, blob }
}

/// Asks until the answer is yes, for at most so long; how long it took.
pub async fn eventually<F: Future<Output = bool>>(
    within: Duration,
    what: &str,
    mut look: impl FnMut() -> F,
) -> Duration {
    let began = Instant::now();
    while !look().await {
        assert!(began.elapsed() < within, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    began.elapsed()
}
