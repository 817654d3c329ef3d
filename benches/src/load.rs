//! Closed-loop load over keep-alive connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A reply is never larger.
const REPLY_BYTES_MAX: usize = 1 << 20;

/// A request as it goes out; where it has a key, each time with another.
#[derive(Clone)]
pub struct Request {
    pub bytes: Vec<u8>,
    /// Where the digits of the key begin.
    pub key_at: Option<usize>,
}

impl Request {
    fn with_key(&self, key: u64, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&self.bytes);
        if let Some(at) = self.key_at {
            let digits = format!("{key:0width$}", width = KEY_DIGITS);
            out[at..at + KEY_DIGITS].copy_from_slice(digits.as_bytes());
        }
    }
}

/// As many as the largest key has.
pub const KEY_DIGITS: usize = 20;

/// Keys are never used twice by this process.
static NEXT_KEY: AtomicU64 = AtomicU64::new(0);

/// What a round came to.
pub struct Figures {
    elapsed: Duration,
    /// In microseconds, sorted.
    latencies: Vec<u32>,
}

impl Figures {
    /// Replies a second.
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    pub fn percentile_us(&self, percentile: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * percentile / 100.0).round() as usize;
        self.latencies.get(at).copied().unwrap_or(0).into()
    }
}

/// Sends the requests in turn over so many connections until the round is over. A reply that is
/// no success ends the measurement.
pub async fn run(
    address: SocketAddr,
    connections: usize,
    round: Duration,
    requests: &[Request],
) -> anyhow::Result<Figures> {
    let requests: Arc<[Request]> = requests.into();
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let (requests, next) = (requests.clone(), next.clone());
        tasks.spawn(async move {
            let mut connection = Connection::open(address).await?;
            let (mut latencies, mut request) = (Vec::new(), Vec::new());
            while started.elapsed() < round {
                let at = next.fetch_add(1, Ordering::Relaxed) % requests.len();
                requests[at].with_key(NEXT_KEY.fetch_add(1, Ordering::Relaxed), &mut request);
                let sent = Instant::now();
                let status = connection.exchange(&request).await?;
                ensure!(status < 300, "a reply of status {status}");
                latencies.push(sent.elapsed().as_micros() as u32);
            }
            anyhow::Ok(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(task) = tasks.join_next().await {
        latencies.extend(task??);
    }
    let elapsed = started.elapsed();
    latencies.sort_unstable();
    Ok(Figures { elapsed, latencies })
}

/// One keep-alive connection, with a request at a time.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    body: std::ops::Range<usize>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: Vec::with_capacity(16 << 10), body: 0..0 })
    }

    /// Sends a request and answers the reply's status and body.
    pub async fn send(&mut self, request: &[u8]) -> anyhow::Result<(u16, Vec<u8>)> {
        let status = self.exchange(request).await?;
        Ok((status, self.buffer[self.body.clone()].to_vec()))
    }

    async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            self.fill().await?;
        };
        let status = std::str::from_utf8(&self.buffer[9..12])?.parse()?;
        let length = content_length(&self.buffer[..head]).context("a reply without a length")?;
        while self.buffer.len() < head + length {
            self.fill().await?;
        }
        self.body = head..head + length;
        Ok(status)
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        let read = self.stream.read_buf(&mut self.buffer).await?;
        ensure!(read > 0, "the server closed the connection");
        ensure!(self.buffer.len() <= REPLY_BYTES_MAX, "a reply that is too large");
        Ok(())
    }
}

pub fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn content_length(head: &[u8]) -> Option<usize> {
    let head = std::str::from_utf8(head).ok()?;
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    })
}
