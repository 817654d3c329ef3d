//! What the tests share: stores in temporary folders, rows, waiting.

use std::path::Path;

use barrow_adapters::embedded::{EmbeddedOptions, EmbeddedStore, OpenError};
use barrow_engine::catalog::{Collection, Product, Slug};
use barrow_engine::ids::{CollectionId, ProductId};
use barrow_engine::ports::{EntityStore, Row, WriteId};
use barrow_engine::time::Timestamp;
use bytes::Bytes;

pub use crate::shared::{check_entity_store, key, present, slow, wait, write};

/// Options under which a failed write fails the test.
pub fn options() -> EmbeddedOptions {
    let mut options =
        EmbeddedOptions::new(Box::new(|reason| panic!("the store has failed: {reason}")));
    // Small, so that tables are flushed and journals replayed in tests too.
    options.memtable_bytes = 1024 * 1024;
    options
}

pub fn open(dir: &Path) -> EmbeddedStore {
    try_open(dir).expect("the store opens")
}

pub fn try_open(dir: &Path) -> Result<EmbeddedStore, OpenError> {
    EmbeddedStore::open(dir, options())
}

pub fn row(version: u64, write_id: u128) -> Row {
    let due = write_id.is_multiple_of(3).then_some(Timestamp(1_000 + write_id as i64));
    let blob = Bytes::from(format!("row {version} of write {write_id}").into_bytes());
    Row { version, write_id: WriteId(write_id), due, expires: None, blob }
}

/// Writes a new row, which must be acknowledged.
pub async fn write_new(store: &dyn EntityStore, id: u128) -> Row {
    write(store, id, row(1, id)).await
}

/// Copies a folder as it lies on the disk at this moment: what a crash would leave. The log goes
/// before the tables, into which its rows are moved meanwhile.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder is made");
    let entries = std::fs::read_dir(from).expect("a folder is read");
    let mut entries: Vec<_> = entries.map(|entry| entry.expect("an entry is read")).collect();
    entries.sort_by_key(|entry| entry.file_name() != "log");
    for entry in entries {
        let target = to.join(entry.file_name());
        if entry.file_type().expect("its type is known").is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            // A journal that is flushed away meanwhile is not there any more.
            let _ = std::fs::copy(entry.path(), target);
        }
    }
}

pub fn product(id: u128, slug: &str) -> Product {
    let product = crate::shared::product(ProductId(id), 1, slug, &[format!("SKU-{slug}")]);
    Product {
        external_id: Some(format!("ext-{id}")),
        description: "A chair made of oak, oiled by hand. ".repeat(30),
        ..product
    }
}

pub fn collection(n: u32) -> Collection {
    Collection {
        id: CollectionId(n.into()),
        slug: Slug::new(&format!("collection-{n}")).expect("letters and digits are a slug"),
        title: format!("Collection {n}"),
        parent: None,
        image: None,
    }
}
