//! A cluster in one thread, on a clock that only moves when everybody waits: nodes on one table,
//! and what befalls them, by a seed. First faults, then none; what must hold is looked at all the
//! while.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::link::{Echo, Link, Rates, Rng, Shared};
use super::node::SimNode;
use crate::node::{Ended, HEARTBEAT_PREFIX};
use crate::{ControlTable, MemberId, MemoryControlTable, SHARDS, VIEW_KEY, View};

/// How often what must hold is looked at.
const TICK: Duration = Duration::from_millis(20);

/// How long the cluster has to come to rest once nothing goes wrong any more.
const HEALING_MAX: Duration = Duration::from_secs(90);

/// What befalls a cluster, by weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Crash,
    Pause,
    Cut,
    /// Paused or cut again and again, with a moment between.
    Flap,
    /// Cut off with the answer to a beat, heard once more, and cut off again.
    Echo,
    Outage,
    /// Somebody removes a node's heartbeat row by hand.
    LostRow,
    Leave,
    Join,
}

/// What goes wrong in a run.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    pub faults: &'static [Fault],
    pub nodes: u64,
    /// Between two faults, and how long one lasts, in milliseconds.
    pub pauses: (u64, u64),
    pub lengths: (u64, u64),
    pub rates: Rates,
    pub seconds: u64,
    /// Nothing happens for which a node could be taken for dead.
    pub has_no_deaths: bool,
}

enum Heal {
    Resume(MemberId),
    Mend(MemberId),
    Echo(MemberId),
    Outage,
    Start,
    /// For a moment, and so often again.
    Flap(MemberId, u64),
    FlapAgain(MemberId, u64),
}

struct World {
    schedule: Schedule,
    shared: Arc<Shared>,
    began: Instant,
    nodes: Vec<SimNode>,
    heals: Vec<(Duration, Heal)>,
    last_id: u128,
}

fn simulated<T>(run: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    runtime.expect("a runtime without I/O").block_on(run)
}

/// How long it takes until every shard is served again after one of four nodes has crashed.
#[cfg(test)]
pub fn takeover(seed: u64) -> Duration {
    let (rates, pauses, lengths) = (Rates::default(), (0, 0), (0, 0));
    let (faults, nodes, seconds) = (&[], 4, 0);
    let schedule = Schedule { faults, nodes, pauses, lengths, rates, seconds, has_no_deaths: true };
    simulated(async {
        let mut world = World::new(seed, schedule);
        (0..nodes).for_each(|_| world.start());
        while world.unrest().await.is_some() || world.has_moves() {
            world.tick().await.expect("one serves");
        }
        let moment = world.shared.rng.lock().millis((0, 2_000));
        sleep(moment).await;
        let crashed = world.random_node().expect("there are four");
        world.nodes.remove(crashed).crash();
        let began = Instant::now();
        while world.served() < SHARDS {
            world.tick().await.expect("one serves");
        }
        began.elapsed()
    })
}

/// Runs a cluster; what was wrong, if anything was.
pub fn run(seed: u64, schedule: Schedule) -> Result<(), String> {
    simulated(async {
        let mut world = World::new(seed, schedule);
        let ran = world.run().await;
        world.nodes.iter().for_each(SimNode::crash);
        ran.map_err(|wrong| format!("seed {seed}, {:?}: {wrong}", world.began.elapsed()))
    })
}

impl World {
    fn new(seed: u64, schedule: Schedule) -> World {
        let base = Arc::new(MemoryControlTable::default());
        let rng = Mutex::new(Rng::new(seed));
        let shared = Arc::new(Shared { base, rng, is_out: Mutex::new(false) });
        let (nodes, heals) = (Vec::new(), Vec::new());
        World { schedule, shared, began: Instant::now(), nodes, heals, last_id: 0 }
    }

