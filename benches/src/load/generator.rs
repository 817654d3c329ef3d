//! The process that makes the load. It shares the cores with the server, so it does little: one
//! thread, one readiness queue, requests that are bytes already.

use std::time::{Duration, Instant};

use anyhow::Context;
use mio::{Events, Interest, Poll, Token};

use super::latencies::Latencies;
use super::requests::{self, Request};
use super::wire::Wire;
use super::{Figures, Round};
use crate::process::cpu_s;

/// Before the time runs, so that connections and caches are warm: a part of the round.
const WARM_UP: u32 = 10;

pub fn run() -> anyhow::Result<()> {
    let round = std::env::args().nth(1).context("it is told what to send")?;
    let round: Round = serde_json::from_str(&round)?;
    let figures = Generator::new(&round)?.closed(&round)?;
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

struct Generator {
    poll: Poll,
    wires: Vec<Wire>,
    /// When the request was sent that a connection waits for.
    sent_at: Vec<Instant>,
    requests: Vec<Request>,
    next_request: usize,
    next_key: u64,
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
            sent_at: vec![Instant::now(); wires.len()],
            wires,
            requests: requests::read(&round.requests)?,
            next_request: 0,
            next_key: round.first_key,
        })
    }

    fn send(&mut self, at: usize, now: Instant) -> anyhow::Result<()> {
        let request = &mut self.requests[self.next_request];
        self.sent_at[at] = now;
        self.wires[at].send(request.under_key(&mut self.next_key))?;
        self.next_request = (self.next_request + 1) % self.requests.len();
        Ok(())
    }

    /// Each connection sends as soon as it has its answer.
    fn closed(mut self, round: &Round) -> anyhow::Result<Figures> {
        let mut latencies = Latencies::with_room();
        let mut events = Events::with_capacity(round.connections);
        let counts_from = Instant::now() + round.time / WARM_UP;
        let counts_until = counts_from + round.time;
        let mut clocks: Option<Clocks> = None;
        for at in 0..self.wires.len() {
            self.send(at, Instant::now())?;
        }
        let mut waiting = self.wires.len();
        let mut ended: Option<Clocks> = None;
        while waiting > 0 {
            self.poll.poll(&mut events, None)?;
            let now = Instant::now();
            if clocks.is_none() && now >= counts_from {
                clocks = Some(Clocks::read(&round.server)?);
            }
            if ended.is_none() && now >= counts_until {
                ended = Some(Clocks::read(&round.server)?);
            }
            for event in &events {
                let at = event.token().0;
                if !self.wires[at].receive()? {
                    continue;
                }
                // Read again for each: a batch of replies takes a while to be handled.
                let now = Instant::now();
                if clocks.is_some() && ended.is_none() {
                    latencies.add(now - self.sent_at[at]);
                }
                if ended.is_none() {
                    self.send(at, now)?;
                } else {
                    waiting -= 1;
                }
            }
        }
        let began = clocks.context("the round was over before it began")?;
        figures(latencies, &began, &ended.context("it has ended")?)
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

fn figures(latencies: Latencies, began: &Clocks, ended: &Clocks) -> anyhow::Result<Figures> {
    let replies = latencies.count();
    let elapsed: Duration = ended.at - began.at;
    let sorted = latencies.sorted();
    Ok(Figures {
        replies,
        elapsed_s: elapsed.as_secs_f64(),
        p50_us: sorted.percentile_us(50.0),
        p99_us: sorted.percentile_us(99.0),
        p999_us: sorted.percentile_us(99.9),
        server_cpu_s: ended.server_s - began.server_s,
        generator_cpu_s: ended.generator_s - began.generator_s,
    })
}
