//! The stores that the configuration names, opened.

use std::path::Path;
use std::sync::Arc;

use barrow_adapters::decorators::{AnnouncedStock, CachedProducts};
pub use barrow_adapters::embedded::OnFatal;
use barrow_adapters::embedded::{
    self, EmbeddedMediaStore, EmbeddedOptions, EmbeddedStore, MediaSigning,
};
use barrow_adapters::host::SystemClock;
use barrow_adapters::sqlite::SqliteError;
use barrow_engine::ports::{
    Announcements, ApiKeyStore, EntityStore, MediaGate, MediaStore, OrderStore, ProductStore,
    StockLedger,
};

use super::cache::{CacheTier, Catalog};
use super::commerce::Commerce;
#[cfg(feature = "dynamodb")]
use super::figures::collect_dynamodb;
use super::figures::{Figures, collect_commits};
use super::servers::{ServerError, Servers};
use crate::config::{Config, EntityBackend, ProductBackend};

/// The folder of the embedded stores in the data directory.
const STORE_FOLDER: &str = "store";

/// The key in the data directory that addresses of media are signed with.
const MEDIA_KEY_FILE: &str = "media.key";

/// What the names of Barrow's keys in Redis begin with.
#[cfg(feature = "redis")]
pub(super) const REDIS_PREFIX: &str = "barrow";

/// Why the stores do not open, with what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Embedded(#[from] embedded::OpenError),
    /// The file of stock and orders.
    #[error("stock and orders: {0}")]
    Sqlite(SqliteError),
    #[error("stock as it was kept before it had a ledger: {0}")]
    FormerStock(String),
    /// One that lies on a server beside the process.
    #[error("the stores do not open: {0}")]
    Server(#[from] ServerError),
}

impl OpenError {
    /// Whether something that the stores stand on is away, rather than wrong.
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self,
            OpenError::Server(_)
                | OpenError::Embedded(embedded::OpenError::Io { .. })
                | OpenError::Sqlite(SqliteError::Io { .. })
        )
    }
}

/// The open stores. The directory is free again when this and all that came of it is dropped.
pub struct Stores {
    /// Where a port is embedded.
    embedded: Option<EmbeddedStore>,
    entities: Arc<dyn EntityStore>,
    entity_figures: Option<Figures>,
    products: Arc<dyn ProductStore>,
    commerce: Commerce,
    media: Arc<dyn MediaStore>,
    media_gate: Option<Arc<dyn MediaGate>>,
    cache: CacheTier,
    /// Hears what other processes write to the catalog.
    shared_catalog: Option<CachedProducts>,
}

