//! Fuzz targets: what the embedded store reads from the disk. Damage is refused; what is taken is
//! what was written.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use barrow_engine::catalog::{Collection, Sku};
use barrow_engine::entity::{EntityKey, EntityKind};
use barrow_engine::ports::{ProductStore, Row, WriteId};
use barrow_engine::time::Timestamp;
use barrow_fuzz::{INPUTS, INPUTS_FEW, Verdict, fuzz};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::backup::END;
use super::directory::StoreMark;
use super::due_index::{decode_due_key, due_key};
use super::former_stock::{decode_level, encode_level};
use super::journal_check::{find_batch, whole_batch, whole_batches};
use super::row_codec::{decode_row, encode_row};
use super::{EmbeddedOptions, EmbeddedStore, verify_backup};
use crate::catalog::document;

#[test]
fn fuzz_rows() {
    let row = |due| Row {
        version: 3,
        write_id: WriteId(0x0102),
        due,
        expires: None,
        blob: Bytes::from_static(b"a blob"),
    };
    let samples = [encode_row(&row(Some(Timestamp(5)))), encode_row(&row(None))];
    fuzz("rows", INPUTS, &[&samples[0], &samples[1]], |bytes| {
        let row = decode_row(bytes);
        if let Ok(row) = &row {
            assert_eq!(encode_row(row), bytes);
        }
        Verdict::of(&row)
    });
}

#[test]
fn fuzz_due_keys() {
    let sample = due_key(EntityKey::new(EntityKind::Cart, 7), Timestamp(1_795_334_400_000));
    fuzz("due_keys", INPUTS, &[&sample], |bytes| {
        let due = decode_due_key(bytes);
        if let Ok(due) = &due {
            // The shard before it is that of the key, as it was asked for.
            assert_eq!(due_key(due.key, due.due)[2..], bytes[2..]);
        }
        Verdict::of(&due)
    });
}

#[test]
fn fuzz_documents() {
    let json = br#"{"id":"coll_5s7y8w15af44ktmqzgy3wddxzm","slug":"lamps","title":"Lamps"}"#;
    let collection: Collection = serde_json::from_slice(json).unwrap();
    let sample = document::encode(&collection).unwrap();
    fuzz("documents", INPUTS, &[&sample], |bytes| {
        let read = document::decode::<Collection>(bytes, "collection");
        if let Ok(collection) = &read {
            let again = document::decode::<Collection>(&document::encode(collection).unwrap(), "");
            assert_eq!(again.as_ref(), Ok(collection));
        }
        Verdict::of(&read)
    });
}

#[test]
fn fuzz_stock_levels() {
    let sku = Sku::new("OAK-CHAIR-NAT").unwrap();
    fuzz("stock_levels", INPUTS, &[&encode_level(70_000)], |bytes| {
        let level = decode_level(bytes, &sku);
        if let Ok(level) = &level {
            assert_eq!(encode_level(*level), bytes);
        }
        Verdict::of(&level)
    });
}

#[test]
fn fuzz_store_marks() {
    let sample = br#"{"format": 2, "keyspaces": ["entities", "due", "products"]}"#;
    fuzz("store_marks", INPUTS, &[sample], |bytes| {
        let mark = StoreMark::parse(bytes);
        match &mark {
            Ok(mark) => assert_eq!(StoreMark::parse(&mark.to_json()).as_ref(), Ok(mark)),
            Err(reason) => assert!(reason.len() < 1_000, "{reason}"),
        }
        Verdict::of(&mark)
    });
}

/// A folder with a store into which five collections were put, one batch each.
fn store(dir: &Path) -> EmbeddedStore {
    let open = || EmbeddedStore::open(dir, EmbeddedOptions::new(Box::new(|_| {}))).unwrap();
    let store = open();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for n in 1..=5 {
        let json = format!(
            r#"{{"id":"{}","slug":"lamps-{n}","title":"Lamps"}}"#,
            barrow_engine::ids::CollectionId(n)
        );
        let collection: Collection = serde_json::from_str(&json).unwrap();
        runtime.block_on(store.products().put_collections(vec![collection])).unwrap();
    }
    drop(store);
    // Opening it once more cuts off the zeros that the journal was made with.
    open()
}

/// Start, number of entries, sequence number; end, checksum, magic text.
const BATCH_HEAD: usize = 1 + 4 + 8;
const BATCH_TAIL: usize = 1 + 8 + 4;

/// The entries of the whole batches that the bytes begin with.
fn entries(bytes: &[u8]) -> Vec<&[u8]> {
    let mut rest = bytes;
    let mut found = Vec::new();
    while let Some(batch) = whole_batch(rest) {
        found.push(&rest[BATCH_HEAD..batch.length - BATCH_TAIL]);
        rest = &rest[batch.length..];
    }
    found
}

#[test]
fn fuzz_journals() {
    let dir = tempfile::tempdir().unwrap();
    drop(store(dir.path()));
    let files = fs::read_dir(dir.path().join("db")).unwrap();
    let mut files = files.map(|file| file.unwrap().path());
    let journal = files.find(|path| path.extension().is_some_and(|it| it == "jnl")).unwrap();
    let sample = fs::read(&journal).unwrap();
    let written: BTreeSet<&[u8]> = entries(&sample).into_iter().collect();
    assert!(written.len() >= 5, "{} batches", written.len());
    fuzz("journals", INPUTS, &[&sample], |bytes| {
        let mut sequence = 0;
        let Ok(end) = whole_batches(&journal, bytes, &mut sequence) else {
            return Verdict::Refused;
        };
        let taken = entries(&bytes[..end]);
        assert!(taken.iter().all(|one| written.contains(one)), "a batch that nobody wrote");
        let buried = find_batch(&bytes[end..]);
        if let Some(distance) = buried {
            assert!(whole_batch(&bytes[end + distance..]).is_some());
        }
        (buried.is_none() && end > 0).into()
    });
}

/// The end of a backup: kind, length, number of entries, sum.
const END_BYTES: usize = 1 + 4 + 8 + 32;

/// The same with the sum that fits, so that what lies before it is looked at.
fn summed(backup: &[u8]) -> Vec<u8> {
    let Some((content, end)) = backup.split_last_chunk::<END_BYTES>() else {
        return backup.to_vec();
    };
    let sum = Sha256::new().chain_update(content).chain_update(&end[5..13]).finalize();
    [content, &[END], &end[1..13], &sum[..]].concat()
}

#[test]
fn fuzz_backups() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.backup");
    store(&dir.path().join("store")).backup(&path, &mut |_| {}).unwrap();
    let sample = fs::read(&path).unwrap();
    assert_eq!(summed(&sample), sample);
    fuzz("backups", INPUTS_FEW, &[&sample], |bytes| {
        fs::write(&path, bytes).unwrap();
        let taken = verify_backup(&path);
        assert!(taken.is_err() || bytes == sample, "a changed backup passes for whole");
        let summed = summed(bytes);
        fs::write(&path, &summed).unwrap();
        let read = verify_backup(&path);
        if let Ok(report) = &read {
            assert_eq!(report.bytes, summed.len() as u64);
        }
        Verdict::of(&read)
    });
}
