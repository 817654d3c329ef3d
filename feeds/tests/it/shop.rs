//! A shop in a temporary folder, and what an import told of itself.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use barrow_adapters::embedded::{EmbeddedMediaStore, EmbeddedOptions, EmbeddedStore, MediaSigning};
use barrow_adapters::host::SystemClock;
use barrow_adapters::sqlite::{Sqlite, SqliteOptions, SqliteStockLedger};
use barrow_engine::catalog::{Product, Sku, Slug};
use barrow_engine::ids::MovementId;
use barrow_engine::inventory::MovementDraft;
use barrow_engine::money::Currency;
use barrow_engine::ports::units_of;
use barrow_engine::time::Timestamp;
use barrow_feeds::failed::FailedRows;
use barrow_feeds::formats::foreign::ForeignOptions;
use barrow_feeds::import::{ImportOptions, ImportSummary, Progress, Stores, Watcher, import};
use barrow_feeds::open::Inputs;
use barrow_feeds::record::RowError;

/// What an import told.
pub struct Told {
    pub summary: ImportSummary,
    pub errors: Vec<RowError>,
    pub warnings: Vec<RowError>,
    pub failed_files: Vec<PathBuf>,
}

impl Told {
    /// Created, updated, unchanged, failed.
    pub fn counts(&self) -> [u64; 4] {
        let ImportSummary { created, updated, unchanged, failed, rows } = self.summary;
        assert_eq!(created + updated + unchanged + failed, rows, "each row counts once");
        [created, updated, unchanged, failed]
    }

    /// Row, column and code of each error.
    pub fn errors(&self) -> Vec<(u64, &str, &str)> {
        let errors = self.errors.iter();
        errors.map(|e| (e.row, e.column.as_deref().unwrap_or_default(), e.code)).collect()
    }
}

struct Listener {
    errors: Vec<RowError>,
    warnings: Vec<RowError>,
    failed: Option<FailedRows>,
    progress: Vec<Progress>,
}

impl Watcher for Listener {
    fn failed(&mut self, input: usize, raw: &[u8], errors: &[RowError]) {
        assert!(!errors.is_empty(), "a failed row says why");
        self.errors.extend_from_slice(errors);
        if let Some(failed) = &mut self.failed {
            failed.add(input, raw).unwrap();
        }
    }

    fn warned(&mut self, warning: &RowError) {
        self.warnings.push(warning.clone());
    }

    fn progress(&mut self, progress: Progress) {
        self.progress.push(progress);
    }
}

pub struct Shop {
    pub dir: tempfile::TempDir,
    pub stores: Stores,
    _store: EmbeddedStore,
}

pub fn options() -> ImportOptions {
    ImportOptions {
        dry_run: false,
        set_stock: false,
        fetcher: None,
        now: Timestamp(1_795_334_400_000),
    }
}

impl Shop {
    pub async fn new() -> Shop {
        let dir = tempfile::tempdir().unwrap();
        let fatal = Box::new(|reason: &str| panic!("{reason}"));
        let store =
            EmbeddedStore::open(&dir.path().join("store"), EmbeddedOptions::new(fatal)).unwrap();
        let sqlite = dir.path().join("commerce.sqlite");
        let sqlite = Sqlite::open(&sqlite, SqliteOptions::default()).await.unwrap();
        let signing = MediaSigning::new([7; 32], Arc::new(SystemClock));
        let media = EmbeddedMediaStore::open(&dir.path().join("media"), signing).unwrap();
        let stores = Stores {
            products: store.products(),
            stock: Arc::new(SqliteStockLedger::new(&sqlite)),
            media: Arc::new(media),
        };
        Shop { dir, stores, _store: store }
    }

    /// Writes a file into the shop's folder.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub async fn import(&self, paths: &[PathBuf]) -> Told {
        self.import_with(paths, options()).await
    }

    pub async fn import_text(&self, name: &str, text: &str) -> Told {
        self.import(&[self.file(name, text)]).await
    }

    pub async fn import_with(&self, paths: &[PathBuf], options: ImportOptions) -> Told {
        let told = self.import_warned(paths, options).await;
        assert_eq!(told.warnings, []);
        told
    }

    /// An import of which warnings are expected.
    pub async fn import_warned(&self, paths: &[PathBuf], options: ImportOptions) -> Told {
        let currency = Currency::from_code("USD").unwrap();
        let inputs = Inputs::open(paths, None, ForeignOptions { currency }).unwrap();
        let failed = FailedRows::new(&self.dir.path().join("failed.txt"), &inputs);
        let total = inputs.total_bytes();
        let (errors, warnings, progress) = (Vec::new(), Vec::new(), Vec::new());
        let mut listener = Listener { errors, warnings, failed: Some(failed), progress };
        let summary =
            import(inputs.rows(), self.stores.clone(), options, &mut listener).await.unwrap();
        let Listener { errors, warnings, failed, progress } = listener;
        let told = progress.last().unwrap();
        assert!(told.read_bytes <= total, "{} of {total} bytes read", told.read_bytes);
        assert_eq!(told.summary, summary, "the last progress is the end");
        let failed_files = failed.unwrap().finish().unwrap();
        Told { summary, errors, warnings, failed_files }
    }

    pub async fn product(&self, slug: &str) -> Product {
        let id = self.stores.products.by_slug(&Slug::new(slug).unwrap()).await.unwrap();
        let id = id.unwrap_or_else(|| panic!("no product {slug}"));
        self.stores.products.get(id).await.unwrap().unwrap()
    }

    /// Units at all locations; `None` where none ever was there.
    pub async fn on_hand(&self, sku: &str) -> Option<i64> {
        let sku = Sku::new(sku).unwrap();
        units_of(&*self.stores.stock, &[sku]).await.unwrap()[0]
    }

    /// Units come or go, as they do between two imports.
    pub async fn book(&self, sku: &str, quantity: i64) {
        let draft = MovementDraft {
            id: MovementId::derived(&format!("{sku} {quantity}")),
            sku: Sku::new(sku).unwrap(),
            location: "default".parse().unwrap(),
            quantity,
            reason: "sold".into(),
            actor: "till".into(),
            order: None,
            at: options().now,
        };
        self.stores.stock.book(vec![draft]).await.unwrap().remove(0).unwrap();
    }

    pub async fn all(&self) -> Vec<Product> {
        self.stores.products.scan(None, 100_000).await.unwrap()
    }
}

/// The folder of the real catalogs, if they are there.
pub fn catalogs() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = std::env::var_os("BARROW_TEST_CATALOGS")
        .map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    let path = if path.is_absolute() { path } else { root.join(path) };
    if !path.is_dir() {
        // Not by `eprintln`, which is not shown of a test that passes.
        let told = format!(
            "SKIP: the real catalogs are not at {}; set BARROW_TEST_CATALOGS\n",
            path.display()
        );
        std::io::stderr().write_all(told.as_bytes()).expect("there is somewhere to tell it");
        return None;
    }
    Some(path)
}

/// Hears nothing but failures, which there shall be none of.
pub struct Ignore;

impl Watcher for Ignore {
    fn failed(&mut self, _: usize, _: &[u8], errors: &[RowError]) {
        panic!("{errors:?}");
    }

    fn warned(&mut self, warning: &RowError) {
        panic!("{warning}");
    }

    fn progress(&mut self, _: Progress) {}
}
