//! What the routes share: the shop's parts, handed in once at start by the wiring.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use barrow_actors::carts::Carts;
use barrow_actors::catalog::Catalog;
use barrow_actors::checkout::Checkouts;
use barrow_actors::deliveries::Deliveries;
use barrow_actors::orders::Orders;
use barrow_actors::runtime::RuntimeObservation;
use barrow_actors::sessions::{SessionCheckError, Sessions};
use barrow_actors::shelf::Shelf;
use barrow_cluster::Lease;
use barrow_documents::Seller;
use barrow_engine::ids::{CartId, SessionId};
use barrow_engine::orders::OperationKey;
use barrow_engine::ports::{
    Clock, Entropy, MediaGate, MediaStore, Notice, OrderStore, StockLedger,
};
use barrow_engine::pricing::Shop;
use tokio_util::sync::CancellationToken;

use crate::auth::{ApiKeys, TokenKeys};
use crate::edge::metrics::{Exposition, Kind, Metrics};
use crate::edge::{EdgeSettings, Names};
use crate::routes::{Cursors, Papers, Streams, WrittenPages};
use crate::wire::media::MediaUrls;

/// The state of the router: every route gets it.
pub type SharedApp = Arc<App>;

/// The outcome of a payment that somebody makes, or refuses, on the page of the test gateway.
pub type TestPayments = Arc<dyn Fn(OperationKey, bool) -> Notice + Send + Sync>;

/// What the wiring hands in.
pub struct AppParts {
    pub shop: Arc<Shop>,
    pub carts: Carts,
    /// `None` where nothing is sold.
    pub checkouts: Option<Checkouts>,
    pub orders: Option<Orders>,
    /// What the test gateway is told on its page, where there is that gateway.
    pub test_payments: Option<TestPayments>,
    pub sessions: Sessions,
    pub catalog: Catalog,
    /// The catalog, as carts see it.
    pub shelf: Arc<dyn Shelf>,
    pub media: Arc<dyn MediaStore>,
    /// Where signed requests for media are made to this server.
    pub media_gate: Option<Arc<dyn MediaGate>>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub token_keys: TokenKeys,
    /// This process' right to serve; endless where no other can contend for it.
    pub lease: Lease,
    /// Whether the cache is away: answers of the catalog then say that they are degraded.
    pub is_cache_down: Arc<dyn Fn() -> bool + Send + Sync>,
    pub settings: EdgeSettings,
    /// Who sells, as it stands on papers.
    pub seller: Seller,
    /// `None` where nobody of the house is let in.
    pub office: Option<Office>,
}

/// What the house itself works with, by the routes of `/admin`.
pub struct Office {
    pub api_keys: ApiKeys,
    pub stock: Arc<dyn StockLedger>,
    pub orders: Arc<dyn OrderStore>,
    pub deliveries: Arc<Deliveries>,
}

/// A running shop, as its routes see it.
pub struct App {
    pub shop: Arc<Shop>,
    pub carts: Carts,
    pub checkouts: Option<Checkouts>,
    pub orders: Option<Orders>,
    pub test_payments: Option<TestPayments>,
    pub sessions: Sessions,
    pub catalog: Catalog,
    pub shelf: Arc<dyn Shelf>,
    pub media: Arc<dyn MediaStore>,
    pub media_gate: Option<Arc<dyn MediaGate>>,
    pub media_urls: MediaUrls,
    pub cursors: Cursors,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub token_keys: TokenKeys,
    pub lease: Lease,
    pub is_cache_down: Arc<dyn Fn() -> bool + Send + Sync>,
    pub settings: EdgeSettings,
    pub office: Option<Office>,
    pub papers: Papers,
    pub metrics: Arc<Metrics>,
    /// Cancelled when the process is told to end: it is not ready any more, and event streams
    /// say goodbye, while open requests are still answered.
    pub draining: CancellationToken,
    /// This process is about to end: it answers, but nothing new should be sent to it.
    pub leaving: AtomicBool,
    pub(crate) names: Names,
    pub(crate) streams: Streams,
    pub(crate) pages: WrittenPages,
    /// The carts that sessions opened here lately, until their rows tell the same.
    pub(crate) opened: moka::sync::Cache<SessionId, CartId>,
}

