//! Where stock, orders and API keys lie: a file of SQLite in the data directory, or Postgres.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use barrow_adapters::embedded::EmbeddedStore;
use barrow_adapters::sqlite::{
    self, Sqlite, SqliteApiKeys, SqliteError, SqliteOptions, SqliteOrderStore, SqliteOutbox,
    SqliteStockLedger,
};
use barrow_engine::ids::MovementId;
use barrow_engine::inventory::{MovementDraft, default_location};
use barrow_engine::ports::{ApiKeyStore, OrderStore, Outbox, STOCK_BATCH_MAX, StockLedger};

use super::servers::Servers;
use super::stores::OpenError;
use crate::config::{CommerceBackend, Config};

/// The folder of the file in the data directory. SQLite keeps more files beside it.
pub(super) const FOLDER: &str = "commerce";

const FILE: &str = "commerce.sqlite";

/// The open stores of one database.
#[derive(Clone)]
pub struct Commerce {
    pub stock: Arc<dyn StockLedger>,
    pub orders: Arc<dyn OrderStore>,
    /// What happened to both, until all have been told.
    pub outbox: Arc<dyn Outbox>,
    pub api_keys: Arc<dyn ApiKeyStore>,
    /// Where it is one.
    pub(super) file: Option<PathBuf>,
}

/// Where the file lies.
pub(super) fn file(data: &Path) -> PathBuf {
    data.join(FOLDER).join(FILE)
}

impl Commerce {
    pub(super) async fn open(
        config: &Config,
        data: &Path,
        #[allow(unused_variables, reason = "a build without servers asks for none")]
        servers: &mut Servers<'_>,
    ) -> Result<Commerce, OpenError> {
        match config.commerce_backend() {
            CommerceBackend::Sqlite => Ok(Commerce::in_file(&file(data)).await?),
            #[cfg(feature = "postgres")]
            CommerceBackend::Postgres => {
                use barrow_adapters::postgres::{
                    PostgresApiKeys, PostgresOrderStore, PostgresOutbox, PostgresStockLedger,
                };
                let postgres = servers.postgres().await?;
                Ok(Commerce {
                    stock: Arc::new(PostgresStockLedger::new(&postgres)),
                    orders: Arc::new(PostgresOrderStore::new(&postgres)),
                    outbox: Arc::new(PostgresOutbox::new(&postgres)),
                    api_keys: Arc::new(PostgresApiKeys::new(&postgres)),
                    file: None,
                })
            }
            #[cfg(not(feature = "postgres"))]
            CommerceBackend::Postgres => Ok(super::servers::not_built("stores.commerce")?),
        }
    }

    /// Makes the folder too.
    pub(super) async fn in_file(file: &Path) -> Result<Commerce, SqliteError> {
        if let Some(folder) = file.parent() {
            let io = |source| SqliteError::Io { path: folder.to_owned(), source };
            std::fs::create_dir_all(folder).map_err(io)?;
        }
        let sqlite = Sqlite::open(file, SqliteOptions::default()).await?;
        Ok(Commerce {
            stock: Arc::new(SqliteStockLedger::new(&sqlite)),
            orders: Arc::new(SqliteOrderStore::new(&sqlite)),
            outbox: Arc::new(SqliteOutbox::new(&sqlite)),
            api_keys: Arc::new(SqliteApiKeys::new(&sqlite)),
            file: Some(file.to_owned()),
        })
    }
}

impl Commerce {
    /// Books what the embedded store had counted before stock had a ledger, and has it forgotten
    /// there. Cut off in between, it is booked once all the same.
    pub(super) async fn take_over_former_stock(
        &self,
        store: &EmbeddedStore,
    ) -> Result<(), OpenError> {
        loop {
            let levels = store.former_stock(STOCK_BATCH_MAX).map_err(OpenError::FormerStock)?;
            if levels.is_empty() {
                return Ok(());
            }
            let drafts = levels.iter().map(|(sku, units)| MovementDraft {
                id: MovementId::derived(&format!("former stock/{sku}")),
                sku: sku.clone(),
                location: default_location(),
                quantity: i64::from(*units),
                reason: "carried over".to_owned(),
                actor: "system".to_owned(),
                order: None,
                at: super::now(),
            });
            let booked = self.stock.book(drafts.collect()).await;
            let refused = |error: &dyn std::fmt::Display| OpenError::FormerStock(error.to_string());
            for outcome in booked.map_err(|error| refused(&error))? {
                outcome.map_err(|refusal| refused(&refusal))?;
            }
            store.forget_former_stock(&levels).map_err(OpenError::FormerStock)?;
        }
    }
}

/// Stock and orders alone, for a command beside a running shop.
pub async fn open_commerce(config: &Config, data: &Path) -> Result<Commerce, OpenError> {
    Commerce::open(config, data, &mut Servers::new(config)).await
}

/// How many events nobody could be told, for who only looks; `None` where nothing is kept yet, or
/// where the server is away, which others tell.
pub async fn dead_letters(config: &Config, data: &Path) -> Option<Result<u64, String>> {
    match config.commerce_backend() {
        CommerceBackend::Sqlite => {
            let file = file(data);
            let counted = async { sqlite::dead_letters_in(&file).await };
            match file.exists() {
                true => Some(counted.await.map_err(|error| error.to_string())),
                false => None,
            }
        }
        #[cfg(feature = "postgres")]
        CommerceBackend::Postgres => {
            use barrow_adapters::postgres::PostgresOutbox;
            let postgres = Servers::at_once(config).postgres().await.ok()?;
            let counted = PostgresOutbox::new(&postgres).dead_letters_at_all().await;
            Some(counted.map_err(|error| error.to_string()))
        }
        #[cfg(not(feature = "postgres"))]
        CommerceBackend::Postgres => None,
    }
}

/// Puts a copy of the file into an empty data directory, and reads it to its last page.
pub fn load_commerce(from: &Path, data: &Path) -> Result<(), String> {
    let file = file(data);
    let copied = file.parent().map_or(Ok(()), std::fs::create_dir_all);
    copied.and_then(|()| std::fs::copy(from, &file)).map_err(|error| error.to_string())?;
    block_on(async {
        let sqlite = Sqlite::open(&file, SqliteOptions::default()).await;
        sqlite.map_err(|error| error.to_string())?.check().await.map_err(|error| error.to_string())
    })
}

/// Writes the file as of this instant to a new one, while all goes on. Blocking.
pub(super) fn dump(file: &Path, to: &Path) -> Result<(), String> {
    block_on(async { sqlite::copy(file, to).await.map_err(|error| error.to_string()) })
}

/// On the thread of the caller, who waits anyway.
fn block_on(task: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(task)
}

impl From<SqliteError> for OpenError {
    fn from(error: SqliteError) -> OpenError {
        OpenError::Sqlite(error)
    }
}