    async fn run(&mut self) -> Result<(), String> {
        for _ in 0..self.schedule.nodes {
            let after = self.shared.rng.lock().millis((0, 4_000));
            self.heals.push((after, Heal::Start));
        }
        let end = Duration::from_secs(self.schedule.seconds);
        let mut next_fault = Duration::from_millis(self.schedule.pauses.0);
        while self.began.elapsed() < end {
            self.tick().await?;
            if self.began.elapsed() >= next_fault {
                let pause = self.shared.rng.lock().millis(self.schedule.pauses);
                next_fault = self.began.elapsed() + pause;
                self.strike().await;
            }
        }
        self.heal_all();
        let healed = self.began.elapsed();
        loop {
            self.tick().await?;
            let restless = match self.unrest().await {
                None => return Ok(()),
                Some(restless) => restless,
            };
            if self.began.elapsed() - healed > HEALING_MAX {
                return Err(format!("it does not come to rest: {restless}"));
            }
        }
    }

    fn random_node(&self) -> Option<usize> {
        let count = self.nodes.len() as u64;
        (count > 0).then(|| self.shared.rng.lock().between(0, count - 1) as usize)
    }

    fn later(&mut self, after: Duration, heal: Heal) {
        self.heals.push((self.began.elapsed() + after, heal));
    }

    fn start(&mut self) {
        // Ids are random: a later node may have a lower one.
        self.last_id += 1;
        let id = u128::from(self.shared.rng.lock().next()) << 32 | self.last_id;
        let shared = Arc::clone(&self.shared);
        let mut rates = self.schedule.rates;
        if self.last_id <= 2 {
            // The first ones are sound: somebody has to take over from the others.
            rates.twins_after = None;
        }
        let (rates, is_cut) = (Mutex::new(rates), Mutex::new(false));
        let link = Link { shared, rates, is_cut, echo: Mutex::default() };
        self.nodes.push(SimNode::start(id, link));
    }

    async fn strike(&mut self) {
        let (fault, length) = {
            let mut rng = self.shared.rng.lock();
            let faults = self.schedule.faults;
            let fault = faults[rng.between(0, faults.len() as u64 - 1) as usize];
            (fault, rng.millis(self.schedule.lengths))
        };
        let Some(index) = self.random_node() else { return };
        let id = self.nodes[index].id;
        match fault {
            Fault::Crash => {
                self.nodes.remove(index).crash();
                self.later(length, Heal::Start);
            }
            Fault::Pause => {
                let node = &self.nodes[index];
                node.pause();
                // What it sent before is on its way; what it sends later has no copies.
                node.link.rates.lock().twins_after = None;
                self.later(length, Heal::Resume(id));
            }
            Fault::Cut => {
                *self.nodes[index].link.is_cut.lock() = true;
                self.later(length, Heal::Mend(id));
            }
            Fault::Flap => self.flap(id, 2),
            Fault::Echo => {
                *self.nodes[index].link.echo.lock() = Echo::Lost;
                self.later(length, Heal::Echo(id));
                self.later(length + Duration::from_secs(5), Heal::Mend(id));
            }
            Fault::Outage => {
                *self.shared.is_out.lock() = true;
                self.later(length, Heal::Outage);
            }
            Fault::LostRow => {
                let key = format!("{HEARTBEAT_PREFIX}{id}");
                if let Ok(Some(row)) = self.shared.base.load(&key).await {
                    let _ = self.shared.base.delete(&key, row.version).await;
                }
            }
            Fault::Leave => {
                self.nodes[index].membership.leave(length * 3);
            }
            Fault::Join if self.nodes.len() < 6 => self.start(),
            Fault::Join => {}
        }
    }

    fn flap(&mut self, id: MemberId, times: u64) {
        let Some(node) = self.nodes.iter().find(|node| node.id == id) else { return };
        let (is_pause, length) = {
            let mut rng = self.shared.rng.lock();
            (rng.chance(300), rng.millis(self.schedule.lengths))
        };
        match is_pause {
            true => node.pause(),
            false => *node.link.is_cut.lock() = true,
        }
        self.later(length, Heal::Flap(id, times));
    }

