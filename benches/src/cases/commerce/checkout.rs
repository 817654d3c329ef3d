//! Checkouts to a placed order, beside a transaction by hand on the same database.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use barrow_adapters::postgres::{
    Postgres, PostgresOptions, PostgresOrderStore, PostgresStockLedger,
};
use barrow_adapters::sqlite::{Sqlite, SqliteOptions, SqliteOrderStore, SqliteStockLedger};
use tokio::runtime::Runtime;

use super::crowd::{self, Limit};
use super::plain::Plain;
use super::shop::{Shop, skus};
use crate::cases::peers::skip;
use crate::cases::stores::BarePostgres;
use crate::options::Options;
use crate::report::Target;

/// Buyers at once.
const BUYERS: usize = 64;

/// Of the transactions by hand.
const RATIO: Target = Target::AtLeast(0.5);

const ORDERS: [&str; 2] = ["orders_per_s", "other_orders_per_s"];

/// Carts of a round, for each second that it is to last: they are filled before it.
const CARTS_PER_S: f64 = 500.0;
const CARTS_MAX: f64 = 2_000.0;

pub fn run(options: &Options, runtime: &Runtime) -> anyhow::Result<()> {
    sqlite(options, runtime)?;
    let case = "checkout on Postgres / a transaction by hand, 64 buyers";
    let folder = tempfile::tempdir_in(options.dir())?;
    let server = match barrow_servers::Postgres::start_large(&options.dir()) {
        Ok(server) => server,
        Err(error) => {
            skip(options, case, &format!("{error:#}"));
            return Ok(());
        }
    };
    let defaults = PostgresOptions::default();
    let (shop, plain) = runtime.block_on(async {
        let postgres = Postgres::connect(&server.url(), defaults).await?;
        let orders = Arc::new(PostgresOrderStore::new(&postgres));
        let ledger = Arc::new(PostgresStockLedger::new(&postgres));
        let shop = Shop::start(folder.path(), orders, ledger).await?;
        let plain = Plain::postgres(&server.url(), defaults.connections_max, &skus()).await?;
        anyhow::Ok((shop, plain))
    })?;
    beside(options, runtime, case, (shop, plain), || {
        runtime.block_on(async {
            let pool = BarePostgres::connect(&server.url(), 1).await?.0;
            sqlx::raw_sql("ANALYZE").execute(&pool).await?;
            Ok(())
        })
    })
}

fn sqlite(options: &Options, runtime: &Runtime) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(options.dir())?;
    let file = |name: &str| -> Box<Path> { folder.path().join(name).into() };
    let (shop, plain) = runtime.block_on(async {
        let sqlite = Sqlite::open(&file("commerce.db"), SqliteOptions::default()).await?;
        let orders = Arc::new(SqliteOrderStore::new(&sqlite));
        let ledger = Arc::new(SqliteStockLedger::new(&sqlite));
        let shop = Shop::start(folder.path(), orders, ledger).await?;
        anyhow::Ok((shop, Plain::sqlite(&file("plain.db"), &skus()).await?))
    })?;
    let case = "checkout on SQLite / a transaction by hand, 64 buyers";
    beside(options, runtime, case, (shop, plain), || Ok(()))
}

/// `warmed` is what a database does by itself once it has been up for a minute.
fn beside(
    options: &Options,
    runtime: &Runtime,
    case: &str,
    (shop, plain): (Shop, Plain),
    warmed: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (shop, plain) = (Arc::new(shop), Arc::new(plain));
    let carts = (options.round().as_secs_f64() * CARTS_PER_S).clamp(BUYERS as f64, CARTS_MAX);
    let limit = Limit { times: carts as u64, time: Duration::MAX };
    let ours = || {
        runtime.block_on(async {
            let first = shop.fill_carts(limit.times).await?;
            crowd::round(&shop, BUYERS, first, limit).await
        })
    };
    let mut orders = 0;
    let mut other = || {
        orders += limit.times;
        runtime.block_on(crowd::round(&plain, BUYERS, orders, limit))
    };
    ours()?;
    other()?;
    warmed()?;
    crowd::beside(options, case.to_owned(), RATIO, ORDERS, ours, other)
}
