//! Whole nodes of a cluster in a simulation: three or four processes with the real edge, the real
//! carts and sessions, router and membership, on one store and one control table; and a network
//! between them. They crash, stand still, are cut off from each other, from the table and from
//! the store, leave and come back; each goes by its own clocks. Clients speak HTTP to any of them.
//!
//! Everything follows from the seed. After a phase of faults everything heals, and it has to come
//! to rest: every shard has one owner, and every cart answers through every node. What the clients
//! saw is checked as that of one node is; and all the while no shard may be served twice, and no
//! row written that a member might not read: nodes are of two builds, which are deployed forwards
//! and back.

mod converge;
mod door;
mod ground;
mod machine;
mod network;
mod node;
pub mod planted;
mod selling;
mod store;
mod table;
mod weather;
mod world;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use barrow_adapters::decorators::{Faults, Faulty};
use barrow_adapters::host::TokioSleeper;
use barrow_adapters::simulated::SimulatedEntityStore;
use barrow_cluster::{FIRST_FORM, MemoryControlTable};
use barrow_engine::ports::{EntityStore, Entropy};

use crate::host::{SeededEntropy, SimulatedClock};
use crate::simulation::check;
use crate::simulation::client::{Client, Shopper, finish, start};
use crate::simulation::history::{History, Totals};
use crate::simulation::planted::Conditions;
use crate::simulation::seeds::{Seeds, on_all_cores};
use converge::Converging;
use door::Door;
use ground::{Cuts, Ground};
use machine::{Machine, Seat, paused_runtime};
use network::Network;
pub use selling::Sales;
use selling::Selling;
use selling::purchases::Sold;
use selling::trade::Trade;
use table::NO_FAULTS;
use weather::Weather;
pub use weather::{Fault, Forecast, Strikes};
use world::World;

/// The longest time for which all nodes have to read a later form before it is written: some
/// clusters go back before, others come back too late.
const FORM_WAIT_SECONDS: u64 = 10;

/// Those that once found something in a cluster.
pub const SEEDS: Seeds = Seeds { file: "cluster-seeds.txt", command: "./dev sim --cluster" };

/// The same of those that sell.
pub const SELLING_SEEDS: Seeds =
    Seeds { file: "selling-seeds.txt", command: "./dev sim --cluster --selling" };

/// How much one run does, and what goes wrong in it.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub shoppers: u32,
    /// Of each shopper; they change the same carts.
    pub clients: u32,
    /// Of each shopper, that their clients share. They open others besides.
    pub carts: usize,
    /// The longest time between two requests of a client, in milliseconds.
    pub pause_ms_max: u64,
    /// Adds have keys, all but a few.
    pub has_keys: bool,
    pub weather: Forecast,
    /// Whether and how it sells. Buyers have carts of their own.
    pub sales: Option<Sales>,
    /// Of simulated time, with faults.
    pub chaos: Duration,
    /// Of simulated time, without any.
    pub calm: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            shoppers: 2,
            clients: 2,
            carts: 2,
            pause_ms_max: 300,
            has_keys: true,
            weather: Forecast::default(),
            sales: None,
            chaos: Duration::from_secs(25),
            calm: Duration::from_secs(1),
        }
    }
}

impl Plan {
    /// A cluster that sells. Other clients are fewer, so that a run takes no longer.
    pub fn selling() -> Plan {
        Plan { shoppers: 1, sales: Some(Sales::default()), ..Plan::default() }
    }
}

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    pub totals: Totals,
    pub strikes: Strikes,
    pub sold: Sold,
    /// Runs in which rows took the later form.
    pub raised: usize,
    /// Processes that were not taken as members, since they do not read it.
    pub refused: usize,
    /// The same for the same seed.
    pub trace: u64,
    pub violations: Vec<String>,
}

impl Outcome {
    /// Counts another run's as well.
    pub fn add(&mut self, other: &Outcome) {
        self.totals.add(&other.totals);
        self.strikes.add(&other.strikes);
        self.sold.add(&other.sold);
        self.raised += other.raised;
        self.refused += other.refused;
    }
}

/// Simulates a cluster on a seed.
pub fn run(seed: u64, plan: Plan) -> Outcome {
    let outside = paused_runtime();
    let context = outside.enter();
    let history = Arc::new(History::default());
    let sells = plan.sales.is_some().then_some(seed);
    let ground = ground(SeededEntropy::new(seed), sells, history.clone());
    let machines = machines(&ground);
    drop(context);
    let seats: Arc<[Arc<Seat>]> = machines.iter().map(|machine| machine.seat.clone()).collect();
    ground.cuts.lock().resize(seats.len(), Cuts::default());
    let simulation = Simulation { plan, ground: ground.clone(), seats, history: history.clone() };
    let task = outside.spawn(async move { simulation.run().await });
    World::new(outside, machines, ground, history).run_until_end_of(task)
}

/// Runs each seed on some core. `done` hears of each outcome, in whatever order.
///
/// # Panics
/// If a simulation does.
pub fn run_all(seeds: &[u64], plan: Plan, done: impl FnMut(u64, Outcome)) {
    on_all_cores(seeds, |seed| run(seed, plan), done);
}

