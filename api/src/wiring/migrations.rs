//! The tables of the databases that the configuration names: what they lack, and the making of it.

use std::path::Path;

use barrow_adapters::migrations::MigrationStep;
use barrow_adapters::sqlite;
use serde::Serialize;

use super::commerce::{Commerce, file};
#[cfg(feature = "postgres")]
use super::servers::{ServerError, Servers};
use super::stores::OpenError;
use crate::config::{CommerceBackend, Config};

/// A migration of a database that has not been made, or was made just now.
#[derive(Debug, Serialize)]
pub struct Migration {
    /// `sqlite` or `postgres`.
    pub database: &'static str,
    pub version: i64,
    pub name: String,
}

impl Migration {
    fn of(database: &'static str) -> impl Fn(MigrationStep) -> Migration {
        move |MigrationStep { version, name }| Migration { database, version, name }
    }
}

/// Looks what is missing, and makes it unless it is only to be looked; what that was.
pub async fn migrate(
    config: &Config,
    data: &Path,
    only_looks: bool,
) -> Result<Vec<Migration>, OpenError> {
    let mut found = Vec::new();
    if config.commerce_backend() == CommerceBackend::Sqlite {
        let file = file(data);
        let missing = sqlite::missing_migrations(&file).await?;
        if !missing.is_empty() && !only_looks {
            Commerce::in_file(&file).await?;
        }
        found.extend(missing.into_iter().map(Migration::of("sqlite")));
    }
    #[cfg(feature = "postgres")]
    if config.wants_postgres() {
        let postgres = Servers::at_once(config).postgres().await?;
        let missing = postgres.missing_migrations().await;
        let missing = missing.map_err(|error| ServerError::new("commerce.url", error))?;
        if !missing.is_empty() && !only_looks {
            // Who opens it to use it makes them.
            Servers::new(config).postgres().await?;
        }
        found.extend(missing.into_iter().map(Migration::of("postgres")));
    }
    Ok(found)
}
