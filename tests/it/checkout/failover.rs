//! Whole checkouts while the Postgres below them is replaced, and with it the carts, the orders
//! and the stock: its primary is killed and the synchronous standby promoted, twice over. Some
//! pay with a card that is refused, or wait for their bank, or give up, or come too late for
//! something; all of them ask until they have an answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use barrow_actors::carts::{CartError, CommandOptions, Shape};
use barrow_actors::checkout::{CheckoutAsk, CheckoutError, Progress};
use barrow_actors::runtime::{CommandError, IdempotencyKey};
use barrow_actors::stock::{StockError, sweep};
use barrow_adapters::postgres::{
    Postgres, PostgresEntityStore, PostgresOptions, PostgresOrderStore, PostgresStockLedger,
};
use barrow_engine::cart::{
    By, CartAction, CartCommand, CartStep, LineId, Owner, next_of, workload,
};
use barrow_engine::ids::{CartId, SessionId};
use barrow_engine::orders::{
    OperationKind, Order, OrderRejection, OrderStatus, PaymentChoice, RequestKey,
};
use barrow_engine::pricing::Shop as Terms;
use barrow_servers::{PostgresPair, Sync, or_skip};
use barrow_tests::server::PATIENCE;
use futures::StreamExt;
use rustix::process::Signal;
use serde_json::Value;

use super::flash_sale::orders;
use super::fuse::Fuse;
use super::shop::{Process, Shop, Stores, ask, filled, sku_of};
use crate::support::until;

const BUYERS: u64 = 32;

/// Orders that have to be placed between one change of the primary and the next.
const ORDERS_BETWEEN: usize = 60;

/// Of this there is enough for all.
const PLENTY: u32 = 0;

/// So many carts in a row want a unit of the same thing besides, of which there are fewer.
const RIVALS: u32 = 16;
const RARE_UNITS: u64 = 10;
const RARE_SKUS: u32 = 160;

/// How long a client waits before it asks again.
const PAUSE: Duration = Duration::from_millis(50);

/// What all buyers know.
struct Market {
    process: Process,
    is_over: AtomicBool,
    carts: AtomicU32,
    placed: AtomicUsize,
    short: AtomicUsize,
    repeated: AtomicUsize,
}

/// What a buyer has left behind.
#[derive(Default)]
struct Bought {
    carts: Vec<CartId>,
    acknowledged: Vec<Order>,
    given_up: Vec<CartId>,
}

struct Buyer<'a> {
    market: &'a Market,
    owner: Owner,
    requests: u64,
}

