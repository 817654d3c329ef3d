//! Shoppers at the doors of all nodes. Each keeps to one node until that one does not answer, and
//! goes on at the next; what was not acknowledged is repeated under the same key. Each looks at
//! its cart through another node than the one that took the change, and somebody else looks at it
//! all the while through every node: whoever asks sees whatever was acknowledged before.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::fleet::{Doors, NODES};
use super::log::{Acknowledged, Failed, Log};
use crate::servers::shoppers::tells_when_to_come_back;
use crate::support::client::{Call, Client, Reply, list, number, text};
use crate::support::goods::{BULK, bulk_sku};

/// So many lines, and a shopper takes another cart.
const LINES_MAX: usize = 60;

/// A change that is not answered for so long is sent to another node.
const ANSWER_MAX: Duration = Duration::from_secs(4);

/// A read is waited for longer than any node sleeps: what it says when it wakes has to be true.
const READ_MAX: Duration = Duration::from_secs(20);

/// Whoever is refused comes back after this; the header says a second or more.
const REFUSED_PAUSE: Duration = Duration::from_millis(50);

/// Whoever is not answered by any node for so long gives up, and the test with him.
const PATIENCE: Duration = Duration::from_secs(40);

/// How often a shopper comes, and how often somebody looks at his cart.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub adds: Duration,
    pub looks: Duration,
}

/// A cart as it was acknowledged.
#[derive(Debug, Clone)]
struct Tale {
    path: String,
    /// Lines of one unit each, beginning with the SKU of that number.
    first: usize,
    lines: usize,
    version: u64,
}

/// Somebody with a cart.
struct Shopper {
    client: Client,
    doors: Arc<Doors>,
    /// The node that answered last.
    home: AtomicUsize,
    /// The last of them is at hand.
    tales: Mutex<Vec<Tale>>,
    log: Arc<Log>,
}

/// Several of them, at work until they are told to stop.
pub struct Crowd {
    shoppers: Vec<Arc<Shopper>>,
    tasks: tokio::task::JoinSet<()>,
    over: CancellationToken,
    pub log: Arc<Log>,
}

impl Crowd {
    pub async fn enter(doors: &Arc<Doors>, count: usize, pace: Pace) -> Crowd {
        let (over, log) = (CancellationToken::new(), Arc::new(Log::default()));
        let mut tasks = tokio::task::JoinSet::new();
        let mut shoppers = Vec::new();
        let visitor = Client::of(&doors.url(0));
        for number in 0..count {
            let client = visitor.guest().await;
            let shopper = Arc::new(Shopper {
                client,
                doors: Arc::clone(doors),
                home: AtomicUsize::new(number % NODES),
                tales: Mutex::default(),
                log: Arc::clone(&log),
            });
            shopper.take_a_cart(number * 7).await;
            tasks.spawn(Arc::clone(&shopper).add_on(pace.adds, over.clone()));
            tasks.spawn(Arc::clone(&shopper).look_on(number, pace.looks, over.clone()));
            shoppers.push(shopper);
        }
        Crowd { shoppers, tasks, over, log }
    }

    /// The carts at hand.
    pub fn carts(&self) -> Vec<String> {
        self.shoppers.iter().map(|shopper| shopper.at_hand().path).collect()
    }

    /// Panics if one of them saw what must not be.
    pub fn is_content(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            ended.expect("a shopper saw something that must not be");
        }
    }

    /// Lets them finish what they are at. Then every cart is as it was acknowledged, through
    /// whichever node.
    pub async fn stop(&mut self) {
        self.over.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("a shopper saw something that must not be");
        }
        self.compare().await;
    }

    /// Compares every cart with what was acknowledged: those at hand through every node, those of
    /// before through one.
    pub async fn compare(&self) {
        for shopper in &self.shoppers {
            let tales = shopper.tales.lock().clone();
            let (at_hand, before) = tales.split_last().expect("everybody has a cart");
            for (place, tale) in before.iter().enumerate() {
                shopper.compare(tale, place % NODES).await;
            }
            for node in 0..NODES {
                shopper.compare(at_hand, node).await;
            }
        }
    }
}

impl Shopper {
    fn at_hand(&self) -> Tale {
        self.tales.lock().last().expect("everybody has a cart").clone()
    }

    async fn take_a_cart(&self, first: usize) {
        let (owner, count) = (self.client.token.as_deref().unwrap(), self.tales.lock().len());
        let key = format!("{}-{count}", &owner[owner.len() - 20..]);
        let (reply, _) =
            self.change("", |client| client.post("/v1/carts", json!({})).key(&key)).await;
        let path = format!("/v1/carts/{}", text(&reply.is(201).json()["id"]));
        self.tales.lock().push(Tale { path, first, lines: 0, version: 0 });
    }

