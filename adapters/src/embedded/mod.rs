//! The shop in one process and one folder: what a laptop, a test and a small server use.
//!
//! All data lies in one log-structured database (`fjall`), so that one snapshot is a consistent
//! backup; in front of it lies a log of our own (`log`), where the changes of carts and other
//! entities become durable. What an acknowledged write survives: a crash of the process or the
//! system, and a loss of power; not the loss of the disk.
//!
//! What happens with a disk that lies:
//! - The last write was cut off by a crash (a torn tail): it was never acknowledged; it is
//!   dropped at the next start.
//! - A bit has flipped in the log or in the database's journal, and whole writes lie behind it:
//!   acknowledged writes would be lost, so the start is refused. For the journal our own check
//!   sees to that before `fjall` opens it: alone it would silently cut the journal off there.
//! - A bit has flipped in a table file: each block carries a checksum, which is compared when
//!   the block is read; the read fails, and nothing wrong is served.
//! - A write or a sync fails: the process ends (see [`OnFatal`]).

mod announcements;
mod backup;
mod cache;
mod commit_queue;
mod directory;
mod due_index;
mod entity_store;
mod former_stock;
#[cfg(test)]
mod fuzz;
mod group_commit;
mod heads;
mod health;
mod journal_check;
mod log;
mod media;
mod media_leftovers;
mod media_signing;
mod product_store;
mod restore;
mod reviews;
pub(crate) mod row_codec;
mod unflushed;
mod write_behind;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fjall::config::{BlockSizePolicy, CompressionPolicy};
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions};

pub use announcements::EmbeddedAnnouncements;
pub use backup::{BackupError, BackupProgress, BackupReport};
pub use cache::EmbeddedCache;
pub use entity_store::EmbeddedEntityStore;
pub use health::OnFatal;
pub use media::EmbeddedMediaStore;
pub use media_signing::MediaSigning;
pub use product_store::EmbeddedProductStore;
pub use restore::{restore, verify_backup};

use barrow_engine::ports::StoreError;
use directory::StoreDirectory;
use entity_store::read_row;
use health::Health;
use log::{Log, LogError};

/// What the embedded store takes of the machine.
pub struct EmbeddedOptions {
    /// Blocks of the tables kept in memory, in bytes. 64 MiB hold the rows of some 100,000
    /// carts; the products that shoppers look at are kept by the catalog above.
    pub cache_bytes: u64,
    /// How much of the entities and of the products is written in memory before it goes to a
    /// table file, in bytes, each; up to five times that is held when the disk is slow. It is
    /// fixed when the store is made. 16 MiB: a flush writes for a moment only, and a start
    /// replays little.
    pub memtable_bytes: u64,
    /// The most bytes of journal kept, at least 64 MiB. More means fewer flushes of tables that
    /// change little, and a longer start: 256 MiB are replayed in two or three seconds.
    pub journal_bytes_max: u64,
    /// Threads that flush and compact. Two, so that a long compaction does not hold up a flush.
    pub worker_threads: usize,
    /// Called once when the store can no longer be believed. The process must end itself.
    pub on_fatal: OnFatal,
}

impl EmbeddedOptions {
    /// For a laptop or a small server.
    pub fn new(on_fatal: OnFatal) -> EmbeddedOptions {
        EmbeddedOptions {
            cache_bytes: 64 * 1024 * 1024,
            memtable_bytes: 16 * 1024 * 1024,
            journal_bytes_max: 256 * 1024 * 1024,
            worker_threads: 2,
            on_fatal,
        }
    }
}

/// Why a store does not open. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{0} is in use by another process{1}; stop it, or choose another data directory")]
    Locked(PathBuf, String),
    #[error("cannot use {path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    /// Acknowledged writes would be lost or wrong if it were opened.
    #[error("the store in {dir} is damaged: {reason}; restore a backup into an empty directory")]
    Damaged { dir: PathBuf, reason: String },
    #[error("the store in {dir} has format {found}; this build reads format {supported}")]
    Format { dir: PathBuf, found: u64, supported: u64 },
    #[error("a restore into {0} was not finished; empty the directory and restore again")]
    RestoreUnfinished(PathBuf),
}

