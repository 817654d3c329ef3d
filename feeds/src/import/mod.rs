//! Import: brings records into the shop's stores, row by row, so that a row that is wrong stops
//! no other, and the same rows a second time change nothing.
//!
//! A row is one thing: a product with all its variants, a collection, a stock level, a review.
//! A dry run decides exactly as a real one and writes nothing.

mod collections;
mod fetch;
mod fetched;
#[cfg(test)]
mod fuzz;
mod media;
mod products;
mod reviews;
mod run;
mod stock;
mod view;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use barrow_engine::catalog::{BATCH_MAX, Slug};
use barrow_engine::ports::{
    CommerceError, MediaError, MediaStore, ProductStore, ProductStoreError, StockLedger,
};
use barrow_engine::time::Timestamp;
use tokio::sync::mpsc;

pub use fetch::{HttpFetcher, ImageFetcher, PICTURE_BYTES_MAX};
pub use run::{ImportRun, ImportStatus, ImportView, RowCounts};

use self::collections::Collections;
use self::fetched::FetchedMedia;
use self::media::StoredMedia;
use self::reviews::ReviewIndex;
use self::view::{Name, View};
use crate::record::{
    CollectionRecord, Naming, Position, Problem, ProductRecord, Record, ReviewRecord, Row,
    RowError, StockRecord, locate,
};

/// Rows handed over by the reader at once, and how many such hands lie between reader and
/// writer: enough that both work at the same time.
const CHUNK_ROWS: usize = 64;
const CHUNKS_WAITING: usize = 4;
/// A chunk ends early when its text is this long, and a batch too, so that rows of the largest
/// size do not add up.
const CHUNK_BYTES: usize = 1024 * 1024;
const BATCH_BYTES: usize = 16 * 1024 * 1024;
/// What a variant counts beside its text; made records have none.
const VARIANT_BYTES: usize = 1024;

/// Where an import writes.
#[derive(Clone)]
pub struct Stores {
    pub products: Arc<dyn ProductStore>,
    pub stock: Arc<dyn StockLedger>,
    pub media: Arc<dyn MediaStore>,
}

/// How to import.
#[derive(Clone)]
pub struct ImportOptions {
    /// Decide and count, write nothing.
    pub dry_run: bool,
    /// Set stock that was counted before, too.
    pub set_stock: bool,
    /// Fetches the pictures that are named by address; `None`: the addresses are stored.
    pub fetcher: Option<Arc<dyn ImageFetcher>>,
    /// What new and changed products carry as their time.
    pub now: Timestamp,
}

/// How many rows there were and what became of them. Its text is the last line of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct ImportSummary {
    pub rows: u64,
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub failed: u64,
}

impl fmt::Display for ImportSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ImportSummary { rows, created, updated, unchanged, failed } = self;
        write!(
            f,
            "{rows} rows: {created} created, {updated} updated, {unchanged} unchanged, \
             {failed} failed"
        )
    }
}

/// How far an import has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub summary: ImportSummary,
    /// Of the inputs together, in bytes; what was made and not read counts nothing.
    pub read_bytes: u64,
}

/// Is told what happens while it happens.
pub trait Watcher: Send {
    /// A row failed, for these reasons. `raw` is its text as it was read.
    fn failed(&mut self, input: usize, raw: &[u8], errors: &[RowError]);

    /// Something is not as it should be, but the row was taken.
    fn warned(&mut self, warning: &RowError);

    fn progress(&mut self, progress: Progress);
}

/// The import cannot go on. What was written before stays, and importing again takes up there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    Products(#[from] ProductStoreError),
    #[error(transparent)]
    Stock(#[from] CommerceError),
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error("the reader of the file ended unexpectedly: {0}")]
    Reader(String),
}

