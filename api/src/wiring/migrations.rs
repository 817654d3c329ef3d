//! The tables of the databases that the configuration names: what they lack, and the making of it.

use std::path::Path;

use barrow_adapters::migrations::{MigrationStep, MissingMigrations};
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

/// What was found.
#[derive(Debug, Default)]
pub struct Migrations {
    pub missing: Vec<Migration>,
    /// A database that a later build has migrated, and to where. It is left as it is.
    pub later: Option<(&'static str, i64)>,
}

impl Migrations {
    /// Takes in what a database lacks; whether it is to be made.
    fn take(&mut self, database: &'static str, found: MissingMigrations) -> bool {
        let is_wanted = found.unknown.is_none() && !found.steps.is_empty();
        self.later = self.later.or(found.unknown.map(|version| (database, version)));
        self.missing.extend(
            found.steps.into_iter().map(|MigrationStep { version, name }| Migration {
                database,
                version,
                name,
            }),
        );
        is_wanted
    }
}

/// Looks what is missing, and makes it unless it is only to be looked.
pub async fn migrate(
    config: &Config,
    data: &Path,
    only_looks: bool,
) -> Result<Migrations, OpenError> {
    let mut found = Migrations::default();
    if config.commerce_backend() == CommerceBackend::Sqlite {
        let file = file(data);
        let missing = sqlite::missing_migrations(&file).await?;
        if found.take("sqlite", missing) && !only_looks {
            Commerce::in_file(&file).await?;
        }
    }
    #[cfg(feature = "postgres")]
    if config.wants_postgres() {
        let postgres = Servers::at_once(config).postgres().await?;
        let missing = postgres.missing_migrations().await;
        let missing = missing.map_err(|error| ServerError::new("commerce.url", error))?;
        if found.take("postgres", missing) && !only_looks {
            // Who opens it to use it makes them.
            Servers::new(config).postgres().await?;
        }
    }
    Ok(found)
}
