//! What these tests share.

use barrow_engine::ports::{Row, WriteId};
use bytes::Bytes;

pub use crate::shared::*;

/// A row that is never due.
pub fn row(version: u64, write_id: u128) -> Row {
    let blob = Bytes::from(format!("row {version} of write {write_id}"));
    Row { version, write_id: WriteId(write_id), due: None, blob }
}