/// Imports the rows. They are read on a thread of their own, a bounded number ahead.
///
/// # Errors
/// [`ImportError`] where a store does not answer; rows that are wrong are counted and told to
/// the watcher.
pub async fn import(
    rows: impl Iterator<Item = Row> + Send + 'static,
    stores: Stores,
    options: ImportOptions,
    watcher: &mut dyn Watcher,
) -> Result<ImportSummary, ImportError> {
    let (sender, mut receiver) = mpsc::channel(CHUNKS_WAITING);
    let reader = tokio::task::spawn_blocking(move || read_ahead(rows, &sender));
    let mut importer = Importer::new(stores, options, watcher).await?;
    while let Some(chunk) = receiver.recv().await {
        for row in chunk {
            importer.take(row).await?;
        }
        importer.tell_progress();
    }
    reader.await.map_err(|error| ImportError::Reader(error.to_string()))?;
    importer.flush().await?;
    importer.tell_progress();
    Ok(importer.summary)
}

fn read_ahead(rows: impl Iterator<Item = Row>, sender: &mpsc::Sender<Vec<Row>>) {
    let mut chunk = Vec::new();
    let mut bytes = 0;
    for row in rows {
        bytes += row.raw.len();
        chunk.push(row);
        if chunk.len() == CHUNK_ROWS || bytes >= CHUNK_BYTES {
            bytes = 0;
            // The importer gave up: so does the reader.
            if sender.blocking_send(std::mem::take(&mut chunk)).is_err() {
                return;
            }
        }
    }
    // The same holds for the last of them.
    let _ = sender.blocking_send(chunk);
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Created,
    Updated,
    Unchanged,
}

/// A row apart from its record: what is needed to tell what is wrong with it.
struct Origin {
    position: Position,
    naming: Naming,
    raw: Vec<u8>,
    input: usize,
}

/// Rows of one kind that are decided and written together.
enum Batch {
    Empty,
    Products(Vec<(Origin, ProductRecord)>),
    Stock(Vec<(Origin, StockRecord)>),
    Reviews(Vec<(Origin, ReviewRecord)>),
}

struct Importer<'w> {
    stores: Stores,
    options: ImportOptions,
    watcher: &'w mut dyn Watcher,
    summary: ImportSummary,
    read_bytes: u64,
    view: View,
    collections: Collections,
    reviews: ReviewIndex,
    stored_media: StoredMedia,
    fetched_media: FetchedMedia,
    batch: Batch,
    batch_bytes: usize,
    /// The names by which the products of the batch are known: one that comes again has to see
    /// what became of the first.
    batch_names: HashSet<u64>,
    /// The number last used for a made slug; the search for a free one begins there.
    slug_hints: HashMap<Slug, u32>,
    /// Movements of stock so far.
    booked: u64,
}

