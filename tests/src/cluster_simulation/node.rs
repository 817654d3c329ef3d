//! One process of the cluster: the wiring of `api`, with the ports of a simulation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use barrow_actors::carts::{CartParts, Carts};
use barrow_actors::checkout::{CheckoutParts, Checkouts};
use barrow_actors::deliveries::{Deliveries, DeliveryParts};
use barrow_actors::orders::{OrderParts, Orders, ReconcilerSettings};
use barrow_actors::runtime::{DueScanner, EffectRouter, PeerService, RuntimeSettings};
use barrow_actors::sessions::{SessionParts, Sessions};
use barrow_actors::stock::{Stock, sweep};
use barrow_adapters::embedded::EmbeddedCache;
use barrow_api::app::{App, AppParts, Office};
use barrow_api::auth::{ApiKeys, TokenKeys};
use barrow_api::edge::{EdgeSettings, Front};
use barrow_api::routes;
use barrow_api::wire::cart_json::CartJson;
use barrow_api::wire::media::MediaUrls;
use barrow_cluster::{
    Ended, Lease, Member, MemberId, Membership, MembershipParts, NodeSettings, Peer, Place, Router,
    RouterSettings, ShardHost, Shards,
};
use barrow_engine::entity::EntityKind;
use barrow_engine::ports::{Clock, EntityStore, Entropy, PaymentGateway, StockLedger};
use barrow_engine::pricing::Shop;
use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::ground::Ground;
use super::machine::ProcessClock;
use super::network::Wire;
use super::selling::bank::{BANK, BankFromMachine};
use super::selling::database::DatabaseFromMachine;
use super::selling::house;
use super::store::StoreFromMachine;
use super::table::TableFromMachine;
use crate::host::SeededEntropy;
use crate::simulation::node::{SESSION_TTL, empty_catalog, pressed};
use crate::simulation::shelf::{Empty, EndlessShelf};

/// How long a process tries to come up before it ends, to be started again.
const START_MAX: Duration = Duration::from_secs(30);
const START_PAUSE: Duration = Duration::from_millis(250);
/// As in the wiring of `api`.
const DRAIN_MAX: Duration = Duration::from_secs(8);

/// One run of a node's process.
pub struct Run {
    pub id: MemberId,
    pub machine: usize,
    reads: u8,
    pub handle: Handle,
    pub shards: Arc<Shards>,
    pub service: Arc<PeerService>,
    clock: Arc<ProcessClock>,
    membership: Membership,
    entities: Arc<Entities>,
    front: OnceLock<Front>,
    is_leaving: AtomicBool,
    has_ended: AtomicBool,
    is_too_old: AtomicBool,
}

#[derive(Default)]
struct Entities {
    /// Once there are any.
    all: OnceLock<(Carts, Sessions)>,
    /// Shards whose entities may still answer though nothing new is let in.
    draining: Mutex<BTreeSet<u16>>,
}

impl Entities {
    async fn drain(&self) {
        let Some((carts, sessions)) = self.all.get() else { return };
        carts.drain(DRAIN_MAX).await;
        sessions.drain(DRAIN_MAX).await;
    }
}

#[async_trait]
impl ShardHost for Entities {
    async fn drain(&self, shards: &[u16]) -> bool {
        let Some((carts, sessions)) = self.all.get() else { return true };
        self.draining.lock().extend(shards);
        let is_drained = carts.drain_shards(shards, DRAIN_MAX).await
            & sessions.drain_shards(shards, DRAIN_MAX).await;
        if is_drained {
            self.draining.lock().retain(|shard| !shards.contains(shard));
        }
        is_drained
    }
}

