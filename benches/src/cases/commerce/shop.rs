//! A shop that sells without a network around it: carts, checkouts, the gateway for tests, and
//! the stores of stock and orders that it is given. Carts lie in the embedded store.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use async_trait::async_trait;
use barrow_actors::carts::{CartParts, Carts, CommandOptions, Shape};
use barrow_actors::checkout::{CheckoutAsk, CheckoutParts, CheckoutSettings, Checkouts, Progress};
use barrow_actors::runtime::{DueScanner, EffectRouter, RuntimeSettings};
use barrow_actors::sessions::{SessionParts, Sessions};
use barrow_actors::shelf::{Shelf, ShelfError};
use barrow_actors::stock::Stock;
use barrow_adapters::embedded::{EmbeddedCache, EmbeddedOptions, EmbeddedStore};
use barrow_adapters::gateways::TestGateway;
use barrow_adapters::host::{SystemClock, SystemEntropy};
use barrow_api::wire::cart_json::CartJson;
use barrow_api::wire::media::MediaUrls;
use barrow_cluster::{Lease, SoleOwner};
use barrow_engine::cart::{
    AddressForm, Addresses, By, CartAction, CartCommand, CartStep, Contact, Owner, workload,
};
use barrow_engine::catalog::{Sellable, Sku};
use barrow_engine::entity::EntityKind;
use barrow_engine::ids::{CartId, MovementId, SessionId};
use barrow_engine::inventory::{MovementDraft, default_location};
use barrow_engine::money::Money;
use barrow_engine::orders::PaymentChoice;
use barrow_engine::ports::{Clock, OrderStore, PaymentGateway, StockLedger};
use barrow_engine::pricing::Shop as Terms;
use barrow_engine::quantity::Quantity;
use serde_json::Value;
use tokio::task::JoinSet;

use super::crowd::Work;

/// Lines of a cart, one unit each.
pub const LINES: usize = 3;

/// What a unit costs.
pub const UNIT: i64 = 1_999;

/// Of each SKU: more than are ever sold.
pub const UNITS: i64 = 1_000_000_000;

/// SKUs that are bought.
const SKUS: u64 = 1_000;

/// Carts that are filled at once.
const FILLERS: u64 = 64;

/// Of a SKU's index.
fn sku(index: u64) -> String {
    format!("CHAIR-{index:05}-OAK")
}

/// All that are sold.
pub fn skus() -> Vec<String> {
    (0..SKUS).map(sku).collect()
}

/// What the buyer of that number buys.
pub fn skus_of(n: u64) -> [String; LINES] {
    std::array::from_fn(|line| sku(index_of(n, line)))
}

/// Spread over all SKUs, each line another one.
fn index_of(n: u64, line: usize) -> u64 {
    (n.wrapping_mul(7_919) + line as u64 * 331) % SKUS
}

