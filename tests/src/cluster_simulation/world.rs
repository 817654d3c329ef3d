//! Moves the clocks of all machines and of what is around them, a few milliseconds at a time, in
//! one thread; and looks all the while whether a shard is served twice.

use std::sync::Arc;
use std::time::Duration;

use barrow_cluster::SHARDS;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::ground::Ground;
use super::machine::Machine;
use super::node::Run;
use crate::simulation::history::History;

/// So far every clock goes before the next one's turn. What one machine does reaches another
/// with the next tick.
const TICK: Duration = Duration::from_millis(5);

/// Every so many ticks it is looked who serves what.
const LOOK_TICKS: u32 = 4;

pub struct World {
    outside: Runtime,
    start: Instant,
    ticks: u32,
    machines: Vec<Machine>,
    ground: Arc<Ground>,
    history: Arc<History>,
}

impl World {
    pub fn new(
        outside: Runtime,
        machines: Vec<Machine>,
        ground: Arc<Ground>,
        history: Arc<History>,
    ) -> World {
        let context = outside.enter();
        let start = Instant::now();
        drop(context);
        World { outside, start, ticks: 0, machines, ground, history }
    }

    /// Lets time go on until the task has ended.
    pub fn run_until_end_of<T>(mut self, task: JoinHandle<T>) -> T {
        while !task.is_finished() {
            self.tick();
        }
        let outcome = self.outside.block_on(task).expect("what simulates does not panic");
        self.ground.network.clear();
        outcome
    }

    fn tick(&mut self) {
        self.ticks += 1;
        let now = TICK * self.ticks;
        let until = self.start + now;
        self.outside.block_on(async move { tokio::time::sleep_until(until).await });
        let first = self.ticks as usize;
        for turn in 0..self.machines.len() {
            let machine = (first + turn) % self.machines.len();
            self.machines[machine].run_until(now, &self.ground);
        }
        if self.ticks.is_multiple_of(LOOK_TICKS) {
            self.look(now);
            if let Some(selling) = &self.ground.selling {
                selling.look(&self.history);
            }
        }
    }

    /// At most one node with a valid lease serves a shard; one that stands still may wake.
    fn look(&self, now: Duration) {
        let serving: Vec<_> = self
            .machines
            .iter()
            .filter_map(|machine| machine.run_and_uptime(now))
            .filter(|(run, uptime)| run.shards.lease().is_valid(*uptime))
            .map(|(run, _)| run)
            .collect();
        let version = |run: &Arc<Run>| run.shards.view().version;
        // In one view a shard has one owner.
        if serving.windows(2).all(|pair| version(pair[0]) == version(pair[1]))
            && !serving.iter().any(|run| run.is_draining())
        {
            return;
        }
        let mut owners = [None; SHARDS];
        for run in serving {
            for shard in run.serves() {
                if let Some(other) = owners[usize::from(shard)].replace(run.machine) {
                    let both = format!("{other} and {} serve shard {shard}", run.machine);
                    self.history.wrong(format!("machines {both}"));
                    return;
                }
            }
        }
    }
}
