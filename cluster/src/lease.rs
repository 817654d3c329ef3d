//! Who may serve a shard, and until when.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::Router;

/// How long a beat lets its sender serve, from the moment it was sent.
pub const LEASE: Duration = Duration::from_secs(5);

/// How often a member beats.
pub const BEAT_INTERVAL: Duration = Duration::from_secs(1);

/// The right to serve a shard, as one owner holds it for one term of office.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Higher for each new term of the shard, on whichever node.
    pub epoch: u64,
    pub lease: Lease,
}

/// A promise that nobody else serves, up to an instant on this node's own boot-time clock.
/// Clones see each renewal.
#[derive(Debug, Clone)]
pub struct Lease {
    valid_until_ms: Arc<AtomicU64>,
}

impl Lease {
    /// A lease that ends at `valid_until` unless it is renewed.
    pub fn until(valid_until: Duration) -> Lease {
        Lease { valid_until_ms: Arc::new(AtomicU64::new(as_millis(valid_until))) }
    }

    /// For an owner that no other process can contend with.
    pub fn endless() -> Lease {
        Lease { valid_until_ms: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    pub fn is_valid(&self, uptime: Duration) -> bool {
        as_millis(uptime) < self.valid_until_ms.load(Ordering::Acquire)
    }

    /// Moves the end; it may also be brought forward, to give the lease up.
    pub fn renew(&self, valid_until: Duration) {
        self.valid_until_ms.store(as_millis(valid_until), Ordering::Release);
    }
}

fn as_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Tells which shards this node may serve.
pub trait Ownership: Send + Sync + 'static {
    /// The grant for a shard, or `None` where another node owns it.
    fn grant(&self, shard: u16) -> Option<Grant>;

    /// The form that rows may be written in, where others read them too. `None` where this process
    /// alone does.
    fn form(&self) -> Option<u8> {
        None
    }

    /// The way to the shards of other nodes, where there are any.
    fn elsewhere(&self) -> Option<&Router> {
        None
    }
}

/// The owner of every shard: one process whose store no other process can open.
#[derive(Debug)]
pub struct SoleOwner {
    grant: Grant,
}

impl SoleOwner {
    /// `epoch` tells this run of the process from earlier ones.
    pub fn new(epoch: u64, lease: Lease) -> SoleOwner {
        SoleOwner { grant: Grant { epoch, lease } }
    }
}

impl Ownership for SoleOwner {
    fn grant(&self, _shard: u16) -> Option<Grant> {
        Some(self.grant.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_ends_at_its_instant_and_every_clone_sees_a_renewal() {
        let lease = Lease::until(Duration::from_secs(5));
        let seen_by_an_actor = lease.clone();
        assert!(seen_by_an_actor.is_valid(Duration::from_millis(4_999)));
        assert!(!seen_by_an_actor.is_valid(Duration::from_secs(5)));
        lease.renew(Duration::from_secs(9));
        assert!(seen_by_an_actor.is_valid(Duration::from_secs(8)));
        lease.renew(Duration::ZERO);
        assert!(!seen_by_an_actor.is_valid(Duration::ZERO));
    }

    #[test]
    fn the_sole_owner_serves_every_shard_under_one_lease() {
        let owner = SoleOwner::new(7, Lease::endless());
        for shard in [0, 1023] {
            let grant = owner.grant(shard).expect("it owns all");
            assert_eq!(grant.epoch, 7);
            assert!(grant.lease.is_valid(Duration::MAX.min(Duration::from_secs(1 << 40))));
        }
    }
}
