//! The stores of a few nodes on one database, and deliveries on them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use barrow_actors::deliveries::{
    Consumer, Deliveries, DeliveryParts, DeliverySettings, RetrySettings,
};
use barrow_adapters::host::{SystemClock, SystemEntropy};
use barrow_adapters::postgres::{Postgres, PostgresOptions, PostgresOutbox, PostgresStockLedger};
use barrow_adapters::sqlite::{Sqlite, SqliteOptions, SqliteOutbox, SqliteStockLedger};
use barrow_engine::ids::MovementId;
use barrow_engine::inventory::{DEFAULT_LOCATION, MovementDraft};
use barrow_engine::ports::{Outbox, StockLedger};
use barrow_engine::time::Timestamp;
use barrow_servers::{Sync, or_skip};

/// So long for whatever is under way.
const WITHIN: Duration = Duration::from_secs(60);

/// What one node has of the database.
#[derive(Clone)]
pub struct Stores {
    pub outbox: Arc<dyn Outbox>,
    pub ledger: Arc<dyn StockLedger>,
    movements: Arc<AtomicU64>,
}

/// A database, and two nodes on it.
pub struct Ground {
    pub nodes: [Stores; 2],
    _folder: Option<tempfile::TempDir>,
    _server: Option<barrow_servers::Postgres>,
}

impl Ground {
    pub async fn sqlite() -> Ground {
        let folder = tempfile::tempdir().unwrap();
        let movements = Arc::<AtomicU64>::default();
        let node = async || {
            let file = folder.path().join("commerce.db");
            let sqlite = Sqlite::open(&file, SqliteOptions::default()).await.unwrap();
            Stores {
                outbox: Arc::new(SqliteOutbox::new(&sqlite)),
                ledger: Arc::new(SqliteStockLedger::new(&sqlite)),
                movements: Arc::clone(&movements),
            }
        };
        let nodes = [node().await, node().await];
        Ground { nodes, _folder: Some(folder), _server: None }
    }

    pub async fn postgres() -> Option<Ground> {
        let server = or_skip("Postgres", barrow_servers::Postgres::start(Sync::Memory))?;
        let movements = Arc::<AtomicU64>::default();
        let node = async || {
            let options = PostgresOptions::default();
            let postgres = Postgres::connect(&server.url(), options).await.unwrap();
            Stores {
                outbox: Arc::new(PostgresOutbox::new(&postgres)),
                ledger: Arc::new(PostgresStockLedger::new(&postgres)),
                movements: Arc::clone(&movements),
            }
        };
        let nodes = [node().await, node().await];
        Some(Ground { nodes, _folder: None, _server: Some(server) })
    }
}

impl Stores {
    pub async fn book(&self, sku: &str, quantity: i64) {
        let draft = MovementDraft {
            id: MovementId(u128::from(self.movements.fetch_add(1, Ordering::Relaxed))),
            sku: sku.parse().unwrap(),
            location: DEFAULT_LOCATION.parse().unwrap(),
            quantity,
            reason: "counted".into(),
            actor: "staff".into(),
            order: None,
            at: Timestamp(1),
        };
        self.ledger.book(vec![draft]).await.unwrap()[0].as_ref().unwrap();
    }

    /// So many events of a SKU that nobody else changes, after `before` others.
    pub async fn tell(&self, sku: &str, before: u64, count: u64) {
        for n in before..before + count {
            self.book(sku, if n % 2 == 0 { 1 } else { -1 }).await;
        }
    }

    pub async fn deliver(
        &self,
        consumers: Vec<Arc<dyn Consumer>>,
        settings: DeliverySettings,
    ) -> Deliveries {
        let parts = DeliveryParts {
            outbox: Arc::clone(&self.outbox),
            consumers,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            settings,
        };
        Deliveries::start(parts).await.unwrap()
    }
}

/// Tries soon and often.
pub fn hasty() -> DeliverySettings {
    DeliverySettings {
        lease: Duration::from_secs(30),
        handle_max: Duration::from_millis(500),
        poll_interval: Duration::from_millis(20),
        retry: RetrySettings {
            attempts_max: 10_000,
            first: Duration::from_millis(1),
            longest: Duration::from_millis(20),
        },
        ..DeliverySettings::default()
    }
}

/// Asks until the answer is yes.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < WITHIN, "not within {WITHIN:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
