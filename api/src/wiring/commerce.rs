//! Where stock, orders and API keys lie: a file of SQLite in the data directory, or Postgres.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use barrow_adapters::sqlite::{
    Sqlite, SqliteApiKeys, SqliteError, SqliteOptions, SqliteOrderStore, SqliteStockLedger,
};
use barrow_engine::ports::{ApiKeyStore, OrderStore, StockLedger};

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
    pub api_keys: Arc<dyn ApiKeyStore>,
    /// Where it is a file.
    pub(super) sqlite: Option<Sqlite>,
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
                    PostgresApiKeys, PostgresOrderStore, PostgresStockLedger,
                };
                let postgres = servers.postgres().await?;
                Ok(Commerce {
                    stock: Arc::new(PostgresStockLedger::new(&postgres)),
                    orders: Arc::new(PostgresOrderStore::new(&postgres)),
                    api_keys: Arc::new(PostgresApiKeys::new(&postgres)),
                    sqlite: None,
                })
            }
            #[cfg(not(feature = "postgres"))]
            CommerceBackend::Postgres => Ok(super::servers::not_built("stores.commerce")?),
        }
    }

    /// Makes the folder too.
    async fn in_file(file: &Path) -> Result<Commerce, SqliteError> {
        if let Some(folder) = file.parent() {
            let io = |source| SqliteError::Io { path: folder.to_owned(), source };
            std::fs::create_dir_all(folder).map_err(io)?;
        }
        let sqlite = Sqlite::open(file, SqliteOptions::default()).await?;
        Ok(Commerce {
            stock: Arc::new(SqliteStockLedger::new(&sqlite)),
            orders: Arc::new(SqliteOrderStore::new(&sqlite)),
            api_keys: Arc::new(SqliteApiKeys::new(&sqlite)),
            sqlite: Some(sqlite),
        })
    }
}

/// Stock and orders alone, for a command beside a running shop.
pub async fn open_commerce(config: &Config, data: &Path) -> Result<Commerce, OpenError> {
    Commerce::open(config, data, &mut Servers::new(config)).await
}

impl From<SqliteError> for OpenError {
    fn from(error: SqliteError) -> OpenError {
        OpenError::Sqlite(error)
    }
}
