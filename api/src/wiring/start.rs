//! A running shop: the actors on the stores, the catalog, and the edge on top.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use barrow_actors::carts::{CartParts, Carts};
use barrow_actors::catalog::{Catalog, CatalogLimits, CatalogPorts, StockDesk};
use barrow_actors::checkout::{CheckoutParts, CheckoutSettings, Checkouts};
use barrow_actors::orders::{OrderParts, Orders, ReconcilerSettings};
use barrow_actors::runtime::{DueScanner, EffectRouter, RuntimeSettings};
use barrow_actors::sessions::{SessionParts, Sessions};
use barrow_actors::stock::{Stock, sweep};
use barrow_adapters::decorators::{AnnouncedOrders, AnnouncedStock, Measured, Meter};
use barrow_adapters::embedded::EmbeddedAnnouncements;
use barrow_adapters::host::{SystemClock, SystemEntropy};
use barrow_cluster::{Lease, Ownership, SoleOwner};
use barrow_engine::entity::EntityKind;
use barrow_engine::ports::{
    Announcements, Cache, Clock, EntityStore, Entropy, MediaStore, OrderStore, ProductStore,
    StockLedger,
};
use barrow_engine::pricing::Shop;

use super::Stores;
use super::checkout::{Gateways, with_holds};
use super::cluster::{self, ClusterError};
use super::deliveries;
use super::figures::{collect_cluster, collect_ports};
use super::news::{NewsDesk, follow_stock};
use crate::app::{App, AppParts, Office, SharedApp};
use crate::auth::{ApiKeys, TokenKeys};
use crate::config::{Config, Control, ProductBackend, Service};
use crate::edge::EdgeSettings;
use crate::wire::cart_json::CartJson;
use crate::wire::media::MediaUrls;

/// How often the catalog looks whether an instant has come at which a product changes by itself:
/// a price that begins, a publication.
const CATALOG_REFRESH: Duration = Duration::from_secs(1);

/// For how long a product that other processes may write is kept without being read anew: they
/// announce what they write, but an announcement can be lost.
const SHARED_CATALOG_KEPT: Duration = Duration::from_secs(60);

/// How soon a start that needs other nodes asks them again.
const START_PAUSE: Duration = Duration::from_millis(250);

/// Why the shop did not come up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the shop does not come up: {0}")]
    Failed(String),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A value that only what is made of it could find wrong.
    #[error("{key}: {what}")]
    Configuration { key: &'static str, what: String },
}

impl StartError {
    fn failed(error: impl ToString) -> StartError {
        StartError::Failed(error.to_string())
    }

    pub(super) fn configuration(key: &'static str, what: impl ToString) -> StartError {
        StartError::Configuration { key, what: what.to_string() }
    }
}

/// A shop that answers.
pub struct Running {
    app: SharedApp,
    carts: Carts,
    sessions: Sessions,
    deliveries: deliveries::Running,
    /// Where there are other nodes, or may be.
    node: Option<cluster::Node>,
}

impl Running {
    /// What the edge serves.
    pub fn app(&self) -> SharedApp {
        Arc::clone(&self.app)
    }

    /// Hands everything to the other nodes, within `patience`. Requests are answered meanwhile, and
    /// after it, wherever their entities are.
    pub async fn leave(&self, patience: Duration) {
        if let Some(node) = &self.node {
            node.leave(patience).await;
        }
    }

    /// Lets every actor finish and store what it was asked; false if not all did in time.
    pub async fn drain(&self, deadline: Duration) -> bool {
        // Carts tell their sessions, so they go first.
        let began = SystemClock.uptime();
        let carts = self.carts.drain(deadline).await;
        let left = || deadline.saturating_sub(SystemClock.uptime().saturating_sub(began));
        let sessions = self.sessions.drain(left()).await;
        // What is left of it waits in the outbox.
        self.deliveries.deliveries.stop(left()).await;
        sessions && carts
    }
}

/// The ports of a running shop, each with a meter on it.
struct Ports {
    entities: Arc<dyn EntityStore>,
    products: Arc<dyn ProductStore>,
    /// What is done by these two is announced within the process.
    stock: Arc<dyn StockLedger>,
    orders: Arc<dyn OrderStore>,
    announcements: Arc<dyn Announcements>,
    media: Arc<dyn MediaStore>,
    cache: Arc<dyn Cache>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    meters: Vec<Arc<Meter>>,
}