    fn heal(&mut self, heal: Heal) {
        let node = |id: MemberId| self.nodes.iter().find(|node| node.id == id);
        let mend = |id| node(id).into_iter().for_each(|node| *node.link.is_cut.lock() = false);
        let resume = |id| node(id).into_iter().for_each(SimNode::resume);
        match heal {
            Heal::Resume(id) => resume(id),
            Heal::Mend(id) => {
                mend(id);
                node(id).into_iter().for_each(|node| *node.link.echo.lock() = Echo::Off);
            }
            Heal::Echo(id) => {
                mend(id);
                node(id).into_iter().for_each(|node| *node.link.echo.lock() = Echo::Heard);
            }
            Heal::Outage => *self.shared.is_out.lock() = false,
            Heal::Start => self.start(),
            Heal::Flap(id, times) => {
                resume(id);
                mend(id);
                if times > 0 {
                    let moment = self.shared.rng.lock().millis((1, 60));
                    self.later(moment, Heal::FlapAgain(id, times - 1));
                }
            }
            Heal::FlapAgain(id, times) => self.flap(id, times),
        }
    }

    fn heal_all(&mut self) {
        for node in &self.nodes {
            *node.link.rates.lock() = Rates::default();
            *node.link.is_cut.lock() = false;
            *node.link.echo.lock() = Echo::Off;
            node.resume();
        }
        self.schedule.rates = Rates::default();
        *self.shared.is_out.lock() = false;
        let heals = std::mem::take(&mut self.heals);
        let starts = heals.iter().filter(|(_, heal)| matches!(heal, Heal::Start)).count();
        (0..starts).for_each(|_| self.start());
        if self.nodes.is_empty() {
            self.start();
        }
    }

    async fn tick(&mut self) -> Result<(), String> {
        sleep(TICK).await;
        let now = self.began.elapsed();
        let mut due = Vec::new();
        for (at, heal) in std::mem::take(&mut self.heals) {
            match at <= now {
                true => due.push(heal),
                false => self.heals.push((at, heal)),
            }
        }
        due.into_iter().for_each(|heal| self.heal(heal));
        for index in (0..self.nodes.len()).rev() {
            if self.nodes[index].has_ended() {
                let ended = self.nodes.remove(index).end().await;
                if self.schedule.has_no_deaths && ended == Some(Ended::Evicted) {
                    return Err("a node was taken for dead that did all it could".to_owned());
                }
                let after = self.shared.rng.lock().millis((0, 3_000));
                self.later(after, Heal::Start);
            }
        }
        self.one_serves()
    }

    /// No shard is served by two nodes whose leases are valid.
    fn one_serves(&self) -> Result<(), String> {
        let mut owners = BTreeMap::new();
        for node in &self.nodes {
            for shard in node.serves() {
                if let Some(other) = owners.insert(shard, node.id) {
                    return Err(format!("{other} and {} serve shard {shard}", node.id));
                }
            }
        }
        Ok(())
    }

    /// The shards that a living node knows to be its own.
    #[cfg(test)]
    fn served(&self) -> usize {
        let living = self.nodes.iter().filter(|node| node.has_lease());
        living.map(|node| node.shards.view().shards_of(node.id).count()).sum()
    }

    #[cfg(test)]
    fn has_moves(&self) -> bool {
        self.nodes.iter().any(|node| !crate::plan::plan(&node.shards.view()).is_empty())
    }

    /// Why the cluster is not at rest: every shard has one live owner, and all know it.
    async fn unrest(&self) -> Option<String> {
        let Some(row) = self.shared.base.load(VIEW_KEY).await.expect("it is in memory") else {
            return Some("there is no view".to_owned());
        };
        let view = View::decode(row.version, &row.value, 1).expect("a view was written");
        let members: BTreeSet<_> = view.members.iter().map(|member| member.id).collect();
        let living: BTreeSet<_> = self.nodes.iter().map(|node| node.id).collect();
        let rows = self.shared.base.list(HEARTBEAT_PREFIX).await.expect("it is in memory");
        if members != living || rows.len() != living.len() {
            return Some(format!("{} members, {} live: {living:?}", members.len(), living.len()));
        }
        let mut open = 0;
        for node in &self.nodes {
            let known = node.shards.view().version;
            let has_lease = node.has_lease();
            let Some(count) = node.open_shards().filter(|_| has_lease && known == view.version)
            else {
                return Some(format!("{} knows {known}, lease {has_lease}", node.id));
            };
            open += count;
        }
        (open != SHARDS).then(|| format!("{open} shards have an owner"))
    }
}
