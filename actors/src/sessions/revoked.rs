//! The sessions that were ended before their time, in memory: asked with every request.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use barrow_engine::entity::EntityKey;
use barrow_engine::ids::SessionId;
use barrow_engine::ports::Clock;
use barrow_engine::session::{Revocations, RevocationsRejection, RevokedSessions, SessionHash};
use futures::TryStreamExt;
use parking_lot::RwLock;

use super::SessionCheckError;
use crate::runtime::{CommandError, PlainHost, Runtime, spawn_background};

/// How often what was revoked elsewhere is read.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1);

/// So long after the last reading nobody is let in any more: a lease's length. Who was signed
/// out must not come back in through a node that does not hear of it.
const STALE_AFTER: Duration = Duration::from_secs(5);

/// How long the owner of a bucket may take to answer.
const OWNER_PATIENCE: Duration = Duration::from_millis(500);

/// How long a request waits for a reading out of turn.
const READ_PATIENCE: Duration = Duration::from_secs(1);

/// Buckets read at once. One after the other they would be stale before the last is read, where
/// the store takes its time; all at once they would press on the entities in memory.
const READS_AT_ONCE: usize = 4;

type RevocationsRuntime = Runtime<PlainHost<Revocations>>;

pub(super) struct Revoked {
    runtime: RevocationsRuntime,
    clock: Arc<dyn Clock>,
    known: RwLock<Known>,
    /// Held by who reads them out of turn; when that was tried last.
    turn: tokio::sync::Mutex<Option<Duration>>,
}

#[derive(Default)]
struct Known {
    buckets: HashMap<u128, Bucket>,
    read_at: Duration,
}

#[derive(Default)]
struct Bucket {
    version: u64,
    hashes: HashSet<SessionHash>,
}

impl Revoked {
    pub fn new(runtime: RevocationsRuntime, clock: Arc<dyn Clock>) -> Revoked {
        Revoked { runtime, clock, known: RwLock::default(), turn: Default::default() }
    }

    pub fn check(&self, id: SessionId) -> Result<(), SessionCheckError> {
        let known = self.known.read();
        let bucket = known.buckets.get(&Revocations::key(id).id);
        if bucket.is_some_and(|bucket| bucket.hashes.contains(&SessionHash::of(id))) {
            return Err(SessionCheckError::Revoked);
        }
        if self.clock.uptime().saturating_sub(known.read_at) > STALE_AFTER {
            return Err(SessionCheckError::Stale);
        }
        Ok(())
    }

    pub async fn check_anew(&self, id: SessionId) -> Result<(), SessionCheckError> {
        // One reads, the others wait for it; after a reading that failed nobody tries for a while.
        let read = async {
            let mut tried_at = self.turn.lock().await;
            let now = self.clock.uptime();
            let is_due = tried_at.is_none_or(|tried_at| now > tried_at + REFRESH_INTERVAL);
            if is_due && self.check(id) == Err(SessionCheckError::Stale) {
                *tried_at = Some(now);
                // What went wrong is told by the next reading in turn; the check says the rest.
                let _ = self.refresh().await;
            }
        };
        let _ = tokio::time::timeout(READ_PATIENCE, read).await;
        self.check(id)
    }

    /// Takes what a bucket holds, unless something newer of it is known.
    pub fn learn(&self, bucket: u128, version: u64, revoked: &RevokedSessions) {
        let mut known = self.known.write();
        let bucket = known.buckets.entry(bucket).or_default();
        if version > bucket.version {
            let hashes = revoked.entries().map(|(hash, _)| hash).collect();
            *bucket = Bucket { version, hashes };
        }
    }

    /// Reads every bucket.
    pub async fn refresh(&self) -> Result<(), CommandError<RevocationsRejection>> {
        let started_at = self.clock.uptime();
        let read = async |key: EntityKey| {
            // Whoever has them in memory answers soonest. When that node has died, or does not
            // answer, the row tells as well: nobody is locked out for the death of another.
            let asked = tokio::time::timeout(OWNER_PATIENCE, self.runtime.read(key.id, ()));
            let reply = match asked.await {
                Ok(Ok(reply)) => reply,
                _ => self.runtime.read_stored(key.id, ()).await?,
            };
            self.learn(key.id, reply.version, &reply.view);
            Ok(())
        };
        let keys = futures::stream::iter(Revocations::keys().map(Ok));
        keys.try_for_each_concurrent(READS_AT_ONCE, read).await?;
        self.known.write().read_at = started_at;
        Ok(())
    }

    /// Reads every second until nobody holds the revocations any more.
    pub fn keep_fresh(revoked: Weak<Revoked>) {
        spawn_background(REFRESH_INTERVAL, move || {
            let revoked = revoked.upgrade();
            async move {
                let Some(revoked) = revoked else { return false };
                if let Err(error) = revoked.refresh().await {
                    tracing::warn!(%error, "the ended sessions could not be read");
                }
                true
            }
        });
    }
}
