//! A shopper's client, a tab or a phone: sends, gives up waiting, and repeats with the same key.

use std::sync::Arc;
use std::time::Duration;

use barrow_engine::ids::{CartId, SessionId};
use http::Method;
use parking_lot::Mutex;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::edge::{Edge, EventSource};
use super::history::{End, History, Moment};
use super::http::{Answer, Ask, CartSeen};
use super::shelf::sku;
use crate::host::SeededEntropy;

/// So often a command with a key is sent before it is left open.
const TRIES_MAX: u32 = 12;
/// In calm weather nobody waits so long.
const CALM_PATIENCE: Duration = Duration::from_secs(20);
/// The longest pause between two requests.
const PAUSE_MS_MAX: u64 = 40;
/// A version that no cart reaches.
const WRONG_VERSION: u64 = 1_000_000;

/// Somebody who shops, on several clients at once.
pub struct Shopper {
    pub session: SessionId,
    pub token: String,
    /// The carts that their clients share, once they are open.
    carts: Mutex<Vec<Option<CartId>>>,
}

impl Shopper {
    /// Starts a session, as often as it takes.
    pub async fn arrive(edge: &dyn Edge, carts: usize) -> Arc<Shopper> {
        loop {
            let request = Ask::post("/v1/sessions", json!({})).to_request(None);
            if let Some(answer) = edge.answer(request).await
                && answer.status == 201
            {
                let body = answer.json();
                let text = |field: &str| body[field].as_str().expect("it is told").to_owned();
                let session = text("session_id").parse().expect("an id is an id");
                let carts = Mutex::new(vec![None; carts]);
                return Arc::new(Shopper { session, token: text("token"), carts });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

pub struct Client {
    pub number: u32,
    pub shopper: Arc<Shopper>,
    pub edge: Arc<dyn Edge>,
    pub history: Arc<History>,
    dice: SeededEntropy,
    sent: u32,
    /// The newest version it saw, and of which cart.
    newest: Option<(CartId, u64)>,
    /// Nothing is amiss, so nobody may be turned away.
    calm: bool,
    pause_ms_max: u64,
    /// Adds have keys, all but a few.
    has_keys: bool,
}

/// Lets clients run side by side.
pub fn start(
    clients: impl Iterator<Item = impl Future<Output = ()> + Send + 'static>,
) -> JoinSet<()> {
    let mut running = JoinSet::new();
    clients.for_each(|client| drop(running.spawn(client)));
    running
}

pub async fn finish(mut clients: JoinSet<()>) {
    while let Some(client) = clients.join_next().await {
        client.expect("a client does not panic");
    }
}

/// What became of one attempt to change something.
enum Attempt {
    Done(CartSeen, Option<u64>),
    /// Nothing changed, and nothing will.
    Refused,
    /// Nothing changed: it may be tried again, whether or not it has a key.
    NotNow,
    Unknown,
}

impl Client {
    pub fn new(
        number: u32,
        seed: u64,
        shopper: Arc<Shopper>,
        edge: Arc<dyn Edge>,
        history: Arc<History>,
    ) -> Client {
        let dice = SeededEntropy::new(seed);
        let (sent, newest, calm) = (0, None, false);
        let (pause_ms_max, has_keys) = (PAUSE_MS_MAX, true);
        Client { number, shopper, edge, history, dice, sent, newest, calm, pause_ms_max, has_keys }
    }

    /// Waits for up to so many milliseconds between two requests.
    pub fn at_leisure(self, pause_ms_max: u64) -> Client {
        Client { pause_ms_max, ..self }
    }

    /// No add has a key.
    pub fn without_keys(self) -> Client {
        Client { has_keys: false, ..self }
    }

    pub fn in_calm_weather(self) -> Client {
        Client { calm: true, sent: 5_000, ..self }
    }

    pub async fn run(mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            let slot = self.dice.below(self.shopper.carts.lock().len() as u64) as usize;
            match self.dice.below(12) {
                0..=4 => self.add(slot, self.has_keys).await,
                5 => self.add(slot, false).await,
                6..=7 => self.read(slot).await,
                8 => self.follow(slot).await,
                9 => self.insist_on_what_cannot_be(slot).await,
                10 => self.look_for_the_current_cart().await,
                _ => self.open_another().await,
            }
            tokio::time::sleep(Duration::from_millis(self.dice.below(self.pause_ms_max))).await;
        }
    }

    /// Sends a request and waits for a while. `None` where no answer came.
    async fn ask(&self, ask: &Ask) -> Option<Answer> {
        let patience = match self.calm {
            true => CALM_PATIENCE,
            false => Duration::from_millis(50 + self.dice.below(1_500)),
        };
        self.history.count(|counts| counts.requests += 1);
        let answer = self.edge.answer(ask.to_request(Some(&self.shopper.token)));
        let answer = tokio::time::timeout(patience, answer).await.ok().flatten();
        self.judge(ask, answer.as_ref());
        answer
    }

    fn judge(&self, ask: &Ask, answer: Option<&Answer>) {
        let status = answer.map(|answer| answer.status);
        self.history.count(|counts| match status {
            None => counts.unanswered += 1,
            Some(412 | 422) => counts.refusals += 1,
            Some(429 | 503) => counts.turned_away += 1,
            _ => {}
        });
        let shown = || answer.map_or("no answer".to_owned(), Answer::describe);
        let is_overtaken = self.history.may_be_overtaken(&ask.path)
            && answer.is_some_and(|answer| answer.code() == "outcome_unknown");
        match status {
            Some(503) if self.calm && is_overtaken => {}
            None | Some(429 | 503) if self.calm => {
                let what = format!("in calm weather: {} {}", ask.method, ask.path);
                self.history.wrong(format!("{what}: {}", shown()));
            }
            None | Some(200..=299 | 404 | 412 | 422 | 429 | 503) => {}
            _ => self.history.wrong(format!("{} {}: {}", ask.method, ask.path, shown())),
        }
    }

    /// The cart in a reply; what no cart can be is noted.
    fn cart_in(&self, answer: &Answer) -> Option<CartSeen> {
        match answer.cart() {
            Ok(seen) => Some(seen),
            Err(what) => {
                self.history.wrong(what);
                None
            }
        }
    }

    async fn attempt(&mut self, ask: &Ask) -> Attempt {
        let Some(answer) = self.ask(ask).await else { return Attempt::Unknown };
        match (answer.status, answer.code().as_str()) {
            (200 | 201, _) => match self.cart_in(&answer) {
                Some(seen) => {
                    self.newest = Some((seen.id, seen.version));
                    Attempt::Done(seen, answer.replayed())
                }
                None => Attempt::Unknown,
            },
            (429, _) | (503, "unavailable") => Attempt::NotNow,
            (503, _) => Attempt::Unknown,
            _ => Attempt::Refused,
        }
    }

    /// The shopper's cart of that number. Whoever comes first opens it; the key makes it the
    /// same for all.
    async fn cart(&mut self, slot: usize) -> Option<CartId> {
        let known = self.shopper.carts.lock()[slot];
        if known.is_some() {
            return known;
        }
        let mut ask = Ask::post("/v1/carts", json!({}));
        ask.key = Some(format!("the-shoppers-cart-{slot}"));
        let began = self.history.begin();
        let Attempt::Done(seen, _) = self.attempt(&ask).await else { return None };
        self.history.cart(began, self.shopper.session, &seen);
        let before = self.shopper.carts.lock()[slot].replace(seen.id);
        if before.is_some_and(|before| before != seen.id) {
            self.history.wrong("one key opened two carts");
        }
        Some(seen.id)
    }

    /// Sent once, and then forgotten: it may be open or not, and is the newest if it is.
    async fn open_another(&mut self) {
        self.sent += 1;
        let mut ask = Ask::post("/v1/carts", json!({}));
        ask.key = Some(format!("another-cart-{:02}-{:06}", self.number, self.sent));
        let began = self.history.begin();
        if let Attempt::Done(seen, _) = self.attempt(&ask).await {
            self.history.cart(began, self.shopper.session, &seen);
        }
    }

    /// Adds a SKU that nobody else adds, so that its place in the cart tells the order.
    async fn add(&mut self, slot: usize, keyed: bool) {
        let Some(cart) = self.cart(slot).await else { return };
        self.sent += 1;
        let item = self.number * 10_000 + self.sent;
        let mut ask =
            Ask::post(format!("/v1/carts/{cart}/lines"), json!({"sku": sku(item), "quantity": 1}));
        ask.key = keyed.then(|| format!("the-key-of-item-{item:06}"));
        ask.minimal = self.dice.chance(20);
        if let Some((seen_of, version)) = self.newest
            && seen_of == cart
            && self.dice.chance(30)
        {
            ask.if_match = Some(version);
        }
        let began = self.history.begin();
        let end = self.insist(&ask, cart, item, began).await;
        self.history.added(began, cart, item, end);
    }

    async fn insist(&mut self, ask: &Ask, cart: CartId, item: u32, began: Moment) -> End {
        let mut gave_up = End::Refused;
        for _ in 0..TRIES_MAX {
            match self.attempt(ask).await {
                Attempt::Done(seen, replayed) => {
                    self.history.cart(began, self.shopper.session, &seen);
                    let made = Some(replayed.unwrap_or(seen.version));
                    return End::Acknowledged { made, replayed: replayed.is_some() };
                }
                Attempt::Refused => {
                    self.look_why(ask, cart).await;
                    return gave_up;
                }
                Attempt::NotNow => {}
                Attempt::Unknown => {
                    gave_up = End::Open;
                    // Without a key it is never sent twice.
                    let Some(key) = &ask.key else { return gave_up };
                    if self.dice.chance(20) {
                        self.use_the_key_otherwise(key.clone(), cart, item, began).await;
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(self.dice.below(200))).await;
        }
        gave_up
    }

    /// A condition that does not hold any more is the only reason to refuse an add.
    async fn look_why(&mut self, ask: &Ask, cart: CartId) {
        let began = self.history.begin();
        let again = Ask { key: None, if_match: Some(WRONG_VERSION), ..ask.clone() };
        if let Some(answer) = self.ask(&again).await {
            self.see_refusal(began, cart, &answer);
        }
        if ask.if_match.is_none() {
            self.history.wrong(format!("{} was refused", ask.path));
        }
    }

    /// The key under another command: a refusal because of it says that the first was taken.
    async fn use_the_key_otherwise(&self, key: String, cart: CartId, item: u32, began: Moment) {
        let mut ask = self.impossible_step(cart);
        ask.key = Some(key);
        let Some(answer) = self.ask(&ask).await else { return };
        if answer.code() == "idempotency_key_reused" {
            let end = End::Acknowledged { made: None, replayed: false };
            self.history.added(began, cart, item, end);
        }
    }

    fn impossible_step(&self, cart: CartId) -> Ask {
        let step = json!({"type": "set_quantity", "line_id": "line_9999", "quantity": 1});
        Ask::post(format!("/v1/carts/{cart}/actions"), json!({"actions": [step]}))
    }

    async fn read(&mut self, slot: usize) {
        let Some(cart) = self.cart(slot).await else { return };
        self.read_cart(cart).await;
    }

    /// Whether the cart is there, if that was told.
    async fn read_cart(&mut self, cart: CartId) -> Option<bool> {
        let began = self.history.begin();
        let answer = self.ask(&Ask::get(format!("/v1/carts/{cart}"))).await?;
        match answer.status {
            200 => {
                let seen = self.cart_in(&answer)?;
                self.newest = Some((cart, seen.version));
                self.history.cart(began, self.shopper.session, &seen);
                Some(true)
            }
            404 => Some(false),
            _ => None,
        }
        .inspect(|is_there| {
            if !is_there && self.history.carts().contains_key(&cart.0) {
                self.history.absent(began, cart);
            }
        })
    }

    /// Commands that must be refused; a version that is told with it is a read like any other.
    async fn insist_on_what_cannot_be(&mut self, slot: usize) {
        let Some(cart) = self.cart(slot).await else { return };
        let began = self.history.begin();
        let mut ask = match self.dice.below(3) {
            0 => self.impossible_step(cart),
            1 => Ask::post(
                format!("/v1/carts/{cart}/lines"),
                json!({"sku": "NOBODY-HAS-IT", "quantity": 1}),
            ),
            _ => Ask {
                if_match: Some(WRONG_VERSION),
                ..Ask::post(
                    format!("/v1/carts/{cart}/lines"),
                    json!({"sku": sku(99_999), "quantity": 1}),
                )
            },
        };
        if self.dice.chance(50) {
            self.sent += 1;
            ask.key = Some(format!("of-a-refusal-{:02}-{:06}", self.number, self.sent));
        }
        if let Some(answer) = self.ask(&ask).await {
            self.see_refusal(began, cart, &answer);
        }
    }

    fn see_refusal(&self, began: Moment, cart: CartId, answer: &Answer) {
        match answer.status {
            412 => match answer.json()["current_version"].as_u64() {
                Some(version) => self.history.version(began, cart, version),
                None => self.history.wrong("a 412 without the version"),
            },
            404 => self.history.absent(began, cart),
            422 | 429 | 503 => {}
            _ => self.history.wrong(format!("not refused: {}", answer.describe())),
        }
    }

    /// A session names only carts that are there: it hears of them once they are durable.
    async fn look_for_the_current_cart(&mut self) {
        let Some(answer) = self.ask(&Ask::get("/v1/sessions/current")).await else { return };
        let body = answer.json();
        let Some(cart) = body["cart_id"].as_str() else { return };
        let cart = cart.parse().expect("a cart's id");
        if self.read_cart(cart).await == Some(false) {
            self.history.wrong(format!("the session names {cart}, which is not there"));
        }
    }

    /// Follows a cart's events, in no hurry.
    async fn follow(&mut self, slot: usize) {
        let Some(cart) = self.cart(slot).await else { return };
        let began = self.history.begin();
        let mut ask = Ask::get(format!("/v1/carts/{cart}/events"));
        ask.method = Method::GET;
        let request = ask.to_request(Some(&self.shopper.token));
        let events = tokio::time::timeout(Duration::from_secs(2), self.edge.follow(request)).await;
        if let Ok(Some(events)) = events {
            self.read_slowly(began, events).await;
        }
    }

    async fn read_slowly(&self, began: Moment, mut events: Box<dyn EventSource>) {
        let mut last = 0;
        for _ in 0..self.dice.below(4) {
            tokio::time::sleep(Duration::from_millis(self.dice.below(800))).await;
            let next = tokio::time::timeout(Duration::from_millis(700), events.next()).await;
            let Ok(Some(body)) = next else { return };
            match CartSeen::read(body.as_bytes()) {
                Ok(seen) => {
                    if seen.version <= last {
                        self.history.wrong(format!("a stream went from {last} to {seen:?}"));
                    }
                    last = seen.version;
                    self.history.count(|counts| counts.streamed += 1);
                    self.history.cart(began, self.shopper.session, &seen);
                }
                Err(what) => self.history.wrong(format!("in a stream: {what}")),
            }
        }
    }
}