/// The tables. Their order in a backup is this one.
const KEYSPACES: [&str; 9] = [
    "entities",
    "due",
    "products",
    "product_names",
    "reviews",
    "review_places",
    "collections",
    "stock",
    "meta",
];

/// The store of one data directory, locked for this process. The directory is free again when
/// this and all handles taken from it are dropped.
pub struct EmbeddedStore {
    entities: Arc<EmbeddedEntityStore>,
    products: Arc<EmbeddedProductStore>,
    shared: Arc<Shared>,
}

/// What the handles have in common. The lock goes last.
struct Shared {
    tables: Tables,
    health: Arc<Health>,
    _directory: StoreDirectory,
}

/// The database and its tables.
#[derive(Clone)]
struct Tables {
    db: Database,
    entities: Keyspace,
    due: Keyspace,
    products: Keyspace,
    product_names: Keyspace,
    reviews: Keyspace,
    review_places: Keyspace,
    collections: Keyspace,
    stock: Keyspace,
    meta: Keyspace,
}

impl EmbeddedStore {
    /// Opens the store of that directory, making it if there is none. Blocking: after a crash
    /// it reads the journal, which takes seconds at most.
    pub fn open(dir: &Path, options: EmbeddedOptions) -> Result<EmbeddedStore, OpenError> {
        let directory = StoreDirectory::lock(dir)?;
        directory.check()?;
        let tables = Tables::open(&directory, &options)?;
        directory.mark_complete()?;
        let health = Arc::new(Health::new(options.on_fatal));
        let log = open_log(&directory, &tables, Arc::clone(&health))?;
        let shared = Arc::new(Shared { tables, health, _directory: directory });
        let entities = EmbeddedEntityStore::start(Arc::clone(&shared), log)
            .map_err(|source| OpenError::Io { path: dir.to_owned(), source })?;
        let products = EmbeddedProductStore::open(Arc::clone(&shared)).map_err(|error| {
            OpenError::Damaged { dir: dir.to_owned(), reason: error.to_string() }
        })?;
        Ok(EmbeddedStore { entities: Arc::new(entities), products: Arc::new(products), shared })
    }

    pub fn entities(&self) -> Arc<EmbeddedEntityStore> {
        Arc::clone(&self.entities)
    }

    pub fn products(&self) -> Arc<EmbeddedProductStore> {
        Arc::clone(&self.products)
    }

    /// What the store takes on the disk, in bytes, journal included.
    pub fn disk_bytes(&self) -> u64 {
        self.shared.tables.db.disk_space().unwrap_or(0) + log::BYTES
    }

    /// Why the store no longer serves, if so.
    pub fn failure(&self) -> Option<String> {
        self.shared.health.check().err().map(str::to_owned)
    }
}

/// Opens the log, and moves to the tables what it holds beyond them.
fn open_log(
    directory: &StoreDirectory,
    tables: &Tables,
    health: Arc<Health>,
) -> Result<Log, OpenError> {
    let damaged = |reason| OpenError::Damaged { dir: directory.path(), reason };
    let through = write_behind::through(tables).map_err(damaged)?;
    let (log, found) =
        Log::open(&directory.log(), through, health).map_err(|error| match error {
            LogError::Io { path, source } => OpenError::Io { path, source },
            LogError::Damaged(reason) => damaged(reason),
        })?;
    write_behind::take_over(tables, found).map_err(|error| match error {
        StoreError::Damaged(reason) => damaged(reason),
        error => OpenError::Io { path: directory.database(), source: io::Error::other(error) },
    })?;
    Ok(log)
}

impl Shared {
    /// Ends the store's life: a write has failed, and nobody knows what is on the disk.
    fn write_failed(&self, what: &str, error: &fjall::Error) -> String {
        let reason = format!("{what}: {error}");
        self.health.fail(format!("a write failed: {reason}"));
        reason
    }
}

