//! `barrow migrate`: the tables of stock, orders and whatever else lies in a database with tables.
//! A server makes them itself when it starts; this is for who wants that done, or known, before.

use serde::Serialize;

use crate::config::{CommerceBackend, Loaded};
use crate::wiring::{self, Migration, Migrations};

use super::args::MigrateArgs;
use super::data_dir;
use super::failure::{Exit, Failure};
use super::output;

#[derive(Debug, Serialize)]
struct Report {
    /// Whether it was only looked at.
    check: bool,
    migrations: Vec<Migration>,
}

/// Tells what is missing, or makes it.
pub fn run(args: &MigrateArgs, loaded: &Loaded) -> Result<Exit, Failure> {
    let (config, check) = (&loaded.config, args.check);
    if !check && config.commerce_backend() == CommerceBackend::Sqlite {
        data_dir::make(config.data_dir())?;
    }
    let migrated = wiring::migrate(config, config.data_dir(), check);
    let migrated = super::runtime()?.block_on(migrated).map_err(super::open_failure)?;
    let Migrations { missing: migrations, later } = migrated;
    if let Some((database, version)) = later {
        let what = format!("{database} has the migration {version:04} of a later build");
        return Err(Failure::too_old(what));
    }
    let is_behind = check && !migrations.is_empty();
    let exit = if is_behind { Exit::Refused } else { Exit::Done };
    if args.json {
        output::json(&Report { check, migrations })?;
        return Ok(exit);
    }
    let outcome = match (check, migrations.is_empty()) {
        (_, true) => "everything is there",
        (true, false) => "to be made; `barrow migrate` does it, and so does the next start",
        (false, false) => "made",
    };
    let lines = migrations
        .iter()
        .map(|Migration { database, version, name }| format!("{database} {version:04} {name}\n"));
    output::text(&format!("{}{outcome}\n", lines.collect::<String>()))?;
    Ok(exit)
}
