//! A shop in which everything but the network is real, and what its processes leave behind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use barrow_actors::carts::{CartParts, Carts, CommandOptions, HoldParts, Shape};
use barrow_actors::checkout::{
    CheckoutAsk, CheckoutError, CheckoutParts, CheckoutSettings, Checkouts, Progress,
};
use barrow_actors::orders::{OrderParts, Orders, ReconcilerSettings};
use barrow_actors::runtime::{DueScanner, EffectRouter, RuntimeSettings};
use barrow_actors::sessions::{SessionParts, Sessions};
use barrow_actors::stock::Stock;
use barrow_adapters::embedded::EmbeddedCache;
use barrow_adapters::gateways::TestGateway;
use barrow_adapters::simulated::SimulatedEntityStore;
use barrow_adapters::sqlite::{Sqlite, SqliteOptions, SqliteOrderStore, SqliteStockLedger};
use barrow_api::wire::cart_json::CartJson;
use barrow_api::wire::media::MediaUrls;
use barrow_cluster::{Lease, SoleOwner};
use barrow_engine::cart::{
    AddressForm, Addresses, By, CartAction, CartCommand, CartStep, Contact, Owner, order_of,
    workload,
};
use barrow_engine::catalog::Sku;
use barrow_engine::entity::EntityKind;
use barrow_engine::ids::{CartId, MovementId};
use barrow_engine::inventory::{DEFAULT_LOCATION, Level, MovementDraft};
use barrow_engine::money::Money;
use barrow_engine::orders::{Order, PaymentChoice};
use barrow_engine::ports::{Clock, EntityStore, Entropy, OrderStore, PaymentGateway, StockLedger};
use barrow_engine::pricing::Shop as Terms;
use barrow_engine::quantity::Quantity;
use barrow_tests::host::{SeededEntropy, SimulatedClock};
use barrow_tests::simulation::shelf::{EndlessShelf, UNIT, sku};
use serde_json::Value;
use tempfile::TempDir;

use super::bank::{Bank, Books};
use super::fuse::{Fuse, Fused};

pub const BUYER: Owner = workload::OWNER;

/// What outlives the processes of a shop: its stores, its clock and the gateway's books.
pub struct Shop {
    folder: TempDir,
    rows: Arc<SimulatedEntityStore>,
    pub clock: Arc<SimulatedClock>,
    pub books: Arc<Books>,
    /// How long carts hold what is in them, if they do.
    hold: Option<Duration>,
}

/// What a process keeps carts, orders and stock in.
pub struct Stores {
    pub rows: Arc<dyn EntityStore>,
    pub orders: Arc<dyn OrderStore>,
    pub ledger: Arc<dyn StockLedger>,
}

/// A process of the shop.
pub struct Process {
    pub carts: Carts,
    _sessions: Sessions,
    pub checkouts: Checkouts,
    pub orders: Arc<dyn OrderStore>,
    pub ledger: Arc<dyn StockLedger>,
    clock: Arc<SimulatedClock>,
    entropy: Arc<SeededEntropy>,
}

impl Shop {
    pub fn new() -> Shop {
        Shop {
            folder: tempfile::tempdir().expect("a folder"),
            rows: Arc::new(SimulatedEntityStore::new()),
            clock: Arc::new(SimulatedClock::default()),
            books: Arc::default(),
            hold: None,
        }
    }

    /// One whose carts hold what is in them.
    pub fn holding(ttl: Duration) -> Shop {
        Shop { hold: Some(ttl), ..Shop::new() }
    }

    /// Time passes, for all that looks at the wall clock.
    pub fn wait(&self, duration: Duration) {
        self.clock.jump(i64::try_from(duration.as_millis()).expect("a short time"));
    }

    pub async fn start(&self) -> Process {
        self.start_until(&Fuse::new(usize::MAX)).await
    }

