//! Clients that write down what they were told, and what has to be found of it later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::client::{Call, Client, Reply, list, number, text};
use crate::support::goods::bulk_sku;

/// A cart, and what its clients know of it.
pub struct Ledger {
    token: String,
    path: String,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Adds of one unit each under a key: sent, by SKU. `true`: acknowledged.
    keyed: BTreeMap<usize, bool>,
    /// Adds without a key to the one SKU of these: acknowledged, and sent at all.
    keyless: (u64, u64),
    /// The highest version that any reply told.
    version: u64,
    /// Further carts of the same shopper, each opened under a key that names its place here, as
    /// far as their ids were told.
    opened: Vec<Option<String>>,
}

/// How often it is looked whether a server has ended that refused, and how far apart.
const LOOKS_AT_AN_END: usize = 500;
const LOOK_PAUSE: Duration = Duration::from_millis(20);
const OPENING_PAUSE: Duration = Duration::from_millis(20);

/// The SKU of adds without a key.
const KEYLESS: usize = 1_050;

impl Ledger {
    pub async fn open(url: &str) -> Arc<Ledger> {
        let guest = Client::of(url).guest().await;
        let cart = guest.cart().await;
        Arc::new(Ledger { token: guest.token.unwrap(), path: cart.path, known: Mutex::default() })
    }

    fn client(&self, url: &str) -> Client {
        Client::of(url).with_token(&self.token)
    }

    /// Acknowledged changes.
    pub fn acknowledged(&self) -> usize {
        let known = self.known.lock();
        known.keyed.values().filter(|acknowledged| **acknowledged).count()
            + known.keyless.0 as usize
    }

    /// Adds that nobody answered.
    pub fn unanswered(&self) -> usize {
        let known = self.known.lock();
        known.keyed.values().filter(|acknowledged| !**acknowledged).count()
            + (known.keyless.1 - known.keyless.0) as usize
    }

    /// Carts that were opened beside.
    pub fn opened(&self) -> usize {
        self.known.lock().opened.iter().flatten().count()
    }

    fn saw(&self, version: u64) {
        let mut known = self.known.lock();
        known.version = known.version.max(version);
    }

    fn key(&self, sku: usize) -> String {
        format!("{}-{}", self.path.rsplit('/').next().unwrap_or_default(), bulk_sku(sku))
    }

    /// Sends an add; `None` where the server did not answer.
    async fn add(&self, client: &Client, sku: usize, key: Option<&str>) -> Option<Added> {
        let body = json!({"sku": bulk_sku(sku), "quantity": 1});
        let path = format!("{}/lines", self.path);
        let mut call = client.post(&path, body).header("prefer", "return=minimal");
        if let Some(key) = key {
            call = call.key(key);
        }
        let reply = answer(client, call).await?.is(200);
        let version = reply.version();
        self.saw(version);
        let made = match reply.header("idempotent-version") {
            "" => version,
            made => made.parse().unwrap(),
        };
        Some(Added { version, made, is_replay: !reply.header("idempotent-replayed").is_empty() })
    }

    /// Adds SKUs under keys, one after the other, until it is over or nobody answers.
    async fn add_keyed(self: Arc<Ledger>, url: String, skus: Vec<usize>, over: Arc<AtomicBool>) {
        let client = self.client(&url);
        for sku in skus {
            if over.load(Ordering::Relaxed) {
                return;
            }
            self.known.lock().keyed.insert(sku, false);
            let Some(added) = self.add(&client, sku, Some(&self.key(sku))).await else { return };
            assert!(!added.is_replay, "{sku} was never sent before");
            self.known.lock().keyed.insert(sku, true);
        }
    }

    /// Opens a cart under a key; `None` where the server did not answer.
    async fn open_another(&self, client: &Client, place: usize) -> Option<String> {
        let key = format!("{}-open-{place}", self.path.rsplit('/').next().unwrap_or_default());
        let open = client.post("/v1/carts", json!({})).key(&key);
        let reply = answer(client, open).await?.is(201);
        Some(text(&reply.json()["id"]).to_owned())
    }

    async fn open_on(self: Arc<Ledger>, url: String, over: Arc<AtomicBool>) {
        let client = self.client(&url);
        while !over.load(Ordering::Relaxed) {
            let place = {
                let opened = &mut self.known.lock().opened;
                opened.push(None);
                opened.len() - 1
            };
            let Some(id) = self.open_another(&client, place).await else { return };
            self.known.lock().opened[place] = Some(id);
            // A shopper opens few carts; the load is in their changes.
            tokio::time::sleep(OPENING_PAUSE).await;
        }
    }

    async fn add_keyless(self: Arc<Ledger>, url: String, over: Arc<AtomicBool>) {
        let client = self.client(&url);
        while !over.load(Ordering::Relaxed) {
            self.known.lock().keyless.1 += 1;
            let Some(added) = self.add(&client, KEYLESS, None).await else { return };
            assert!(!added.is_replay);
            self.known.lock().keyless.0 += 1;
        }
    }

    /// Reads all the while: whatever was acknowledged before it asked is there, and versions
    /// never go back.
    async fn read_on(self: Arc<Ledger>, url: String, over: Arc<AtomicBool>) {
        let client = self.client(&url);
        let mut last = 0;
        while !over.load(Ordering::Relaxed) {
            let (acknowledged, version) = {
                let known = self.known.lock();
                (known.acknowledged(), known.version)
            };
            let Some(reply) = answer(&client, client.get(&self.path)).await else { return };
            let cart = reply.is(200).json();
            let found = number(&cart["version"]) as u64;
            assert!(found >= version && found >= last, "{found} after {version} and {last}");
            last = found;
            let held = units(&cart);
            assert!(acknowledged.iter().all(|sku| held.contains_key(sku)), "{cart:#}");
        }
    }

