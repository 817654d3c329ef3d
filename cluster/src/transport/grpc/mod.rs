//! Peers over HTTP/2. One connection and one stream for each pair of nodes and direction of
//! asking: a node's calls go up, the peer's answers come down, many of them in a frame. A frame
//! takes what has gathered while the one before it was being sent, so that batches grow with the
//! load and nothing waits for a batch to fill.
//!
//! A call that did not leave is told from one that may have been done ([`CallError`]). Everything
//! is bounded: calls under way, bytes that wait, frames, connections. A peer that is slow, dead or
//! mad costs the calls to it, and nobody else's.
//!
//! It stands on hyper's HTTP/2 directly, with tonic for the framing: so each connection and each
//! task of it is owned by somebody here, and ends with its owner.

mod exchange;
mod link;
mod outbox;
mod queue;
mod server;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::stream::Connect;
use super::tls::Identity;
use super::{Call, CallError, Feed, Transport};
use crate::{MEMBERS_MAX, MemberId, Peer};

use link::{Common, Link};
pub use server::{Server, ServerError};

/// How much of everything, and for how long.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The most calls that this node has under way to one peer.
    pub calls_max: usize,
    /// The most feeds that it reads of one peer.
    pub feeds_max: usize,
    /// The most bytes of calls that wait to be sent to one peer.
    pub queued_bytes_max: usize,
    /// The most calls of one peer that are under way here, those included whose answers wait to
    /// be sent; and the most feeds that it reads. More than it may send: it may have given some
    /// up that are still under way here.
    pub served_max: usize,
    /// The most bytes of calls of one peer that are under way here: one more is refused.
    pub served_bytes_max: usize,
    /// The most bytes of answers that wait to be sent to one peer before no more calls of it are
    /// read.
    pub answer_bytes_max: usize,
    /// How much a peer may send before it has to wait for a reader: HTTP/2's window.
    pub window_bytes: u32,
    /// For how long a connection may take to be made, TLS and the peer's first word included; and
    /// for how long TLS may take where it is taken.
    pub connect_within: Duration,
    /// The most connections that are at TLS here. For one more, the one that has been at it for
    /// longest ends: those who mean it are through in a moment.
    pub handshakes_max: usize,
    /// How long after a failed attempt the next may begin: at first, and at most. It doubles.
    pub backoff_min: Duration,
    pub backoff_max: Duration,
    /// How often it is asked whether a quiet peer is there, and how long its word may take. Both
    /// together are what it takes to see that a peer is dead.
    pub ping_interval: Duration,
    pub ping_patience: Duration,
    /// A connection that nobody used for so long is closed.
    pub idle_for: Duration,
    /// For how long calls that are under way may take to end when the server is to stop.
    pub stop_within: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            calls_max: 4_096,
            feeds_max: 4_096,
            queued_bytes_max: 16 << 20,
            served_max: 8_192,
            served_bytes_max: 32 << 20,
            answer_bytes_max: 16 << 20,
            window_bytes: 2 << 20,
            connect_within: Duration::from_secs(2),
            handshakes_max: 64,
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(2),
            ping_interval: Duration::from_millis(500),
            ping_patience: Duration::from_millis(1_500),
            idle_for: Duration::from_secs(300),
            stop_within: Duration::from_secs(5),
        }
    }
}

/// What went over all connections of a node's caller, or of its server, since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TransportStats {
    /// Calls, and the frames in which they went.
    pub calls: u64,
    pub call_frames: u64,
    /// Answers, messages of feeds included, and their frames.
    pub answers: u64,
    pub answer_frames: u64,
    /// Connections that came to be.
    pub connections: u64,
}

#[derive(Default)]
struct Counter(AtomicU64);

impl Counter {
    fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Default)]
struct Counters {
    calls: Counter,
    call_frames: Counter,
    answers: Counter,
    answer_frames: Counter,
    connections: Counter,
}

impl Counters {
    fn read(&self) -> TransportStats {
        TransportStats {
            calls: self.calls.get(),
            call_frames: self.call_frames.get(),
            answers: self.answers.get(),
            answer_frames: self.answer_frames.get(),
            connections: self.connections.get(),
        }
    }
}

/// How many peers are remembered: all members, and those that they came after.
const LINKS_MAX: usize = 2 * MEMBERS_MAX;

/// Reaches other nodes over HTTP/2. When it is dropped, its connections end.
pub struct Peers {
    common: Arc<Common>,
    links: Mutex<HashMap<MemberId, Arc<Link>>>,
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peers").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.links.get_mut().values().for_each(|link| link.shut());
    }
}

impl Peers {
    pub fn new(identity: Identity, connect: Arc<dyn Connect>, settings: Settings) -> Peers {
        let counters = Counters::default();
        let common = Arc::new(Common { identity, connect, settings, counters });
        Peers { common, links: Mutex::default() }
    }

    /// What it sent and received.
    pub fn stats(&self) -> TransportStats {
        self.common.counters.read()
    }

    fn link(&self, to: &Peer) -> Arc<Link> {
        let mut links = self.links.lock();
        match links.get(&to.id) {
            Some(link) if link.leads_to(to) => return Arc::clone(link),
            // A row that shows something else is believed: the old way leads nowhere.
            Some(former) => former.shut(),
            None => {}
        }
        // Members come and go; who has gone is not asked for any more, and its link is over. Not
        // before: while it may be asked for, it knows when the next attempt may be made. A link
        // that somebody is about to use is held by him.
        let is_full = links.len() >= LINKS_MAX;
        links.retain(|_, link| {
            let is_over = if is_full { link.is_closed() } else { link.is_over() };
            Arc::strong_count(link) > 1 || !is_over
        });
        let link = Link::new(Arc::clone(&self.common), to.clone());
        links.insert(to.id, Arc::clone(&link));
        link
    }
}

#[async_trait]
impl Transport for Peers {
    async fn call(&self, to: &Peer, call: Call) -> Result<Bytes, CallError> {
        self.link(to).call(call).await
    }

    async fn open(&self, to: &Peer, call: Call) -> Result<Feed, CallError> {
        self.link(to).open(call).await
    }
}
