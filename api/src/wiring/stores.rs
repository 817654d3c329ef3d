//! The stores that the configuration names, opened.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use barrow_adapters::embedded::{
    self, EmbeddedMediaStore, EmbeddedOptions, EmbeddedStore, OnFatal,
};
use barrow_engine::ports::{EntityStore, Inventory, MediaStore, ProductStore};

use crate::config::Config;

/// The folder of the embedded stores in the data directory.
const STORE_FOLDER: &str = "store";

/// Why the stores do not open, with what to do.
pub type OpenError = embedded::OpenError;

/// The open stores. The directory is free again when this and all that came of it is dropped.
pub struct Stores {
    embedded: EmbeddedStore,
    entities: Arc<dyn EntityStore>,
    media: Arc<dyn MediaStore>,
}

impl Stores {
    /// Opens them, or makes them in a fresh data directory. Blocking; after a crash it reads a
    /// journal, which takes seconds at most. `on_fatal` is called when a store can no longer be
    /// believed, and has to end the process.
    pub fn open(config: &Config, data: &Path, on_fatal: OnFatal) -> Result<Stores, OpenError> {
        let media = config.media_dir();
        let media = EmbeddedMediaStore::open(&media)
            .map_err(|error| OpenError::Io { path: media, source: std::io::Error::other(error) })?;
        let options = EmbeddedOptions::new(on_fatal);
        let embedded = EmbeddedStore::open(&data.join(STORE_FOLDER), options)?;
        Ok(Stores { entities: embedded.entities(), embedded, media: Arc::new(media) })
    }

    pub fn entities(&self) -> Arc<dyn EntityStore> {
        Arc::clone(&self.entities)
    }

    /// Puts something around the entity store: a test slows it down, or breaks it.
    pub fn wrap_entities(
        &mut self,
        wrap: impl FnOnce(Arc<dyn EntityStore>) -> Arc<dyn EntityStore>,
    ) {
        self.entities = wrap(self.entities());
    }

    /// Counts the commits of entities.
    pub fn commits(&self) -> Arc<AtomicU64> {
        self.embedded.entities().commits()
    }

    pub fn products(&self) -> Arc<dyn ProductStore> {
        self.embedded.products()
    }

    pub fn inventory(&self) -> Arc<dyn Inventory> {
        self.embedded.inventory()
    }

    pub fn media(&self) -> Arc<dyn MediaStore> {
        Arc::clone(&self.media)
    }

    /// What an import writes to.
    pub fn for_import(&self) -> barrow_feeds::import::Stores {
        barrow_feeds::import::Stores {
            products: self.products(),
            inventory: self.inventory(),
            media: self.media(),
        }
    }

    /// Writes every row as of this instant to a new file, while all goes on, and answers how
    /// many they are. Blocking.
    pub fn dump(&self, to: &Path, progress: &mut dyn FnMut(u64)) -> Result<u64, String> {
        self.embedded
            .backup(to, &mut |done| progress(done.entries))
            .map(|report| report.entries)
            .map_err(|error| error.to_string())
    }
}

/// Fills the stores of an empty data directory from a file that [`Stores::dump`] wrote, reads
/// them again to the last row, and answers how many those are. Blocking.
pub fn load(from: &Path, data: &Path, progress: &mut dyn FnMut(u64)) -> Result<u64, String> {
    let folder = data.join(STORE_FOLDER);
    let saved = embedded::restore(from, &folder, &mut |done| progress(done.entries))
        .map_err(|error| error.to_string())?;
    // The proof: what the stores hold now makes the same file again, to the last bit.
    let options = EmbeddedOptions::new(Box::new(|_| {}));
    let store = EmbeddedStore::open(&folder, options).map_err(|error| error.to_string())?;
    let proof = data.join("restore.proof");
    let found = store.backup(&proof, &mut |_| {}).map_err(|error| error.to_string())?;
    std::fs::remove_file(&proof).map_err(|error| error.to_string())?;
    match found == saved {
        true => Ok(found.entries),
        false => Err("what the stores hold now is not what was saved".to_owned()),
    }
}