/// Spread over all shards.
fn id(n: u64) -> CartId {
    CartId((u128::from(n) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

fn owner(n: u64) -> Owner {
    Owner::Session(SessionId(u128::from(n) + 1))
}

/// Has them all in memory, as a catalog has what is in demand.
struct FullShelf(Vec<Arc<Sellable>>);

impl FullShelf {
    fn new() -> FullShelf {
        let sellable = |index| Arc::new(workload::sellable(index, UNIT));
        FullShelf((0..SKUS as u32).map(sellable).collect())
    }
}

#[async_trait]
impl Shelf for FullShelf {
    fn generation(&self) -> u64 {
        1
    }

    async fn sellables(&self, skus: &[Sku]) -> Result<Vec<Option<Arc<Sellable>>>, ShelfError> {
        Ok(skus.iter().map(|sku| self.cached(sku.as_str())).collect())
    }

    fn cached(&self, sku: &str) -> Option<Arc<Sellable>> {
        let index = sku.strip_prefix("CHAIR-")?.strip_suffix("-OAK")?.parse::<usize>().ok()?;
        self.0.get(index).cloned()
    }
}

pub struct Shop {
    carts: Carts,
    _sessions: Sessions,
    checkouts: Checkouts,
    _store: EmbeddedStore,
    /// How many carts were filled.
    filled: AtomicU64,
    /// What each of them costs.
    total: Money,
}

impl Shop {
    /// On the current runtime, with stock.
    pub async fn start(
        folder: &Path,
        orders: Arc<dyn OrderStore>,
        ledger: Arc<dyn StockLedger>,
    ) -> anyhow::Result<Shop> {
        let on_fatal = Box::new(|reason: &str| panic!("the store failed: {reason}"));
        let store = EmbeddedStore::open(&folder.join("carts"), EmbeddedOptions::new(on_fatal))?;
        let effects = Arc::new(EffectRouter::default());
        let shelf = Arc::new(FullShelf::new());
        let (carts, sessions) = start_carts(&store, &shelf, &effects);
        let gateway: Arc<dyn PaymentGateway> = Arc::new(TestGateway {
            page: "http://shop/pay".to_owned(),
            secret: b"secret".to_vec(),
            clock: Arc::new(SystemClock),
        });
        fill(&*ledger).await?;
        let checkouts = Checkouts::start(CheckoutParts {
            carts: carts.clone(),
            shelf,
            stock: Stock::start(ledger),
            orders,
            gateways: BTreeMap::from([("test".to_owned(), gateway)]),
            clock: Arc::new(SystemClock),
            effects,
            settings: CheckoutSettings::default(),
        });
        fill_cart(&carts, 0).await?;
        let (filled, total) = (AtomicU64::new(1), total_of(&carts, 0).await?);
        Ok(Shop { carts, _sessions: sessions, checkouts, _store: store, filled, total })
    }

    /// Fills so many carts; the number of the first of them.
    pub async fn fill_carts(&self, count: u64) -> anyhow::Result<u64> {
        let first = self.filled.fetch_add(count, Ordering::Relaxed);
        let mut fillers = JoinSet::new();
        for filler in 0..FILLERS {
            let carts = self.carts.clone();
            fillers.spawn(async move {
                for n in (first..first + count).skip(filler as usize).step_by(FILLERS as usize) {
                    fill_cart(&carts, n).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(filler) = fillers.join_next().await {
            filler??;
        }
        Ok(first)
    }
}

impl Work for Shop {
    /// Buys a cart that was filled.
    async fn work(&self, n: u64) -> anyhow::Result<()> {
        let (gateway, method) = ("test".to_owned(), "ok".to_owned());
        let payment = PaymentChoice { gateway, method, return_url: None, request: None };
        let ask = CheckoutAsk { payment, expected_total: self.total, expected_version: None };
        match self.checkouts.checkout(id(n), owner(n), ask).await? {
            Progress::Placed { before: false, .. } => Ok(()),
            other => bail!("a cart was not bought: {other:?}"),
        }
    }
}

fn start_carts(
    store: &EmbeddedStore,
    shelf: &Arc<FullShelf>,
    effects: &Arc<EffectRouter>,
) -> (Carts, Sessions) {
    let owner = Arc::new(SoleOwner::new(1, Lease::endless()));
    let carts = Carts::start(CartParts {
        shop: Arc::new(Terms::sample()),
        shelf: Arc::clone(shelf) as Arc<dyn Shelf>,
        renderer: Arc::new(CartJson { urls: MediaUrls::new("") }),
        store: store.entities(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        ownership: owner.clone(),
        effects: Arc::clone(effects),
        settings: RuntimeSettings::default(),
    });
    let sessions = Sessions::start(SessionParts {
        store: store.entities(),
        cache: Arc::new(EmbeddedCache::new(16 << 20)),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        ownership: owner.clone(),
        effects: Arc::clone(effects),
        settings: RuntimeSettings::default(),
        viewed_ttl: Duration::from_secs(60),
    });
    let mut targets = sessions.wakeables();
    targets.insert(EntityKind::Cart, carts.wakeable());
    DueScanner::new(store.entities(), Arc::new(SystemClock), owner, targets).start();
    (carts, sessions)
}

/// Units of all SKUs come.
async fn fill(ledger: &dyn StockLedger) -> anyhow::Result<()> {
    let draft = |sku: String| {
        anyhow::Ok(MovementDraft {
            id: MovementId::derived(&sku),
            sku: sku.parse().ok().context("the text is a SKU")?,
            location: default_location(),
            quantity: UNITS,
            reason: "counted".to_owned(),
            actor: "bench".to_owned(),
            order: None,
            at: SystemClock.now(),
        })
    };
    let drafts: anyhow::Result<Vec<MovementDraft>> = skus().into_iter().map(draft).collect();
    let booked = ledger.book(drafts?).await?;
    ensure!(booked.iter().all(Result::is_ok), "stock was refused");
    Ok(())
}

async fn total_of(carts: &Carts, n: u64) -> anyhow::Result<Money> {
    let cart = carts.get(id(n), owner(n)).await?;
    let cart: Value = serde_json::from_slice(&cart.body)?;
    let total = cart["totals"]["total"]["amount"].as_i64().context("a cart without a total")?;
    Ok(Money::new(total, workload::currency()))
}

async fn fill_cart(carts: &Carts, n: u64) -> anyhow::Result<()> {
    let by = By::Shopper(owner(n));
    let create = workload::create(Arc::new(Terms::sample())).action;
    let quantity = Quantity::new(1).context("one is a quantity")?;
    let line = |line| {
        let sellable = Arc::new(workload::sellable(index_of(n, line) as u32, UNIT));
        CartStep::AddLine { sellable, quantity }
    };
    let mut steps: Vec<CartStep> = (0..LINES).map(line).collect();
    let address = AddressForm {
        first_name: "Ada".into(),
        last_name: "Lovelace".into(),
        line1: "Unter den Linden 1".into(),
        city: "Berlin".into(),
        postal_code: "10117".into(),
        country: "DE".into(),
        ..AddressForm::default()
    };
    let contact = Contact::new("ada@example.com", None).ok().context("a contact")?;
    let addresses = Addresses::new(&address, None).ok().context("an address")?;
    steps.push(CartStep::SetContact(contact));
    steps.push(CartStep::SetAddresses(addresses));
    steps.push(CartStep::SetShippingMethod { id: "standard".into() });
    for action in [create, CartAction::Change(steps)] {
        let options = CommandOptions { key: None, expected_version: None, shape: Shape::Minimal };
        carts.execute(id(n), CartCommand { by, action }, options).await?;
    }
    Ok(())
}
