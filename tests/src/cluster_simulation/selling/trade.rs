//! The days of a shop that sells: it opens, sells while everything breaks, comes to rest, and is
//! audited.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use barrow_engine::ids::CartId;
use barrow_engine::ports::{Clock, Entropy, Outbox};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::audit::{Audit, CartStates};
use super::buyer::{Buyer, Caller};
use super::clerk::Clerk;
use super::purchases::Sold;
use super::{Sales, Selling};
use crate::cluster_simulation::door::Door;
use crate::cluster_simulation::ground::Ground;
use crate::cluster_simulation::machine::Seat;
use crate::simulation::client::Shopper;
use crate::simulation::edge::Edge;
use crate::simulation::history::History;
use crate::simulation::http::Ask;

/// How long orders have to come to an end once nothing goes wrong any more. Who looks in vain looks
/// later and later.
const SETTLES_WITHIN: Duration = Duration::from_secs(200);
const LOOK: Duration = Duration::from_millis(250);
/// Then clocks are set so far on that whatever is reserved has run out.
const SET_ON: Duration = Duration::from_secs(20 * 60);
/// Each node looks for that twice a second.
const SWEPT_WITHIN: Duration = Duration::from_secs(3);
const READS_MAX: u32 = 10;

pub struct Trade {
    pub ground: Arc<Ground>,
    pub selling: Arc<Selling>,
    pub seats: Arc<[Arc<Seat>]>,
    pub history: Arc<History>,
    pub sales: Sales,
    /// The session of each buyer.
    pub buyers: Vec<Arc<Shopper>>,
}

impl Trade {
    /// Stocks the shelves and lets the buyers in.
    pub async fn open(
        ground: &Arc<Ground>,
        seats: &Arc<[Arc<Seat>]>,
        sales: Option<Sales>,
    ) -> Option<Trade> {
        let (sales, selling) = (sales?, ground.selling.clone()?);
        selling.stock().await;
        let mut buyers = Vec::new();
        for _ in 0..sales.buyers {
            let door = Door::new(seats.clone(), selling.dice.next_u64());
            buyers.push(Shopper::arrive(&door, 0).await);
        }
        let (ground, seats) = (ground.clone(), seats.clone());
        let history = ground.history.clone();
        Some(Trade { ground, selling, seats, history, sales, buyers })
    }

    pub async fn rage(&self, time: Duration) {
        self.selling.rage(&self.ground, self.seats.len(), self.sales, time).await;
    }

    fn caller(&self, name: String, token: String) -> Caller {
        let dice = &self.selling.dice;
        let door = Arc::new(Door::new(self.seats.clone(), dice.next_u64()));
        Caller::new(name, token, door, self.history.clone(), dice.next_u64())
    }

    /// Lets everybody buy for so long. In calm weather nobody leaves without what they wanted.
    pub fn start(&self, time: Duration, calm: bool) -> JoinSet<()> {
        let mut running = JoinSet::new();
        for (number, shopper) in self.buyers.iter().enumerate() {
            let when = if calm { "calm" } else { "buyer" };
            let mut caller = self.caller(format!("{when}-{number}"), shopper.token.clone());
            caller.calm = calm;
            let purchases = self.selling.purchases.clone();
            let buyer = Buyer { caller, purchases, orders: Vec::new() };
            running.spawn(buyer.run(time));
        }
        let mut caller = self.caller("clerk".to_owned(), self.selling.keys.secret.clone());
        caller.calm = calm;
        // What is done by hand in calm weather is something else again.
        let commands = if calm { 1_000 } else { 0 };
        caller.name = if calm { "calm-clerk" } else { "clerk" }.to_owned();
        let purchases = self.selling.purchases.clone();
        running.spawn(Clerk { caller, purchases, commands }.run(time));
        running
    }

    /// Waits until nothing is left to do for any order, and looks whether all is as it was told;
    /// what was sold, and the trace of it.
    pub async fn settle(&self) -> (Sold, u64) {
        let clock = &self.ground.clock;
        let give_up_at = clock.uptime() + SETTLES_WITHIN;
        while let Some(unrest) = self.unrest().await {
            if clock.uptime() > give_up_at {
                self.history.wrong(format!("after {SETTLES_WITHIN:?} of calm {unrest}"));
                break;
            }
            sleep(LOOK).await;
        }
        for seat in self.seats.iter() {
            seat.set_wall_skew(SET_ON.as_millis() as i64);
        }
        sleep(SWEPT_WITHIN).await;
        let told = self.selling.purchases.take();
        let mut carts = CartStates::new();
        for (cart, bought) in &told.carts {
            self.read_cart(*cart, &bought.token, &mut carts).await;
        }
        let (rows, accounts) = (self.selling.rows.rows(), self.selling.bank.accounts());
        let history = &self.history;
        let audit = Audit { rows: &rows, accounts: &accounts, told: &told, carts: &carts, history };
        audit.check();
        self.selling.listener.check(&rows.orders);
        let mut trace = DefaultHasher::new();
        (&told, &carts, format!("{rows:?}")).hash(&mut trace);
        (told.counts, trace.finish())
    }

    /// What is left to do.
    async fn unrest(&self) -> Option<&'static str> {
        if !self.selling.rows.rows().orders.iter().all(|order| order.is_settled()) {
            return Some("orders are not settled");
        }
        let figures = self.selling.rows.figures().await.expect("it is in memory");
        let is_told = figures.iter().all(|figures| figures.lanes == 0);
        (!is_told).then_some("events are not told")
    }

    async fn read_cart(&self, cart: CartId, token: &str, states: &mut CartStates) {
        let request = Ask::get(format!("/v1/carts/{cart}"));
        let mut shown = "no answer".to_owned();
        for turn in 0..READS_MAX {
            let door = Door::of(self.seats.clone(), turn as usize % self.seats.len());
            if let Some(answer) = door.answer(request.to_request(Some(token))).await {
                if answer.status == 200 {
                    let cart_now = answer.json();
                    let status = cart_now["status"].as_str().unwrap_or_default().to_owned();
                    let order = cart_now["order_id"].as_str().and_then(|id| id.parse().ok());
                    states.insert(cart, (status, order));
                    return;
                }
                shown = answer.describe();
            }
            sleep(LOOK).await;
        }
        self.history.wrong(format!("{cart}, which was to be bought, cannot be read: {shown}"));
    }
}
