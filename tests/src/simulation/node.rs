//! The node under test, from its edge to its store, and the machine that it crashes and starts
//! again on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use barrow_actors::carts::{CartParts, Carts};
use barrow_actors::catalog::{Catalog, CatalogLimits, CatalogPorts};
use barrow_actors::runtime::{DueScanner, EffectRouter, RuntimeSettings};
use barrow_actors::sessions::{SessionParts, Sessions, SessionsUnavailable};
use barrow_adapters::embedded::EmbeddedCache;
use barrow_api::app::{App, AppParts};
use barrow_api::auth::TokenKeys;
use barrow_api::edge::{EdgeSettings, Front};
use barrow_api::routes;
use barrow_api::wire::cart_json::CartJson;
use barrow_api::wire::media::MediaUrls;
use barrow_cluster::{Lease, SoleOwner};
use barrow_engine::entity::EntityKind;
use barrow_engine::ports::{Clock, EntityStore, Entropy};
use barrow_engine::pricing::Shop;
use http::{Request, Response};
use parking_lot::Mutex;

use super::edge::{Edge, EventSource};
use super::http::Answer;
use super::process::{FromAProcess, Process};
use super::shelf::{Empty, EndlessShelf};
use super::stream::Events;
use crate::host::{SeededEntropy, SimulatedClock};

/// Tokens outlive the carts, whose ends are looked at with them.
pub const SESSION_TTL: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// How soon a process that did not come up is started again.
const RESTART_PAUSE: Duration = Duration::from_millis(100);

/// One run of the node's process.
pub struct Node {
    front: Front,
    lease: Lease,
    process: Process,
}

impl Node {
    /// Answers a request, unless the process ends before.
    async fn call(&self, request: Request<Body>) -> Option<Response<Body>> {
        self.process.live(self.front.clone().answer(request, None)).await
    }
}

#[async_trait]
impl Edge for Host {
    async fn answer(&self, request: Request<Body>) -> Option<Answer> {
        let node = self.node()?;
        let response = node.call(request).await?;
        node.process.live(Answer::read(response)).await?
    }

    async fn follow(&self, request: Request<Body>) -> Option<Box<dyn EventSource>> {
        let node = self.node()?;
        let response = node.call(request).await.filter(|response| response.status() == 200)?;
        let process = node.process.clone();
        Some(Box::new(EventsOfAProcess { events: Events::of(response), process }))
    }
}

/// Events for as long as the process lives that sends them.
struct EventsOfAProcess {
    events: Events,
    process: Process,
}

#[async_trait]
impl EventSource for EventsOfAProcess {
    async fn next(&mut self) -> Option<String> {
        self.process.live(self.events.next()).await.flatten()
    }
}

/// The machine: its clock and its store outlive the node.
pub struct Host {
    store: Arc<dyn EntityStore>,
    clock: Arc<SimulatedClock>,
    entropy: Arc<SeededEntropy>,
    node: Mutex<Option<Arc<Node>>>,
}

impl Host {
    pub fn new(store: Arc<dyn EntityStore>, clock: Arc<SimulatedClock>, seed: u64) -> Host {
        let entropy = Arc::new(SeededEntropy::new(seed));
        Host { store, clock, entropy, node: Mutex::new(None) }
    }

    /// `None` while no process takes connections.
    fn node(&self) -> Option<Arc<Node>> {
        self.node.lock().clone()
    }

    /// Ends the process as `kill -9` does.
    pub fn crash(&self) {
        if let Some(node) = self.node.lock().take() {
            node.process.end();
        }
    }

    /// Starts a process, as often as it takes until one comes up.
    pub async fn restart(&self) {
        self.crash();
        loop {
            let process = Process::start();
            match boot(&self.store, &self.clock, &self.entropy, &process).await {
                Ok(node) => {
                    *self.node.lock() = Some(Arc::new(node));
                    return;
                }
                Err(_) => process.end(),
            }
            tokio::time::sleep(RESTART_PAUSE).await;
        }
    }

    pub async fn lose_lease_for(&self, duration: Duration) {
        let Some(node) = self.node() else { return };
        node.lease.renew(Duration::ZERO);
        tokio::time::sleep(duration).await;
        node.lease.renew(Duration::MAX);
    }
}

/// The wiring of `api`, with the ports of a simulation.
async fn boot(
    store: &Arc<dyn EntityStore>,
    clock: &Arc<SimulatedClock>,
    entropy: &Arc<SeededEntropy>,
    process: &Process,
) -> Result<Node, SessionsUnavailable> {
    let store: Arc<dyn EntityStore> =
        Arc::new(FromAProcess { store: store.clone(), process: process.clone() });
    let shop = Arc::new(Shop::sample());
    let lease = Lease::endless();
    let ownership = Arc::new(SoleOwner::new(entropy.next_u64(), lease.clone()));
    let effects = Arc::new(EffectRouter::default());
    let settings = pressed(entropy);
    let sessions = Sessions::start(SessionParts {
        store: store.clone(),
        cache: Arc::new(EmbeddedCache::new(1 << 20)),
        clock: clock.clone(),
        entropy: entropy.clone(),
        ownership: ownership.clone(),
        effects: effects.clone(),
        settings: settings.clone(),
        viewed_ttl: SESSION_TTL,
    });
    sessions.learn().await?;
    let carts = Carts::start(CartParts {
        shop: shop.clone(),
        shelf: Arc::new(EndlessShelf),
        renderer: Arc::new(CartJson { urls: MediaUrls::new("") }),
        store: store.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
        ownership: ownership.clone(),
        effects,
        settings,
    });
    let mut wakeables = sessions.wakeables();
    wakeables.insert(EntityKind::Cart, carts.wakeable());
    let keys = sessions.signing_keys().await?;
    DueScanner::new(store, clock.clone(), ownership, wakeables).start();
    let app = App::new(AppParts {
        office: None,
        seller: Default::default(),
        catalog: empty_catalog(clock, &shop),
        shop,
        carts,
        checkouts: None,
        orders: None,
        test_payments: None,
        sessions,
        shelf: Arc::new(EndlessShelf),
        media: Arc::new(Empty),
        media_gate: None,
        clock: clock.clone(),
        entropy: entropy.clone(),
        token_keys: TokenKeys::new(&keys).expect("a shop that came up has a key"),
        is_cache_down: Arc::new(|| false),
        lease: lease.clone(),
        settings: EdgeSettings {
            session_ttl: SESSION_TTL,
            stream_ping: Duration::from_millis(500 + entropy.below(2_000)),
            ..EdgeSettings::default()
        },
    });
    Ok(Node { front: routes::shop(Arc::new(app)), lease, process: process.clone() })
}

pub fn empty_catalog<C: Clock>(clock: &Arc<C>, shop: &Arc<Shop>) -> Catalog {
    let ports = CatalogPorts {
        products: Arc::new(Empty),
        stock: Arc::new(Empty),
        clock: clock.clone(),
        shop: shop.clone(),
    };
    Catalog::new(ports, CatalogLimits::default())
}

/// Little memory and little patience: entities come and go all the time.
pub fn pressed(dice: &SeededEntropy) -> RuntimeSettings {
    RuntimeSettings {
        hot_max: 1 + dice.below(4) as usize,
        idle_timeout: Duration::from_millis(100 + dice.below(2_000)),
        sweep_interval: Duration::from_millis(50),
        write_deadline: Duration::from_millis(300 + dice.below(2_000)),
        ..RuntimeSettings::default()
    }
}
