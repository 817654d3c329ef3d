//! Somebody who fills a cart and buys it: pays, waits, gives up, pays otherwise, cancels, and goes
//! on with the next cart. What has no answer is sent again with its key.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use barrow_engine::ids::{CartId, OrderId};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::bank::BANK;
use super::purchases::{Bought, Heard, Mark, Purchases};
use super::{GOODS, good_sku};
use crate::host::SeededEntropy;
use crate::simulation::edge::Edge;
use crate::simulation::history::History;
use crate::simulation::http::{Answer, Ask};

/// So often a request with a key is sent before it is left open.
const TRIES_MAX: u32 = 12;
/// So many answers a checkout is asked for before its buyer goes away for good.
const ANSWERS_MAX: u32 = 25;

/// Whoever sends requests that are not judged by the checker of carts.
pub struct Caller {
    pub token: String,
    pub edge: Arc<dyn Edge>,
    pub history: Arc<History>,
    pub dice: SeededEntropy,
    /// Nothing is amiss: there is time for an answer.
    pub calm: bool,
    /// Part of the keys: no two callers have the same.
    pub name: String,
    sent: u32,
}

impl Caller {
    pub fn new(
        name: String,
        token: String,
        edge: Arc<dyn Edge>,
        history: Arc<History>,
        seed: u64,
    ) -> Caller {
        let dice = SeededEntropy::new(seed);
        Caller { token, edge, history, dice, calm: false, name, sent: 0 }
    }

    pub fn key(&mut self) -> String {
        self.sent += 1;
        format!("{}-{:06}-as-a-key", self.name, self.sent)
    }

    pub async fn rest(&self, ms_max: u64) {
        sleep(Duration::from_millis(self.dice.below(ms_max))).await;
    }

    /// Sends a request and waits for a while. `None` where no answer came.
    pub async fn ask(&self, ask: &Ask) -> Option<Answer> {
        let patience = match self.calm {
            true => Duration::from_secs(20),
            false => Duration::from_millis(100 + self.dice.below(3_000)),
        };
        self.history.count(|counts| counts.requests += 1);
        let answer = self.edge.answer(ask.to_request(Some(&self.token)));
        let answer = tokio::time::timeout(patience, answer).await.ok().flatten();
        let status = answer.as_ref().map(|answer| answer.status);
        self.history.count(|counts| match status {
            None => counts.unanswered += 1,
            Some(402 | 409 | 412 | 422) => counts.refusals += 1,
            Some(429 | 503) => counts.turned_away += 1,
            _ => {}
        });
        if !matches!(status, None | Some(200..=299 | 402 | 409 | 422 | 429 | 503)) {
            let shown = answer.as_ref().map_or_else(String::new, Answer::describe);
            self.history.wrong(format!("{} {}: {shown}", ask.method, ask.path));
        }
        answer
    }

    /// The same request, with its key, until somebody says what came of it.
    pub async fn insist(&self, ask: &Ask) -> (Heard, Option<Answer>) {
        let mut gave_up = Heard::Refused;
        for _ in 0..TRIES_MAX {
            match self.ask(ask).await {
                None => gave_up = Heard::Open,
                Some(answer) if answer.status < 300 => return (Heard::Done, Some(answer)),
                Some(answer) if answer.status == 429 => {}
                Some(answer) if answer.status == 503 => {
                    if answer.code() != "unavailable" {
                        gave_up = Heard::Open;
                    }
                }
                // What was sent before may have been done, and be the very reason.
                Some(answer) => return (gave_up, Some(answer)),
            }
            self.rest(400).await;
        }
        (gave_up, None)
    }
}

pub struct Buyer {
    pub caller: Caller,
    pub purchases: Arc<Purchases>,
    /// What was bought so far.
    pub orders: Vec<OrderId>,
}

impl Buyer {
    pub async fn run(mut self, time: Duration) {
        let end = Instant::now() + time;
        let mut next = None;
        while Instant::now() < end {
            let cart = match next.take() {
                Some(cart) => Some(cart),
                None => self.open().await,
            };
            if let Some(cart) = cart {
                next = self.shop(cart).await;
            }
            self.caller.rest(1_000).await;
        }
    }

    /// Fills a cart and buys it; the cart to go on with.
    async fn shop(&mut self, cart: CartId) -> Option<CartId> {
        let total = self.fill(cart).await?;
        let order = self.buy(cart, total).await?;
        if self.caller.dice.chance(25) {
            self.caller.rest(3_000).await;
            self.cancel(order).await;
        }
        self.orders.push(order);
        if self.caller.dice.chance(30) {
            self.send_back().await;
        }
        let seen = self.caller.ask(&Ask::get(format!("/v1/carts/{cart}"))).await?;
        seen.json()["next_cart_id"].as_str()?.parse().ok()
    }

    async fn open(&mut self) -> Option<CartId> {
        let mut ask = Ask::post("/v1/carts", json!({}));
        ask.key = Some(self.caller.key());
        let (_, answer) = self.caller.insist(&ask).await;
        answer?.json()["id"].as_str()?.parse().ok()
    }