    /// A process on the current runtime that stops where the fuse blows.
    pub async fn start_until(&self, fuse: &Arc<Fuse>) -> Process {
        let file = self.folder.path().join("commerce.sqlite");
        let sqlite = Sqlite::open(&file, SqliteOptions::default()).await.expect("it opens");
        let stores = Stores {
            rows: self.rows.clone(),
            orders: Arc::new(SqliteOrderStore::new(&sqlite)),
            ledger: Arc::new(SqliteStockLedger::new(&sqlite)),
        };
        self.start_on(stores, fuse)
    }

    /// The same on other stores.
    pub fn start_on(&self, stores: Stores, fuse: &Arc<Fuse>) -> Process {
        let Stores { rows, orders, ledger } = stores;
        let gateway: Arc<dyn PaymentGateway> = Arc::new(TestGateway {
            page: "http://shop/pay".to_owned(),
            secret: b"secret".to_vec(),
            clock: self.clock.clone(),
        });
        let gateway: Arc<dyn PaymentGateway> =
            Arc::new(Bank { gateway, books: self.books.clone() });
        let effects = Arc::new(EffectRouter::default());
        let (carts, sessions) = self.start_carts(rows, &effects);
        let fused = Fused { inner: ledger.clone(), fuse: fuse.clone() };
        let stock = Stock::start(Arc::new(fused));
        let carts = match self.hold {
            Some(ttl) => {
                let (stock, clock) = (stock.clone(), self.clock.clone());
                carts.held_with(HoldParts { stock, clock, ttl })
            }
            None => carts,
        };
        let checkouts = Checkouts::start(CheckoutParts {
            carts: carts.clone(),
            shelf: Arc::new(EndlessShelf),
            stock,
            orders: Arc::new(Fused { inner: orders.clone(), fuse: fuse.clone() }),
            gateways: BTreeMap::from([(
                "test".to_owned(),
                Arc::new(Fused { inner: gateway, fuse: fuse.clone() }) as Arc<dyn PaymentGateway>,
            )]),
            clock: self.clock.clone(),
            effects,
            settings: CheckoutSettings::default(),
        });
        Process {
            carts,
            _sessions: sessions,
            checkouts,
            orders,
            ledger,
            clock: self.clock.clone(),
            entropy: Arc::new(SeededEntropy::new(7)),
        }
    }

    fn start_carts(
        &self,
        rows: Arc<dyn EntityStore>,
        effects: &Arc<EffectRouter>,
    ) -> (Carts, Sessions) {
        let entropy = Arc::new(SeededEntropy::new(self.rows_written()));
        let owner = Arc::new(SoleOwner::new(entropy.next_u64(), Lease::endless()));
        let carts = Carts::start(CartParts {
            shop: Arc::new(Terms::sample()),
            shelf: Arc::new(EndlessShelf),
            renderer: Arc::new(CartJson { urls: MediaUrls::new("") }),
            store: rows.clone(),
            clock: self.clock.clone(),
            entropy: entropy.clone(),
            ownership: owner.clone(),
            effects: effects.clone(),
            settings: RuntimeSettings::default(),
        });
        // Carts tell their sessions first that they were opened.
        let sessions = Sessions::start(SessionParts {
            store: rows.clone(),
            cache: Arc::new(EmbeddedCache::new(1 << 20)),
            clock: self.clock.clone(),
            entropy,
            ownership: owner.clone(),
            effects: effects.clone(),
            settings: RuntimeSettings::default(),
            viewed_ttl: Duration::from_secs(60),
        });
        let mut targets = sessions.wakeables();
        targets.insert(EntityKind::Cart, carts.wakeable());
        DueScanner::new(rows, self.clock.clone(), owner, targets).start();
        (carts, sessions)
    }

    /// Another number for each process, so that none writes under the ids of one before.
    fn rows_written(&self) -> u64 {
        u64::try_from(self.clock.now().as_millis()).expect("a time")
            ^ self.clock.uptime().as_nanos() as u64
    }
}

impl Process {
    /// The desk, with a reconciler that never waits long.
    pub fn desk(&self) -> Orders {
        Orders::start(OrderParts {
            checkouts: self.checkouts.clone(),
            shop: Arc::new(Terms::sample()),
            entropy: self.entropy.clone(),
            reconciler: ReconcilerSettings {
                pause: Duration::from_millis(20),
                ..ReconcilerSettings::default()
            },
        })
    }

