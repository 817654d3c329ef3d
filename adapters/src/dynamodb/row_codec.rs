//! How a row lies in an item. The names of attributes count as the item's size, and a write is
//! billed by the KB: they have one letter each.
//!
//! `k` key (17 bytes), `v` version, `w` write id (16 bytes), `b` blob; and while there is a due,
//! `l` lane and `d` due, by which the index finds it. An item without them is not in the index.
//! `x` is when the row expires, if it does, in whole seconds as DynamoDB's TTL wants them: from
//! then on DynamoDB removes the item when it likes, within days.
//!
//! A lane is a run of neighbouring shards: each question to the index is for one lane, and a node
//! asks for all its shards each second. The shard itself follows from the key.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use barrow_engine::entity::{EntityKey, SHARDS, Shard};
use barrow_engine::ports::{DueEntity, Row, StoreError, WriteId};
use barrow_engine::time::Timestamp;
use bytes::Bytes;

use super::items::{Item, binary, binary_of, id, id_of, item, number, number_of};

pub(super) const KEY: &str = "k";
pub(super) const VERSION: &str = "v";
pub(super) const WRITE_ID: &str = "w";
pub(super) const BLOB: &str = "b";
pub(super) const LANE: &str = "l";
pub(super) const DUE: &str = "d";
pub(super) const EXPIRES: &str = "x";

/// How many lanes there are. One look at all shards costs as many requests; an index takes some
/// 1,000 writes a second for each lane, and a due that moves is two.
pub(super) const LANES: u16 = 16;

pub(super) fn lane_of(shard: Shard) -> u16 {
    shard.index() / SHARDS.div_ceil(LANES)
}

pub(super) fn key_of(key: EntityKey) -> AttributeValue {
    binary(key.to_bytes())
}

pub(super) fn encode_row(key: EntityKey, row: &Row) -> Item {
    let mut encoded = item([
        (KEY, key_of(key)),
        (VERSION, number(row.version)),
        (WRITE_ID, id(row.write_id.0)),
        (BLOB, AttributeValue::B(Blob::new(row.blob.as_ref()))),
    ]);
    if let Some(due) = row.due {
        encoded.insert(LANE.to_owned(), number(lane_of(key.shard())));
        encoded.insert(DUE.to_owned(), number(due.as_millis()));
    }
    if let Some(expires) = row.expires {
        encoded.insert(EXPIRES.to_owned(), number(seconds_up(expires)));
    }
    encoded
}

/// Rounded up: never earlier than it says.
fn seconds_up(at: Timestamp) -> i64 {
    let millis = at.as_millis();
    millis.div_euclid(1_000) + i64::from(millis.rem_euclid(1_000) > 0)
}

pub(super) fn decode_row(mut item: Item) -> Result<Row, StoreError> {
    let version = number_of(&item, VERSION).ok_or_else(|| damaged("version"))?;
    let write_id = id_of(&item, WRITE_ID).ok_or_else(|| damaged("write id"))?;
    let due = match item.contains_key(DUE) {
        true => Some(Timestamp(number_of(&item, DUE).ok_or_else(|| damaged("due"))?)),
        false => None,
    };
    let Some(AttributeValue::B(blob)) = item.remove(BLOB) else { return Err(damaged("blob")) };
    let blob = Bytes::from(blob.into_inner());
    Ok(Row { version, write_id: WriteId(write_id), due, expires: None, blob })
}

/// An entry of the index.
pub(super) fn decode_due(item: &Item) -> Result<DueEntity, StoreError> {
    let key = binary_of(item, KEY).and_then(EntityKey::from_bytes).ok_or_else(|| damaged("key"))?;
    let due = Timestamp(number_of(item, DUE).ok_or_else(|| damaged("due"))?);
    Ok(DueEntity { key, due })
}

fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(format!("its item has no {what}, or one that cannot be read"))
}

/// What DynamoDB bills: names and values; a number takes a byte for two digits, and one or two.
pub(super) fn bytes_of(item: &Item) -> usize {
    let sizes = item.iter().map(|(name, value)| {
        let value = match value {
            AttributeValue::B(blob) => blob.as_ref().len(),
            AttributeValue::N(digits) => {
                digits.trim_start_matches('-').len().div_ceil(2)
                    + 1
                    + usize::from(digits.starts_with('-'))
            }
            _ => 0,
        };
        name.len() + value
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrow_engine::entity::EntityKind;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_row_is_read_as_it_was_written(
            version: u64,
            write_id: u128,
            due: Option<i64>,
            expires: Option<i64>,
            blob: Vec<u8>,
        ) {
            let row = Row {
                version,
                write_id: WriteId(write_id),
                due: due.map(Timestamp),
                expires: expires.map(Timestamp),
                blob: Bytes::from(blob),
            };
            let key = EntityKey::new(EntityKind::Probe, write_id);
            let found = decode_row(encode_row(key, &row));
            prop_assert_eq!(found, Ok(Row { expires: None, ..row }));
        }
    }

    fn row(due: Option<Timestamp>) -> Item {
        expiring(due, None)
    }

    fn expiring(due: Option<Timestamp>, expires: Option<Timestamp>) -> Item {
        let blob = Bytes::from_static(b"xy");
        let key = EntityKey::new(EntityKind::Probe, 7);
        encode_row(key, &Row { version: 3, write_id: WriteId(0x0102), due, expires, blob })
    }

    /// The stored form is fixed: rows of older builds must stay readable.
    #[test]
    fn the_form_is_golden() {
        let key = EntityKey::new(EntityKind::Probe, 7);
        let golden = item([
            ("k", binary(key.to_bytes())),
            ("v", AttributeValue::N("3".to_owned())),
            ("w", binary([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2])),
            ("b", binary(*b"xy")),
        ]);
        assert_eq!(row(None), golden);
        for (expires, seconds) in
            [(1_700_000_000_000, "1700000000"), (1_700_000_000_001, "1700000001"), (-1, "0")]
        {
            let mut golden = golden.clone();
            golden.insert("x".to_owned(), AttributeValue::N(seconds.to_owned()));
            assert_eq!(expiring(None, Some(Timestamp(expires))), golden, "{expires} ms");
        }
        let mut due = golden;
        // Shard 0 to 63 is lane 0, and so on.
        let lane = (key.shard().index() / 64).to_string();
        due.insert("l".to_owned(), AttributeValue::N(lane));
        due.insert("d".to_owned(), AttributeValue::N("-5".to_owned()));
        assert_eq!(row(Some(Timestamp(-5))), due);
    }

    #[test]
    fn an_item_that_is_no_row_is_damaged() {
        for missing in [VERSION, WRITE_ID, BLOB] {
            let mut item = row(None);
            item.remove(missing);
            assert!(matches!(decode_row(item), Err(StoreError::Damaged(_))), "{missing}");
        }
        let mut item = row(Some(Timestamp(5)));
        item.insert(DUE.to_owned(), binary(*b"5"));
        assert!(matches!(decode_row(item), Err(StoreError::Damaged(_))));
    }

    #[test]
    fn the_size_of_an_item_is_what_is_billed() {
        assert_eq!(bytes_of(&row(None)), (1 + 17) + (1 + 2) + (1 + 16) + (1 + 2));
    }
}
