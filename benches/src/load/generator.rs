//! The process that makes the load. It shares the cores with the server, so it does little: one
//! thread, one readiness queue, requests that are bytes already.

use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::fd::OwnedFd;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::latencies::Latencies;
use super::requests::{self, Request};
use super::wire::Wire;
use super::{Figures, Round};
use crate::process::cpu_s;

/// Before the time runs, so that connections and caches are warm: a part of the round.
const WARM_UP: u32 = 10;

/// At a rate, requests that are due are sent so often at most. What they wait for it counts.
const TICK_MIN: Duration = Duration::from_micros(100);
const TICK: Token = Token(usize::MAX);

/// So much later than it should have ended, a server does not keep up with the rate.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn run() -> anyhow::Result<()> {
    let round = std::env::args().nth(1).context("it is told what to send")?;
    let round: Round = serde_json::from_str(&round)?;
    let generator = Generator::new(&round)?;
    let figures = match round.rate {
        None => generator.closed()?,
        Some(rate) => generator.open(rate)?,
    };
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

struct Generator {
    poll: Poll,
    wires: Vec<Wire>,
    /// From when the reply counts that a connection waits for.
    since: Vec<Instant>,
    requests: Vec<Request>,
    next_request: usize,
    next_key: u64,
    window: Window,
}

impl Generator {
    fn new(round: &Round) -> anyhow::Result<Generator> {
        let poll = Poll::new()?;
        let mut wires = Vec::with_capacity(round.connections);
        for at in 0..round.connections {
            let mut wire = Wire::open(round.address)?;
            poll.registry().register(&mut wire.stream, Token(at), Interest::READABLE)?;
            wires.push(wire);
        }
        Ok(Generator {
            poll,
            since: vec![Instant::now(); wires.len()],
            wires,
            requests: requests::read(&round.requests)?,
            next_request: 0,
            next_key: round.first_key,
            window: Window::new(round),
        })
    }

    fn send(&mut self, at: usize, since: Instant) -> anyhow::Result<()> {
        let request = &mut self.requests[self.next_request];
        self.since[at] = since;
        self.wires[at].send(request.under_key(&mut self.next_key))?;
        self.next_request = (self.next_request + 1) % self.requests.len();
        Ok(())
    }

    /// Each connection sends as soon as it has its answer.
    fn closed(mut self) -> anyhow::Result<Figures> {
        let mut events = Events::with_capacity(self.wires.len());
        for at in 0..self.wires.len() {
            self.send(at, Instant::now())?;
        }
        let mut waiting = self.wires.len();
        while waiting > 0 {
            self.poll.poll(&mut events, None)?;
            self.window.look(Instant::now())?;
            for event in &events {
                let at = event.token().0;
                if !self.wires[at].receive()? {
                    continue;
                }
                // Read for each: a batch of replies takes a while to be handled.
                let now = Instant::now();
                if self.window.is_open() {
                    self.window.latencies.add(now - self.since[at]);
                }
                match self.window.is_over() {
                    false => self.send(at, now)?,
                    true => waiting -= 1,
                }
            }
        }
        self.window.figures()
    }

    /// Requests are due at even distances, and wait for a free connection where there is none.
    fn open(mut self, rate: f64) -> anyhow::Result<Figures> {
        let between = Duration::from_secs_f64(1.0 / rate);
        let timer = tick(between.max(TICK_MIN))?;
        let source = timer.as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&source), TICK, Interest::READABLE)?;
        let mut events = Events::with_capacity(self.wires.len() + 1);
        let mut free: Vec<usize> = (0..self.wires.len()).collect();
        let mut due = Instant::now();
        while due < self.window.until || free.len() < self.wires.len() {
            self.poll.poll(&mut events, None)?;
            let now = Instant::now();
            self.window.look(now)?;
            if now > self.window.until + PATIENCE {
                bail!("the server does not keep up with {rate:.0} requests a second");
            }
            for event in &events {
                let Token(at) = event.token();
                if event.token() == TICK {
                    // It is wound up again only once it was read.
                    rustix::io::read(&timer, &mut [0; 8])?;
                    continue;
                }
                if self.wires[at].receive()? {
                    if self.window.counts(self.since[at]) {
                        self.window.latencies.add(self.since[at].elapsed());
                    }
                    free.push(at);
                }
            }
            while due < self.window.until && due <= now {
                let Some(at) = free.pop() else { break };
                self.send(at, due)?;
                due += between;
            }
        }
        self.window.look(Instant::now())?;
        self.window.figures()
    }
}

/// A timer that fires so often.
fn tick(period: Duration) -> anyhow::Result<OwnedFd> {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
    let period = Timespec::try_from(period)?;
    let setting = Itimerspec { it_interval: period, it_value: period };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &setting)?;
    Ok(timer)
}

/// The part of a round that counts.
struct Window {
    from: Instant,
    until: Instant,
    server: Vec<u32>,
    latencies: Latencies,
    began: Option<Clocks>,
    ended: Option<Clocks>,
}

impl Window {
    fn new(round: &Round) -> Window {
        let from = Instant::now() + round.time / WARM_UP;
        Window {
            from,
            until: from + round.time,
            server: round.server.clone(),
            latencies: Latencies::with_room(),
            began: None,
            ended: None,
        }
    }

    /// Reads the clocks as it opens and as it is over.
    fn look(&mut self, now: Instant) -> anyhow::Result<()> {
        if self.began.is_none() && now >= self.from {
            self.began = Some(Clocks::read(&self.server)?);
        }
        if self.ended.is_none() && now >= self.until {
            self.ended = Some(Clocks::read(&self.server)?);
        }
        Ok(())
    }

    fn is_open(&self) -> bool {
        self.began.is_some() && self.ended.is_none()
    }

    fn is_over(&self) -> bool {
        self.ended.is_some()
    }

    fn counts(&self, due: Instant) -> bool {
        (self.from..self.until).contains(&due)
    }

    fn figures(self) -> anyhow::Result<Figures> {
        let began = self.began.context("the round was over before it began")?;
        let ended = self.ended.context("the round did not end")?;
        let replies = self.latencies.count();
        let sorted = self.latencies.sorted();
        Ok(Figures {
            replies,
            elapsed_s: (ended.at - began.at).as_secs_f64(),
            p50_us: sorted.percentile_us(50.0),
            p99_us: sorted.percentile_us(99.0),
            p999_us: sorted.percentile_us(99.9),
            server_cpu_s: ended.server_s - began.server_s,
            generator_cpu_s: ended.generator_s - began.generator_s,
        })
    }
}

/// Time, and processor time, at one instant.
struct Clocks {
    at: Instant,
    server_s: f64,
    generator_s: f64,
}

impl Clocks {
    fn read(server: &[u32]) -> anyhow::Result<Clocks> {
        let server_s = server.iter().map(|pid| cpu_s(*pid)).sum::<anyhow::Result<f64>>()?;
        let generator_s = cpu_s(std::process::id())?;
        Ok(Clocks { at: Instant::now(), server_s, generator_s })
    }
}
