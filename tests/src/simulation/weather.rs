//! What goes wrong around a node, and when: drawn from the seed.

use std::time::Duration;

use barrow_adapters::decorators::{Faults, Faulty, Rate};
use barrow_engine::ports::EntityStore;
use tokio::time::Instant;

use super::node::Host;
use crate::host::{SeededEntropy, SimulatedClock};

/// The wall clock is set to anything within so many milliseconds of the true time. Together less
/// than the five minutes for which every key is remembered: a jump beyond them may forget one.
const CLOCK_SKEW_MS: i64 = 120_000;

/// Of writes that are late. Those that are not let the others be seen.
const NEARLY_ALL: Rate = Rate(700_000);

/// Everything around the node that breaks.
pub struct Weather<'a> {
    pub dice: &'a SeededEntropy,
    pub host: &'a Host,
    pub store: &'a Faulty<dyn EntityStore>,
    pub clock: &'a SimulatedClock,
    /// Nearly all writes are late, whatever else is drawn.
    pub late_writes: bool,
}

/// How often what happened.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Broken {
    pub crashes: usize,
    pub clock_jumps: usize,
    pub outages: usize,
}

impl Broken {
    pub fn add(&mut self, other: &Broken) {
        self.crashes += other.crashes;
        self.clock_jumps += other.clock_jumps;
        self.outages += other.outages;
    }
}

impl Weather<'_> {
    /// Breaks things until the time is over.
    pub async fn rage(&self, time: Duration) -> Broken {
        let mut broken = Broken::default();
        let mut skew_ms = 0;
        let end = Instant::now() + time;
        self.store.set_faults(self.draw_faults());
        while Instant::now() < end {
            tokio::time::sleep(self.up_to_ms(1_500)).await;
            match self.dice.below(6) {
                0 | 1 => {
                    broken.crashes += 1;
                    self.host.crash();
                    tokio::time::sleep(self.up_to_ms(300)).await;
                    self.host.restart().await;
                }
                2 => self.host.lose_lease_for(self.up_to_ms(800)).await,
                3 => self.store.set_faults(self.draw_faults()),
                4 => {
                    broken.clock_jumps += 1;
                    let to = self.dice.below(2 * CLOCK_SKEW_MS as u64) as i64 - CLOCK_SKEW_MS;
                    self.clock.jump(to - skew_ms);
                    skew_ms = to;
                }
                // The store is down altogether.
                _ => {
                    broken.outages += 1;
                    let down = Faults { unavailable: Rate::ALWAYS, ..Faults::default() };
                    self.store.set_faults(down);
                    tokio::time::sleep(self.up_to_ms(1_500)).await;
                    self.store.set_faults(self.draw_faults());
                }
            }
        }
        broken
    }

    fn draw_faults(&self) -> Faults {
        let faults = draw_faults(self.dice);
        match self.late_writes {
            true => Faults { late: NEARLY_ALL, ..faults },
            false => faults,
        }
    }

    fn up_to_ms(&self, longest: u64) -> Duration {
        Duration::from_millis(self.dice.below(longest))
    }
}

/// Faults of one kind, or of several, or of none: a rule that only ever breaks under one of
/// them is found sooner so.
pub fn draw_faults(dice: &SeededEntropy) -> Faults {
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
        late: match percent(20, 50) {
            // Now and then nearly all writes are late, so that one whose actor has given it up
            // lands while the next one is at work.
            rate if rate > Rate::percent(16) => NEARLY_ALL,
            rate => rate,
        },
        late_max: Duration::from_millis(dice.below(3_000)),
    }
}
