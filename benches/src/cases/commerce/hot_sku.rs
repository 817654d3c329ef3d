//! Reservations of one SKU that everybody wants, beside buyers who lock its row one after the
//! other: the same server, as many connections, as many who wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{bail, ensure};
use barrow_actors::stock::Stock;
use barrow_adapters::host::SystemClock;
use barrow_adapters::postgres::{Postgres, PostgresOptions, PostgresStockLedger};
use barrow_engine::catalog::Sku;
use barrow_engine::ids::{MovementId, OrderId};
use barrow_engine::inventory::{Held, MovementDraft, Wish, default_location};
use barrow_engine::ports::{Clock, StockLedger};
use sqlx::PgPool;
use tokio::runtime::Runtime;

use super::crowd::{self, Limit, Work};
use super::shop::UNITS;
use crate::cases::peers::skip;
use crate::cases::stores::{BarePostgres, time};
use crate::options::Options;
use crate::report::Target;

/// Who want it at once.
const BUYERS: usize = 1_000;

/// Of those who lock the row.
const RATIO: Target = Target::AtLeast(10.0);

const RESERVATIONS: [&str; 2] = ["reservations_per_s", "other_reservations_per_s"];

const SKU: &str = "CONSOLE-1";

/// How long a reservation lasts: none expires meanwhile.
const TTL: Duration = Duration::from_secs(15 * 60);

/// An order of its own for each reservation, spread as ids are.
fn order(n: u64) -> OrderId {
    OrderId((u128::from(n) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

/// The queue of the SKU.
struct Queued {
    stock: Stock,
    sku: Sku,
}

impl Queued {
    async fn start(url: &str, options: PostgresOptions) -> anyhow::Result<Queued> {
        let postgres = Postgres::connect(url, options).await?;
        let ledger: Arc<dyn StockLedger> = Arc::new(PostgresStockLedger::new(&postgres));
        let sku: Sku = SKU.parse()?;
        let movement = MovementDraft {
            id: MovementId::derived(SKU),
            sku: sku.clone(),
            location: default_location(),
            quantity: UNITS,
            reason: "counted".to_owned(),
            actor: "bench".to_owned(),
            order: None,
            at: SystemClock.now(),
        };
        let booked = ledger.book(vec![movement]).await?;
        ensure!(booked[0].is_ok(), "stock was refused: {booked:?}");
        Ok(Queued { stock: Stock::start(ledger), sku })
    }
}

impl Work for Queued {
    async fn work(&self, n: u64) -> anyhow::Result<()> {
        let expires_at = SystemClock.now().plus(TTL);
        let wish = Wish { order: order(n), quantity: 1, expires_at };
        match self.stock.reserve(&self.sku, Some(0), wish).await? {
            Held::All => Ok(()),
            Held::Short { available } => bail!("{available} are left of a billion"),
        }
    }
}

/// The row, locked by one buyer after the other.
struct Locked(PgPool);

const TABLES: &str = "CREATE TABLE locked_stock (
        sku text PRIMARY KEY, on_hand bigint NOT NULL, reserved bigint NOT NULL,
        CHECK (reserved <= on_hand)) WITH (fillfactor = 50);
    CREATE TABLE locked_claim (
        order_id bytea PRIMARY KEY, sku text NOT NULL, quantity bigint NOT NULL,
        expires_at bigint NOT NULL)";

const FILL: &str = "INSERT INTO locked_stock VALUES ($1, $2, 0)";
const LOCK: &str = "SELECT on_hand - reserved FROM locked_stock WHERE sku = $1 FOR UPDATE";
const RESERVE: &str = "UPDATE locked_stock SET reserved = reserved + 1 WHERE sku = $1";
const CLAIM: &str = "INSERT INTO locked_claim VALUES ($1, $2, 1, $3)";

impl Locked {
    async fn start(url: &str, connections: u32) -> anyhow::Result<Locked> {
        let pool = BarePostgres::connect(url, connections).await?.0;
        sqlx::raw_sql(TABLES).execute(&pool).await?;
        sqlx::query(FILL).bind(SKU).bind(UNITS).execute(&pool).await?;
        Ok(Locked(pool))
    }
}

impl Work for Locked {
    async fn work(&self, n: u64) -> anyhow::Result<()> {
        let expires_at = SystemClock.now().plus(TTL).as_millis();
        let mut transaction = self.0.begin().await?;
        let left: i64 = sqlx::query_scalar(LOCK).bind(SKU).fetch_one(&mut *transaction).await?;
        ensure!(left > 0, "none is left of a billion");
        sqlx::query(RESERVE).bind(SKU).execute(&mut *transaction).await?;
        let claim = sqlx::query(CLAIM).bind(order(n).0.to_be_bytes()).bind(SKU).bind(expires_at);
        claim.execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }
}

pub fn run(options: &Options, runtime: &Runtime) -> anyhow::Result<()> {
    let case = "reservations of one SKU / buyers who lock its row, 1,000 at once";
    let server = match barrow_servers::Postgres::start_large(&options.dir()) {
        Ok(server) => server,
        Err(error) => {
            skip(options, case, &format!("{error:#}"));
            return Ok(());
        }
    };
    let defaults = PostgresOptions::default();
    let (queued, locked) = runtime.block_on(async {
        let queued = Queued::start(&server.url(), defaults).await?;
        anyhow::Ok((queued, Locked::start(&server.url(), defaults.connections_max).await?))
    })?;
    let (queued, locked) = (Arc::new(queued), Arc::new(locked));
    let limit = Limit { times: u64::MAX, time: time(options) };
    // No round reserves for the orders of another.
    let rounds = AtomicU64::new(0);
    let first = || rounds.fetch_add(1, Ordering::Relaxed) << 32;
    let ours = || runtime.block_on(crowd::round(&queued, BUYERS, first(), limit));
    let other = || runtime.block_on(crowd::round(&locked, BUYERS, first(), limit));
    crowd::beside(options, case.to_owned(), RATIO, RESERVATIONS, ours, other)
}