    /// Looks at the cart after a start: everything acknowledged is there once.
    pub async fn check(&self, url: &str) {
        let cart = self.client(url).read(&self.path).await;
        let held = units(&cart);
        let known = self.known.lock();
        let version = number(&cart["version"]) as u64;
        assert!(version >= known.version, "{version} is before {}", known.version);
        for (sku, acknowledged) in &known.keyed {
            let units = held.get(sku).copied().unwrap_or(0);
            let allowed = if *acknowledged { 1..=1 } else { 0..=1 };
            assert!(allowed.contains(&units), "{} has {units} units: {cart:#}", bulk_sku(*sku));
        }
        let (acknowledged, sent) = known.keyless;
        let units = held.get(&KEYLESS).copied().unwrap_or(0);
        assert!((acknowledged..=sent).contains(&units), "{acknowledged} <= {units} <= {sent}");
        let sent: BTreeSet<usize> = known.keyed.keys().copied().chain([KEYLESS]).collect();
        assert!(held.keys().all(|sku| sent.contains(sku)), "nobody sent that: {cart:#}");
    }

    /// Sends everything that has a key again: those acknowledged are replays, the others are done
    /// now, once.
    pub async fn repeat(&self, url: &str) -> usize {
        let client = self.client(url);
        let opened = self.known.lock().opened.clone();
        for (place, told) in opened.iter().enumerate() {
            let id = self.open_another(&client, place).await.expect("the server answers");
            assert!(told.is_none() || *told == Some(id.clone()), "{told:?} and {id}: opened twice");
            client.read(&format!("/v1/carts/{id}")).await;
            self.known.lock().opened[place] = Some(id);
        }
        let keyed: Vec<(usize, bool)> =
            self.known.lock().keyed.iter().map(|(sku, known)| (*sku, *known)).collect();
        let mut replays = 0;
        let mut made = BTreeSet::new();
        for (sku, acknowledged) in keyed {
            let key = self.key(sku);
            let added = self.add(&client, sku, Some(&key)).await.expect("the server answers");
            assert!(added.is_replay || !acknowledged, "{sku} is done twice");
            assert!(added.made <= added.version);
            replays += usize::from(added.is_replay);
            made.insert(added.made);
            self.known.lock().keyed.insert(sku, true);
        }
        self.check(url).await;
        replays
    }
}

impl Known {
    fn acknowledged(&self) -> Vec<usize> {
        self.keyed.iter().filter(|(_, known)| **known).map(|(sku, _)| *sku).collect()
    }
}

struct Added {
    version: u64,
    /// The version that its key made.
    made: u64,
    is_replay: bool,
}

/// The units of each bulk SKU in a cart.
fn units(cart: &Value) -> BTreeMap<usize, u64> {
    let lines = list(&cart["lines"]).iter();
    let of_line = |line: &Value| {
        let sku: usize = text(&line["sku"]).strip_prefix("BULK-").unwrap().parse().unwrap();
        (sku - 1, number(&line["quantity"]) as u64)
    };
    let units: BTreeMap<usize, u64> = lines.clone().map(of_line).collect();
    assert_eq!(units.len(), lines.len(), "a SKU has one line");
    units
}

/// Clients of each cart: those that add under keys, each its own SKUs.
const KEYED_CLIENTS: usize = 3;
/// Adds of each client at most: together fewer than keys that a cart remembers.
const ADDS_MAX: usize = 300;

/// Sets clients upon the carts, and lets them go on until `ended` comes. They end when nobody
/// answers any more, or after so many adds.
pub async fn load(url: &str, carts: &[Arc<Ledger>], ended: impl AsyncFnOnce()) {
    let over = Arc::new(AtomicBool::new(false));
    let mut clients = tokio::task::JoinSet::new();
    for cart in carts {
        for client in 0..KEYED_CLIENTS {
            let skus = (client * ADDS_MAX..(client + 1) * ADDS_MAX).collect();
            let cart = Arc::clone(cart);
            clients.spawn(cart.add_keyed(url.to_owned(), skus, Arc::clone(&over)));
        }
        clients.spawn(Arc::clone(cart).add_keyless(url.to_owned(), Arc::clone(&over)));
        clients.spawn(Arc::clone(cart).open_on(url.to_owned(), Arc::clone(&over)));
        clients.spawn(Arc::clone(cart).read_on(url.to_owned(), Arc::clone(&over)));
    }
    ended().await;
    over.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended.expect("a client saw something that must not be");
    }
}

/// Sends a request; `None` where the server did not answer, or had nothing left to answer with:
/// a server whose store has failed refuses with 503 for the moment until it has ended.
async fn answer(client: &Client, call: Call) -> Option<Reply> {
    let reply = call.try_send().await?;
    if reply.status != 503 {
        return Some(reply);
    }
    for _ in 0..LOOKS_AT_AN_END {
        client.get("/healthz").try_send().await?;
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    panic!("the server goes on, and refused: {reply:#?}");
}

/// Waits until clients have got so many acknowledgements.
pub async fn acknowledged(carts: &[Arc<Ledger>], count: usize) {
    let total = || carts.iter().map(|cart| cart.acknowledged()).sum::<usize>();
    let began = tokio::time::Instant::now();
    while total() < count {
        assert!(began.elapsed() < Duration::from_secs(60), "only {} came", total());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
