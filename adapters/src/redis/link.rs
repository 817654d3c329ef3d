//! A link to one server: a connection, and after it breaks another one, for ever.
//!
//! While there is none, calls fail at once, so that nobody waits behind a server that is away.
//! A server that takes requests and answers none is cut off after [`SILENCE_MAX`], and counts as
//! away until it lets us in again.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use barrow_engine::ports::Entropy;
use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::types::ConnectHandle;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;

use super::client::{Address, RedisError, RedisServers};
use crate::host::SystemEntropy;

/// A server that has let calls time out for so long, and answered none, is cut off.
const SILENCE_MAX: Duration = Duration::from_millis(500);

/// Calls under way on one connection. More would wait longer than their time-outs.
const CALLS_MAX: usize = 4_096;

/// The wait before a new attempt to connect: from the first, doubled each time, up to the last. A
/// second at most, so that a server that is back is used again soon.
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// Why a call has no answer. What it asked for may have been done, unless it is `Away` or `Busy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CallError {
    /// There is no connection; nothing was sent.
    Away(String),
    /// Too much is under way; nothing was sent.
    Busy,
    TimedOut,
    /// The connection broke.
    Broken,
    /// The server's own error, or one of the library.
    Refused(String),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Away(reason) => write!(f, "not connected: {reason}"),
            CallError::Busy => write!(f, "too many calls are under way"),
            CallError::TimedOut => write!(f, "no answer in time"),
            CallError::Broken => write!(f, "the connection broke"),
            CallError::Refused(reason) => write!(f, "{reason}"),
        }
    }
}

impl CallError {
    /// Whether keys have moved to other servers, or will soon.
    pub(super) fn is_about_the_map(&self) -> bool {
        match self {
            CallError::Away(_) | CallError::Broken | CallError::TimedOut => true,
            CallError::Busy => false,
            CallError::Refused(reason) => {
                matches!(word(reason), "MOVED" | "ASK" | "CLUSTERDOWN" | "READONLY" | "MASTERDOWN")
            }
        }
    }

    /// Whether the key is held by another server now.
    pub(super) fn is_moved(&self) -> bool {
        matches!(self, CallError::Refused(reason) if matches!(word(reason), "MOVED" | "ASK"))
    }
}

/// The first word of a server's error: its code.
pub(super) fn word(reason: &str) -> &str {
    reason.split(' ').next().unwrap_or_default()
}

/// Whether an error of the library says that the connection broke.
pub(super) fn is_broken(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::IO | ErrorKind::Canceled)
}

/// One connection, from when it was made until it broke.
pub(super) struct Connection {
    client: Client,
    broken: watch::Receiver<bool>,
    task: AbortHandle,
    permits: Semaphore,
    /// Since when calls time out and none was answered.
    silent_since: Mutex<Option<Instant>>,
}

impl Connection {
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Breaks it: whatever waits on it fails now.
    pub(super) fn sever(&self) {
        self.task.abort();
    }

    /// Waits until it is broken.
    pub(super) async fn broken(&self) {
        let mut broken = self.broken.clone();
        // Who told it before it went is gone; so is the connection.
        let _ = broken.wait_for(|broken| *broken).await;
    }

    /// Runs a call of the client, for at most so long.
    pub(super) async fn call<T>(
        &self,
        timeout: Duration,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, CallError> {
        let _permit = self.permits.try_acquire().map_err(|_| CallError::Busy)?;
        self.answered(timeout, call).await
    }

    /// As [`Connection::call`], for what has been sent already.
    pub(super) async fn answered<T>(
        &self,
        timeout: Duration,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, CallError> {
        let began = Instant::now();
        tokio::select! {
            biased;
            result = call => {
                *self.silent_since.lock() = None;
                result.map_err(|error| match is_broken(&error) {
                    true => CallError::Broken,
                    false => CallError::Refused(error.details().to_owned()),
                })
            }
            () = self.broken() => Err(CallError::Broken),
            () = tokio::time::sleep(timeout) => {
                let since = *self.silent_since.lock().get_or_insert(began);
                if since.elapsed() >= SILENCE_MAX {
                    self.sever();
                }
                Err(CallError::TimedOut)
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.sever();
    }
}

type State = Result<Arc<Connection>, String>;

/// See the module. Its end ends the connection.
pub(super) struct Link {
    address: Address,
    state: watch::Receiver<State>,
    task: AbortHandle,
}

impl Link {
    pub(super) fn start(servers: Arc<RedisServers>, address: Address) -> Link {
        let (sender, state) = watch::channel(Err("no connection was made yet".to_owned()));
        let task = tokio::spawn(keep_connected(servers, address.clone(), sender));
        Link { address, state, task: task.abort_handle() }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// The connection, if there is one at this moment.
    pub(super) fn connection(&self) -> Result<Arc<Connection>, CallError> {
        self.state.borrow().clone().map_err(CallError::Away)
    }

    pub(super) fn is_up(&self) -> bool {
        self.state.borrow().is_ok()
    }

    /// Waits for a connection.
    pub(super) async fn up(&self, within: Duration) -> Result<Arc<Connection>, RedisError> {
        let mut state = self.state.clone();
        // What the state is in the end is looked at below.
        let _ = tokio::time::timeout(within, state.wait_for(Result::is_ok)).await;
        self.state.borrow().clone().map_err(|reason| {
            let address = self.address.to_string();
            RedisError::Unreachable { address, reason }
        })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep_connected(servers: Arc<RedisServers>, address: Address, state: watch::Sender<State>) {
    let mut backoff = BACKOFF_FIRST;
    loop {
        match servers.connect(&address).await {
            Ok((client, task)) => {
                tracing::info!(redis.address = %address, "connected to redis");
                backoff = BACKOFF_FIRST;
                serve(client, task, &state).await;
                let reason = "the connection broke".to_owned();
                tracing::warn!(redis.address = %address, "lost the connection to redis");
                drop(state.send_replace(Err(reason)));
            }
            Err(error) => {
                // Told once, not at each attempt.
                if backoff == BACKOFF_FIRST {
                    tracing::warn!(redis.address = %address, %error, "redis does not answer");
                }
                let reason = match error {
                    RedisError::Unreachable { reason, .. } => reason,
                    error => error.to_string(),
                };
                drop(state.send_replace(Err(reason)));
            }
        }
        tokio::time::sleep(with_jitter(backoff)).await;
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

/// Hands the connection out until it breaks.
async fn serve(client: Client, task: ConnectHandle, state: &watch::Sender<State>) {
    let (tell_broken, broken) = watch::channel(false);
    let connection = Arc::new(Connection {
        client,
        broken,
        task: task.abort_handle(),
        permits: Semaphore::new(CALLS_MAX),
        silent_since: Mutex::new(None),
    });
    drop(state.send_replace(Ok(connection)));
    // How it ended is no news to those that wait: it broke.
    let _ = task.await;
    tell_broken.send_replace(true);
}

/// Between half of it and all of it, so that many that lost the same server do not come back
/// together.
fn with_jitter(wait: Duration) -> Duration {
    let half_us = u64::try_from(wait.as_micros() / 2).unwrap_or(u64::MAX);
    Duration::from_micros(half_us + SystemEntropy.next_u64() % half_us.max(1))
}
