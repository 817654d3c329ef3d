//! Shoppers who go on whatever happens to the shop: what was not acknowledged they repeat under
//! the same key, and in the end they compare what they were told with what is there.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::json;

use crate::support::client::{Call, Client, Reply, list, number, text};
use crate::support::goods::{BULK, bulk_sku};

const PAUSE: Duration = Duration::from_millis(10);

/// Whoever is not answered for so long gives up, and the test with him.
const PATIENCE: Duration = Duration::from_secs(40);

/// An add that was acknowledged: when it was first sent, and when the answer came.
#[derive(Debug, Clone, Copy)]
struct Acknowledged {
    sent: Instant,
    told: Instant,
}

/// Somebody with a cart.
struct Shopper {
    client: Client,
    path: String,
    adds: Mutex<HashMap<usize, Acknowledged>>,
}

/// Several of them, at work until they are told to stop.
pub struct Shoppers {
    shoppers: Vec<Arc<Shopper>>,
    tasks: tokio::task::JoinSet<()>,
    over: Arc<AtomicBool>,
    refused: Arc<AtomicUsize>,
}

impl Shoppers {
    /// Sets so many of them upon a shop.
    pub async fn enter(url: &str, count: usize) -> Shoppers {
        let (over, refused) = (Arc::default(), Arc::default());
        let mut all = Shoppers { shoppers: vec![], tasks: Default::default(), over, refused };
        for _ in 0..count {
            let client = Client::of(url).guest().await;
            let path = client.cart().await.path;
            let shopper = Arc::new(Shopper { client, path, adds: Mutex::default() });
            let (over, refused) = (Arc::clone(&all.over), Arc::clone(&all.refused));
            all.tasks.spawn(Arc::clone(&shopper).add_on(over, refused));
            all.shoppers.push(shopper);
        }
        all
    }

    /// Adds that were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.shoppers.iter().map(|shopper| shopper.adds.lock().len()).sum()
    }

    /// Answers that told a shopper to come back.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    /// Adds that were sent after that moment, and acknowledged.
    pub fn acknowledged_since(&self, moment: Instant) -> usize {
        let of = |shopper: &Arc<Shopper>| {
            shopper.adds.lock().values().filter(|add| add.sent > moment).count()
        };
        self.shoppers.iter().map(of).sum()
    }

    /// How long after `moment` the first shopper was acknowledged anything that was sent since,
    /// and how long until all were.
    pub fn resumed(&self, moment: Instant) -> (Duration, Duration) {
        let first = |shopper: &Arc<Shopper>| {
            let adds = shopper.adds.lock();
            let later = adds.values().filter(|add| add.sent > moment);
            later.map(|add| add.told - moment).min().expect("everybody was acknowledged something")
        };
        let firsts: Vec<Duration> = self.shoppers.iter().map(first).collect();
        let fold = |pick: fn(Duration, Duration) -> Duration| {
            firsts.iter().copied().reduce(pick).expect("there are shoppers")
        };
        (fold(Duration::min), fold(Duration::max))
    }

    /// Lets them finish what they are at, and compares: everything acknowledged is there once,
    /// and nothing else.
    pub async fn leave(mut self) {
        self.over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("a shopper saw something that must not be");
        }
        for shopper in &self.shoppers {
            let cart = shopper.client.read(&shopper.path).await;
            let units: HashMap<&str, i64> = list(&cart["lines"])
                .iter()
                .map(|line| (text(&line["sku"]), number(&line["quantity"])))
                .collect();
            let adds = shopper.adds.lock();
            assert_eq!(units.len(), adds.len(), "{cart:#}");
            for sku in adds.keys().map(|sku| bulk_sku(*sku)) {
                assert_eq!(units.get(&*sku), Some(&1), "{sku} in {cart:#}");
            }
        }
    }
}

impl Shopper {
    async fn add_on(self: Arc<Shopper>, over: Arc<AtomicBool>, refused: Arc<AtomicUsize>) {
        for sku in 0..BULK {
            if over.load(Ordering::Relaxed) {
                return;
            }
            let sent = Instant::now();
            loop {
                let body = json!({"sku": bulk_sku(sku), "quantity": 1});
                let call = self.client.post(&format!("{}/lines", self.path), body);
                let key = format!("{}-{sku}", self.path.rsplit('/').next().unwrap_or_default());
                if is_done(call.header("prefer", "return=minimal").key(&key)).await {
                    break;
                }
                refused.fetch_add(1, Ordering::Relaxed);
                assert!(sent.elapsed() < PATIENCE, "{sku} was never taken");
                tokio::time::sleep(PAUSE * 5).await;
            }
            self.adds.lock().insert(sku, Acknowledged { sent, told: Instant::now() });
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Whether it was acknowledged. Whoever is told to come back is told when.
async fn is_done(call: Call) -> bool {
    let reply = call.send_unchecked().await;
    match reply.status {
        200 => true,
        429 | 503 => {
            tells_when_to_come_back(&reply);
            false
        }
        _ => panic!("{reply:#?}"),
    }
}

/// A refusal that passes is a whole problem, and says when to ask again.
pub fn tells_when_to_come_back(reply: &Reply) {
    let wait = reply.header("retry-after").parse::<u64>();
    assert!(wait.is_ok_and(|seconds| (1..=60).contains(&seconds)), "{reply:#?}");
    assert_eq!(reply.header("content-type"), "application/problem+json", "{reply:#?}");
    assert_eq!(reply.json()["status"], reply.status, "{reply:#?}");
}
