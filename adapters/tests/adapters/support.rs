//! What the tests share: stores in temporary folders, rows, waiting.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use barrow_adapters::embedded::{EmbeddedOptions, EmbeddedStore, OpenError};
use barrow_engine::catalog::{Product, ProductStatus, Seo, Sku, Slug, StockPolicy, Variant};
use barrow_engine::entity::{EntityKey, EntityKind};
use barrow_engine::ids::{ProductId, VariantId};
use barrow_engine::ports::{CasOutcome, EntityStore, Expected, Row, WriteId};
use barrow_engine::time::Timestamp;
use bytes::Bytes;

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

pub fn wait(duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(tokio::time::sleep(duration))
}

pub fn key(id: u128) -> EntityKey {
    EntityKey::new(EntityKind::Probe, id)
}

pub fn row(version: u64, write_id: u128) -> Row {
    let due = write_id.is_multiple_of(3).then_some(Timestamp(1_000 + write_id as i64));
    let blob = Bytes::from(format!("row {version} of write {write_id}").into_bytes());
    Row { version, write_id: WriteId(write_id), due, blob }
}

pub fn present(row: &Row) -> Expected {
    Expected::Present { version: row.version, write_id: row.write_id }
}

/// Writes a new row, which must be acknowledged.
pub async fn write_new(store: &dyn EntityStore, id: u128) -> Row {
    let row = row(1, id);
    let outcome = store.cas(key(id), Expected::Absent, row.clone()).await;
    assert_eq!(outcome, Ok(CasOutcome::Written));
    row
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
    Product {
        id: ProductId(id),
        version: 1,
        slug: Slug::new(slug).expect("a slug"),
        former_slugs: vec![],
        external_id: Some(format!("ext-{id}")),
        title: format!("Product {slug}"),
        description: "A chair made of oak, oiled by hand. ".repeat(30),
        brand: None,
        status: ProductStatus::Active,
        publish_at: None,
        channels: vec![],
        collections: vec![],
        facets: BTreeMap::new(),
        attributes: BTreeMap::new(),
        options: vec![],
        media: vec![],
        variants: vec![Variant {
            id: VariantId(id),
            sku: Sku::new(&format!("SKU-{slug}")).expect("a SKU"),
            options: vec![],
            prices: vec![],
            stock: StockPolicy::default(),
            tax_category: "standard".to_owned(),
            weight_g: None,
            media: vec![],
            attributes: BTreeMap::new(),
        }],
        translations: BTreeMap::new(),
        seo: Seo::default(),
        featured: None,
        rating: None,
        created_at: Timestamp(1),
        updated_at: Timestamp(2),
    }
}
