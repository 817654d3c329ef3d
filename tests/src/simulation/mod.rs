//! One node in a simulation: real carts on the real runtime, over a store that is slow, refuses,
//! loses replies and applies writes late, with crashes in between and clients that repeat what
//! they have no answer to.
//!
//! Everything follows from the seed. After a phase of faults the store heals, and what every
//! client saw is checked: each cart's history is linearizable, each acknowledged change is there,
//! each key took effect once.

mod client;
mod history;
mod node;

use std::sync::Arc;
use std::time::Duration;

use barrow_adapters::decorators::{Faults, Faulty, Rate};
use barrow_adapters::host::TokioSleeper;
use barrow_adapters::simulated::SimulatedEntityStore;
use barrow_engine::entity::EntityKind;
use barrow_engine::ports::{Clock, EntityStore, Entropy};

use crate::host::{SeededEntropy, SimulatedClock};
use client::Client;
use history::History;
use node::{Host, Node};

/// In calm weather a shard's scan comes round each second.
const CONVERGES_WITHIN: Duration = Duration::from_secs(30);

/// How much one run does.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub clients: u64,
    pub carts: u128,
    /// Of simulated time, with faults.
    pub chaos: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        Plan { clients: 4, carts: 3, chaos: Duration::from_secs(12) }
    }
}

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    pub acknowledged: usize,
    pub reads: usize,
    pub replays: usize,
    pub unknown: usize,
    pub crashes: usize,
    /// The same for the same seed.
    pub trace: u64,
    pub violations: Vec<String>,
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

async fn simulate(seed: u64, plan: Plan) -> Outcome {
    let dice = Arc::new(SeededEntropy::new(seed));
    let clock = Arc::new(SimulatedClock::default());
    let memory = Arc::new(SimulatedEntityStore::new());
    let inner: Arc<dyn EntityStore> = memory.clone();
    let store = Arc::new(Faulty::new(
        inner,
        clock.clone(),
        Arc::new(TokioSleeper),
        dice.next_u64(),
        draw_faults(&dice),
    ));
    let history = Arc::new(History::default());
    let host = Arc::new(Host::start(store.clone(), clock.clone(), dice.next_u64()));
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..plan.clients {
        let client = Client::new(number, dice.next_u64(), host.clone(), history.clone());
        clients.spawn(client.run(plan));
    }
    let crashes = break_things(&dice, &host, &store, plan.chaos).await;
    store.set_faults(Faults::default());
    while let Some(client) = clients.join_next().await {
        client.expect("a client does not panic");
    }
    store.settle().await;
    let end = host.restart().await;
    let mut outcome = history.check(&end, plan.carts).await;
    outcome.violations.extend(converge(&memory, &clock, &end).await);
    outcome.crashes = crashes;
    outcome
}

/// Once the store has healed, every effect reaches its target and every timer that is due runs,
/// though nobody asks for the entities that have them.
async fn converge(
    memory: &SimulatedEntityStore,
    clock: &SimulatedClock,
    end: &Node,
) -> Option<String> {
    let rows = memory.rows();
    let a_cart = rows.keys().any(|key| key.kind == EntityKind::Cart);
    for _ in 0..CONVERGES_WITHIN.as_secs() {
        let now = clock.now();
        let told = end.current_cart().await.is_some() || !a_cart;
        if told && memory.rows().values().all(|row| row.due.is_none_or(|due| due > now)) {
            return None;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Some(format!("after {CONVERGES_WITHIN:?} of calm something is still due"))
}

/// Faults of one kind, or of several, or of none: a rule that only ever breaks under one of
/// them is found sooner so.
fn draw_faults(dice: &SeededEntropy) -> Faults {
    let percent = |max: u64, often: u64| match dice.chance(often) {
        true => Rate::percent(dice.below(max) as u32),
        false => Rate::NEVER,
    };
    Faults {
        latency_max: Duration::from_millis(1 + dice.below(60)),
        unavailable: percent(20, 50),
        throttled: percent(20, 30),
        request_lost: percent(20, 50),
        reply_lost: percent(30, 60),
        late: percent(20, 50),
        late_max: Duration::from_millis(dice.below(3_000)),
    }
}

/// Crashes and changes of weather until the time is over. Returns how often it crashed.
async fn break_things(
    dice: &SeededEntropy,
    host: &Host,
    store: &Faulty<dyn EntityStore>,
    chaos: Duration,
) -> usize {
    let mut crashes = 0;
    let end = tokio::time::Instant::now() + chaos;
    while tokio::time::Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(200 + dice.below(2_000))).await;
        match dice.below(4) {
            0 => {
                crashes += 1;
                host.crash();
                tokio::time::sleep(Duration::from_millis(dice.below(500))).await;
                host.restart().await;
            }
            1 => host.lose_lease_for(Duration::from_millis(dice.below(800))).await,
            2 => store.set_faults(draw_faults(dice)),
            // The store is down altogether.
            _ => {
                let down = Faults { unavailable: Rate::ALWAYS, ..Faults::default() };
                store.set_faults(down);
                tokio::time::sleep(Duration::from_millis(dice.below(1_500))).await;
                store.set_faults(draw_faults(dice));
            }
        }
    }
    crashes
}