impl Stores {
    /// Opens them, or makes them in a fresh data directory. After a crash the embedded ones read
    /// a journal, which blocks for seconds at most. `on_fatal` is called when a store can no
    /// longer be believed, and has to end the process.
    pub async fn open(
        config: &Config,
        data: &Path,
        on_fatal: OnFatal,
    ) -> Result<Stores, OpenError> {
        let embedded = match uses_embedded(config) {
            true => {
                let options = EmbeddedOptions::new(on_fatal);
                Some(EmbeddedStore::open(&data.join(STORE_FOLDER), options)?)
            }
            false => None,
        };
        let mut servers = Servers::new(config);
        let (media, media_gate) = media(config, data).await?;
        let (entities, entity_figures) = entities(config, embedded.as_ref(), &mut servers).await?;
        let products = products(config, embedded.as_ref(), &mut servers).await?;
        let commerce = Commerce::open(config, data, &mut servers).await?;
        if let Some(embedded) = &embedded {
            commerce.take_over_former_stock(embedded).await?;
        }
        let cache = CacheTier::open(&servers).await?;
        let Catalog { products, shared } = match config.stores.products {
            ProductBackend::Embedded => Catalog { products, shared: None },
            ProductBackend::Dynamodb | ProductBackend::Postgres => cache.before(products),
        };
        Ok(Stores {
            embedded,
            entities,
            entity_figures,
            products,
            commerce,
            media,
            media_gate,
            cache,
            shared_catalog: shared,
        })
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

    /// What the entity store counts beyond its port, for whoever reads the figures.
    pub(super) fn entity_figures(&self) -> Option<Figures> {
        self.entity_figures.clone()
    }

    pub fn products(&self) -> Arc<dyn ProductStore> {
        Arc::clone(&self.products)
    }

    /// Nobody hears what is done by it: a running shop has one of its own.
    pub fn stock(&self) -> Arc<dyn StockLedger> {
        Arc::clone(&self.commerce.stock)
    }

    /// As [`Stores::stock`].
    pub fn orders(&self) -> Arc<dyn OrderStore> {
        Arc::clone(&self.commerce.orders)
    }

    pub fn api_keys(&self) -> Arc<dyn ApiKeyStore> {
        Arc::clone(&self.commerce.api_keys)
    }

    pub fn media(&self) -> Arc<dyn MediaStore> {
        Arc::clone(&self.media)
    }

    /// Where signed requests for media are made to the shop itself, and not to a server that
    /// checks them.
    pub fn media_gate(&self) -> Option<Arc<dyn MediaGate>> {
        self.media_gate.clone()
    }

    pub(super) fn cache(&self) -> &CacheTier {
        &self.cache
    }

    /// Where other processes write to the catalog, too.
    pub(super) fn shared_catalog(&self) -> Option<CachedProducts> {
        self.shared_catalog.clone()
    }

    /// Where running shops hear what others do to the catalog they share.
    pub(super) fn announcements(&self) -> Option<Arc<dyn Announcements>> {
        self.shared_catalog.as_ref().and(self.cache.announcements.clone())
    }

    /// What an import writes to. It has ended before anybody would tell what it did, so it tells
    /// that itself.
    pub fn for_import(&self) -> barrow_feeds::import::Stores {
        let stock: Arc<dyn StockLedger> = match self.announcements() {
            Some(others) => Arc::new(AnnouncedStock::new(self.stock(), others)),
            None => self.stock(),
        };
        barrow_feeds::import::Stores { products: self.products(), stock, media: self.media() }
    }

    /// Writes every row as of this instant to a new file, while all goes on, and answers how
    /// many they are. Blocking. What lies on a server beside the process is not in it.
    pub fn dump(&self, to: &Path, progress: &mut dyn FnMut(u64)) -> Result<u64, String> {
        let embedded = self.embedded.as_ref().ok_or(
            "all stores lie on servers beside the process; back those up by their own means",
        )?;
        embedded
            .backup(to, &mut |done| progress(done.entries))
            .map(|report| report.entries)
            .map_err(|error| error.to_string())
    }

    /// Writes stock and orders as of this instant to a new file, where they lie in one. Blocking.
    pub fn dump_commerce(&self, to: &Path) -> Result<bool, String> {
        match &self.commerce.file {
            Some(file) => super::commerce::dump(file, to).map(|()| true),
            None => Ok(false),
        }
    }
}

/// The embedded store alone, if the data directory has one; nothing is made and no server asked.
pub fn open_embedded(data: &Path, on_fatal: OnFatal) -> Result<Option<EmbeddedStore>, OpenError> {
    let folder = data.join(STORE_FOLDER);
    if !folder.exists() {
        return Ok(None);
    }
    Ok(Some(EmbeddedStore::open(&folder, EmbeddedOptions::new(on_fatal))?))
}

fn uses_embedded(config: &Config) -> bool {
    config.stores.entities == EntityBackend::Embedded
        || config.stores.products == ProductBackend::Embedded
}

type Media = (Arc<dyn MediaStore>, Option<Arc<dyn MediaGate>>);

async fn media(config: &Config, data: &Path) -> Result<Media, OpenError> {
    match config.media_bucket() {
        None => media_folder(config, data),
        #[cfg(feature = "s3")]
        Some(url) => {
            let store = super::servers::s3(url)?;
            let checked = store.check().await;
            checked.map_err(|error| ServerError::new("media.url", error))?;
            Ok((Arc::new(store), None))
        }
        #[cfg(not(feature = "s3"))]
        Some(_) => Ok(super::servers::not_built("media.url")?),
    }
}

fn media_folder(config: &Config, data: &Path) -> Result<Media, OpenError> {
    let file = data.join(MEDIA_KEY_FILE);
    let signing = MediaSigning::load(&file, Arc::new(SystemClock));
    let signing = signing.map_err(|source| embedded::OpenError::Io { path: file, source })?;
    let folder = config.media_dir();
    let store = EmbeddedMediaStore::open(&folder, signing).map_err(|error| {
        embedded::OpenError::Io { path: folder, source: std::io::Error::other(error) }
    })?;
    let store = Arc::new(store);
    Ok((store.clone(), Some(store)))
}

/// The embedded store that a port was found to need.
fn opened(embedded: Option<&EmbeddedStore>) -> &EmbeddedStore {
    embedded.expect("it is opened where a port is embedded")
}

async fn entities(
    config: &Config,
    embedded: Option<&EmbeddedStore>,
    #[allow(unused_variables, reason = "a build without servers asks for none")]
    servers: &mut Servers<'_>,
) -> Result<(Arc<dyn EntityStore>, Option<Figures>), ServerError> {
    match config.stores.entities {
        EntityBackend::Embedded => {
            let store = opened(embedded).entities();
            let commits = store.commits();
            let figures = Arc::new(move |out: &mut _| collect_commits(out, &commits));
            Ok((store, Some(figures)))
        }
        #[cfg(feature = "postgres")]
        EntityBackend::Postgres => {
            use barrow_adapters::postgres::PostgresEntityStore;
            Ok((Arc::new(PostgresEntityStore::start(&servers.postgres().await?)), None))
        }
        #[cfg(feature = "dynamodb")]
        EntityBackend::Dynamodb => {
            use barrow_adapters::dynamodb::DynamoEntityStore;
            let store = Arc::new(DynamoEntityStore::new(servers.dynamodb().await));
            let figures = Arc::clone(&store);
            let figures = Arc::new(move |out: &mut _| collect_dynamodb(out, &figures.figures()));
            Ok((store, Some(figures)))
        }
        #[cfg(feature = "redis")]
        EntityBackend::Redis => {
            use barrow_adapters::redis::{RedisEntityOptions, RedisEntityStore};
            let unusable = |error| ServerError::new("cache.url", error);
            let redis = servers.redis()?;
            let redis = redis.ok_or_else(|| unusable("it is not set".to_owned()))?;
            let mut options = RedisEntityOptions::new(REDIS_PREFIX);
            options.replicas = config.cache.replicas;
            let store = RedisEntityStore::connect(&redis, options).await;
            Ok((Arc::new(store.map_err(|error| unusable(error.to_string()))?), None))
        }
        #[cfg(not(all(feature = "dynamodb", feature = "postgres", feature = "redis")))]
        _ => super::servers::not_built("stores.entities"),
    }
}

async fn products(
    config: &Config,
    embedded: Option<&EmbeddedStore>,
    #[allow(unused_variables, reason = "a build without servers asks for none")]
    servers: &mut Servers<'_>,
) -> Result<Arc<dyn ProductStore>, ServerError> {
    match config.stores.products {
        ProductBackend::Embedded => Ok(opened(embedded).products()),
        #[cfg(feature = "postgres")]
        ProductBackend::Postgres => {
            use barrow_adapters::postgres::PostgresProductStore;
            Ok(Arc::new(PostgresProductStore::new(&servers.postgres().await?)))
        }
        #[cfg(feature = "dynamodb")]
        ProductBackend::Dynamodb => {
            use barrow_adapters::dynamodb::DynamoProductStore;
            Ok(Arc::new(DynamoProductStore::new(servers.dynamodb().await)))
        }
        #[cfg(not(all(feature = "dynamodb", feature = "postgres")))]
        _ => super::servers::not_built("stores.products"),
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