impl Ports {
    fn of(stores: &Stores) -> Ports {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entities = Measured::<dyn EntityStore>::new(stores.entities(), clock.clone());
        let products = Measured::<dyn ProductStore>::new(stores.products(), clock.clone());
        let stock = Measured::<dyn StockLedger>::new(stores.stock(), clock.clone());
        let orders = Measured::<dyn OrderStore>::new(stores.orders(), clock.clone());
        let own: Arc<dyn Announcements> = Arc::new(EmbeddedAnnouncements::default());
        let media = Measured::<dyn MediaStore>::new(stores.media(), clock.clone());
        let cache = Arc::clone(&stores.cache().cache);
        Ports {
            meters: vec![
                entities.meter(),
                products.meter(),
                stock.meter(),
                orders.meter(),
                media.meter(),
                cache.meter(),
            ],
            entities: Arc::new(entities),
            products: Arc::new(products),
            stock: Arc::new(AnnouncedStock::new(Arc::new(stock), own.clone())),
            orders: Arc::new(AnnouncedOrders::new(Arc::new(orders), own.clone())),
            announcements: own,
            media: Arc::new(media),
            cache,
            clock,
            entropy: Arc::new(SystemEntropy),
        }
    }
}

/// Puts the shop together on the current tokio runtime. `loaded` hears how many products were
/// read into the lists; `on_lost` is called when the other nodes have taken this one's place, and
/// has to end it.
pub async fn start(
    config: &Config,
    stores: &Stores,
    ops_listen: Option<SocketAddr>,
    loaded: impl FnMut(u64) + Send,
    on_lost: impl FnOnce() + Send + 'static,
) -> Result<Running, StartError> {
    let ports = Ports::of(stores);
    // What is configured wrongly is told before anybody is joined.
    let gateways = Gateways::new(config, &ports.clock)?;
    let shop = Arc::new(config.shop.clone());
    let news = stores.shared_catalog().map(NewsDesk::open);
    let others = stores.announcements();
    let catalog = start_catalog(config, &ports, &shop, (news, others), loaded).await?;
    let settings = edge_settings(config, ops_listen);
    let effects = Arc::new(EffectRouter::default());
    let Owned { node, ownership, lease } = own(config, &ports, &effects, on_lost).await?;
    let (carts, sessions) = start_entities(config, &ports, &catalog, &ownership, &effects);
    let stock = Stock::start(ports.stock.clone());
    let carts = with_holds(carts, config, &stock, &ports.clock);
    if let Some(node) = &node {
        node.host(carts.clone(), sessions.clone());
    }
    let patience = node.as_ref().map_or(Duration::ZERO, |_| config.cluster.join_timeout.get());
    let give_up_at = SystemClock.uptime() + patience;
    // In a cluster they are had from whoever has them, who may have died just now.
    until_had(give_up_at, async || sessions.learn().await).await?;
    let token_keys = until_had(give_up_at, async || token_keys(config, &sessions).await).await?;
    // Before anything is sold: consumers are told what happens from then on.
    let deliveries = start_deliveries(stores, &ports).await?;
    let gateways = gateways.with_test(config, &token_keys, ports.clock.clone());
    let capture = config.payments.capture.policy();
    let selling = CheckoutSettings { capture, ..CheckoutSettings::default() };
    let checkouts = start_checkouts(&ports, &carts, stock, &catalog, &gateways, effects, selling);
    let orders = Orders::start(OrderParts {
        checkouts: checkouts.clone(),
        shop: shop.clone(),
        entropy: ports.entropy.clone(),
        reconciler: ReconcilerSettings::default(),
    });
    wake_up(&ports, &carts, &sessions, ownership);
    let cache = Arc::clone(&stores.cache().health);
    let app = Arc::new(App::new(AppParts {
        shop,
        carts: carts.clone(),
        checkouts: Some(checkouts),
        orders: Some(orders),
        test_payments: gateways.test,
        sessions: sessions.clone(),
        shelf: Arc::new(catalog.clone()),
        catalog,
        media: ports.media,
        media_gate: stores.media_gate(),
        clock: ports.clock,
        entropy: ports.entropy,
        token_keys,
        lease,
        is_cache_down: Arc::new(move || cache.is_down()),
        settings,
        seller: config.seller(),
        office: Some(Office {
            api_keys: ApiKeys::new(stores.api_keys(), Arc::new(SystemClock)),
            // What is moved by hand is announced like everything else.
            stock: ports.stock,
            orders: ports.orders,
            deliveries: deliveries.deliveries.clone(),
        }),
    }));
    add_figures(&app, ports.meters, stores, node.as_ref());
    app.metrics.add_source(deliveries.figures());
    Ok(Running { app, carts, sessions, deliveries, node })
}

