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
    lists_and_removals(table, prefix).await;
}

async fn lists_and_removals(table: &dyn ControlTable, prefix: &str) {
    let key = |name: &str| format!("{prefix}/{name}");
    for (name, value) in [("b", "2"), ("a", "1"), ("c", "3")] {
        let written = table.cas(&key(name), 0, value.into()).await;
        assert_eq!(written, Ok(ControlOutcome::Written));
    }
    let row = |value: &str| ControlRow { version: 1, value: value.into() };
    let all = [(key("a"), row("1")), (key("b"), row("2")), (key("c"), row("3"))];
    assert_eq!(table.list(&key("")).await, Ok(all.to_vec()), "in the order of the keys");
    assert_eq!(table.list(&key("b")).await, Ok(all[1..2].to_vec()), "only what was asked for");
    assert_eq!(table.list(&key("_")).await, Ok(Vec::new()), "a prefix is no pattern");

    let delete = async |expected| table.delete(&key("b"), expected).await;
    let found = Ok(ControlOutcome::Conflict(Some(row("2"))));
    assert_eq!(delete(2).await, found, "a row of another version is not removed");
    assert_eq!(delete(0).await, found, "0 stands for no row");
    assert_eq!(delete(1).await, Ok(ControlOutcome::Written));
    assert_eq!(delete(1).await, Ok(ControlOutcome::Conflict(None)), "it is removed once");
    assert_eq!(table.load(&key("b")).await, Ok(None));
    let left = [all[0].clone(), all[2].clone()];
    assert_eq!(table.list(&key("")).await, Ok(left.to_vec()), "it is in no list any more");
    assert_eq!(table.cas(&key("b"), 1, "4".into()).await, Ok(ControlOutcome::Conflict(None)));
    assert_eq!(table.cas(&key("b"), 0, "4".into()).await, Ok(ControlOutcome::Written));
    assert_eq!(table.load(&key("b")).await, Ok(Some(row("4"))), "it begins anew");
}
