//! Ten thousand buyers who reserve the last hundred units of a SKU, each up to three times at
//! once, while some give up waiting and the process ends twice.
//!
//! They ask [`Stock`] directly: ten thousand full carts take too long for every day. Whole
//! checkouts are what `flash_sale` is about.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use barrow_actors::stock::{Stock, StockError};
use barrow_engine::ids::OrderId;
use barrow_engine::inventory::{Held, Wish};
use barrow_engine::ports::{Clock, StockLedger};
use barrow_engine::time::Timestamp;
use barrow_tests::host::SeededEntropy;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;

use super::crashes::runtime;
use super::fuse::{Fuse, Fused};
use super::shop::{Process, Shop, sku_of};

const BUYERS: usize = 10_000;
const UNITS: u64 = 100;
const SKU: u32 = 1;
const SEED: u64 = 1_013;

/// How long a reservation lasts, and one that its holder has renewed.
const RESERVED: Duration = Duration::from_secs(60);
const RENEWED: Duration = Duration::from_secs(600);

/// How often somebody asks again who was told to.
const ROUNDS_MAX: usize = 20;

/// In the order of a seed.
pub fn shuffle<T>(all: &mut [T], draws: &SeededEntropy) {
    for last in (1..all.len()).rev() {
        all.swap(last, draws.below(last as u64 + 1) as usize);
    }
}

/// What a buyer knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Nothing, or that they are to come again.
    Nothing,
    Holds,
    TooLate,
    /// They have given up, and do not want to know.
    Left,
}

struct Crowd {
    draws: SeededEntropy,
    known: Vec<Known>,
    /// How many were told that too many want this now.
    overloads: usize,
}

fn order(buyer: usize) -> OrderId {
    OrderId(buyer as u128 + 1)
}

fn wish(buyer: usize, expires_at: Timestamp) -> Wish {
    Wish { order: order(buyer), quantity: 1, expires_at }
}

/// Asks; nothing where nobody waits for the answer any more, since `patience` others have theirs.
async fn ask(
    stock: &Stock,
    wish: Wish,
    patience: Option<usize>,
    answers: &watch::Sender<usize>,
) -> Option<Result<Held, StockError>> {
    let sku = sku_of(SKU);
    let asked = stock.reserve(&sku, Some(0), wish);
    let answer = match patience {
        None => asked.await,
        Some(patience) => {
            let mut others = answers.subscribe();
            tokio::select! {
                biased;
                answer = asked => answer,
                _ = others.wait_for(|answers| *answers >= patience) => return None,
            }
        }
    };
    answers.send_modify(|answers| *answers += 1);
    Some(answer)
}

impl Crowd {
    /// All who know nothing yet ask at once, up to three times each, one in ten without patience.
    async fn ask(&mut self, stock: &Stock, expires_at: Timestamp, fuse: &Fuse) -> bool {
        let mut requests = Vec::new();
        for buyer in (0..BUYERS).filter(|buyer| self.known[*buyer] == Known::Nothing) {
            for _ in 0..=self.draws.below(3) {
                let patience = self.draws.chance(10).then(|| self.draws.below(2_000) as usize);
                requests.push((buyer, patience));
            }
        }
        shuffle(&mut requests, &self.draws);
        let answers = watch::Sender::new(0);
        let mut asked: FuturesUnordered<_> = requests
            .into_iter()
            .map(|(buyer, patience)| {
                let asked = ask(stock, wish(buyer, expires_at), patience, &answers);
                async move { (buyer, asked.await) }
            })
            .collect();
        loop {
            // All have asked before anybody looks whether the process is still there.
            let answer = tokio::select! {
                biased;
                answer = tokio::task::unconstrained(asked.next()) => answer,
                () = fuse.blown() => return true,
            };
            let Some((buyer, answer)) = answer else { return false };
            self.learn(buyer, answer);
        }
    }

    fn learn(&mut self, buyer: usize, answer: Option<Result<Held, StockError>>) {
        let known = &mut self.known[buyer];
        match answer {
            None => {}
            Some(Ok(Held::All)) => {
                assert_ne!(*known, Known::TooLate, "{buyer} was told otherwise");
                *known = Known::Holds;
            }
            Some(Ok(Held::Short { available })) => {
                assert_ne!(*known, Known::Holds, "{buyer} was told otherwise");
                assert_eq!(available, 0, "there are units that {buyer} does not get");
                *known = Known::TooLate;
            }
            Some(Err(StockError::Overloaded)) => self.overloads += 1,
            Some(Err(StockError::Ledger(error))) => panic!("{buyer}: {error}"),
        }
    }

