//! Wakes the entities whose time has come, whether anybody asks for them or not: those with a
//! timer that is due, and those with effects that are still pending.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use barrow_cluster::Ownership;
use barrow_engine::entity::{EntityKey, EntityKind, Shard};
use barrow_engine::ports::{Clock, EntityStore};

use super::spawn::spawn_background;

/// A timer fires at most so much late, plus the time the scan takes.
const INTERVAL: Duration = Duration::from_secs(1);
/// Entities that one call asks for.
const BATCH_MAX: usize = 1_024;
/// Calls of one scan: one where little is due, and otherwise the halves, their halves and so on,
/// down to 32 parts of the shards. That is up to 32,768 entities a second, more than a node can
/// write in that time.
const CALLS_MAX: usize = 63;

/// Something that can be woken: a runtime.
pub trait Wakeable: Send + Sync + 'static {
    /// Wakes the entity if it can be admitted; the next scan finds it again if not.
    fn wake(self: Arc<Self>, key: EntityKey);
}

/// Scans the shards that this node holds a valid lease for, at once and then each second.
pub struct DueScanner {
    store: Arc<dyn EntityStore>,
    clock: Arc<dyn Clock>,
    ownership: Arc<dyn Ownership>,
    targets: HashMap<EntityKind, Weak<dyn Wakeable>>,
}

impl DueScanner {
    pub fn new(
        store: Arc<dyn EntityStore>,
        clock: Arc<dyn Clock>,
        ownership: Arc<dyn Ownership>,
        targets: HashMap<EntityKind, Weak<dyn Wakeable>>,
    ) -> DueScanner {
        DueScanner { store, clock, ownership, targets }
    }

    /// Scans until every target is gone.
    pub fn start(self) {
        let scanner = Arc::new(self);
        spawn_background(INTERVAL, move || {
            let scanner = scanner.clone();
            async move {
                let alive = scanner.targets.values().any(|target| target.strong_count() > 0);
                if alive {
                    scanner.scan_all().await;
                }
                alive
            }
        });
    }

    /// Asks for all shards at once. A full answer may be full of entities that cannot be woken
    /// now, or of one busy shard: so it is asked again by halves, which shows what lies behind.
    async fn scan_all(&self) {
        let mut woken = HashSet::new();
        let mut parts = VecDeque::from([Shard::all().collect::<Vec<Shard>>()]);
        for _ in 0..CALLS_MAX {
            let Some(mut part) = parts.pop_front() else { return };
            part.retain(|shard| self.is_ours(*shard));
            if part.is_empty() {
                continue;
            }
            match self.store.due(&part, self.clock.now(), BATCH_MAX).await {
                Ok(due) => {
                    let new = due.iter().filter(|entity| woken.insert(entity.key));
                    new.for_each(|entity| self.wake(entity.key));
                    if due.len() >= BATCH_MAX && part.len() > 1 {
                        let second = part.split_off(part.len() / 2);
                        parts.extend([part, second]);
                    }
                }
                Err(error) => {
                    tracing::warn!(shards = part.len(), %error, "due entities not read");
                    return;
                }
            }
        }
    }

    /// Who has lost its lease could wake nothing.
    fn is_ours(&self, shard: Shard) -> bool {
        let grant = self.ownership.grant(shard.index());
        grant.is_some_and(|grant| grant.lease.is_valid(self.clock.uptime()))
    }

    fn wake(&self, key: EntityKey) {
        if let Some(target) = self.targets.get(&key.kind).and_then(Weak::upgrade) {
            target.wake(key);
        }
    }
}
