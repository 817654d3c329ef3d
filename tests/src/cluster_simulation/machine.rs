//! A machine of the cluster, on which one process after another runs. Each process has a tokio
//! runtime of its own, whose paused clock is moved by the world: a crash drops it with all its
//! tasks, a process that stands still is not polled, and its clock goes at its own rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::{Handle, Runtime};
use tokio::time::Instant;

use barrow_actors::runtime::NEXT_FORM;
use barrow_cluster::FIRST_FORM;
use barrow_engine::ports::Clock;
use barrow_engine::time::Timestamp;

use super::ground::Ground;
use super::node::Run;
use crate::host::EPOCH_MS;

/// A runtime on a clock that only moves when it is told to.
pub fn paused_runtime() -> Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    runtime.expect("a runtime without I/O needs nothing from the system")
}

/// The clocks of a process: they follow the clock of its runtime, whoever reads them.
pub struct ProcessClock {
    runtime: Handle,
    start: Instant,
    /// The machine was up for so long before.
    up_before: Duration,
    wall_at_start_ms: i64,
    wall_skew_ms: Arc<AtomicI64>,
}

impl ProcessClock {
    fn elapsed(&self) -> Duration {
        let _context = self.runtime.enter();
        self.start.elapsed()
    }
}

impl Clock for ProcessClock {
    fn now(&self) -> Timestamp {
        let skew = self.wall_skew_ms.load(Ordering::Relaxed);
        Timestamp(self.wall_at_start_ms + self.elapsed().as_millis() as i64 + skew)
    }

    fn uptime(&self) -> Duration {
        self.up_before + self.elapsed()
    }
}

/// What others see and do of a machine.
pub struct Seat {
    pub number: usize,
    orders: Mutex<Orders>,
    run: Mutex<Option<Arc<Run>>>,
    wall_skew_ms: Arc<AtomicI64>,
    /// The newest form that the build reads which is installed there.
    reads: AtomicU8,
}

#[derive(Default, Clone, Copy)]
struct Orders {
    is_off: bool,
    kill: bool,
    stands_still: bool,
}

impl Seat {
    /// The process that runs there, if one does.
    pub fn run(&self) -> Option<Arc<Run>> {
        self.run.lock().clone()
    }

    /// Ends the process as `kill -9` does; the next one starts once the machine is on.
    pub fn crash(&self) {
        let mut orders = self.orders.lock();
        (orders.kill, orders.is_off) = (true, true);
    }

    /// From now on a process runs there.
    pub fn turn_on(&self) {
        self.orders.lock().is_off = false;
    }

    /// The newest form that the installed build reads.
    pub fn reads(&self) -> u8 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Installs the build that reads up to this form; the next process is of it.
    pub fn install(&self, reads: u8) {
        self.reads.store(reads, Ordering::Relaxed);
    }

    /// The process stands still, or wakes.
    pub fn stand_still(&self, stands_still: bool) {
        self.orders.lock().stands_still = stands_still;
    }

    /// Sets the wall clock to so many milliseconds from the true time.
    pub fn set_wall_skew(&self, millis: i64) {
        self.wall_skew_ms.store(millis, Ordering::Relaxed);
    }
}

/// A machine, as the world moves it.
pub struct Machine {
    pub seat: Arc<Seat>,
    /// Its clock goes so much too fast, in a thousand.
    per_mille: u64,
    up_before: Duration,
    process: Option<Process>,
}

struct Process {
    runtime: Runtime,
    run: Arc<Run>,
    started_at: Duration,
    start: Instant,
    stood_still: bool,
}

impl Machine {
    pub fn new(number: usize, per_mille: u64, up_before: Duration) -> Machine {
        let orders = Mutex::new(Orders { is_off: true, ..Orders::default() });
        let (run, wall_skew_ms) = (Mutex::default(), Arc::default());
        let reads = AtomicU8::new(FIRST_FORM);
        let seat = Arc::new(Seat { number, orders, run, wall_skew_ms, reads });
        Machine { seat, per_mille, up_before, process: None }
    }

    /// Lets its process run up to that time of the world.
    pub fn run_until(&mut self, now: Duration, ground: &Arc<Ground>) {
        let orders = *self.seat.orders.lock();
        self.seat.orders.lock().kill = false;
        let ends = |process: &Process| orders.kill || process.run.has_ended();
        if let Some(process) = self.process.as_ref().filter(|process| ends(process)) {
            if process.run.is_too_old() {
                // Whoever runs the shop sees why it ended, and installs the later build.
                self.seat.install(NEXT_FORM);
                ground.refused.fetch_add(1, Ordering::Relaxed);
            }
            *self.seat.run.lock() = None;
            self.process = None;
        }
        if self.process.is_none() && !orders.is_off {
            self.start(now, ground);
        }
        let target = self.target(now);
        let Some(process) = &mut self.process else { return };
        if std::mem::replace(&mut process.stood_still, orders.stands_still) {
            if orders.stands_still {
                return;
            }
            process.runtime.block_on(async {
                tokio::time::advance(target.saturating_duration_since(Instant::now())).await;
            });
            return;
        }
        if !orders.stands_still {
            process.runtime.block_on(async move { tokio::time::sleep_until(target).await });
        }
    }

    /// What its runtime's clock shows at that time of the world.
    fn target(&self, now: Duration) -> Instant {
        let Some(process) = &self.process else { return Instant::now() };
        process.start + self.scaled(now - process.started_at)
    }

    fn scaled(&self, time: Duration) -> Duration {
        time * u32::try_from(self.per_mille).unwrap_or(1_000) / 1_000
    }

    fn start(&mut self, now: Duration, ground: &Arc<Ground>) {
        let runtime = paused_runtime();
        let context = runtime.enter();
        let start = Instant::now();
        let clock = Arc::new(ProcessClock {
            runtime: runtime.handle().clone(),
            start,
            up_before: self.up_before + self.scaled(now),
            wall_at_start_ms: EPOCH_MS + now.as_millis() as i64,
            wall_skew_ms: self.seat.wall_skew_ms.clone(),
        });
        let run = Run::start(ground, self.seat.number, self.seat.reads(), clock);
        drop(context);
        *self.seat.run.lock() = Some(run.clone());
        self.process = Some(Process { runtime, run, started_at: now, start, stood_still: false });
    }

    /// The process, and what its machine's boot-time clock shows at that time of the world,
    /// though it may stand still.
    pub fn run_and_uptime(&self, now: Duration) -> Option<(&Arc<Run>, Duration)> {
        Some((&self.process.as_ref()?.run, self.up_before + self.scaled(now)))
    }
}