    /// Units of a SKU come.
    pub async fn stock(&self, index: u32, quantity: i64) {
        let movement = MovementDraft {
            id: MovementId::derived(&format!("{index} {quantity}")),
            sku: sku_of(index),
            location: DEFAULT_LOCATION.parse().expect("a location"),
            quantity,
            reason: "counted".to_owned(),
            actor: "test".to_owned(),
            order: None,
            at: self.clock.now(),
        };
        let booked = self.ledger.book(vec![movement]).await.expect("the ledger answers");
        assert!(booked[0].is_ok(), "{booked:?}");
    }

    pub async fn level(&self, index: u32) -> Level {
        let levels = self.ledger.levels(&[sku_of(index)]).await.expect("the ledger answers");
        levels.into_iter().next().expect("it was stocked")
    }

    /// A cart with so many units of each SKU that can be bought.
    pub async fn full_cart(&self, id: u128, lines: &[(u32, u32)]) -> CartId {
        let id = CartId(id);
        self.give(id, workload::create(Arc::new(Terms::sample()))).await;
        self.change(id, filled(lines)).await;
        id
    }

    pub async fn change(&self, id: CartId, steps: Vec<CartStep>) {
        let action = CartAction::Change(steps);
        self.give(id, CartCommand { by: By::Shopper(BUYER), action }).await;
    }

    async fn give(&self, id: CartId, command: CartCommand) {
        let options = CommandOptions { key: None, expected_version: None, shape: Shape::Minimal };
        self.carts.execute(id, command, options).await.expect("the cart takes it");
    }

    pub async fn cart(&self, id: CartId) -> Value {
        let reply = self.carts.get(id, BUYER).await.expect("the cart is there");
        serde_json::from_slice(&reply.body).expect("JSON")
    }

    /// What a cart's status is.
    pub async fn status(&self, id: CartId) -> String {
        self.cart(id).await["status"].as_str().expect("a status").to_owned()
    }

    pub async fn order(&self, cart: CartId) -> Option<Order> {
        self.orders.get(order_of(cart)).await.expect("the store answers")
    }

    /// Buys a cart for what it costs.
    pub async fn buy(&self, cart: CartId, method: &str) -> Result<Progress, CheckoutError> {
        let total = self.cart(cart).await["totals"]["total"]["amount"].as_i64().expect("a total");
        self.checkouts.checkout(cart, BUYER, ask(method, total)).await
    }
}

/// What makes a cart one that can be bought, with so many units of each SKU.
pub fn filled(lines: &[(u32, u32)]) -> Vec<CartStep> {
    let mut steps: Vec<CartStep> = lines
        .iter()
        .map(|(index, quantity)| CartStep::AddLine {
            sellable: Arc::new(workload::sellable(*index, UNIT)),
            quantity: Quantity::new(*quantity).expect("a quantity"),
        })
        .collect();
    let address = AddressForm {
        first_name: "Ada".into(),
        last_name: "Lovelace".into(),
        line1: "Unter den Linden 1".into(),
        city: "Berlin".into(),
        postal_code: "10117".into(),
        country: "DE".into(),
        ..AddressForm::default()
    };
    steps.push(CartStep::SetContact(Contact::new("ada@example.com", None).expect("one")));
    steps.push(CartStep::SetAddresses(Addresses::new(&address, None).expect("one")));
    steps.push(CartStep::SetShippingMethod { id: "standard".into() });
    steps
}

pub fn ask(method: &str, total: i64) -> CheckoutAsk {
    CheckoutAsk {
        payment: PaymentChoice {
            gateway: "test".to_owned(),
            method: method.to_owned(),
            return_url: None,
            request: None,
        },
        expected_total: Money::new(total, workload::currency()),
        expected_version: None,
    }
}

pub fn sku_of(index: u32) -> Sku {
    sku(index).parse().expect("a SKU")
}