async fn start_deliveries(
    stores: &Stores,
    ports: &Ports,
) -> Result<deliveries::Running, StartError> {
    let (clock, entropy) = (ports.clock.clone(), ports.entropy.clone());
    let started = deliveries::start(stores.outbox(), clock, entropy).await;
    started.map_err(StartError::failed)
}

fn start_entities(
    config: &Config,
    ports: &Ports,
    catalog: &Catalog,
    ownership: &Arc<dyn Ownership>,
    effects: &Arc<EffectRouter>,
) -> (Carts, Sessions) {
    let runtime = runtime_settings(config);
    let urls = edge_settings(config, None).media_base_url;
    let sessions = Sessions::start(SessionParts {
        store: ports.entities.clone(),
        cache: ports.cache.clone(),
        clock: ports.clock.clone(),
        entropy: ports.entropy.clone(),
        ownership: Arc::clone(ownership),
        effects: Arc::clone(effects),
        settings: runtime.clone(),
        viewed_ttl: config.auth.token_ttl.get(),
    });
    let carts = Carts::start(CartParts {
        shop: Arc::clone(catalog.shop()),
        shelf: Arc::new(catalog.clone()),
        renderer: Arc::new(CartJson { urls: MediaUrls::new(&urls) }),
        store: ports.entities.clone(),
        clock: ports.clock.clone(),
        entropy: ports.entropy.clone(),
        ownership: Arc::clone(ownership),
        effects: Arc::clone(effects),
        settings: runtime,
    });
    (carts, sessions)
}

fn start_checkouts(
    ports: &Ports,
    carts: &Carts,
    stock: Stock,
    catalog: &Catalog,
    gateways: &Gateways,
    effects: Arc<EffectRouter>,
    settings: CheckoutSettings,
) -> Checkouts {
    let checkouts = Checkouts::start(CheckoutParts {
        carts: carts.clone(),
        shelf: Arc::new(catalog.clone()),
        stock,
        orders: ports.orders.clone(),
        gateways: gateways.all.clone(),
        clock: ports.clock.clone(),
        effects,
        settings,
    });
    sweep(&ports.stock, ports.clock.clone());
    checkouts
}

/// Entities that nobody asks for are woken when their time has come.
fn wake_up(ports: &Ports, carts: &Carts, sessions: &Sessions, ownership: Arc<dyn Ownership>) {
    let mut wakeables = sessions.wakeables();
    wakeables.insert(EntityKind::Cart, carts.wakeable());
    DueScanner::new(ports.entities.clone(), ports.clock.clone(), ownership, wakeables).start();
}

fn add_figures(app: &App, meters: Vec<Arc<Meter>>, stores: &Stores, node: Option<&cluster::Node>) {
    app.metrics.add_source(move |out| collect_ports(out, &meters));
    if let Some(figures) = stores.entity_figures() {
        app.metrics.add_source(move |out| figures(out));
    }
    if let Some(figures) = node.map(cluster::Node::figures) {
        app.metrics.add_source(move |out| collect_cluster(out, &figures));
    }
}

/// What this process may serve, and what that rests on.
struct Owned {
    node: Option<cluster::Node>,
    ownership: Arc<dyn Ownership>,
    lease: Lease,
}

async fn own(
    config: &Config,
    ports: &Ports,
    effects: &Arc<EffectRouter>,
    on_lost: impl FnOnce() + Send + 'static,
) -> Result<Owned, ClusterError> {
    if config.control() == Control::None {
        // No other process can open these stores, so this one owns every shard while it lives.
        // The time of its start tells its term of office from those before.
        let epoch = u64::try_from(ports.clock.now().as_millis()).unwrap_or(0);
        let lease = Lease::endless();
        let ownership = Arc::new(SoleOwner::new(epoch, lease.clone()));
        return Ok(Owned { node: None, ownership, lease });
    }
    let node = cluster::Node::join(config, Arc::clone(effects), on_lost).await?;
    let (ownership, lease) = (node.router().clone(), node.lease());
    Ok(Owned { node: Some(node), ownership, lease })
}