    fn who(&self, known: Known) -> Vec<usize> {
        (0..BUYERS).filter(|buyer| self.known[*buyer] == known).collect()
    }

    /// Some of those who know nothing do not come back.
    fn lose_some(&mut self) {
        for known in &mut self.known {
            if *known == Known::Nothing && self.draws.chance(5) {
                *known = Known::Left;
            }
        }
    }

    /// One process, which ends where the fuse blows; whether it did.
    fn rush(&mut self, shop: &Shop, fuse: &Arc<Fuse>) -> bool {
        let runtime = runtime();
        let has_ended = runtime.block_on(async {
            let process = shop.start().await;
            let stock = fused(&process, fuse);
            self.ask(&stock, shop.clock.now().plus(RESERVED), fuse).await
        });
        runtime.shutdown_background();
        has_ended
    }
}

fn fused(process: &Process, fuse: &Arc<Fuse>) -> Stock {
    let (inner, fuse) = (Arc::clone(&process.ledger), Arc::clone(fuse));
    Stock::start(Arc::new(Fused::<dyn StockLedger> { inner, fuse }))
}

#[test]
fn ten_thousand_who_want_a_hundred_units_hold_a_hundred() {
    let shop = Shop::new();
    let draws = SeededEntropy::new(SEED);
    let mut crowd = Crowd { draws, known: vec![Known::Nothing; BUYERS], overloads: 0 };
    runtime().block_on(async { shop.start().await.stock(SKU, UNITS as i64).await });
    // The first process ends with units that are reserved and that nobody was told of, the queue
    // behind them full; the second in the midst of answering.
    for blows_at in [1, 2 + crowd.draws.below(8) as usize] {
        assert!(crowd.rush(&shop, &Fuse::new(blows_at)), "it outlives {blows_at} moments");
        crowd.lose_some();
    }
    runtime().block_on(async {
        let process = shop.start().await;
        let fuse = Fuse::new(usize::MAX);
        let stock = fused(&process, &fuse);
        let mut rounds = 0;
        while !crowd.who(Known::Nothing).is_empty() {
            rounds += 1;
            assert!(rounds <= ROUNDS_MAX, "some are never told");
            crowd.ask(&stock, shop.clock.now().plus(RESERVED), &fuse).await;
        }
        assert!(crowd.overloads > 0, "whoever comes after a full queue is told so");
        let level = process.level(SKU).await;
        assert_eq!((level.on_hand, level.reserved, level.allocated), (UNITS, UNITS, 0));
        give_the_rest(&shop, &process, &stock, &crowd).await;
    });
}

/// What those hold who have left runs out, and others get it: never more than there is.
async fn give_the_rest(shop: &Shop, process: &Process, stock: &Stock, crowd: &Crowd) {
    let mut holders: BTreeSet<usize> = crowd.who(Known::Holds).into_iter().collect();
    assert!(holders.len() as u64 <= UNITS, "{} were told that they hold one", holders.len());
    let renewed = shop.clock.now().plus(RENEWED);
    for buyer in &holders {
        let held = stock.reserve(&sku_of(SKU), Some(0), wish(*buyer, renewed)).await;
        assert_eq!(held, Ok(Held::All), "{buyer} holds one");
    }
    shop.wait(RESERVED);
    while !process.ledger.expire(shop.clock.now(), 500).await.expect("it answers").is_empty() {}
    let told = holders.len() as u64;
    assert_eq!(process.level(SKU).await.reserved, told, "what nobody knew of has run out");
    for buyer in crowd.who(Known::TooLate) {
        match stock.reserve(&sku_of(SKU), Some(0), wish(buyer, renewed)).await {
            Ok(Held::All) => assert!(holders.insert(buyer)),
            held => {
                assert_eq!(held, Ok(Held::Short { available: 0 }));
                break;
            }
        }
    }
    assert_eq!(holders.len() as u64, UNITS, "each unit has one holder");
    let level = process.level(SKU).await;
    assert_eq!((level.on_hand, level.reserved, level.allocated), (UNITS, UNITS, 0));
}
