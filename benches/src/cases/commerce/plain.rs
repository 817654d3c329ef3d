//! A checkout by hand, as little as it can be: one transaction that takes the units of each line
//! where there are enough, and writes the order and its lines. It knows no cart, no reservation,
//! no payment, no event and no repeat.

use std::path::Path;

use anyhow::ensure;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, SqlitePool};

use super::crowd::Work;
use super::shop::{LINES, UNIT, UNITS, skus_of};
use crate::cases::stores::BarePostgres;

/// In words that both databases know.
const TABLES: &str = "CREATE TABLE plain_stock (
        sku text PRIMARY KEY, on_hand bigint NOT NULL, allocated bigint NOT NULL,
        CHECK (allocated <= on_hand));
    CREATE TABLE plain_order (
        id bigint PRIMARY KEY, email text NOT NULL, status text NOT NULL, total bigint NOT NULL);
    CREATE TABLE plain_line (
        order_id bigint NOT NULL REFERENCES plain_order (id), line bigint NOT NULL,
        sku text NOT NULL, quantity bigint NOT NULL, unit_price bigint NOT NULL,
        PRIMARY KEY (order_id, line))";

const STOCK: &str = "INSERT INTO plain_stock VALUES ($1, $2, 0)";

const TAKE: &str = "UPDATE plain_stock SET allocated = allocated + 1
    WHERE sku = $1 AND allocated < on_hand";

const ORDER: &str = "INSERT INTO plain_order VALUES ($1, 'ada@example.com', 'placed', $2)";

/// As many lines as [`LINES`].
const ORDER_LINES: &str = "INSERT INTO plain_line
    VALUES ($1, 1, $2, 1, $5), ($1, 2, $3, 1, $5), ($1, 3, $4, 1, $5)";

/// A database with orders by hand.
pub enum Plain {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

/// The statements are the same on both, their types are not.
macro_rules! place {
    ($pool:expr, $n:expr) => {{
        let (id, mut skus) = (i64::try_from($n)?, skus_of($n));
        // In one order, so that no two wait for each other.
        skus.sort();
        let mut transaction = $pool.begin().await?;
        for sku in &skus {
            let taken = sqlx::query(TAKE).bind(sku.as_str()).execute(&mut *transaction).await?;
            ensure!(taken.rows_affected() == 1, "there is none of {sku}");
        }
        let order = sqlx::query(ORDER).bind(id).bind(UNIT * LINES as i64);
        order.execute(&mut *transaction).await?;
        let mut lines = sqlx::query(ORDER_LINES).bind(id);
        for sku in &skus {
            lines = lines.bind(sku.as_str());
        }
        lines.bind(UNIT).execute(&mut *transaction).await?;
        transaction.commit().await?;
    }};
}

macro_rules! fill {
    ($pool:expr, $skus:expr) => {{
        sqlx::raw_sql(TABLES).execute(&$pool).await?;
        let mut transaction = $pool.begin().await?;
        for sku in $skus {
            let stock = sqlx::query(STOCK).bind(sku.as_str()).bind(UNITS);
            stock.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
    }};
}

impl Plain {
    /// On a pool as large as ours.
    pub async fn postgres(url: &str, connections: u32, skus: &[String]) -> anyhow::Result<Plain> {
        let pool = BarePostgres::connect(url, connections).await?.0;
        fill!(pool, skus);
        Ok(Plain::Postgres(pool))
    }

    /// On one connection, since one writes at a time, and as durable as ours.
    pub async fn sqlite(file: &Path, skus: &[String]) -> anyhow::Result<Plain> {
        let connect = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true);
        let pool = SqlitePoolOptions::new().max_connections(1).test_before_acquire(false);
        let pool = pool.connect_with(connect).await?;
        fill!(pool, skus);
        Ok(Plain::Sqlite(pool))
    }
}

impl Work for Plain {
    async fn work(&self, n: u64) -> anyhow::Result<()> {
        match self {
            Plain::Postgres(pool) => place!(pool, n),
            Plain::Sqlite(pool) => place!(pool, n),
        }
        Ok(())
    }
}
