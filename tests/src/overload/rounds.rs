//! Rounds of load: closed, where each client waits for its reply, which finds the peak; and open,
//! where requests come at a rate whatever becomes of those before, as shoppers do.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::carts::Carts;
use super::client::{Answer, Connection};

/// Connections that clients have at most. A shop takes 10,000.
const CONNECTIONS_MAX: usize = 4_000;
/// Those opened before an open round begins, at most: as many as come in a second. Shoppers are
/// connected to a shop that they are about to overload, or to what stands before it.
const CONNECTIONS_AHEAD: usize = 3_000;
/// How long the replies to an open round may take once nothing more is sent.
const END_MAX: Duration = Duration::from_secs(60);

/// Keys are never used twice by this process.
static NEXT_KEY: AtomicU64 = AtomicU64::new(0);

pub fn next_key() -> u64 {
    NEXT_KEY.fetch_add(1, Ordering::Relaxed)
}

/// One request and what became of it.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    pub cart: usize,
    /// Since the round began.
    pub at: Duration,
    pub took: Duration,
    /// 0 where nobody answered.
    pub status: u16,
}

/// What a round came to.
#[derive(Debug, Default)]
pub struct Round {
    pub sent: Vec<Sent>,
    pub lasted: Duration,
    /// Requests that were due and that no connection was free for.
    pub unsent: u64,
    /// Replies that ended their connection.
    pub last: u64,
    /// Refusals for load, by status and code.
    pub refusals: BTreeMap<(u16, String), u64>,
    /// Replies that are neither a success nor a whole refusal for load.
    pub wrong: Vec<String>,
}

impl Round {
    /// Successes a second, of those that came while the round lasted.
    pub fn goodput(&self) -> f64 {
        let in_time = |sent: &&Sent| sent.status == 200 && sent.at + sent.took <= self.lasted;
        self.sent.iter().filter(in_time).count() as f64 / self.lasted.as_secs_f64()
    }

    /// How long it took, once nothing more was sent, until the last was answered.
    pub fn end(&self) -> Duration {
        let last = self.sent.iter().map(|sent| sent.at + sent.took).max().unwrap_or_default();
        last.saturating_sub(self.lasted)
    }

    pub fn count(&self, status: u16) -> usize {
        self.sent.iter().filter(|sent| sent.status == status).count()
    }

    /// How long such requests took, in milliseconds.
    pub fn percentile_ms(&self, percentile: f64, is_wanted: impl Fn(&Sent) -> bool) -> f64 {
        let wanted = self.sent.iter().filter(|sent| is_wanted(sent));
        let mut took: Vec<Duration> = wanted.map(|sent| sent.took).collect();
        took.sort_unstable();
        let at = (took.len().saturating_sub(1) as f64 * percentile / 100.0).round() as usize;
        took.get(at).map_or(0.0, |took| took.as_secs_f64() * 1e3)
    }

    fn add(&mut self, sent: Sent, answer: Option<Answer>) {
        self.sent.push(sent);
        let Some(answer) = answer else {
            return self.wrong.push("nobody answered".to_owned());
        };
        self.last += u64::from(answer.is_last);
        if answer.status == 200 {
            return;
        }
        let code = answer.code().to_owned();
        let is_whole = matches!(answer.status, 429 | 503) && answer.retry_after >= Some(1);
        if !is_whole || code.is_empty() {
            self.wrong.push(format!("{}: {}", answer.status, answer.json()));
        }
        *self.refusals.entry((answer.status, code)).or_default() += 1;
    }
}

/// Adds to the carts in turn over so many connections, each waiting for its reply.
pub async fn closed(carts: &Carts, connections: usize, lasts: Duration) -> anyhow::Result<Round> {
    let began = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let (carts, next) = (carts.clone(), Arc::clone(&next));
        clients.spawn(async move {
            let mut connection = Connection::open(carts.address).await?;
            let mut sent = Vec::new();
            while began.elapsed() < lasts {
                let cart = next.fetch_add(1, Ordering::Relaxed) % carts.len();
                let account = carts.get(cart);
                let at = began.elapsed();
                let answer = connection.send(&account.add(Some(next_key()))).await?;
                account.told(Some(&answer));
                let (took, status) = (began.elapsed() - at, answer.status);
                sent.push((Sent { cart, at, took, status }, answer));
            }
            anyhow::Ok(sent)
        });
    }
    let mut round = Round { lasted: lasts, ..Round::default() };
    while let Some(sent) = clients.join_next().await {
        for (sent, answer) in sent?? {
            round.add(sent, Some(answer));
        }
    }
    Ok(round)
}

/// What an open round asks next: whose cart, and what.
pub type Pick = dyn Fn(u64) -> (usize, Vec<u8>) + Send + Sync;

/// Sends `rate` requests a second, whatever becomes of those before.
pub async fn open(carts: &Carts, rate: f64, lasts: Duration, pick: &Pick) -> Round {
    let idle: Arc<Idle> = Arc::new(Idle::at(carts.address));
    let round = Arc::new(Mutex::new(Round { lasted: lasts, ..Round::default() }));
    idle.open_ahead((rate as usize).min(CONNECTIONS_AHEAD)).await;
    let began = Instant::now();
    let mut requests = tokio::task::JoinSet::new();
    let mut due = 0;
    while began.elapsed() < lasts {
        while due < (began.elapsed().as_secs_f64() * rate) as u64 {
            due += 1;
            let Some(place) = idle.take() else {
                round.lock().unsent += 1;
                continue;
            };
            let (cart, request) = pick(due);
            let (carts, idle, round) = (carts.clone(), Arc::clone(&idle), Arc::clone(&round));
            requests.spawn(async move {
                let at = began.elapsed();
                let answer = idle.exchange(place, &request).await;
                carts.get(cart).told(answer.as_ref());
                let status = answer.as_ref().map_or(0, |answer| answer.status);
                let sent = Sent { cart, at, took: began.elapsed() - at, status };
                round.lock().add(sent, answer);
            });
        }
        while requests.try_join_next().is_some() {}
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let all = async { while requests.join_next().await.is_some() {} };
    let ended = tokio::time::timeout(END_MAX, all).await;
    let mut round = std::mem::take(&mut *round.lock());
    if ended.is_err() {
        round.wrong.push(format!("{} requests were not answered", requests.len()));
    }
    round
}

/// Connections that nobody uses at the moment.
struct Idle {
    address: SocketAddr,
    connections: Mutex<Vec<Connection>>,
    in_use: AtomicUsize,
}

/// The right to one connection: an open one, or a new one.
struct Place(Option<Connection>);

impl Idle {
    fn at(address: SocketAddr) -> Idle {
        Idle { address, connections: Mutex::default(), in_use: AtomicUsize::new(0) }
    }

    async fn open_ahead(&self, connections: usize) {
        for _ in 0..connections {
            // One that cannot be had is missed when it is wanted.
            let Ok(connection) = Connection::open(self.address).await else { return };
            self.connections.lock().push(connection);
        }
    }

    fn take(&self) -> Option<Place> {
        if self.in_use.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
            self.in_use.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Place(self.connections.lock().pop()))
    }

    async fn exchange(&self, place: Place, request: &[u8]) -> Option<Answer> {
        let answer = async {
            let mut connection = match place.0 {
                Some(connection) => connection,
                None => Connection::open(self.address).await?,
            };
            let answer = connection.send(request).await?;
            if !answer.is_last {
                self.connections.lock().push(connection);
            }
            anyhow::Ok(answer)
        };
        let answer = answer.await.ok();
        self.in_use.fetch_sub(1, Ordering::Relaxed);
        answer
    }
}
