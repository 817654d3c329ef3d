//! One node in a simulation: the real edge, the real carts and sessions on the real runtime,
//! over a store that is slow, refuses, loses replies and applies writes late; with crashes,
//! jumps of the wall clock, lost leases and next to no memory; and clients that speak HTTP,
//! lose patience, and repeat what they have no answer to.
//!
//! Everything follows from the seed. After a phase of faults the store heals, and it has to work
//! as it should; and what every client saw is checked: each cart's history is linearizable, what
//! was acknowledged is there, what was refused is not, and each key took effect once. In the end
//! every cart expires, though nobody loads it.

pub(crate) mod check;
pub(crate) mod client;
mod converge;
pub(crate) mod edge;
pub mod history;
pub(crate) mod http;
pub(crate) mod node;
pub mod planted;
mod process;
pub mod seeds;
pub mod shelf;
pub(crate) mod stream;
pub(crate) mod weather;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use barrow_adapters::decorators::{Faults, Faulty};
use barrow_adapters::host::TokioSleeper;
use barrow_adapters::simulated::SimulatedEntityStore;
use barrow_engine::ports::{EntityStore, Entropy};

use crate::host::{SeededEntropy, SimulatedClock};
use client::{Client, Shopper, finish, start};
use converge::Converging;
use history::{History, Totals};
use node::Host;
use planted::Conditions;
use seeds::{Seeds, on_all_cores};
use weather::{Broken, Weather};

/// Those that once found something in one node.
pub const SEEDS: Seeds = Seeds { file: "seeds.txt", command: "./dev sim" };

/// How much one run does.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub shoppers: u32,
    /// Of each shopper; they change the same carts.
    pub clients: u32,
    /// Of each shopper, that their clients share. They open others besides.
    pub carts: usize,
    /// Nearly all writes are late: the schedule under which ids of writes are needed most.
    pub late_writes: bool,
    /// Of simulated time, with faults.
    pub chaos: Duration,
    /// Of simulated time, without any; memory is as short as before.
    pub calm: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            shoppers: 2,
            clients: 2,
            carts: 2,
            late_writes: false,
            chaos: Duration::from_secs(5),
            calm: Duration::from_secs(1),
        }
    }
}

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    pub totals: Totals,
    pub broken: Broken,
    /// Carts that expired.
    pub expired: usize,
    /// The same for the same seed.
    pub trace: u64,
    pub violations: Vec<String>,
}

impl Outcome {
    /// Counts another run's as well.
    pub fn add(&mut self, other: &Outcome) {
        self.totals.add(&other.totals);
        self.expired += other.expired;
        self.broken.add(&other.broken);
    }
}

/// Simulates one node on a seed.
pub fn run(seed: u64, plan: Plan) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing from the system");
    runtime.block_on(simulate(seed, plan))
}

/// Runs each seed on some core. `done` hears of each outcome, in whatever order.
///
/// # Panics
/// If a simulation does.
pub fn run_all(seeds: &[u64], plan: Plan, done: impl FnMut(u64, Outcome)) {
    on_all_cores(seeds, |seed| run(seed, plan), done);
}

async fn simulate(seed: u64, plan: Plan) -> Outcome {
    let dice = Arc::new(SeededEntropy::new(seed));
    let clock = Arc::new(SimulatedClock::default());
    let memory = Arc::new(SimulatedEntityStore::new());
    let inner: Arc<dyn EntityStore> = Arc::new(Conditions(memory.clone()));
    let store = Arc::new(Faulty::new(
        inner,
        clock.clone(),
        Arc::new(TokioSleeper),
        dice.next_u64(),
        Faults::default(),
    ));
    let history = Arc::new(History::default());
    let host = Arc::new(Host::new(store.clone(), clock.clone(), dice.next_u64()));
    host.restart().await;
    let mut shoppers = Vec::new();
    for _ in 0..plan.shoppers {
        shoppers.push(Shopper::arrive(&*host, plan.carts).await);
    }
    let clients = || {
        let numbers = 0..plan.shoppers * plan.clients;
        numbers.map(|number| {
            let shopper = shoppers[(number / plan.clients) as usize].clone();
            Client::new(number, dice.next_u64(), shopper, host.clone(), history.clone())
        })
    };
    let weather = Weather {
        dice: &dice,
        host: &host,
        store: &store,
        clock: &clock,
        late_writes: plan.late_writes,
    };

    let chaos = start(clients().map(|client| client.run(plan.chaos)));
    let mut broken = weather.rage(plan.chaos).await;
    store.set_faults(Faults::default());
    finish(chaos).await;

    let converging =
        Converging { memory: &memory, shoppers: &shoppers, history: &history, weather };
    converging.heal().await;
    finish(start(clients().map(|client| client.in_calm_weather().run(plan.calm)))).await;
    let finals = converging.settle().await;
    let expired = converging.expire(&finals, &mut broken).await;

    let log = history.to_log();
    let violations = check::check(&log, &finals);
    let mut trace = DefaultHasher::new();
    (&log, &finals, &broken, expired).hash(&mut trace);
    Outcome { totals: log.totals(), broken, expired, trace: trace.finish(), violations }
}
