//! A node of the simulation: a membership on its own clock, which can be paused, and a host whose
//! entities are in memory until they are drained.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::link::{Link, Shared};
use crate::node::{Ended, NodeSettings};
use crate::{
    Lease, Member, MemberId, Membership, MembershipParts, Peer, Place, SHARDS, ShardHost, Shards,
};

/// One shard of so many is looked at.
const STRIDE: usize = 16;

/// A future that stands still while its node is paused.
struct Paused<F> {
    inner: Pin<Box<F>>,
    gate: Arc<Mutex<Gate>>,
}

#[derive(Default)]
struct Gate {
    is_shut: bool,
    waker: Option<Waker>,
}

impl<F: Future> Future for Paused<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        {
            let mut gate = self.gate.lock();
            if gate.is_shut {
                gate.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
        }
        self.inner.as_mut().poll(context)
    }
}

/// Shards of which something is in memory.
struct Host {
    shared: Arc<Shared>,
    memory: Mutex<BTreeSet<u16>>,
}

#[async_trait]
impl ShardHost for Host {
    async fn drain(&self, shards: &[u16]) -> bool {
        let (pause, fails, hangs) = {
            let mut rng = self.shared.rng.lock();
            (rng.millis((0, 2_000)), rng.chance(50), rng.chance(30))
        };
        tokio::time::sleep(if hangs { pause * 10 } else { pause }).await;
        if fails {
            return false;
        }
        let mut memory = self.memory.lock();
        memory.retain(|shard| !shards.contains(shard));
        true
    }
}

/// A clock of its own rate.
#[derive(Clone, Copy)]
struct Clock {
    began: Instant,
    offset: Duration,
    per_mille: u64,
}

impl Clock {
    fn uptime(&self) -> Duration {
        let elapsed = self.began.elapsed().as_micros() as u64;
        self.offset + Duration::from_micros(elapsed * self.per_mille / 1_000)
    }
}

pub struct SimNode {
    pub id: MemberId,
    pub link: Arc<Link>,
    pub shards: Arc<Shards>,
    pub membership: Membership,
    host: Arc<Host>,
    clock: Clock,
    gate: Arc<Mutex<Gate>>,
    task: JoinHandle<Ended>,
}

impl SimNode {
    pub fn start(id: u128, link: Link) -> SimNode {
        let (id, shared) = (MemberId(id), Arc::clone(&link.shared));
        let (offset, per_mille) = {
            let mut rng = shared.rng.lock();
            (rng.millis((0, 1_000_000)), rng.between(980, 1_020))
        };
        let clock = Clock { began: Instant::now(), offset, per_mille };
        let shards = Arc::new(Shards::new(id, Lease::until(Duration::ZERO)));
        let host = Arc::new(Host { shared, memory: Mutex::default() });
        let (link, gate) = (Arc::new(link), Arc::<Mutex<Gate>>::default());
        let (membership, run) = Membership::new(MembershipParts {
            table: link.clone(),
            shards: Arc::clone(&shards),
            host: host.clone(),
            uptime: Arc::new(move || clock.uptime()),
            member: member(id),
            peer: peer(id),
            settings: NodeSettings::default(),
        });
        let task = tokio::spawn(Paused { inner: Box::pin(run), gate: Arc::clone(&gate) });
        SimNode { id, link, shards, membership, host, clock, gate, task }
    }

    pub fn pause(&self) {
        self.gate.lock().is_shut = true;
    }

    pub fn resume(&self) {
        let mut gate = self.gate.lock();
        gate.is_shut = false;
        gate.waker.take().into_iter().for_each(Waker::wake);
    }

    pub fn crash(&self) {
        self.task.abort();
    }

    pub fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    pub async fn end(self) -> Option<Ended> {
        self.task.await.ok()
    }

    pub fn has_lease(&self) -> bool {
        self.shards.lease().is_valid(self.clock.uptime())
    }

    /// Whether all that it owns is open, and how much that is.
    pub fn open_shards(&self) -> Option<usize> {
        let view = self.shards.view();
        let mut own = view.shards_of(self.id);
        let is_open = own.all(|shard| matches!(self.shards.place(shard), Place::Here(_)));
        is_open.then(|| view.shards_of(self.id).count())
    }

    /// Requests come in for every shard that is here; and what is in memory may answer. A node
    /// that is paused may wake at any moment.
    pub fn serves(&self) -> BTreeSet<u16> {
        if !self.has_lease() {
            return BTreeSet::new();
        }
        let mut memory = self.host.memory.lock();
        if !self.gate.lock().is_shut {
            let looked_at = (0..SHARDS as u16).step_by(STRIDE);
            memory.extend(
                looked_at.filter(|shard| matches!(self.shards.place(*shard), Place::Here(_))),
            );
        }
        memory.clone()
    }
}

pub fn member(id: MemberId) -> Member {
    let (name, build) = (format!("node {id}"), "1".to_owned());
    Member { id, name, weight: 1, build, reads: 1, draining: false }
}

pub fn peer(id: MemberId) -> Peer {
    let (name, address) = (format!("node {id}"), "host:1".to_owned());
    Peer { id, name, address, certificate: vec![1], unreachable: Vec::new() }
}
