//! The promises of a control table, for every adapter of it.

use crate::{ControlOutcome, ControlRow, ControlTable};

/// `prefix` keeps the rows of one run from those of others.
pub async fn control_table(table: &dyn ControlTable, prefix: &str) {
    let key = format!("{prefix}-one");
    let load = async |key: &str| table.load(key).await.expect("the row is read");
    let cas = async |expected: u64, value: &str| {
        table.cas(&key, expected, value.as_bytes().to_vec()).await.expect("it has an outcome")
    };
    let row = |version, value: &str| Some(ControlRow { version, value: value.into() });

    assert_eq!(load(&key).await, None, "what was never written is not there");
    assert_eq!(cas(1, "a").await, ControlOutcome::Conflict(None), "there is nothing to replace");
    assert_eq!(cas(0, "a").await, ControlOutcome::Written, "a row is made where there is none");
    assert_eq!(load(&key).await, row(1, "a"), "a row is read as it was written");
    let found = ControlOutcome::Conflict(row(1, "a"));
    assert_eq!(cas(0, "b").await, found, "a row is made once");
    assert_eq!(cas(2, "b").await, found, "another version is not replaced");
    assert_eq!(cas(1, "").await, ControlOutcome::Written, "an empty value is a value");
    assert_eq!(cas(1, "c").await, ControlOutcome::Conflict(row(2, "")), "a version counts once");
    assert_eq!(load(&key).await, row(2, ""), "a read sees what was written before it");
    assert_eq!(load(&format!("{prefix}-two")).await, None, "each key has its own row");
}