    async fn add_on(self: Arc<Shopper>, pace: Duration, over: CancellationToken) {
        while !over.is_cancelled() {
            let tale = self.at_hand();
            if tale.lines == LINES_MAX {
                self.take_a_cart(tale.first + LINES_MAX).await;
                continue;
            }
            let sku = bulk_sku((tale.first + tale.lines) % BULK);
            let (path, key) = (format!("{}/lines", tale.path), format!("{}-{sku}", tale.path));
            let key = key.rsplit('/').next().unwrap_or_default();
            let body = json!({"sku": sku, "quantity": 1});
            let add = |client: &Client| {
                let call = client.post(&path, body.clone()).header("prefer", "return=minimal");
                call.key(key)
            };
            let (reply, acknowledged) = self.change(&tale.path, add).await;
            let version = reply.is(200).version();
            let done = Tale { lines: tale.lines + 1, version, ..tale };
            let (node, count) = (acknowledged.node, done.lines);
            self.log.acknowledged(acknowledged);
            *self.tales.lock().last_mut().expect("there is one") = done.clone();
            self.compare(&done, node + 1 + count % (NODES - 1)).await;
            let _ = tokio::time::timeout(pace, over.cancelled()).await;
        }
    }

    /// Looks through one node after the other: whatever was acknowledged before it asked is
    /// there, and what was seen once does not go.
    async fn look_on(self: Arc<Shopper>, number: usize, pace: Duration, over: CancellationToken) {
        let mut seen = HashMap::<String, u64>::new();
        for count in number.. {
            if over.is_cancelled() {
                return;
            }
            let tale = self.at_hand();
            let client = self.client_of(count % NODES);
            let look = client.get(&tale.path).try_send();
            if let Ok(Some(reply)) = tokio::time::timeout(READ_MAX, look).await
                && !is_refusal(&reply)
            {
                let cart = reply.is(200).json();
                let (version, lines) = (number_of(&cart["version"]), list(&cart["lines"]).len());
                let former = seen.insert(tale.path.clone(), version).unwrap_or(0);
                let is_true = version >= tale.version.max(former) && lines >= tale.lines;
                assert!(is_true, "stale: {tale:?}, seen at {former} before: {cart:#}");
                self.log.looked();
            }
            let _ = tokio::time::timeout(pace, over.cancelled()).await;
        }
    }

    fn client_of(&self, node: usize) -> Client {
        self.client.at(&self.doors.url(node % NODES))
    }

    /// Sends a change until it is answered: to the node that answered last, then to the others.
    async fn change(&self, cart: &str, make: impl Fn(&Client) -> Call) -> (Reply, Acknowledged) {
        let home = self.home.load(Ordering::Relaxed);
        let (reply, acknowledged) = self.ask(cart, home, ANSWER_MAX, make).await;
        self.home.store(acknowledged.node, Ordering::Relaxed);
        (reply, acknowledged)
    }

    /// Asks a node, and the next one when it does not answer or refuses, until one does.
    async fn ask(
        &self,
        cart: &str,
        first: usize,
        patience: Duration,
        make: impl Fn(&Client) -> Call,
    ) -> (Reply, Acknowledged) {
        let sent = Instant::now();
        for attempt in 0.. {
            let node = (first + attempt) % NODES;
            let asked = Instant::now();
            let answer = make(&self.client_of(node)).try_send();
            let why = match tokio::time::timeout(patience, answer).await {
                Ok(Some(reply)) if is_refusal(&reply) => {
                    tokio::time::sleep(REFUSED_PAUSE).await;
                    let problem = reply.json();
                    format!("{} {}: {}", reply.status, text(&problem["code"]), problem["detail"])
                }
                Ok(Some(reply)) => {
                    let (cart, told) = (cart.to_owned(), Instant::now());
                    let failures = attempt;
                    return (reply, Acknowledged { cart, sent, asked, told, node, failures });
                }
                Ok(None) => "the connection was lost".to_owned(),
                Err(_) => "no answer came".to_owned(),
            };
            let failed = Failed { cart: cart.to_owned(), asked, node, why };
            assert!(sent.elapsed() < PATIENCE, "nobody answers: {failed:?}");
            self.log.failed(failed);
        }
        unreachable!("somebody answers, or the patience ends")
    }

    /// While nobody changes a cart it is as it was acknowledged, through whichever node.
    async fn compare(&self, tale: &Tale, node: usize) {
        let read = |client: &Client| client.get(&tale.path);
        let (reply, _) = self.ask("", node, READ_MAX, read).await;
        let cart = reply.is(200).json();
        assert!(number_of(&cart["version"]) >= tale.version, "stale: {tale:?}: {cart:#}");
        let found: HashMap<&str, u64> = list(&cart["lines"])
            .iter()
            .map(|line| (text(&line["sku"]), number_of(&line["quantity"])))
            .collect();
        let told: HashMap<String, u64> =
            (0..tale.lines).map(|line| (bulk_sku((tale.first + line) % BULK), 1)).collect();
        let is_same = found.len() == told.len()
            && found.iter().all(|(sku, units)| told.get(*sku) == Some(units));
        assert!(is_same, "{tale:?} and {found:?}");
    }
}

/// Told to come back; whoever is, is told when.
fn is_refusal(reply: &Reply) -> bool {
    let is_refusal = matches!(reply.status, 429 | 503);
    if is_refusal {
        tells_when_to_come_back(reply);
    }
    is_refusal
}

fn number_of(value: &Value) -> u64 {
    u64::try_from(number(value)).unwrap()
}