/// A cart tells its session within milliseconds; only after a crash it takes until the next
/// scan. So long, and for so many, what was opened is remembered here.
const OPENED_TTL: Duration = Duration::from_secs(10);
const OPENED_MAX: u64 = 10_000;

impl App {
    pub fn new(parts: AppParts) -> App {
        let AppParts { settings, token_keys, entropy, carts, sessions, .. } = parts;
        let metrics = Arc::new(Metrics::default());
        let observed = (carts.clone(), sessions.clone());
        metrics.add_source(move |out| {
            let (carts, sessions) = &observed;
            collect_entities(out, &[("cart", carts.observe()), ("session", sessions.observe())]);
        });
        App {
            media_urls: MediaUrls::new(&settings.media_base_url),
            cursors: Cursors::new(&token_keys.cursor_secret()),
            names: Names::new(entropy.next_u128()),
            pages: WrittenPages::default(),
            streams: Streams::new(settings.streams_per_cart_max, settings.streams_max),
            opened: moka::sync::Cache::builder()
                .max_capacity(OPENED_MAX)
                .time_to_live(OPENED_TTL)
                .build(),
            draining: CancellationToken::new(),
            leaving: AtomicBool::new(false),
            is_cache_down: parts.is_cache_down,
            lease: parts.lease,
            office: parts.office,
            papers: Papers::new(parts.seller),
            shop: parts.shop,
            catalog: parts.catalog,
            shelf: parts.shelf,
            media: parts.media,
            media_gate: parts.media_gate,
            clock: parts.clock,
            carts,
            checkouts: parts.checkouts,
            orders: parts.orders,
            test_payments: parts.test_payments,
            sessions,
            metrics,
            entropy,
            token_keys,
            settings,
        }
    }

    /// Whether the session was ended, as far as is known.
    pub fn is_revoked(&self, session: SessionId) -> bool {
        self.sessions.check(session) == Err(SessionCheckError::Revoked)
    }
}

/// One family of figures about entities: name, kind, help, and where its number is found.
type EntityFigure = (&'static str, Kind, &'static str, fn(&RuntimeObservation) -> u64);

#[rustfmt::skip]
const ENTITY_FIGURES: [EntityFigure; 14] = [
    ("barrow_entities_hot", Kind::Gauge, "Entities in memory.", |o| o.hot),
    ("barrow_entities_warm", Kind::Gauge, "Passivated rows kept in memory.", |o| o.warm),
    ("barrow_entity_requests_in_flight", Kind::Gauge,
        "Commands and reads admitted and not yet answered.", |o| o.in_flight),
    ("barrow_entity_activations_total", Kind::Counter, "Entities activated.", |o| o.activations),
    ("barrow_entity_warm_activations_total", Kind::Counter,
        "Entities activated from a row kept in memory.", |o| o.warm_activations),
    ("barrow_entity_passivations_total", Kind::Counter, "Entities put away.", |o| o.passivations),
    ("barrow_entity_commands_total", Kind::Counter, "Commands taken.", |o| o.commands),
    ("barrow_entity_replays_total", Kind::Counter,
        "Commands answered from a remembered key.", |o| o.replays),
    ("barrow_entity_reads_total", Kind::Counter, "Reads answered.", |o| o.reads),
    ("barrow_entity_writes_total", Kind::Counter, "Rows written.", |o| o.writes),
    ("barrow_entity_written_bytes_total", Kind::Counter, "Bytes of rows written.",
        |o| o.bytes_written),
    ("barrow_entity_unknown_outcomes_total", Kind::Counter,
        "Writes whose outcome stayed unknown.", |o| o.unknown),
    ("barrow_entity_failures_total", Kind::Counter,
        "Actors that broke or did not come up.", |o| o.failures),
    ("barrow_entity_refused_total", Kind::Counter,
        "Commands and reads refused for load.", |o| o.refused),
];

fn collect_entities(out: &mut Exposition, observed: &[(&str, RuntimeObservation)]) {
    for (name, kind, help, figure) in ENTITY_FIGURES {
        out.family(name, kind, help);
        for (entity, observation) in observed {
            out.sample(&[("entity", entity)], figure(observation));
        }
    }
}
