//! The node under test, and the host that it crashes and starts again on.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use barrow_actors::carts::{CartParts, CartRenderer, Carts, Shape};
use barrow_actors::runtime::{DueScanner, EffectRouter, PlainHost, Runtime, RuntimeParts};
use barrow_actors::runtime::{RuntimeSettings, Wakeable};
use barrow_actors::shelf::{Shelf, ShelfError};
use barrow_cluster::{Lease, SoleOwner};
use barrow_engine::cart::{Cart, Owner, workload};
use barrow_engine::catalog::{Sellable, Sku};
use barrow_engine::entity::{EntityKey, EntityKind, Shard};
use barrow_engine::ids::CartId;
use barrow_engine::ports::{
    CasOutcome, DueEntity, EntityStore, Entropy, Expected, Row, StoreError,
};
use barrow_engine::pricing::Shop;
use barrow_engine::session::SessionEntity;
use barrow_engine::time::Timestamp;
use bytes::Bytes;
use parking_lot::Mutex;

use crate::host::{SeededEntropy, SimulatedClock};

/// One run of the node's process.
pub struct Node {
    pub carts: Carts,
    sessions: Runtime<PlainHost<SessionEntity>>,
    lease: Lease,
    alive: Arc<AtomicBool>,
}

impl Node {
    /// A process that has crashed answers nobody.
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// What the shoppers' session knows of its cart: an effect told it.
    pub async fn current_cart(&self) -> Option<CartId> {
        let Owner::Session(session) = workload::OWNER else { return None };
        self.sessions.read(session.0, ()).await.ok()?.view.current_cart()
    }
}

/// The machine: its clock and its store outlive the node.
pub struct Host {
    store: Arc<dyn EntityStore>,
    clock: Arc<SimulatedClock>,
    entropy: Arc<SeededEntropy>,
    node: Mutex<Arc<Node>>,
}

impl Host {
    pub fn start(store: Arc<dyn EntityStore>, clock: Arc<SimulatedClock>, seed: u64) -> Host {
        let entropy = Arc::new(SeededEntropy::new(seed));
        let node = Mutex::new(Arc::new(boot(&store, &clock, &entropy)));
        Host { store, clock, entropy, node }
    }

    pub fn node(&self) -> Arc<Node> {
        self.node.lock().clone()
    }

    /// Ends the process as `kill -9` does: what is on its way to the store may still arrive,
    /// nothing new is sent, and nobody gets an answer.
    pub fn crash(&self) {
        self.node.lock().alive.store(false, Ordering::Release);
    }

    pub async fn restart(&self) -> Arc<Node> {
        self.crash();
        let node = Arc::new(boot(&self.store, &self.clock, &self.entropy));
        *self.node.lock() = node.clone();
        node
    }

    pub async fn lose_lease_for(&self, duration: Duration) {
        let node = self.node();
        node.lease.renew(Duration::ZERO);
        tokio::time::sleep(duration).await;
        node.lease.renew(Duration::MAX);
    }
}

fn boot(
    store: &Arc<dyn EntityStore>,
    clock: &Arc<SimulatedClock>,
    entropy: &Arc<SeededEntropy>,
) -> Node {
    let alive = Arc::new(AtomicBool::new(true));
    let store: Arc<dyn EntityStore> =
        Arc::new(FromAProcess { store: store.clone(), alive: alive.clone() });
    let lease = Lease::endless();
    let ownership = Arc::new(SoleOwner::new(entropy.next_u64(), lease.clone()));
    let effects = Arc::new(EffectRouter::default());
    let settings = pressed(entropy);
    let carts = Carts::start(CartParts {
        shop: Arc::new(Shop::sample()),
        shelf: Arc::new(EndlessShelf),
        renderer: Arc::new(SkuList),
        store: store.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
        ownership: ownership.clone(),
        effects: effects.clone(),
        settings: settings.clone(),
    });
    let sessions = Runtime::start(RuntimeParts {
        host: PlainHost::default(),
        store: store.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
        ownership: ownership.clone(),
        effects,
        settings,
    });
    let targets: HashMap<EntityKind, std::sync::Weak<dyn Wakeable>> = HashMap::from([
        (EntityKind::Cart, carts.wakeable()),
        (EntityKind::Session, sessions.wakeable()),
    ]);
    DueScanner::new(store, clock.clone(), ownership, targets).start();
    Node { carts, sessions, lease, alive }
}

/// Little memory and little patience: entities come and go all the time.
fn pressed(dice: &SeededEntropy) -> RuntimeSettings {
    RuntimeSettings {
        hot_max: 1 + dice.below(4) as usize,
        idle_timeout: Duration::from_millis(100 + dice.below(2_000)),
        sweep_interval: Duration::from_millis(50),
        write_deadline: Duration::from_millis(300 + dice.below(2_000)),
        ..RuntimeSettings::default()
    }
}

/// The store as one process reaches it: not at all once that has crashed.
struct FromAProcess {
    store: Arc<dyn EntityStore>,
    alive: Arc<AtomicBool>,
}

impl FromAProcess {
    /// Passes for a process that runs, and never for one that has crashed.
    async fn alive(&self) {
        if !self.alive.load(Ordering::Acquire) {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl EntityStore for FromAProcess {
    async fn load(&self, key: EntityKey) -> Result<Option<Row>, StoreError> {
        self.alive().await;
        let found = self.store.load(key).await;
        self.alive().await;
        found
    }

    async fn cas(
        &self,
        key: EntityKey,
        expected: Expected,
        row: Row,
    ) -> Result<CasOutcome, StoreError> {
        self.alive().await;
        let outcome = self.store.cas(key, expected, row).await;
        self.alive().await;
        outcome
    }

    async fn due(
        &self,
        shard: Shard,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueEntity>, StoreError> {
        self.alive().await;
        self.store.due(shard, before, limit).await
    }

    fn durability(&self) -> &'static str {
        self.store.durability()
    }
}

/// The index of a SKU that [`workload::sellable`] makes.
pub fn sku_index(sku: &str) -> Option<u32> {
    sku.strip_prefix("CHAIR-")?.strip_suffix("-OAK")?.parse().ok()
}

/// A catalog that has every SKU a client may think of.
struct EndlessShelf;

#[async_trait]
impl Shelf for EndlessShelf {
    fn generation(&self) -> u64 {
        1
    }

    async fn sellables(&self, skus: &[Sku]) -> Result<Vec<Option<Arc<Sellable>>>, ShelfError> {
        Ok(skus.iter().map(|sku| self.cached(sku.as_str())).collect())
    }

    fn cached(&self, sku: &str) -> Option<Arc<Sellable>> {
        sku_index(sku).map(|index| Arc::new(workload::sellable(index, 1_999)))
    }
}

/// Shows a cart as the indices of its SKUs, in the order they were added.
struct SkuList;

impl CartRenderer for SkuList {
    fn render(&self, cart: &Cart, _version: u64, _shape: Shape) -> Bytes {
        let indices = cart.lines().filter_map(|line| sku_index(line.sku().as_str()));
        indices.flat_map(u32::to_le_bytes).collect::<Vec<u8>>().into()
    }
}