impl Run {
    /// Starts a process on the current runtime, of the build that reads forms up to `reads`.
    pub fn start(
        ground: &Arc<Ground>,
        machine: usize,
        reads: u8,
        clock: Arc<ProcessClock>,
    ) -> Arc<Run> {
        let entropy = Arc::new(SeededEntropy::new(ground.dice.next_u64()));
        let id = MemberId(entropy.next_u128());
        let shards = Arc::new(Shards::new(id, Lease::until(Duration::ZERO)));
        let wire = Arc::new(Wire { ground: ground.clone(), machine });
        let router = Arc::new(Router::new(shards.clone(), wire, RouterSettings::default()));
        let effects = Arc::new(EffectRouter::default());
        let entities = Arc::new(Entities::default());
        let (name, address) = (format!("machine {machine}"), format!("machine-{machine}:1"));
        let (membership, running) = Membership::new(MembershipParts {
            table: Arc::new(TableFromMachine { ground: ground.clone(), machine }),
            shards: shards.clone(),
            host: entities.clone(),
            uptime: Arc::new({
                let clock = clock.clone();
                move || clock.uptime()
            }),
            member: Member {
                id,
                name: name.clone(),
                weight: 1,
                build: reads.to_string(),
                reads,
                draining: false,
            },
            peer: Peer { id, name, address, certificate: vec![1], unreachable: Vec::new() },
            settings: NodeSettings { form_wait: ground.form_wait, ..NodeSettings::default() },
        });
        let run = Arc::new(Run {
            id,
            machine,
            reads,
            handle: Handle::current(),
            shards,
            service: Arc::new(PeerService::new(router.clone(), effects.clone())),
            clock,
            membership,
            entities,
            front: OnceLock::new(),
            is_leaving: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            is_too_old: AtomicBool::new(false),
        });
        ground.network.join(run.clone());
        tokio::spawn({
            let (run, ground) = (run.clone(), ground.clone());
            async move {
                match running.await {
                    // What is handed over is still to be drained by whoever let it leave.
                    Ended::Left => return,
                    Ended::Evicted => ground.count_eviction(),
                    Ended::TooOld { .. } => run.is_too_old.store(true, Ordering::Relaxed),
                    Ended::TimedOut => {}
                }
                run.end();
            }
        });
        let boot = Boot { ground: ground.clone(), run: run.clone(), router, effects, entropy };
        tokio::spawn(async move {
            if boot.come_up().await.is_none() {
                boot.run.end();
            }
        });
        run
    }

    fn end(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }

    /// Its runtime is to be dropped.
    pub fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }

    /// Refused by the others, whose rows it may not be able to read.
    pub fn is_too_old(&self) -> bool {
        self.is_too_old.load(Ordering::Relaxed)
    }

    /// What answers requests, once it is up.
    pub fn front(&self) -> Option<Front> {
        self.front.get().cloned()
    }

    /// Told to leave: nothing new should be sent to it.
    pub fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Relaxed)
    }

    /// Hands everything over, drains, and ends; as SIGTERM has it.
    pub fn leave(self: &Arc<Self>, patience: Duration) {
        let run = self.clone();
        self.is_leaving.store(true, Ordering::Relaxed);
        self.handle.spawn(async move {
            run.membership.leave(patience);
            run.membership.ended().await;
            run.entities.drain().await;
            run.end();
        });
    }

    pub fn has_lease(&self) -> bool {
        self.shards.lease().is_valid(self.clock.uptime())
    }

    /// The shards that it may answer for while its lease is valid.
    pub fn serves(&self) -> BTreeSet<u16> {
        let view = self.shards.view();
        let own = view.shards_of(self.id);
        let open = own.filter(|shard| matches!(self.shards.place(*shard), Place::Here(_)));
        open.chain(self.entities.draining.lock().iter().copied()).collect()
    }

    pub fn is_draining(&self) -> bool {
        !self.entities.draining.lock().is_empty()
    }

    /// How many shards it has, if all of them are open.
    pub fn open_shards(&self) -> Option<usize> {
        let view = self.shards.view();
        let mut own = view.shards_of(self.id);
        let is_open = own.all(|shard| matches!(self.shards.place(shard), Place::Here(_)));
        is_open.then(|| view.shards_of(self.id).count())
    }
}

/// What a node sells with.
#[derive(Default)]
struct Sales {
    checkouts: Option<Checkouts>,
    orders: Option<Orders>,
    office: Option<Office>,
}

/// A process that is coming up.
struct Boot {
    ground: Arc<Ground>,
    run: Arc<Run>,
    router: Arc<Router>,
    effects: Arc<EffectRouter>,
    entropy: Arc<SeededEntropy>,
}

