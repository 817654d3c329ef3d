//! Fuzz target: the frames of the log. What is taken is what was written.

use barrow_engine::entity::{EntityKey, EntityKind};
use barrow_engine::ports::{Row, WriteId};
use barrow_engine::time::Timestamp;
use barrow_fuzz::{INPUTS, Verdict, fuzz};
use bytes::Bytes;

use super::super::group_commit::Change;
use super::frame::{Frame, encode, seal};

const SALT: u64 = 7;

/// The same with the checksum that fits, so that what lies behind it is looked at.
fn sealed(frame: &[u8]) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    if let Some(length) = frame.get(16..20) {
        let length = u32::from_le_bytes(length.try_into().expect("four bytes")) as usize;
        bytes.truncate(length.saturating_add(24));
        bytes.resize(bytes.len().max(24), 0);
        seal(&mut bytes, SALT);
    }
    bytes
}

#[test]
fn fuzz_frames() {
    let change = |id: u64, due| Change {
        key: EntityKey::new(EntityKind::Cart, id.into()),
        due_before: None,
        row: Row {
            version: id,
            write_id: WriteId(9),
            due,
            expires: None,
            blob: Bytes::from_static(b"a blob"),
        },
    };
    let changes = [change(1, None), change(2, Some(Timestamp(1_795_334_400_000)))];
    let mut sample = Vec::new();
    encode(&mut sample, &changes, 5);
    seal(&mut sample, SALT);
    // Without the zeros that fill it up: they are no part of it.
    sample.truncate(138);
    assert_eq!(sealed(&sample)[..138], sample);
    fuzz("frames", INPUTS, &[&sample], |bytes| {
        let any = 1..=u64::MAX;
        assert!(
            Frame::read(bytes, SALT, &any).is_none_or(|_| bytes.starts_with(&sample)),
            "a changed frame passes for whole"
        );
        let sealed = sealed(bytes);
        let Some(frame) = Frame::read(&sealed, SALT, &any) else { return Verdict::Refused };
        let rows = frame.rows();
        if let Ok(rows) = &rows {
            let read = |(key, row): &(EntityKey, Row)| Change {
                key: *key,
                due_before: None,
                row: row.clone(),
            };
            let changes: Vec<Change> = rows.iter().map(read).collect();
            let mut again = Vec::new();
            encode(&mut again, &changes, frame.sequence);
            seal(&mut again, SALT);
            assert_eq!(again[8..], sealed[8..]);
        }
        Verdict::of(&rows)
    });
}