impl<'w> Importer<'w> {
    async fn new(
        stores: Stores,
        options: ImportOptions,
        watcher: &'w mut dyn Watcher,
    ) -> Result<Importer<'w>, ImportError> {
        let collections = Collections::load(stores.products.as_ref()).await?;
        Ok(Importer {
            view: View::new(Arc::clone(&stores.products), options.dry_run),
            stores,
            options,
            watcher,
            summary: ImportSummary::default(),
            read_bytes: 0,
            collections,
            reviews: ReviewIndex::default(),
            stored_media: StoredMedia::default(),
            fetched_media: FetchedMedia::default(),
            batch: Batch::Empty,
            batch_bytes: 0,
            batch_names: HashSet::new(),
            slug_hints: HashMap::new(),
            booked: 0,
        })
    }

    async fn take(&mut self, row: Row) -> Result<(), ImportError> {
        let Row { position, naming, read_bytes, raw, input, outcome } = row;
        self.read_bytes = read_bytes;
        self.summary.rows += 1;
        let origin = Origin { position, naming, raw, input };
        let record = match outcome {
            Ok(record) => record,
            Err(errors) => {
                self.fail_with(&origin, &errors);
                return Ok(());
            }
        };
        let mut bytes = origin.raw.len();
        match record {
            Record::Collection(record) => self.take_collection(origin, record).await?,
            Record::Product(record) => {
                let names = Name::all_of(&record);
                bytes += record.variants.len() * VARIANT_BYTES;
                if names.iter().any(|name| self.batch_names.contains(name)) {
                    self.flush().await?;
                }
                if !matches!(self.batch, Batch::Products(_)) {
                    self.flush().await?;
                    self.batch = Batch::Products(Vec::new());
                }
                self.batch_names.extend(names);
                if let Batch::Products(batch) = &mut self.batch {
                    batch.push((origin, *record));
                }
            }
            Record::Stock(record) => {
                if !matches!(self.batch, Batch::Stock(_)) {
                    self.flush().await?;
                    self.batch = Batch::Stock(Vec::new());
                }
                if let Batch::Stock(batch) = &mut self.batch {
                    batch.push((origin, record));
                }
            }
            Record::Review(record) => {
                if !matches!(self.batch, Batch::Reviews(_)) {
                    self.flush().await?;
                    self.batch = Batch::Reviews(Vec::new());
                }
                if let Batch::Reviews(batch) = &mut self.batch {
                    batch.push((origin, record));
                }
            }
        }
        self.batch_bytes += bytes;
        if self.batch.len() >= BATCH_MAX || self.batch_bytes >= BATCH_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    /// Decides and writes what waits.
    async fn flush(&mut self) -> Result<(), ImportError> {
        self.batch_names.clear();
        self.batch_bytes = 0;
        match std::mem::replace(&mut self.batch, Batch::Empty) {
            Batch::Empty => {}
            Batch::Products(batch) => self.write_products(batch).await?,
            Batch::Stock(batch) => self.write_stock(batch).await?,
            Batch::Reviews(batch) => self.write_reviews(batch).await?,
        }
        self.write_collections().await
    }

    async fn take_collection(
        &mut self,
        origin: Origin,
        record: CollectionRecord,
    ) -> Result<(), ImportError> {
        let image = match &record.image {
            crate::record::Field::Set(Some(image)) => {
                let known = self.collections.image_of(&record.slug);
                let known = known.map(std::slice::from_ref).unwrap_or_default();
                match self.media_work().resolve(image, known).await? {
                    Ok(resolved) => Some(resolved.media),
                    Err(problem) => {
                        self.fail(&origin, vec![problem.under("/image")]);
                        return Ok(());
                    }
                }
            }
            _ => None,
        };
        match self.collections.take(record, image) {
            Ok(outcome) => self.count(outcome),
            Err(problem) => self.fail(&origin, vec![problem]),
        }
        if self.collections.waiting() >= BATCH_MAX {
            self.write_collections().await?;
        }
        Ok(())
    }

    async fn write_collections(&mut self) -> Result<(), ImportError> {
        let changed = self.collections.take_changed();
        if !changed.is_empty() && !self.options.dry_run {
            self.stores.products.put_collections(changed).await?;
        }
        Ok(())
    }

    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Created => self.summary.created += 1,
            Outcome::Updated => self.summary.updated += 1,
            Outcome::Unchanged => self.summary.unchanged += 1,
        }
    }

    fn fail(&mut self, origin: &Origin, problems: Vec<Problem>) {
        let errors = locate(&origin.position, &origin.naming, problems);
        self.fail_with(origin, &errors);
    }

    fn fail_with(&mut self, origin: &Origin, errors: &[RowError]) {
        self.summary.failed += 1;
        self.watcher.failed(origin.input, &origin.raw, errors);
    }

    fn tell_progress(&mut self) {
        let progress = Progress { summary: self.summary, read_bytes: self.read_bytes };
        self.watcher.progress(progress);
    }
}

impl Batch {
    fn len(&self) -> usize {
        match self {
            Batch::Empty => 0,
            Batch::Products(batch) => batch.len(),
            Batch::Stock(batch) => batch.len(),
            Batch::Reviews(batch) => batch.len(),
        }
    }
}