    /// Puts in what is wanted, in one change; what it costs then.
    async fn fill(&mut self, cart: CartId) -> Option<i64> {
        let dice = &self.caller.dice;
        let mut units: BTreeMap<String, u32> = BTreeMap::new();
        for _ in 0..=dice.below(3) {
            let good = good_sku(dice.below(GOODS.into()) as u32);
            *units.entry(good.as_str().to_owned()).or_default() += 1 + dice.below(3) as u32;
        }
        let lines = units.iter();
        let mut actions: Vec<Value> = lines
            .map(|(sku, quantity)| json!({"type": "add_line", "sku": sku, "quantity": quantity}))
            .collect();
        actions.push(json!({"type": "set_contact", "email": "ada@example.com"}));
        actions.push(json!({"type": "set_addresses", "shipping": {
            "first_name": "Ada", "last_name": "Lovelace", "line1": "Unter den Linden 1",
            "city": "Berlin", "postal_code": "10117", "country": "DE",
        }}));
        actions.push(json!({"type": "set_shipping_method", "id": "standard"}));
        let mut ask = Ask::post(format!("/v1/carts/{cart}/actions"), json!({"actions": actions}));
        ask.key = Some(self.caller.key());
        let (heard, answer) = self.caller.insist(&ask).await;
        let answer = answer.filter(|_| heard == Heard::Done)?;
        let total = answer.json()["totals"]["total"]["amount"].as_i64()?;
        let token = self.caller.token.clone();
        self.purchases.filled(cart, Bought { token, units, total, order: None });
        Some(total)
    }

    fn checkout(&mut self, cart: CartId, total: i64, method: &str) -> Ask {
        let body = json!({
            "payment": {"gateway": BANK, "method": method},
            "expected_total": {"amount": total, "currency": "EUR"},
        });
        let key = Some(self.caller.key());
        Ask { key, ..Ask::post(format!("/v1/carts/{cart}/checkout"), body) }
    }

    fn method(&self) -> &'static str {
        match self.caller.dice.below(10) {
            0 | 1 => "declined",
            2..=4 => "slow",
            _ => "ok",
        }
    }

    /// Asks until it is placed, and says so; or goes away.
    async fn buy(&mut self, cart: CartId, total: i64) -> Option<OrderId> {
        let method = self.method();
        let mut ask = self.checkout(cart, total, method);
        for _ in 0..ANSWERS_MAX {
            if let Some(answer) = self.caller.ask(&ask).await {
                match (answer.status, answer.code().as_str()) {
                    (200 | 201, _) => return self.take_in(cart, &answer.json()),
                    (202, _) => self.purchases.count(|sold| sold.pending += 1),
                    (402, _) => {
                        self.purchases.count(|sold| sold.declined += 1);
                        if self.caller.dice.chance(20) {
                            return None;
                        }
                        ask = self.checkout(cart, total, "ok");
                    }
                    (409, "insufficient_stock") => {
                        self.purchases.count(|sold| sold.short += 1);
                        return None;
                    }
                    // Somebody gave it up meanwhile, and the cart is open.
                    (409, "order_state" | "cart_changed") => ask = self.checkout(cart, total, "ok"),
                    (409, "cart_ordered") => return self.look_up(cart, &answer.json()).await,
                    (409, "checkout_in_progress") | (429 | 503, _) => {}
                    _ => {
                        let what = format!("{cart} is not sold: {}", answer.describe());
                        self.caller.history.wrong(what);
                        return None;
                    }
                }
            }
            if !self.caller.calm && self.caller.dice.chance(8) {
                self.give_up(cart).await;
                if self.caller.dice.chance(50) {
                    return None;
                }
                let method = self.method();
                ask = self.checkout(cart, total, method);
            }
            self.caller.rest(800).await;
        }
        None
    }

    async fn give_up(&self, cart: CartId) {
        let answer = self.caller.ask(&Ask::delete(format!("/v1/carts/{cart}/checkout"))).await;
        if answer.is_some_and(|answer| answer.status == 200) {
            self.purchases.count(|sold| sold.given_up += 1);
        }
    }

    /// The order that a refusal names.
    async fn look_up(&self, cart: CartId, refusal: &Value) -> Option<OrderId> {
        let order = refusal["order_id"].as_str()?;
        let answer = self.caller.ask(&Ask::get(format!("/v1/orders/{order}"))).await?;
        if answer.status == 200 { self.take_in(cart, &answer.json()) } else { None }
    }

    /// A placed order, as its buyer sees it: it has what was frozen.
    fn take_in(&self, cart: CartId, order: &Value) -> Option<OrderId> {
        let id = order["id"].as_str()?.parse().ok()?;
        if order["status"] == "pending" {
            self.caller.history.wrong(format!("{id} was told to be bought, and is pending"));
        }
        if let Err(what) = self.purchases.placed(cart, id) {
            self.caller.history.wrong(what);
        }
        Some(id)
    }

    /// Wants to send back a unit of something that has come.
    async fn send_back(&mut self) -> Option<()> {
        let order = self.orders[self.caller.dice.below(self.orders.len() as u64) as usize];
        let seen = self.caller.ask(&Ask::get(format!("/v1/orders/{order}"))).await?.json();
        let has_come = |line: &&Value| line["fulfilled"].as_u64() > line["returned"].as_u64();
        let line = seen["lines"].as_array()?.iter().find(has_come)?;
        let lines = json!([{"line_id": line["id"], "quantity": 1, "reason": "too small"}]);
        let mut ask = Ask::post(format!("/v1/orders/{order}/returns"), json!({"lines": lines}));
        ask.key = Some(self.caller.key());
        self.caller.insist(&ask).await;
        Some(())
    }

    async fn cancel(&mut self, order: OrderId) {
        let mut ask = Ask::post(format!("/v1/orders/{order}/cancel"), json!({}));
        ask.key = Some(self.caller.key());
        let (heard, _) = self.caller.insist(&ask).await;
        self.purchases.asked(order, Mark::Cancellation, heard);
    }
}
