//! Six hundred who buy the last hundred units of a SKU, from a full cart to an order; ten thousand
//! with `./dev test --long`. Each sends its request up to three times at once, some give up waiting
//! or pay with a card that is refused, and the process ends twice in the midst of it.
//!
//! Everyday's crowd of ten thousand is in `rush`, where nobody has a cart.

use std::collections::BTreeSet;
use std::time::Duration;

use barrow_actors::checkout::{CheckoutError, Progress};
use barrow_engine::cart::order_of;
use barrow_engine::ids::{CartId, OrderId};
use barrow_engine::orders::{Order, OrderStatus};
use barrow_engine::ports::OrderQuery;
use barrow_engine::time::Timestamp;
use barrow_tests::host::SeededEntropy;
use futures::StreamExt;
use tokio::sync::{mpsc, watch};

use super::crashes::runtime;
use super::fuse::Fuse;
use super::rush::shuffle;
use super::shop::{BUYER, Process, Shop, ask};
use crate::support::{times, until};

const UNITS: u64 = 100;
const SKU: u32 = 1;
const SEED: u64 = 7_919;

/// Requests under way at once.
const AT_ONCE: usize = 150;

/// What a buyer was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Nothing,
    /// Another of their own requests has ended the try: they ask again.
    GivenUp,
    Declined,
    /// That there is none left.
    Short,
    Placed,
}

struct Buyer {
    cart: CartId,
    method: &'static str,
    told: Told,
    /// Some request of theirs was never answered, or not with an end: it may still have had one.
    is_owed: bool,
    has_left: bool,
}

struct Sale {
    shop: Shop,
    draws: SeededEntropy,
    buyers: Vec<Buyer>,
    /// What each cart costs.
    total: i64,
}

/// A request: whose it is, and how many others may have their answer before nobody waits for it.
type Request = (usize, Option<usize>);

/// What an answer says, if it is an end.
fn told(answer: &Result<Progress, CheckoutError>) -> Told {
    match answer {
        Ok(Progress::Placed { .. }) => Told::Placed,
        Ok(Progress::Declined { .. }) => Told::Declined,
        Ok(Progress::Short(shortages)) => {
            assert_eq!((shortages.len(), shortages[0].requested), (1, 1), "{shortages:?}");
            Told::Short
        }
        Ok(Progress::GivenUp(_)) => Told::GivenUp,
        Ok(Progress::Pending(_)) | Err(_) => Told::Nothing,
    }
}

impl Sale {
    /// Each buyer has one unit in a cart.
    async fn open(shop: Shop, process: &Process) -> Sale {
        process.stock(SKU, i64::try_from(UNITS).expect("a few")).await;
        let carts = futures::stream::iter(1..=times(600, 10_000) as u128);
        let carts = carts.map(async |id| process.full_cart(id, &[(SKU, 1)]).await);
        let carts: Vec<CartId> = carts.buffered(16).collect().await;
        let cart = process.cart(carts[0]).await;
        let draws = SeededEntropy::new(SEED);
        let method = |draws: &SeededEntropy| match draws.below(20) {
            0 | 1 => "declined",
            2 => "ambiguous",
            _ => "ok",
        };
        let buyer = |cart| {
            let (told, is_owed, has_left) = (Told::Nothing, false, false);
            Buyer { cart, method: method(&draws), told, is_owed, has_left }
        };
        Sale {
            buyers: carts.into_iter().map(buyer).collect(),
            total: cart["totals"]["total"]["amount"].as_i64().expect("a total"),
            shop,
            draws,
        }
    }

    /// Who still wants to know.
    fn waiting(&self) -> Vec<usize> {
        let wants = |buyer: &Buyer| buyer.told <= Told::GivenUp && !buyer.has_left;
        (0..self.buyers.len()).filter(|buyer| wants(&self.buyers[*buyer])).collect()
    }

    fn requests(&self) -> Vec<Request> {
        let mut requests = Vec::new();
        for buyer in self.waiting() {
            for _ in 0..=self.draws.below(3) {
                let patience = self.draws.chance(15).then(|| self.draws.below(200) as usize);
                requests.push((buyer, patience));
            }
        }
        shuffle(&mut requests, &self.draws);
        requests
    }

    /// All who still want to know ask, until the process ends; whether it did.
    async fn rush(&mut self, process: &Process, fuse: &Fuse) -> bool {
        let requests = self.requests();
        let (tell, mut answers) = mpsc::unbounded_channel();
        let (answered, buyers, total) = (watch::Sender::new(0_usize), &self.buyers, self.total);
        let all = futures::stream::iter(requests).for_each_concurrent(AT_ONCE, |request| {
            let (buyer, patience) = request;
            let Buyer { cart, method, .. } = buyers[buyer];
            let mut others = answered.subscribe();
            let (tell, answered) = (tell.clone(), &answered);
            async move {
                tell.send((buyer, None)).expect("it is looked at below");
                let patience = patience.map(|more| more + *others.borrow());
                tokio::select! {
                    biased;
                    answer = process.checkouts.checkout(cart, BUYER, ask(method, total)) => {
                        answered.send_modify(|answered| *answered += 1);
                        tell.send((buyer, Some(told(&answer)))).expect("it is looked at below");
                    }
                    _ = others.wait_for(|seen| patience.is_some_and(|most| *seen >= most)) => {}
                }
            }
        });
        let has_ended = tokio::select! {
            () = all => false,
            () = fuse.blown() => true,
        };
        drop(tell);
        let mut unanswered = vec![0_usize; self.buyers.len()];
        while let Some((buyer, told)) = answers.recv().await {
            let Some(told) = told else {
                unanswered[buyer] += 1;
                continue;
            };
            unanswered[buyer] -= usize::from(told != Told::Nothing);
            let known = &mut self.buyers[buyer].told;
            *known = told.max(*known);
        }
        for (buyer, unanswered) in self.buyers.iter_mut().zip(unanswered) {
            buyer.is_owed |= unanswered > 0;
        }
        has_ended
    }