impl Buyer<'_> {
    /// Buys cart after cart until it is told to stop.
    async fn run(mut self) -> Bought {
        let mut bought = Bought::default();
        let Owner::Session(SessionId(session)) = self.owner else { panic!("a guest") };
        let mut cart = CartId::derived(&session.to_string());
        while !self.market.is_over.load(Ordering::Relaxed) {
            let number = self.market.carts.fetch_add(1, Ordering::Relaxed);
            self.fill(cart, number).await;
            bought.carts.push(cart);
            match self.buy(cart, number).await {
                Some(order) => {
                    self.market.placed.fetch_add(1, Ordering::Relaxed);
                    bought.acknowledged.push(order);
                }
                None => bought.given_up.push(cart),
            }
            cart = next_of(cart);
        }
        bought
    }

    async fn fill(&mut self, cart: CartId, number: u32) {
        let CartCommand { action, .. } = workload::create(Arc::new(Terms::sample()));
        self.change(cart, action).await;
        let rare = 1 + (number / RIVALS) % RARE_SKUS;
        let lines = filled(&[(PLENTY, 1 + number % 3), (rare, 1)]);
        self.change(cart, CartAction::Change(lines)).await;
    }

    /// Until the checkout has come to an end: the order, unless the buyer has given it up.
    async fn buy(&mut self, cart: CartId, number: u32) -> Option<Order> {
        let (mut method, is_patient) = match number % 8 {
            0 => ("declined", true),
            1 => ("ambiguous", true),
            2 => ("ambiguous", false),
            _ => ("ok", true),
        };
        let mut request = self.next_request();
        let began = tokio::time::Instant::now();
        loop {
            assert!(began.elapsed() < PATIENCE, "{cart} is neither bought nor given up");
            match self.ask(cart, method, request).await {
                Progress::Placed { order, .. } => return Some(order),
                Progress::Pending(_) if !is_patient => {
                    self.give_up(cart).await;
                    return None;
                }
                Progress::Pending(_) => {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                Progress::Declined { .. } => method = "ok",
                Progress::Short(shortages) => {
                    assert!(shortages.iter().all(|one| one.line == LineId(2)), "{shortages:?}");
                    self.market.short.fetch_add(1, Ordering::Relaxed);
                    let without = vec![CartStep::RemoveLine { line: LineId(2) }];
                    self.change(cart, CartAction::Change(without)).await;
                }
                Progress::GivenUp(_) => {}
            }
            request = self.next_request();
        }
    }

    async fn ask(&self, cart: CartId, method: &str, request: u64) -> Progress {
        let checkouts = &self.market.process.checkouts;
        let total = self.total(cart).await;
        let CheckoutAsk { payment, .. } = ask(method, total);
        let request = Some(RequestKey { key: request, payload: 0 });
        let payment = PaymentChoice { request, ..payment };
        let ask = CheckoutAsk { payment, ..ask(method, total) };
        self.persist(|| checkouts.checkout(cart, self.owner, ask.clone()), may_pass).await
    }

    async fn give_up(&self, cart: CartId) {
        let checkouts = &self.market.process.checkouts;
        self.persist(|| checkouts.give_up(cart, self.owner), may_pass).await;
    }

    async fn total(&self, cart: CartId) -> i64 {
        let carts = &self.market.process.carts;
        let reply = self.persist(|| carts.get(cart, self.owner), cart_may_come_back).await;
        let cart: Value = serde_json::from_slice(&reply.body).expect("JSON");
        cart["totals"]["total"]["amount"].as_i64().expect("a total")
    }

    async fn change(&mut self, cart: CartId, action: CartAction) {
        let key = Some(IdempotencyKey { key_hash: self.next_request(), payload_hash: 0 });
        let carts = &self.market.process.carts;
        let options = CommandOptions { key, expected_version: None, shape: Shape::Minimal };
        let command = CartCommand { by: By::Shopper(self.owner), action };
        let change = || carts.execute(cart, command.clone(), options);
        self.persist(change, cart_may_come_back).await;
    }

    fn next_request(&mut self) -> u64 {
        self.requests += 1;
        self.requests
    }

    /// As a client does it: the same again, until there is an answer.
    async fn persist<T, E: std::fmt::Debug>(
        &self,
        ask: impl AsyncFn() -> Result<T, E>,
        may_pass: impl Fn(&E) -> bool,
    ) -> T {
        let began = tokio::time::Instant::now();
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(error) => {
                    assert!(may_pass(&error), "{:?} is told {error:?}", self.owner);
                    assert!(began.elapsed() < PATIENCE, "for ever: {error:?}");
                    self.market.repeated.fetch_add(1, Ordering::Relaxed);
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Whether a client is told to ask again.
fn may_pass(error: &CheckoutError) -> bool {
    match error {
        CheckoutError::Cart(error) => cart_may_come_back(error),
        CheckoutError::Stock(StockError::Ledger(error)) | CheckoutError::Store(error) => {
            error.is_retryable()
        }
        CheckoutError::Stock(StockError::Overloaded)
        | CheckoutError::Order(OrderRejection::PaymentOpen)
        | CheckoutError::Busy => true,
        CheckoutError::UnknownPayment
        | CheckoutError::KeyReused
        | CheckoutError::OverLimit(_)
        | CheckoutError::Order(_)
        | CheckoutError::Catalog(_) => false,
    }
}

fn cart_may_come_back(error: &CartError) -> bool {
    matches!(
        error,
        CommandError::Overloaded { .. }
            | CommandError::Unavailable { .. }
            | CommandError::OutcomeUnknown
    )
}

async fn start(shop: &Shop, url: &str) -> Market {
    let postgres = Postgres::connect(url, PostgresOptions::default()).await;
    let postgres = postgres.expect("Postgres lets us in");
    assert!(postgres.durability().contains("synchronous standby has it"));
    let stores = Stores {
        rows: Arc::new(PostgresEntityStore::start(&postgres)),
        orders: Arc::new(PostgresOrderStore::new(&postgres)),
        ledger: Arc::new(PostgresStockLedger::new(&postgres)),
    };
    let process = shop.start_on(stores, &Fuse::new(usize::MAX));
    process.stock(PLENTY, 1_000_000).await;
    let stocked = futures::stream::iter(1..=RARE_SKUS);
    stocked.for_each_concurrent(8, |rare| process.stock(rare, RARE_UNITS as i64)).await;
    Market {
        process,
        is_over: AtomicBool::new(false),
        carts: AtomicU32::new(0),
        placed: AtomicUsize::new(0),
        short: AtomicUsize::new(0),
        repeated: AtomicUsize::new(0),
    }
}

impl Market {
    async fn sell(&self, count: usize) {
        let before = self.placed.load(Ordering::Relaxed);
        until("more is sold", async || self.placed.load(Ordering::Relaxed) >= before + count).await;
    }

    /// Time passes until whatever was begun has come to an end, and what nobody let go has run out.
    async fn settle(&self, shop: &Shop, bought: &Bought) {
        let mut open = bought.carts.clone();
        until("all checkouts have come to an end", async || {
            shop.wait(Duration::from_secs(31));
            let mut left = Vec::new();
            for cart in open.drain(..) {
                if self.status(cart).await == "checking_out" {
                    left.push(cart);
                }
            }
            open = left;
            open.is_empty()
        })
        .await;
        let skus: Vec<_> = (PLENTY..=RARE_SKUS).map(sku_of).collect();
        until("nothing is reserved", async || {
            shop.wait(Duration::from_secs(31));
            let levels = self.process.ledger.levels(&skus).await.expect("it answers");
            levels.iter().all(|level| level.reserved == 0)
        })
        .await;
        until("all money is settled", async || {
            shop.wait(Duration::from_secs(31));
            orders(&self.process).await.iter().all(Order::is_settled)
        })
        .await;
    }

    async fn status(&self, cart: CartId) -> String {
        let reply = self.process.carts.look_at(cart).await.expect("the cart is there");
        let cart: Value = serde_json::from_slice(&reply.body).expect("JSON");
        cart["status"].as_str().expect("a status").to_owned()
    }

    async fn check(&self, shop: &Shop, bought: &Bought) {
        let all: BTreeMap<CartId, Order> =
            orders(&self.process).await.into_iter().map(|order| (order.cart, order)).collect();
        for acknowledged in &bought.acknowledged {
            assert_eq!(all.get(&acknowledged.cart), Some(acknowledged), "it was acknowledged");
        }
        let mut sold: BTreeMap<_, u64> = BTreeMap::new();
        let mut numbers = BTreeSet::new();
        for order in all.values() {
            let (total, books) = (order.totals().total, &shop.books);
            let is_placed = order.status == OrderStatus::Placed;
            assert!(is_placed || order.status == OrderStatus::Abandoned, "{order:?}");
            assert_eq!(books.held(order.id), if is_placed { total } else { 0 }, "{}", order.id);
            // Of several that were authorized all but one were let go again.
            let voided = books.done(order.id, OperationKind::Void).1;
            let living = books.authorizations(order.id) - voided;
            assert_eq!(living, usize::from(is_placed), "{order:#?}");
            assert_eq!(books.taken(order.id), 0, "{}", order.id);
            if is_placed {
                assert!(numbers.insert(order.number), "its number is somebody else's too");
                for line in &order.lines {
                    *sold.entry(line.sku.clone()).or_default() += u64::from(line.quantity);
                }
            }
        }
        for cart in &bought.carts {
            let order = all.get(cart).expect("every cart was bought or given up");
            let is_placed = order.status == OrderStatus::Placed;
            let status = if is_placed { "ordered" } else { "open" };
            assert_eq!(self.status(*cart).await, status, "{cart}");
            assert!(is_placed || bought.given_up.contains(cart), "{cart} was not given up");
        }
        assert_eq!(all.len(), bought.carts.len(), "a cart has one order");
        for sku in (PLENTY..=RARE_SKUS).map(sku_of) {
            let levels = self.process.ledger.levels(std::slice::from_ref(&sku)).await;
            let level = &levels.expect("it answers")[0];
            let sold = sold.get(&sku).copied().unwrap_or_default();
            assert_eq!((level.reserved, level.allocated), (0, sold), "{sku}");
            assert!(sold <= level.on_hand, "I7: {sku}");
        }
    }
}

/// The primary is killed, and the standby takes its place.
async fn replace(pair: PostgresPair) -> PostgresPair {
    let replaced = tokio::task::spawn_blocking(move || {
        pair.primary.process().signal(Signal::KILL)?;
        pair.promote().map(|()| pair)
    });
    replaced.await.unwrap().expect("the standby is promoted")
}

/// While everybody buys; then it is over.
async fn replace_twice(market: &Market, pair: PostgresPair) -> PostgresPair {
    market.sell(ORDERS_BETWEEN).await;
    let pair = replace(pair).await;
    market.sell(ORDERS_BETWEEN).await;
    let joined = tokio::task::spawn_blocking(|| pair.rejoin(Sync::Memory)).await.unwrap();
    let pair = joined.expect("a new standby follows");
    market.sell(ORDERS_BETWEEN).await;
    let pair = replace(pair).await;
    market.sell(ORDERS_BETWEEN).await;
    market.is_over.store(true, Ordering::Relaxed);
    pair
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checkouts_outlive_two_primaries_of_postgres() {
    let Some(pair) = or_skip("Postgres with a standby", PostgresPair::start(Sync::Memory)) else {
        return;
    };
    let shop = Shop::new();
    let market = start(&shop, &pair.url()).await;
    let _desk = market.process.desk();
    sweep(&market.process.ledger, shop.clock.clone());
    let buyers = (1..=BUYERS).map(|session| {
        let owner = Owner::Session(SessionId(session.into()));
        Buyer { market: &market, owner, requests: 0 }.run()
    });
    let (left, _pair) =
        tokio::join!(futures::future::join_all(buyers), replace_twice(&market, pair));
    let mut bought = Bought::default();
    for left in left {
        bought.carts.extend(left.carts);
        bought.acknowledged.extend(left.acknowledged);
        bought.given_up.extend(left.given_up);
    }
    market.settle(&shop, &bought).await;
    market.check(&shop, &bought).await;
    let (short, repeated) = (&market.short, &market.repeated);
    assert!(short.load(Ordering::Relaxed) > 0, "there was enough for all");
    assert!(!bought.given_up.is_empty(), "nobody gave up");
    println!(
        "{} carts, {} orders, {short:?} came too late, {repeated:?} were told to come again",
        bought.carts.len(),
        bought.acknowledged.len(),
    );
}