impl Tables {
    fn open(directory: &StoreDirectory, options: &EmbeddedOptions) -> Result<Tables, OpenError> {
        let damaged = |reason: String| OpenError::Damaged { dir: directory.path(), reason };
        let open = || {
            write_behind::yield_to_others();
            // The library cannot take up a database that it was interrupted in making. So it
            // makes it aside, and the directory gets it whole or not at all.
            directory.make_database(|aside| Tables::open_database(aside, options).map(drop))?;
            Tables::open_database(&directory.database(), options)
        };
        // The threads that it starts are of the priority of the thread that opens it.
        let opened = std::thread::scope(|scope| scope.spawn(open).join());
        // The library has assertions about what it reads; a file that breaks one is damaged.
        match opened {
            Ok(Ok(tables)) => Ok(tables),
            Ok(Err(fjall::Error::Locked)) => {
                Err(OpenError::Locked(directory.path(), String::new()))
            }
            Ok(Err(fjall::Error::Io(source))) => {
                Err(OpenError::Io { path: directory.database(), source })
            }
            Ok(Err(error)) => Err(damaged(error.to_string())),
            Err(_) => Err(damaged("its files contradict each other".to_owned())),
        }
    }

    fn open_database(path: &Path, options: &EmbeddedOptions) -> Result<Tables, fjall::Error> {
        let db = Database::builder(path)
            .cache_size(options.cache_bytes)
            .max_journaling_size(options.journal_bytes_max.max(64 * 1024 * 1024))
            .worker_threads(options.worker_threads.max(1))
            // The journal's checksums cover what a compressor made, and reading it compresses
            // anew to compare: another release of the compressor could then not read it.
            .journal_compression(CompressionType::None)
            .open()?;
        let large = || KeyspaceCreateOptions::default().max_memtable_size(options.memtable_bytes);
        let documents = || {
            // Documents of some kilobytes, much alike: larger blocks make lz4 pay.
            large()
                .data_block_size_policy(BlockSizePolicy::all(16 * 1024))
                .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
        };
        let small = || {
            let bytes = options.memtable_bytes.min(4 * 1024 * 1024);
            KeyspaceCreateOptions::default().max_memtable_size(bytes)
        };
        Ok(Tables {
            entities: db.keyspace("entities", large)?,
            due: db.keyspace("due", small)?,
            products: db.keyspace("products", documents)?,
            product_names: db.keyspace("product_names", small)?,
            reviews: db.keyspace("reviews", documents)?,
            review_places: db.keyspace("review_places", small)?,
            collections: db.keyspace("collections", small)?,
            stock: db.keyspace("stock", small)?,
            meta: db.keyspace("meta", small)?,
            db,
        })
    }

    /// The tables with their names, in the order of [`KEYSPACES`].
    fn all(&self) -> [(&'static str, &Keyspace); 9] {
        let [entities, due, products, names, reviews, places, collections, stock, meta] = KEYSPACES;
        [
            (entities, &self.entities),
            (due, &self.due),
            (products, &self.products),
            (names, &self.product_names),
            (reviews, &self.reviews),
            (places, &self.review_places),
            (collections, &self.collections),
            (stock, &self.stock),
            (meta, &self.meta),
        ]
    }

    /// A batch that is durable when it is committed. Every write goes through here: the check of
    /// the journal at the start relies on no write being behind one that was not synced.
    fn batch(&self) -> fjall::OwnedWriteBatch {
        self.db.batch().durability(Some(fjall::PersistMode::SyncData))
    }
}

/// Whether an error of a read says that the data is damaged, rather than the disk away.
fn is_damage(error: &fjall::Error) -> bool {
    match error {
        fjall::Error::Io(_) | fjall::Error::Poisoned | fjall::Error::Locked => false,
        fjall::Error::Storage(error) => !matches!(error, fjall::LsmError::Io(_)),
        _ => true,
    }
}
