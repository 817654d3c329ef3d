//! What goes wrong in a cluster, and when: drawn from the seed.

use std::sync::Arc;
use std::time::Duration;

use barrow_actors::runtime::NEXT_FORM;
use barrow_adapters::decorators::{Faults, Rate};
use barrow_cluster::node::HEARTBEAT_PREFIX;
use barrow_cluster::{ControlTable, FIRST_FORM};
use tokio::time::{Instant, sleep};

use super::ground::Ground;
use super::machine::Seat;
use super::network::Link;
use super::table::{NO_FAULTS, TableFaults};
use crate::host::SeededEntropy;
use crate::simulation::weather::draw_faults;

/// The wall clock of a machine is within so many milliseconds of the true time. Two of them
/// together less than the five minutes for which every key is remembered.
const CLOCK_SKEW_MS: u64 = 60_000;

/// What befalls a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Crash,
    /// A process stands still while its clocks go on.
    Pause,
    Partition,
    OneWayPartition,
    /// Packets between two machines are held, and released later.
    Hold,
    Loss,
    CutFromTable,
    CutFromStore,
    StoreWeather,
    StoreOutage,
    TableWeather,
    /// Nobody reaches the table.
    TableOutage,
    /// Somebody removes a node's heartbeat row by hand.
    LostRow,
    /// A node hands over what it has, and is started again.
    Leave,
    /// All of them, one after another.
    RollingRestart,
    /// The same, with the other build: the later one, or back where all have that.
    Deploy,
    WallClock,
}

impl Fault {
    pub const ALL: &'static [Fault] = &[
        Fault::Crash,
        Fault::Crash,
        Fault::Pause,
        Fault::Pause,
        Fault::Partition,
        Fault::OneWayPartition,
        Fault::Hold,
        Fault::Loss,
        Fault::CutFromTable,
        Fault::CutFromStore,
        Fault::StoreWeather,
        Fault::StoreWeather,
        Fault::StoreOutage,
        Fault::TableWeather,
        Fault::TableOutage,
        Fault::LostRow,
        Fault::Leave,
        Fault::Leave,
        Fault::RollingRestart,
        Fault::Deploy,
        Fault::Deploy,
        Fault::WallClock,
    ];
}

/// How often what happened.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Strikes {
    pub crashes: usize,
    pub pauses: usize,
    pub partitions: usize,
    pub cuts: usize,
    pub leaves: usize,
    pub deploys: usize,
    pub others: usize,
}

impl Strikes {
    pub fn add(&mut self, other: &Strikes) {
        self.crashes += other.crashes;
        self.pauses += other.pauses;
        self.partitions += other.partitions;
        self.cuts += other.cuts;
        self.leaves += other.leaves;
        self.deploys += other.deploys;
        self.others += other.others;
    }

    fn count(&mut self, fault: Fault) {
        *match fault {
            Fault::Crash => &mut self.crashes,
            Fault::Pause => &mut self.pauses,
            Fault::Partition | Fault::OneWayPartition | Fault::Hold => &mut self.partitions,
            Fault::CutFromTable | Fault::CutFromStore => &mut self.cuts,
            Fault::Leave | Fault::RollingRestart => &mut self.leaves,
            Fault::Deploy => &mut self.deploys,
            _ => &mut self.others,
        } += 1;
    }
}

/// What is to be expected.
#[derive(Debug, Clone, Copy)]
pub struct Forecast {
    pub faults: &'static [Fault],
    /// The shortest and the longest time between two faults, in milliseconds.
    pub pauses_ms: (u64, u64),
    /// How long a fault lasts; a crash half as long, a pause twice.
    pub length: fn(&SeededEntropy) -> Duration,
    /// How the store and the table are, drawn anew with each change of their weather.
    pub store: fn(&SeededEntropy) -> Faults,
    pub table: fn(&SeededEntropy) -> TableFaults,
    /// Nothing happens for which a node could be taken for dead.
    pub is_survived_by_all: bool,
}

impl Default for Forecast {
    fn default() -> Self {
        Forecast {
            faults: Fault::ALL,
            pauses_ms: (0, 3_000),
            length: draw_length,
            store: draw_faults,
            table: draw_table_faults,
            is_survived_by_all: false,
        }
    }
}

/// Mostly for about as long as a lease, now and then far longer.
fn draw_length(dice: &SeededEntropy) -> Duration {
    Duration::from_millis(match dice.chance(20) {
        true => dice.below(15_000),
        false => 100 + dice.below(7_000),
    })
}

fn draw_table_faults(dice: &SeededEntropy) -> TableFaults {
    let percent = |max| if dice.chance(60) { dice.below(max) } else { 0 };
    let (failed, answer_lost, late) = (percent(10), percent(15), percent(10));
    TableFaults { failed, answer_lost, late, slow_removals: percent(100), is_out: false }
}

/// Everything around the nodes that breaks.
#[derive(Clone)]
pub struct Weather {
    pub ground: Arc<Ground>,
    pub seats: Arc<[Arc<Seat>]>,
    pub forecast: Forecast,
}