/// What a start needs of entities, as soon as they answer.
async fn until_had<T, E: Display>(
    give_up_at: Duration,
    ask: impl AsyncFn() -> Result<T, E>,
) -> Result<T, StartError> {
    loop {
        match ask().await {
            Ok(had) => return Ok(had),
            Err(error) if SystemClock.uptime() >= give_up_at => {
                return Err(StartError::failed(error));
            }
            Err(error) => tracing::info!(%error, "waiting for the other nodes"),
        }
        tokio::time::sleep(START_PAUSE).await;
    }
}

async fn start_catalog(
    config: &Config,
    ports: &Ports,
    shop: &Arc<Shop>,
    (mut news, others): (Option<NewsDesk>, Option<Arc<dyn Announcements>>),
    loaded: impl FnMut(u64) + Send,
) -> Result<Catalog, StartError> {
    let is_shared = config.stores.products != ProductBackend::Embedded;
    let kept_max = is_shared.then_some(SHARED_CATALOG_KEPT);
    let catalog = Catalog::new(
        CatalogPorts {
            products: ports.products.clone(),
            stock: ports.stock.clone(),
            clock: ports.clock.clone(),
            shop: shop.clone(),
        },
        CatalogLimits { kept_max, ..CatalogLimits::default() },
    );
    if let Some(news) = &mut news {
        news.stands().await;
    }
    catalog.load(loaded).await.map_err(StartError::failed)?;
    let desk = StockDesk::start(catalog.clone());
    if let Some(news) = news {
        news.serve(catalog.clone(), desk.clone());
    }
    follow_stock(&*ports.announcements, desk, others);
    let refreshed = catalog.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(CATALOG_REFRESH).await;
            if let Err(error) = refreshed.refresh().await {
                tracing::warn!(%error, "the lists could not be refreshed");
            }
        }
    });
    Ok(catalog)
}

/// The configured key, or those that the shop made itself.
async fn token_keys(config: &Config, sessions: &Sessions) -> Result<TokenKeys, String> {
    if let Some(secret) = &config.auth.signing_key {
        return Ok(TokenKeys::from_configured(secret.expose()));
    }
    let keys = sessions.signing_keys().await.map_err(|error| error.to_string())?;
    TokenKeys::new(&keys).ok_or_else(|| "there is no signing key".to_owned())
}

fn runtime_settings(config: &Config) -> RuntimeSettings {
    let actors = &config.actors;
    RuntimeSettings {
        in_flight_max: actors.max_in_flight,
        queue_max: actors.max_queue,
        hot_max: actors.max_hot,
        idle_timeout: actors.idle_timeout.get(),
        warm_bytes_max: actors.warm_memory.get(),
        // An event stream is a subscription to its cart.
        feeds_max: config.limits.event_streams_per_cart,
        ..RuntimeSettings::default()
    }
}

fn edge_settings(config: &Config, ops_listen: Option<SocketAddr>) -> EdgeSettings {
    let server = &config.server;
    let proxies = server.trusted_proxies.iter();
    EdgeSettings {
        answers_carts: config.hosts(Service::Cart),
        answers_catalog: config.hosts(Service::Catalog),
        cors_origins: server.cors_origins.clone(),
        trusted_proxies: proxies
            .map(|network| network.to_string().parse().expect("a network is a range"))
            .collect(),
        ops_listen,
        body_bytes_max: usize::try_from(config.limits.body.get()).unwrap_or(usize::MAX),
        body_timeout: server.body_timeout.get(),
        header_timeout: server.header_timeout.get(),
        connections_max: server.max_connections,
        requests_in_flight_max: config.limits.requests,
        streams_per_cart_max: config.limits.event_streams_per_cart,
        streams_max: config.limits.event_streams,
        drain_timeout: server.shutdown_timeout.get(),
        session_ttl: config.auth.token_ttl.get(),
        ..EdgeSettings::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The edge and the runtime say why their defaults are what they are; the configuration
    /// repeats them, and must not come to differ.
    #[test]
    fn the_defaults_are_those_of_the_edge_and_the_runtime() {
        let config = Config::default();
        assert_eq!(runtime_settings(&config), RuntimeSettings::default());
        let (made, default) = (edge_settings(&config, None), EdgeSettings::default());
        assert_eq!(format!("{made:?}"), format!("{default:?}"));
    }
}
