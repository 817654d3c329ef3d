//! What has to come right once the store has healed: every effect reaches its target, every
//! timer fires, and nobody is turned away any more.

use std::sync::Arc;
use std::time::Duration;

use barrow_adapters::decorators::{Faults, Rate};
use barrow_adapters::simulated::SimulatedEntityStore;
use barrow_engine::cart::CART_TTL;
use barrow_engine::entity::EntityKind;
use barrow_engine::ids::CartId;
use barrow_engine::ports::Clock;
use serde_json::json;

use super::check::Finals;
use super::client::Shopper;
use super::edge::Edge;
use super::history::History;
use super::http::{Answer, Ask, CartSeen};
use super::weather::{Broken, Weather};

/// Of simulated time. A shard's scan comes round each second, and an effect may wait for one.
const CONVERGES_WITHIN: u32 = 30;
/// What was on its way when the faults ended has arrived by then.
const AFTERMATH: Duration = Duration::from_millis(500);
/// Time to write and to send, which is what passivation has to wait for.
const CALM_LATENCY: Duration = Duration::from_millis(10);

pub struct Converging<'a> {
    pub memory: &'a SimulatedEntityStore,
    pub shoppers: &'a [Arc<Shopper>],
    pub history: &'a History,
    pub weather: Weather<'a>,
}

impl Converging<'_> {
    /// Ends all faults; a new process starts.
    pub async fn heal(&self) {
        let Weather { host, store, .. } = self.weather;
        host.crash();
        tokio::time::sleep(AFTERMATH).await;
        store.settle().await;
        store.set_faults(Faults { latency_max: CALM_LATENCY, ..Faults::default() });
        host.restart().await;
    }

    /// Waits until nothing is due any more, and reads every cart.
    pub async fn settle(&self) -> Finals {
        let Weather { host, store, .. } = self.weather;
        store.set_faults(Faults::default());
        host.restart().await;
        if !self.nothing_is_due(|_| true).await {
            self.history.wrong(format!("after {CONVERGES_WITHIN} s of calm something is due"));
        }
        let mut finals = Finals::new();
        for shopper in self.shoppers {
            self.check_current_cart(shopper).await;
            for (cart, known) in self.history.carts() {
                if known.session == shopper.session.0
                    && let Some(seen) = self.read(shopper, CartId(cart)).await
                {
                    finals.insert(cart, seen.items.unwrap_or_default());
                }
            }
        }
        finals
    }

    /// All carts come to their end, under faults and a crash, and nobody asks for them.
    pub async fn expire(&self, finals: &Finals, broken: &mut Broken) -> usize {
        let Weather { dice, host, store, clock, .. } = self.weather;
        host.restart().await;
        clock.jump(CART_TTL.as_millis() as i64 + 1_000_000);
        store.set_faults(Faults {
            unavailable: Rate::percent(dice.below(3) as u32),
            request_lost: Rate::percent(dice.below(30) as u32),
            reply_lost: Rate::percent(dice.below(30) as u32),
            ..Faults::default()
        });
        tokio::time::sleep(Duration::from_millis(dice.below(2_000))).await;
        if dice.chance(50) {
            broken.crashes += 1;
            host.crash();
            tokio::time::sleep(AFTERMATH).await;
        }
        store.set_faults(Faults::default());
        store.settle().await;
        host.restart().await;
        // An open cart is always due at some time: its end.
        if !self.nothing_is_due(|kind| kind != EntityKind::Cart).await {
            self.history.wrong("carts whose time had come did not expire");
        }
        let mut expired = 0;
        for shopper in self.shoppers {
            if let Some(cart) = self.current_cart(shopper).await {
                self.history.wrong(format!("the session still names {cart}, which has expired"));
            }
            for (cart, known) in self.history.carts() {
                if known.session == shopper.session.0 {
                    expired += 1;
                    self.check_expired(shopper, CartId(cart), finals).await;
                }
            }
        }
        expired
    }

    /// Waits until no row is due, and only the kinds named have one that ever will be.
    async fn nothing_is_due(&self, may_wait: fn(EntityKind) -> bool) -> bool {
        for _ in 0..CONVERGES_WITHIN {
            let now = self.weather.clock.now();
            let rows = self.memory.rows();
            if rows
                .iter()
                .all(|(key, row)| row.due.is_none_or(|due| due > now && may_wait(key.kind)))
            {
                return true;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        false
    }

    /// A session hears of each cart once, in whatever order: the newest is its own.
    async fn check_current_cart(&self, shopper: &Shopper) {
        let current = self.current_cart(shopper).await;
        let mine = |session: u128| session == shopper.session.0;
        let newest = self.history.carts().into_iter().filter(|(_, known)| mine(known.session));
        let newest = newest.filter_map(|(cart, known)| Some((known.created_at?, cart))).max();
        match (current, newest) {
            (None, None) => {}
            (None, Some(_)) => self.history.wrong("the session was never told of its cart"),
            (Some(current), newest) => match self.read(shopper, current).await {
                None => self.history.wrong(format!("the session names {current}, not there")),
                Some(seen) => {
                    let of_current = seen.created_at.map(|at| (at.0, current.0));
                    if of_current < newest {
                        let what = format!("{of_current:?} instead of {newest:?}");
                        self.history.wrong(format!("the session names not its newest: {what}"));
                    }
                }
            },
        }
    }

    async fn check_expired(&self, shopper: &Shopper, cart: CartId, finals: &Finals) {
        let Some(seen) = self.read(shopper, cart).await else { return };
        if !seen.is_expired || seen.items.as_ref() != finals.get(&cart.0) {
            self.history.wrong(format!("{cart} ended as {seen:?}"));
        }
        let line = json!({"sku": super::shelf::sku(99_999), "quantity": 1});
        let add = Ask::post(format!("/v1/carts/{cart}/lines"), line);
        match self.ask(shopper, &add).await {
            Some(answer) if answer.code() == "cart_expired" => {}
            answer => self.history.wrong(format!("an expired cart was changed: {answer:?}")),
        }
    }

    async fn current_cart(&self, shopper: &Shopper) -> Option<CartId> {
        let answer = self.ask(shopper, &Ask::get("/v1/sessions/current")).await?;
        if answer.status != 200 {
            self.history.wrong(format!("in calm weather: {}", answer.describe()));
        }
        answer.json()["cart_id"].as_str().map(|id| id.parse().expect("a cart's id"))
    }

    async fn read(&self, shopper: &Shopper, cart: CartId) -> Option<CartSeen> {
        let answer = self.ask(shopper, &Ask::get(format!("/v1/carts/{cart}"))).await?;
        if answer.status != 200 {
            self.history.wrong(format!("{cart} cannot be read: {}", answer.describe()));
            return None;
        }
        answer.cart().map_err(|what| self.history.wrong(what)).ok()
    }

    async fn ask(&self, shopper: &Shopper, ask: &Ask) -> Option<Answer> {
        self.weather.host.answer(ask.to_request(Some(&shopper.token))).await
    }
}