impl Weather {
    /// Breaks things until the time is over, and waits until the last of them is mended.
    pub async fn rage(&self, time: Duration) -> Strikes {
        let mut strikes = Strikes::default();
        let end = Instant::now() + time;
        let dice = &self.ground.dice;
        let Forecast { faults, pauses_ms: (shortest, longest), .. } = self.forecast;
        self.ground.store.set_faults((self.forecast.store)(dice));
        *self.ground.table_faults.lock() = (self.forecast.table)(dice);
        let mut under_way = tokio::task::JoinSet::new();
        while Instant::now() < end {
            sleep(Duration::from_millis(shortest + dice.below(longest - shortest))).await;
            let fault = faults[dice.below(faults.len() as u64) as usize];
            let seat = self.seats[dice.below(self.seats.len() as u64) as usize].clone();
            strikes.count(fault);
            let weather = self.clone();
            under_way.spawn(async move { weather.strike(fault, &seat).await });
        }
        while under_way.join_next().await.is_some() {}
        strikes
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.ground.store.set_faults(Faults::default());
        *self.ground.table_faults.lock() = NO_FAULTS;
        self.ground.network.heal();
        for seat in self.seats.iter() {
            self.ground.cut(seat.number, |cuts| *cuts = Default::default());
            seat.stand_still(false);
            seat.turn_on();
        }
    }

    async fn strike(&self, fault: Fault, seat: &Arc<Seat>) {
        let (ground, machine) = (&self.ground, seat.number);
        let length = (self.forecast.length)(&ground.dice);
        match fault {
            Fault::Crash => {
                seat.crash();
                sleep(length / 2).await;
                seat.turn_on();
            }
            Fault::Pause => {
                seat.stand_still(true);
                sleep(length * 2).await;
                seat.stand_still(false);
            }
            Fault::Partition | Fault::OneWayPartition | Fault::Hold => {
                self.break_links(fault, machine, length).await;
            }
            Fault::Loss => {
                ground.network.set_loss(1 + ground.dice.below(20));
                sleep(length).await;
                ground.network.set_loss(0);
            }
            Fault::CutFromTable => {
                ground.cut(machine, |cuts| cuts.table = true);
                sleep(length).await;
                ground.cut(machine, |cuts| cuts.table = false);
            }
            Fault::CutFromStore => {
                ground.cut(machine, |cuts| cuts.store = true);
                sleep(length / 2).await;
                ground.cut(machine, |cuts| cuts.store = false);
            }
            Fault::StoreWeather => ground.store.set_faults((self.forecast.store)(&ground.dice)),
            Fault::StoreOutage => {
                let down = Faults { unavailable: Rate::ALWAYS, ..Faults::default() };
                ground.store.set_faults(down);
                sleep(length / 8).await;
                ground.store.set_faults((self.forecast.store)(&ground.dice));
            }
            Fault::TableWeather => {
                *ground.table_faults.lock() = (self.forecast.table)(&ground.dice);
            }
            Fault::TableOutage => {
                ground.table_faults.lock().is_out = true;
                sleep(length).await;
                ground.table_faults.lock().is_out = false;
            }
            Fault::LostRow => self.lose_row(seat).await,
            Fault::Leave => self.leave(seat).await,
            Fault::RollingRestart => {
                for seat in self.seats.iter() {
                    self.leave(seat).await;
                    sleep(ground.up_to_ms(3_000)).await;
                }
            }
            Fault::Deploy => {
                let is_later = self.seats.iter().all(|seat| seat.reads() == NEXT_FORM);
                let reads = if is_later { FIRST_FORM } else { NEXT_FORM };
                for seat in self.seats.iter() {
                    seat.install(reads);
                    self.leave(seat).await;
                    sleep(ground.up_to_ms(3_000)).await;
                }
            }
            Fault::WallClock => {
                let skew = ground.dice.below(2 * CLOCK_SKEW_MS) as i64 - CLOCK_SKEW_MS as i64;
                seat.set_wall_skew(skew);
            }
        }
    }

    /// Between the machine and all others, or one of them.
    async fn break_links(&self, fault: Fault, machine: usize, length: Duration) {
        let network = &self.ground.network;
        let link = if fault == Fault::Hold { Link::Held } else { Link::Cut };
        let is_one_way = fault == Fault::OneWayPartition;
        let other = self.ground.dice.below(2 * self.seats.len() as u64) as usize;
        let others = (0..self.seats.len()).filter(|number| *number != machine);
        let others: Vec<usize> =
            others.filter(|number| other >= self.seats.len() || *number == other).collect();
        let set = |link| {
            for other in &others {
                network.set(machine, *other, link);
                if !is_one_way {
                    network.set(*other, machine, link);
                }
            }
        };
        set(link);
        sleep(length).await;
        set(Link::Up);
    }

    async fn lose_row(&self, seat: &Seat) {
        let (Some(run), table) = (seat.run(), &self.ground.table) else { return };
        let key = format!("{HEARTBEAT_PREFIX}{}", run.id);
        if let Some(row) = table.load(&key).await.expect("it is in memory") {
            table.delete(&key, row.version).await.expect("it is in memory");
        }
    }

    async fn leave(&self, seat: &Arc<Seat>) {
        let Some(run) = seat.run() else { return };
        run.leave(Duration::from_secs(5 + self.ground.dice.below(10)));
    }
}
