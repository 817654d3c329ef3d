//! How a row lies in the stores that keep it as one value, on our disk or in Redis: a header with
//! a format number, so that a later build can tell what it reads, and the entity's blob as it is.
//!
//! Format 1, integers little-endian: `1`, flags (bit 0: there is a due), version (8 bytes), write
//! id (16), due in milliseconds (8, only if there is one), blob.

use barrow_engine::ports::{Row, StoreError, WriteId};
use barrow_engine::time::Timestamp;
use bytes::Bytes;

const FORMAT: u8 = 1;
const HAS_DUE: u8 = 1;

pub(crate) fn encode_row(row: &Row) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(34 + row.blob.len());
    push_row(row, &mut bytes);
    bytes
}

/// As [`encode_row`], behind what is there already.
pub(crate) fn push_row(row: &Row, bytes: &mut Vec<u8>) {
    bytes.push(FORMAT);
    bytes.push(if row.due.is_some() { HAS_DUE } else { 0 });
    bytes.extend_from_slice(&row.version.to_le_bytes());
    bytes.extend_from_slice(&row.write_id.0.to_le_bytes());
    if let Some(due) = row.due {
        bytes.extend_from_slice(&due.as_millis().to_le_bytes());
    }
    bytes.extend_from_slice(&row.blob);
}

/// Reads a row and copies its blob: what a block of the disk cache holds would otherwise stay
/// in memory as a whole for as long as the blob is used.
pub(crate) fn decode_row(bytes: &[u8]) -> Result<Row, StoreError> {
    let (format, rest) = bytes.split_first().ok_or_else(cut_short)?;
    if *format != FORMAT {
        let reason = format!("its format {format} is not one that this build reads ({FORMAT})");
        return Err(StoreError::Damaged(reason));
    }
    let (flags, rest) = rest.split_first().ok_or_else(cut_short)?;
    if flags & !HAS_DUE != 0 {
        return Err(StoreError::Damaged(format!("its flags {flags:#x} are unknown")));
    }
    let (version, rest) = rest.split_first_chunk().ok_or_else(cut_short)?;
    let (write_id, rest) = rest.split_first_chunk().ok_or_else(cut_short)?;
    let (due, blob) = if flags & HAS_DUE == 0 {
        (None, rest)
    } else {
        let (due, rest) = rest.split_first_chunk().ok_or_else(cut_short)?;
        (Some(Timestamp::from_millis(i64::from_le_bytes(*due))), rest)
    };
    Ok(Row {
        version: u64::from_le_bytes(*version),
        write_id: WriteId(u128::from_le_bytes(*write_id)),
        due,
        expires: None,
        blob: Bytes::copy_from_slice(blob),
    })
}

fn cut_short() -> StoreError {
    StoreError::Damaged("it ends within its header".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_row_is_read_as_it_was_written(
            version: u64,
            write_id: u128,
            due: Option<i64>,
            blob: Vec<u8>,
        ) {
            let row = Row {
                version,
                write_id: WriteId(write_id),
                due: due.map(Timestamp),
                expires: None,
                blob: Bytes::from(blob),
            };
            prop_assert_eq!(decode_row(&encode_row(&row)), Ok(row));
        }

        #[test]
        fn any_bytes_are_a_row_or_refused(bytes: Vec<u8>) {
            if let Ok(row) = decode_row(&bytes) {
                prop_assert_eq!(encode_row(&row), bytes);
            }
        }
    }

    /// The stored form is fixed: rows of older builds must stay readable.
    #[test]
    fn the_format_is_golden() {
        let row = Row {
            version: 3,
            write_id: WriteId(0x0102),
            due: Some(Timestamp(5)),
            expires: None,
            blob: Bytes::from_static(b"xy"),
        };
        let mut golden = vec![1, 1, 3, 0, 0, 0, 0, 0, 0, 0, 2, 1];
        golden.extend_from_slice(&[0; 14]);
        golden.extend_from_slice(&[5, 0, 0, 0, 0, 0, 0, 0, b'x', b'y']);
        assert_eq!(encode_row(&row), golden);
        let future = [2; 40];
        assert!(matches!(decode_row(&future), Err(StoreError::Damaged(_))));
    }
}