impl Boot {
    async fn come_up(&self) -> Option<()> {
        let Boot { ground, run, router, effects, entropy } = self;
        if !run.shards.joined(START_MAX).await {
            return None;
        }
        let store: Arc<dyn EntityStore> =
            Arc::new(StoreFromMachine { ground: ground.clone(), machine: run.machine });
        let shop = Arc::new(Shop::sample());
        let settings = RuntimeSettings { reads: run.reads, ..pressed(entropy) };
        let sessions = Sessions::start(SessionParts {
            store: store.clone(),
            cache: Arc::new(EmbeddedCache::new(1 << 20)),
            clock: run.clock.clone(),
            entropy: entropy.clone(),
            ownership: router.clone(),
            effects: effects.clone(),
            settings: settings.clone(),
            viewed_ttl: SESSION_TTL,
        });
        let carts = Carts::start(CartParts {
            shop: shop.clone(),
            shelf: Arc::new(EndlessShelf),
            renderer: Arc::new(CartJson { urls: MediaUrls::new("") }),
            store: store.clone(),
            clock: run.clock.clone(),
            entropy: entropy.clone(),
            ownership: router.clone(),
            effects: effects.clone(),
            settings,
        });
        let _ = run.entities.all.set((carts.clone(), sessions.clone()));
        run.service.set_ready();
        let sales = self.sell(&carts, &shop).await?;
        let mut wakeables = sessions.wakeables();
        wakeables.insert(EntityKind::Cart, carts.wakeable());
        DueScanner::new(store, run.clock.clone(), router.clone(), wakeables).start();
        self.until_had(|| sessions.learn()).await?;
        let keys = self.until_had(|| sessions.signing_keys()).await?;
        let app = self.app(shop, carts, sessions, sales, TokenKeys::new(&keys)?);
        run.front.set(routes::shop(Arc::new(app))).ok()
    }

    /// As in the wiring of `api`.
    async fn until_had<T, E, F>(&self, ask: impl Fn() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, E>>,
    {
        let give_up_at = self.run.clock.uptime() + START_MAX;
        loop {
            match ask().await {
                Ok(had) => return Some(had),
                Err(_) if self.run.clock.uptime() >= give_up_at => return None,
                Err(_) => tokio::time::sleep(START_PAUSE).await,
            }
        }
    }

    /// Checkouts, the desk and the office, where the cluster sells.
    async fn sell(&self, carts: &Carts, shop: &Arc<Shop>) -> Option<Sales> {
        let Boot { ground, run, effects, entropy, .. } = self;
        let Some(selling) = &ground.selling else { return Some(Sales::default()) };
        let (machine, database) = (run.machine, selling.database.clone());
        let database = Arc::new(DatabaseFromMachine { ground: ground.clone(), database, machine });
        let bank = BankFromMachine { ground: ground.clone(), bank: selling.bank.clone() };
        let bank: Arc<dyn PaymentGateway> = Arc::new(bank);
        let stock: Arc<dyn StockLedger> = database.clone();
        let deliveries = self.until_had(|| {
            Deliveries::start(DeliveryParts {
                outbox: database.clone(),
                consumers: vec![selling.listener.clone()],
                clock: run.clock.clone(),
                entropy: entropy.clone(),
                settings: house::deliveries(),
            })
        });
        let deliveries = deliveries.await?;
        let checkouts = Checkouts::start(CheckoutParts {
            carts: carts.clone(),
            shelf: Arc::new(EndlessShelf),
            stock: Stock::start(stock.clone()),
            orders: database.clone(),
            gateways: BTreeMap::from([(BANK.to_owned(), bank)]),
            clock: run.clock.clone(),
            effects: effects.clone(),
            settings: selling.settings,
        });
        sweep(&stock, run.clock.clone());
        let orders = Orders::start(OrderParts {
            checkouts: checkouts.clone(),
            shop: shop.clone(),
            entropy: entropy.clone(),
            reconciler: ReconcilerSettings::default(),
        });
        let office = Office {
            api_keys: ApiKeys::new(selling.keys.clone(), run.clock.clone()),
            stock,
            orders: database,
            deliveries: Arc::new(deliveries),
        };
        Some(Sales { checkouts: Some(checkouts), orders: Some(orders), office: Some(office) })
    }

    fn app(
        &self,
        shop: Arc<Shop>,
        carts: Carts,
        sessions: Sessions,
        sales: Sales,
        keys: TokenKeys,
    ) -> App {
        let Boot { run, entropy, .. } = self;
        App::new(AppParts {
            office: sales.office,
            seller: Default::default(),
            catalog: empty_catalog(&run.clock, &shop),
            shop,
            carts,
            checkouts: sales.checkouts,
            orders: sales.orders,
            test_payments: None,
            sessions,
            shelf: Arc::new(EndlessShelf),
            media: Arc::new(Empty),
            media_gate: None,
            clock: run.clock.clone(),
            entropy: entropy.clone(),
            token_keys: keys,
            is_cache_down: Arc::new(|| false),
            lease: run.shards.lease().clone(),
            settings: EdgeSettings {
                session_ttl: SESSION_TTL,
                stream_ping: Duration::from_millis(500 + entropy.below(2_000)),
                ..EdgeSettings::default()
            },
        })
    }
}
