//! Load: what is sent, by a process of its own, and what came of it.

pub mod generator;
pub mod latencies;
pub mod requests;
mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::role;
use requests::Request;

/// One round of load, as the generator is told.
#[derive(Serialize, Deserialize)]
pub struct Round {
    pub address: SocketAddr,
    pub connections: usize,
    pub time: Duration,
    /// Requests a second, sent when they are due whether or not the former were answered; if
    /// none, each connection sends when it got its answer.
    pub rate: Option<f64>,
    requests: PathBuf,
    /// The first key; each request that has one gets the next.
    first_key: u64,
    /// Whose processor time is counted.
    server: Vec<u32>,
}

/// What a round came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Figures {
    pub replies: u64,
    pub elapsed_s: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub p999_us: f64,
    pub server_cpu_s: f64,
    pub generator_cpu_s: f64,
}

impl Figures {
    /// Replies a second.
    pub fn rate(&self) -> f64 {
        self.replies as f64 / self.elapsed_s
    }

    /// Processor time of the server for 1,000 requests, in milliseconds; the same number is
    /// the microseconds that one took.
    pub fn cpu_ms_per_1000(&self) -> f64 {
        self.server_cpu_s * 1e6 / self.replies.max(1) as f64
    }

    /// How much of a core the generator took: near 1 it would be what is measured.
    pub fn generator_cores(&self) -> f64 {
        self.generator_cpu_s / self.elapsed_s
    }
}

/// Requests, written where a generator can read them.
pub struct Requests {
    file: tempfile::NamedTempFile,
}

impl Requests {
    pub fn new(requests: &[Request]) -> anyhow::Result<Requests> {
        let file = tempfile::NamedTempFile::new()?;
        requests::write(requests, file.path())?;
        Ok(Requests { file })
    }

    /// Sends them in turn over so many connections until the time is over, each connection one
    /// at a time. A reply that is no success ends the measurement.
    pub fn closed(
        &self,
        server: &impl Target,
        connections: usize,
        time: Duration,
    ) -> anyhow::Result<Figures> {
        self.send(server, connections, time, None)
    }

    /// Sends them at that rate, whether or not the former were answered; what a reply took
    /// counts from when its request was due.
    pub fn open(
        &self,
        server: &impl Target,
        connections: usize,
        time: Duration,
        rate: f64,
    ) -> anyhow::Result<Figures> {
        self.send(server, connections, time, Some(rate))
    }

    fn send(
        &self,
        server: &impl Target,
        connections: usize,
        time: Duration,
        rate: Option<f64>,
    ) -> anyhow::Result<Figures> {
        /// More than any round sends.
        const KEYS_OF_A_ROUND: u64 = 1 << 32;
        static NEXT_KEY: AtomicU64 = AtomicU64::new(0);

        let round = Round {
            address: server.address(),
            connections,
            time,
            rate,
            requests: self.file.path().to_owned(),
            first_key: NEXT_KEY.fetch_add(KEYS_OF_A_ROUND, Ordering::Relaxed),
            server: server.processes(),
        };
        let mut command = role("load")?;
        command.arg(serde_json::to_string(&round)?).stderr(Stdio::inherit());
        let output = command.output().context("the generator cannot be started")?;
        ensure!(output.status.success(), "the generator ended: {}", output.status);
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// A server that can be loaded.
pub trait Target {
    fn address(&self) -> SocketAddr;

    /// All that work for it.
    fn processes(&self) -> Vec<u32>;
}