    /// A process that ends in the midst of it.
    fn crash(&mut self, blows_at: usize) {
        let runtime = runtime();
        let has_ended = runtime.block_on(async {
            let fuse = Fuse::new(blows_at);
            let process = self.shop.start_until(&fuse).await;
            self.rush(&process, &fuse).await
        });
        assert!(has_ended, "all were served within {blows_at} moments");
        runtime.shutdown_background();
        for buyer in &mut self.buyers {
            buyer.has_left |= buyer.told <= Told::GivenUp && self.draws.chance(15);
        }
    }

    /// Everybody asks until they are told, and what others left behind comes to an end.
    async fn settle(&mut self, process: &Process) {
        self.rush(process, &Fuse::new(usize::MAX)).await;
        let deadline = tokio::time::Instant::now() + barrow_tests::server::PATIENCE;
        while !self.waiting().is_empty() {
            assert!(tokio::time::Instant::now() < deadline, "some are never told");
            // The answer to an ambiguous payment is known by then.
            self.shop.wait(Duration::from_secs(2));
            self.rush(process, &Fuse::new(usize::MAX)).await;
        }
        let mut open: Vec<CartId> = self.buyers.iter().map(|buyer| buyer.cart).collect();
        until("all checkouts have come to an end", async || {
            self.shop.wait(Duration::from_secs(31));
            let mut left = Vec::new();
            for cart in open.drain(..) {
                if process.status(cart).await == "checking_out" {
                    left.push(cart);
                }
            }
            open = left;
            open.is_empty()
        })
        .await;
        until("nothing is reserved", async || {
            self.shop.wait(Duration::from_secs(31));
            process.level(SKU).await.reserved == 0
        })
        .await;
    }

    /// What each buyer was told is so, and nobody pays for nothing; how many have a unit.
    async fn check(&self, process: &Process) -> u64 {
        let mut sold = 0;
        for buyer in &self.buyers {
            let order = process.order(buyer.cart).await;
            let is_placed = order.as_ref().is_some_and(|it| it.status == OrderStatus::Placed);
            let (id, told) = (order_of(buyer.cart), buyer.told);
            assert!(is_placed || told != Told::Placed, "{id} is told of an order");
            if !buyer.is_owed {
                assert_eq!(is_placed, told == Told::Placed, "{id} is told {told:?}");
            }
            let status = if is_placed { "ordered" } else { "open" };
            assert_eq!(process.status(buyer.cart).await, status, "{id}");
            let books = &self.shop.books;
            assert_eq!(books.held(id), if is_placed { self.total } else { 0 }, "{id}");
            assert!(books.authorizations(id) <= 1, "{id} is asked for money twice");
            sold += u64::from(is_placed);
        }
        let level = process.level(SKU).await;
        assert_eq!((level.on_hand, level.reserved, level.allocated), (UNITS, 0, sold));
        sold
    }

    /// Those who were too late come back: what others had and let go is theirs.
    async fn sell_the_rest(&mut self, process: &Process) {
        for buyer in &mut self.buyers {
            let is_late = buyer.told == Told::Short && buyer.method == "ok";
            if !is_late || process.status(buyer.cart).await != "open" {
                continue;
            }
            let left = process.level(SKU).await.available();
            let answer = process.buy(buyer.cart, "ok").await;
            let expected = if left > 0 { Told::Placed } else { Told::Short };
            assert_eq!(told(&answer), expected, "{left} are left: {answer:?}");
            buyer.told = expected;
            if left == 0 {
                return;
            }
        }
        panic!("fewer wanted one than there were");
    }
}

/// All orders that are listed.
pub async fn orders(process: &Process) -> Vec<Order> {
    let mut orders: Vec<Order> = Vec::new();
    loop {
        let after: Option<(Timestamp, OrderId)> =
            orders.last().map(|last| (last.created_at, last.id));
        let query = OrderQuery { after, limit: 100, ..OrderQuery::default() };
        let page = process.orders.list(&query).await.expect("the store answers");
        if page.is_empty() {
            return orders;
        }
        orders.extend(page);
    }
}

#[test]
fn a_flash_sale_sells_what_there_is_and_tells_all_others() {
    let shop = Shop::new();
    let mut sale = runtime().block_on(async {
        let process = shop.start().await;
        Sale::open(shop, &process).await
    });
    // A checkout that is placed passes a dozen moments, one that is too late half of them.
    for moments in [300, 400] {
        let blows_at = moments + sale.draws.below(300) as usize;
        sale.crash(blows_at);
    }
    runtime().block_on(async {
        let process = sale.shop.start().await;
        sale.settle(&process).await;
        let sold = sale.check(&process).await;
        assert!(sold <= UNITS, "{sold} of {UNITS} are sold");
        let settled = sale.buyers.iter().filter(|buyer| !buyer.is_owed).count();
        assert!(settled > sale.buyers.len() / 4, "hardly anybody had all answers: {settled}");
        sale.sell_the_rest(&process).await;
        assert_eq!(sale.check(&process).await, UNITS);
        let orders = orders(&process).await;
        let carts: BTreeSet<u128> = orders.iter().map(|order| order.cart.0).collect();
        assert_eq!(carts.len(), orders.len(), "a cart has one order");
        let numbers: BTreeSet<_> = orders.iter().filter_map(|order| order.number).collect();
        assert_eq!(numbers.len() as u64, UNITS, "each placed order has a number of its own");
    });
}
