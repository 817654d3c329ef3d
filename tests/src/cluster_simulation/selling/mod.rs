//! A cluster that sells: one database of stock and orders, a bank beside it, buyers, and somebody
//! of the house; and what goes wrong with all of them. Buyers have carts of their own, which the
//! checker of carts does not look at: what becomes of those is checked by their orders.

pub mod audit;
pub mod bank;
pub mod buyer;
pub mod clerk;
pub mod database;
pub mod house;
pub mod purchases;
pub mod trade;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use barrow_actors::checkout::CheckoutSettings;
use barrow_adapters::decorators::{Faults, Rate};
use barrow_adapters::simulated::SimulatedCommerce;
use barrow_engine::catalog::Sku;
use barrow_engine::ids::MovementId;
use barrow_engine::inventory::{MovementDraft, default_location};
use barrow_engine::orders::CapturePolicy;
use barrow_engine::ports::{Clock, Entropy, StockLedger};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::ground::Ground;
use crate::host::{SeededEntropy, SimulatedClock};
use crate::simulation::history::History;
use crate::simulation::shelf::sku;
use crate::simulation::weather::draw_faults;
use bank::Bank;
use database::Database;
use house::{Listener, OneKey};
use purchases::Purchases;

/// The first of the goods that buyers buy; nobody else adds them to a cart.
const FIRST_GOOD: u32 = 90_000;
/// Few enough that buyers meet, and that they run out.
const GOODS: u32 = 5;
const UNITS_EACH: u64 = 12;

/// How much is sold, and what goes wrong with it.
#[derive(Debug, Clone, Copy)]
pub struct Sales {
    pub buyers: u32,
    /// How the database and the bank are, drawn anew with each change of their weather.
    pub database: fn(&SeededEntropy) -> Faults,
    pub bank: fn(&SeededEntropy) -> Faults,
}

impl Default for Sales {
    fn default() -> Self {
        Sales { buyers: 3, database: draw_faults, bank: draw_faults }
    }
}

/// What outlives the processes of a shop that sells.
pub struct Selling {
    pub rows: Arc<SimulatedCommerce>,
    pub database: Arc<Database>,
    pub bank: Arc<Bank>,
    pub purchases: Arc<Purchases>,
    pub keys: Arc<OneKey>,
    pub listener: Arc<Listener>,
    pub settings: CheckoutSettings,
    dice: SeededEntropy,
    clock: Arc<SimulatedClock>,
    /// Commits that were looked at.
    looked_at: AtomicU64,
}

impl Selling {
    pub fn new(seed: u64, clock: &Arc<SimulatedClock>, history: &Arc<History>) -> Selling {
        let dice = SeededEntropy::new(seed);
        let rows = Arc::new(SimulatedCommerce::new(clock.clone()));
        let database = Database {
            orders: rows.clone(),
            stock: rows.clone(),
            outbox: rows.clone(),
            faults: Mutex::default(),
            dice: SeededEntropy::new(dice.next_u64()),
            clock: clock.clone(),
            late: Mutex::default(),
        };
        let policies = [CapturePolicy::Manual, CapturePolicy::AtFulfilment, CapturePolicy::AtOnce];
        let capture = policies[dice.below(3) as usize];
        let settings = CheckoutSettings { capture, ..CheckoutSettings::default() };
        let reservation_ttl = match dice.chance(50) {
            true => settings.reservation_ttl,
            // It runs out all the time, also while somebody pays.
            false => Duration::from_secs(1 + dice.below(20)),
        };
        Selling {
            rows,
            database: Arc::new(database),
            bank: Arc::new(Bank::new(dice.next_u64(), clock.clone(), history.clone())),
            purchases: Arc::default(),
            keys: Arc::new(OneKey::new(&dice)),
            listener: Arc::new(Listener::new(dice.next_u64(), history.clone())),
            settings: CheckoutSettings { reservation_ttl, ..settings },
            dice,
            clock: clock.clone(),
            looked_at: AtomicU64::new(0),
        }
    }

    /// Puts the goods on the shelves.
    pub async fn stock(&self) {
        let drafts = (0..GOODS).map(|good| MovementDraft {
            id: MovementId(u128::from(good) + 1),
            sku: good_sku(good),
            location: default_location(),
            quantity: UNITS_EACH as i64,
            reason: "delivered".to_owned(),
            actor: "simulation".to_owned(),
            order: None,
            at: self.clock.now(),
        });
        let booked = self.rows.book(drafts.collect()).await.expect("it is in memory");
        assert!(booked.iter().all(Result::is_ok), "units come");
    }

    /// Whether what is reserved outlasts every payment of a run.
    fn keeps_reservations(&self) -> bool {
        self.settings.reservation_ttl == CheckoutSettings::default().reservation_ttl
    }

    /// Breaks the database, the bank and the ways to the database until the time is over.
    pub async fn rage(&self, ground: &Ground, machines: usize, sales: Sales, time: Duration) {
        let end = Instant::now() + time;
        *self.database.faults.lock() = (sales.database)(&self.dice);
        *self.bank.faults.lock() = (sales.bank)(&self.dice);
        let down = Faults { unavailable: Rate::ALWAYS, ..Faults::default() };
        while Instant::now() < end {
            sleep(self.up_to_ms(4_000)).await;
            match self.dice.below(6) {
                0 | 1 => *self.database.faults.lock() = (sales.database)(&self.dice),
                2 => *self.bank.faults.lock() = (sales.bank)(&self.dice),
                3 => {
                    *self.database.faults.lock() = down;
                    sleep(self.up_to_ms(2_000)).await;
                    *self.database.faults.lock() = (sales.database)(&self.dice);
                }
                4 => {
                    *self.bank.faults.lock() = down;
                    sleep(self.up_to_ms(8_000)).await;
                    *self.bank.faults.lock() = (sales.bank)(&self.dice);
                }
                _ => {
                    let machine = self.dice.below(machines as u64) as usize;
                    ground.cut(machine, |cuts| cuts.commerce = true);
                    sleep(self.up_to_ms(4_000)).await;
                    ground.cut(machine, |cuts| cuts.commerce = false);
                }
            }
        }
    }

    /// Nothing goes wrong any more, and what was on its way has arrived.
    pub async fn heal(&self) {
        *self.database.faults.lock() = Faults::default();
        *self.bank.faults.lock() = Faults::default();
        self.database.land(Duration::MAX).await;
    }

    fn up_to_ms(&self, longest: u64) -> Duration {
        Duration::from_millis(self.dice.below(longest))
    }

    /// All the while: whoever may have paid still has what they pay for.
    pub fn look(&self, history: &History) {
        let commits = self.rows.commits();
        if self.looked_at.swap(commits, Ordering::Relaxed) != commits && self.keeps_reservations() {
            audit::reservations(&self.rows.rows(), history);
        }
    }
}

/// The SKU of one of the goods.
pub fn good_sku(good: u32) -> Sku {
    Sku::new(&sku(FIRST_GOOD + good)).expect("the text is a SKU")
}
