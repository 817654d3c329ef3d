//! Shoppers who keep to one door, whatever becomes of it: so it is told which node's carts fare
//! how through which node. What is refused or not answered is written down, and repeated there
//! under the same key until it is acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::fleet::{Doors, Fleet, NODES};
use super::log::{Durations, Span};
use crate::servers::shoppers::tells_when_to_come_back;
use crate::support::client::{Call, Client, list, number, text};
use crate::support::goods::bulk_sku;

/// So many lines has a full cart; what is added beyond adds to their quantities.
const LINES: usize = 40;

/// Whoever is refused comes back after this; the header says a second.
const REFUSED_PAUSE: Duration = Duration::from_millis(200);

/// Whoever is not served for so long gives up, and the test with him.
const PATIENCE: Duration = Duration::from_secs(50);

/// Whose carts are asked for through whom, by how many.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub owner: usize,
    pub door: usize,
    /// One shopper for each.
    pub carts: usize,
    pub pause: Duration,
}

/// What came of a request.
#[derive(Debug, Clone)]
struct Answer {
    asked: Instant,
    told: Instant,
    /// Else its status and code.
    refused: Option<String>,
}

/// How often what was refused.
pub type Refusals = BTreeMap<String, usize>;

/// Some carts of one node, changed and read through one.
pub struct Lane {
    pub plan: Plan,
    keepers: Vec<Arc<Keeper>>,
    tasks: tokio::task::JoinSet<()>,
}

/// Somebody with a cart.
struct Keeper {
    client: Client,
    doors: Arc<Doors>,
    door: usize,
    path: String,
    /// Changes that were acknowledged; each adds one unit.
    changes: AtomicUsize,
    answers: Mutex<Vec<Answer>>,
}

impl Lane {
    /// Opens the carts. Nobody asks for them yet.
    pub async fn open(fleet: &Fleet, plan: Plan) -> Lane {
        let (doors, view) = (fleet.doors(), fleet.view().await);
        // A new cart is put on the node that makes it.
        let client = Client::of(&doors.url(plan.owner)).guest().await;
        let mut keepers = Vec::new();
        for _ in 0..plan.carts {
            let path = client.cart().await.path;
            assert_eq!(fleet.owner(&path, &view), Some(plan.owner), "{path} in {view:?}");
            let (client, doors) = (client.clone(), Arc::clone(&doors));
            let (changes, answers) = (AtomicUsize::new(0), Mutex::default());
            let keeper = Keeper { client, doors, door: plan.door, path, changes, answers };
            keepers.push(Arc::new(keeper));
        }
        Lane { plan, keepers, tasks: tokio::task::JoinSet::new() }
    }

    /// Sets the shoppers to work, until it is over.
    pub fn begin(&mut self, over: &CancellationToken) {
        for keeper in &self.keepers {
            self.tasks.spawn(Arc::clone(keeper).keep_on(self.plan.pause, over.clone()));
        }
    }

    /// Panics if one of them saw what must not be.
    pub fn is_content(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            ended.expect("a shopper saw something that must not be");
        }
    }

    /// Waits until they have finished what they were at.
    pub async fn end(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("a shopper saw something that must not be");
        }
    }

    /// Each cart holds what was acknowledged, once, through whichever node.
    pub async fn compare(&self) {
        for keeper in &self.keepers {
            for node in 0..NODES {
                keeper.compare(node).await;
            }
        }
    }

    /// The fewest requests of one of its carts that were asked in that span and done.
    pub fn done_of_each(&self, span: Span) -> usize {
        let done = |keeper: &Arc<Keeper>| {
            let answers = keeper.answers.lock();
            answers.iter().filter(|one| span.has(one.asked) && one.refused.is_none()).count()
        };
        self.keepers.iter().map(done).min().unwrap_or(0)
    }

    /// How long those took that were asked in that span and done, each counted from when it was
    /// asked for the last time.
    pub fn took(&self, span: Span) -> Durations {
        let mut took = Vec::new();
        for keeper in &self.keepers {
            let answers = keeper.answers.lock();
            let done = answers.iter().filter(|one| span.has(one.asked) && one.refused.is_none());
            took.extend(done.map(|one| one.told - one.asked));
        }
        Durations::of(took)
    }

    /// What was refused or not answered in that span.
    pub fn refused(&self, span: Span) -> Refusals {
        let mut refusals = Refusals::new();
        for keeper in &self.keepers {
            for one in keeper.answers.lock().iter().filter(|one| span.has(one.asked)) {
                if let Some(refused) = &one.refused {
                    *refusals.entry(refused.clone()).or_default() += 1;
                }
            }
        }
        refusals
    }

    /// Changes that were acknowledged so far.
    pub fn changes(&self) -> usize {
        self.keepers.iter().map(|keeper| keeper.changes.load(Ordering::Relaxed)).sum()
    }

    /// Changes each cart once, through its door.
    pub async fn change_each(&self) {
        for keeper in &self.keepers {
            keeper.change().await;
        }
    }

    /// Reads each cart once, through its door.
    pub async fn read_each(&self) {
        for keeper in &self.keepers {
            keeper.read().await;
        }
    }
}

impl Keeper {
    fn client(&self) -> Client {
        self.client.at(&self.doors.url(self.door))
    }

    async fn keep_on(self: Arc<Keeper>, pause: Duration, over: CancellationToken) {
        while !over.is_cancelled() {
            self.change().await;
            self.read().await;
            let _ = tokio::time::timeout(pause, over.cancelled()).await;
        }
    }

    async fn change(&self) {
        let count = self.changes.load(Ordering::Relaxed);
        let (lines, key) = (format!("{}/lines", self.path), format!("change-{count:012}"));
        let body = json!({"sku": bulk_sku(count % LINES), "quantity": 1});
        let began = Instant::now();
        let add = |client: Client| {
            client.post(&lines, body.clone()).header("prefer", "return=minimal").key(&key)
        };
        while !self.ask(add(self.client())).await {
            assert!(began.elapsed() < PATIENCE, "{} through {}", self.path, self.door);
            tokio::time::sleep(REFUSED_PAUSE).await;
        }
        self.changes.store(count + 1, Ordering::Relaxed);
    }

    async fn read(&self) {
        self.ask(self.client().get(&self.path)).await;
    }

    /// Asks once; answers whether it was done.
    async fn ask(&self, call: Call) -> bool {
        let asked = Instant::now();
        let refused = match call.try_send().await {
            Some(reply) if reply.status == 200 => None,
            Some(reply) => {
                assert!(matches!(reply.status, 429 | 503), "{reply:#?}");
                tells_when_to_come_back(&reply);
                Some(format!("{} {}", reply.status, text(&reply.json()["code"])))
            }
            None => Some("no answer".to_owned()),
        };
        let is_done = refused.is_none();
        self.answers.lock().push(Answer { asked, told: Instant::now(), refused });
        is_done
    }

    async fn compare(&self, node: usize) {
        let client = self.client.at(&self.doors.url(node));
        let cart = client.get(&self.path).send_unchecked().await.is(200).json();
        let found = list(&cart["lines"]).iter();
        let found: BTreeMap<&str, i64> =
            found.map(|line| (text(&line["sku"]), number(&line["quantity"]))).collect();
        let mut told = BTreeMap::<String, i64>::new();
        for count in 0..self.changes.load(Ordering::Relaxed) {
            *told.entry(bulk_sku(count % LINES)).or_default() += 1;
        }
        let is_same = found.len() == told.len()
            && found.iter().all(|(sku, units)| told.get(*sku) == Some(units));
        assert!(is_same, "{told:?} were acknowledged, through node {node} there are {found:?}");
    }
}