/// On the current runtime. Who sells has dice of their own for that.
fn ground(dice: SeededEntropy, sells: Option<u64>, history: Arc<History>) -> Arc<Ground> {
    let clock = Arc::new(SimulatedClock::default());
    let rows = Arc::new(SimulatedEntityStore::new());
    let inner: Arc<dyn EntityStore> = Arc::new(Conditions(rows.clone()));
    let (sleeper, faults) = (Arc::new(TokioSleeper), Faults::default());
    let store = Faulty::new(inner, clock.clone(), sleeper, dice.next_u64(), faults);
    let selling = sells.map(|seed| Arc::new(Selling::new(seed, &clock, &history)));
    let form_wait = Duration::from_secs(dice.below(FORM_WAIT_SECONDS));
    Arc::new(Ground {
        outside: tokio::runtime::Handle::current(),
        dice,
        clock,
        rows,
        store: Arc::new(store),
        table: MemoryControlTable::default(),
        table_faults: parking_lot::Mutex::new(NO_FAULTS),
        network: Network::default(),
        cuts: parking_lot::Mutex::default(),
        form_wait,
        refused: AtomicUsize::new(0),
        history,
        selling,
        evictions: AtomicUsize::new(0),
    })
}

/// Three or, now and then, four; the rates of their clocks differ by up to two percent each way.
fn machines(ground: &Ground) -> Vec<Machine> {
    let count = if ground.dice.chance(25) { 4 } else { 3 };
    let machine = |number| {
        let per_mille = 980 + ground.dice.below(41);
        let up_before = ground.up_to_ms(1_000_000);
        let machine = Machine::new(number, per_mille, up_before);
        machine.seat.set_wall_skew(ground.dice.below(10_000) as i64 - 5_000);
        machine
    };
    (0..count).map(machine).collect()
}

struct Simulation {
    plan: Plan,
    ground: Arc<Ground>,
    seats: Arc<[Arc<Seat>]>,
    history: Arc<History>,
}

impl Simulation {
    async fn run(self) -> Outcome {
        let Simulation { plan, ground, seats, history } = &self;
        for seat in seats.iter() {
            seat.turn_on();
            tokio::time::sleep(ground.up_to_ms(2_000)).await;
        }
        let mut shoppers = Vec::new();
        for _ in 0..plan.shoppers {
            let door = Door::new(seats.clone(), ground.dice.next_u64());
            shoppers.push(Shopper::arrive(&door, plan.carts).await);
        }
        let weather =
            Weather { ground: ground.clone(), seats: seats.clone(), forecast: plan.weather };

        let trade = Trade::open(ground, seats, plan.sales).await;
        let chaos = start(self.clients(&shoppers).map(|client| client.run(plan.chaos)));
        let strikes = match &trade {
            None => weather.rage(plan.chaos).await,
            Some(trade) => {
                let buying = trade.start(plan.chaos, false);
                let (strikes, ()) = tokio::join!(weather.rage(plan.chaos), trade.rage(plan.chaos));
                trade.selling.heal().await;
                weather.heal();
                finish(buying).await;
                strikes
            }
        };
        weather.heal();
        finish(chaos).await;
        if plan.weather.is_survived_by_all && ground.evictions() > 0 {
            history.wrong("a node was taken for dead that did all it could");
        }

        let converging = Converging { shoppers: &shoppers, history, weather: &weather };
        converging.heal().await;
        let buying = trade.as_ref().map(|trade| trade.start(plan.calm, true));
        let calm = self.clients(&shoppers).map(|client| client.in_calm_weather().run(plan.calm));
        finish(start(calm)).await;
        finish(buying.unwrap_or_default()).await;
        let finals = converging.settle().await;
        let (sold, sales) = match &trade {
            None => Default::default(),
            Some(trade) => trade.settle().await,
        };

        let log = history.to_log();
        let violations = check::check(&log, &finals);
        let mut trace = DefaultHasher::new();
        (&log, &finals, &strikes).hash(&mut trace);
        if trade.is_some() {
            sales.hash(&mut trace);
        }
        let raised = usize::from(ground.form().await > FIRST_FORM);
        let refused = ground.refused.load(Ordering::Relaxed);
        let totals = log.totals();
        let trace = trace.finish();
        Outcome { totals, strikes, sold, raised, refused, trace, violations }
    }

    fn clients(&self, shoppers: &[Arc<Shopper>]) -> impl Iterator<Item = Client> {
        let Simulation { plan, ground, seats, history } = self;
        (0..plan.shoppers * plan.clients).map(move |number| {
            let shopper = shoppers[(number / plan.clients) as usize].clone();
            let door = Arc::new(Door::new(seats.clone(), ground.dice.next_u64()));
            let client =
                Client::new(number, ground.dice.next_u64(), shopper, door, history.clone());
            let client = client.at_leisure(plan.pause_ms_max);
            if plan.has_keys { client } else { client.without_keys() }
        })
    }
}
