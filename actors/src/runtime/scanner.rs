//! Wakes the entities whose time has come, whether anybody asks for them or not: those with a
//! timer that is due, and those with effects that are still pending.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use barrow_cluster::Ownership;
use barrow_engine::entity::{EntityKey, EntityKind, Shard};
use barrow_engine::ports::{Clock, EntityStore};

use super::spawn::spawn_background;

/// A timer fires at most so much late, plus the time its shard's scan takes.
const INTERVAL: Duration = Duration::from_secs(1);
/// Entities woken per shard and second: 256 in each of 1,024 shards is more than a node can
/// write in that time.
const BATCH_MAX: usize = 256;

/// Something that can be woken: a runtime.
pub trait Wakeable: Send + Sync + 'static {
    /// Wakes the entity if it can be admitted; the next scan finds it again if not.
    fn wake(self: Arc<Self>, key: EntityKey);
}

/// Scans the shards that this node owns, at once and then each second.
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

    async fn scan_all(&self) {
        for shard in Shard::all() {
            if self.ownership.grant(shard.index()).is_none() {
                continue;
            }
            match self.store.due(shard, self.clock.now(), BATCH_MAX).await {
                Ok(due) => due.iter().for_each(|entity| self.wake(entity.key)),
                Err(error) => {
                    tracing::warn!(shard.id = shard.index(), %error, "due entities not read");
                    return;
                }
            }
        }
    }

    fn wake(&self, key: EntityKey) {
        if let Some(target) = self.targets.get(&key.kind).and_then(Weak::upgrade) {
            target.wake(key);
        }
    }
}
