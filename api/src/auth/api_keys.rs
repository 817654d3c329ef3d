//! API keys, held in memory. All that are not revoked are few, so each node reads them all, and
//! again when it is asked and what it knows is a second old: a revoked key is refused after that
//! at the latest, and no request costs a query of its own. A key that is not among them may have
//! been made a moment ago: then they are read anew, together for all who ask, and no more often
//! than every tenth of a second. So keys that nobody made cost the database ten reads a second,
//! however many are sent. While the keys cannot be read nobody of the house gets in.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use barrow_engine::access::{ApiKey, KeyHash};
use barrow_engine::ids::ApiKeyId;
use barrow_engine::ports::{ApiKeyStore, Clock};
use barrow_engine::time::Timestamp;
use parking_lot::Mutex;

use super::Principal;

/// For how long what was read is believed.
pub const KNOWN_MAX: Duration = Duration::from_secs(1);

/// Between the beginnings of two reads.
const READ_PAUSE: Duration = Duration::from_millis(100);

/// A use is written down if the last that is known was so long ago: each node writes a key's row
/// once in that time at most.
const USE_STEP: Duration = Duration::from_secs(60);

/// Why a key lets nobody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyError {
    /// Nobody made it, or it was revoked.
    Unknown,
    Expired,
    /// Nobody can tell now.
    Unavailable,
}

/// The keys of the house. Clones share them.
#[derive(Clone)]
pub struct ApiKeys(Arc<Inner>);

struct Inner {
    store: Arc<dyn ApiKeyStore>,
    clock: Arc<dyn Clock>,
    known: ArcSwap<Known>,
    /// Who holds it reads.
    reading: tokio::sync::Mutex<Reading>,
    uses: Mutex<Uses>,
}

/// The keys as of a moment of uptime.
#[derive(Default)]
struct Known {
    /// When the read began that found them.
    since: Option<Duration>,
    keys: HashMap<KeyHash, KnownKey>,
}

struct KnownKey {
    principal: Arc<Principal>,
    id: ApiKeyId,
    expires_at: Option<Timestamp>,
    /// In milliseconds; as it was written down, or is about to be.
    used_at: AtomicI64,
}

#[derive(Default)]
struct Reading {
    began: Option<Duration>,
    failed: Option<Duration>,
}

/// Uses that are to be written down, each of another key.
#[derive(Default)]
struct Uses {
    pending: Vec<(ApiKeyId, Timestamp)>,
    is_writing: bool,
}

impl ApiKeys {
    pub fn new(store: Arc<dyn ApiKeyStore>, clock: Arc<dyn Clock>) -> ApiKeys {
        ApiKeys(Arc::new(Inner {
            store,
            clock,
            known: ArcSwap::default(),
            reading: tokio::sync::Mutex::default(),
            uses: Mutex::default(),
        }))
    }

    /// Whose key it is, if it is good now.
    pub async fn check(&self, hash: KeyHash) -> Result<Arc<Principal>, KeyError> {
        let asked_at = self.0.clock.uptime();
        let mut known = self.0.known_since(asked_at.saturating_sub(KNOWN_MAX)).await?;
        if !known.keys.contains_key(&hash) {
            known = self.0.known_since(asked_at).await?;
        }
        let key = known.keys.get(&hash).ok_or(KeyError::Unknown)?;
        let now = self.0.clock.now();
        if key.expires_at.is_some_and(|at| at <= now) {
            return Err(KeyError::Expired);
        }
        self.note_use(key, now);
        Ok(Arc::clone(&key.principal))
    }

    fn note_use(&self, key: &KnownKey, now: Timestamp) {
        let before = key.used_at.load(Ordering::Relaxed);
        if now.since(Timestamp(before)) < USE_STEP {
            return;
        }
        let swapped =
            key.used_at.compare_exchange(before, now.0, Ordering::Relaxed, Ordering::Relaxed);
        if swapped.is_err() {
            return;
        }
        let mut uses = self.0.uses.lock();
        uses.pending.push((key.id, now));
        if !std::mem::replace(&mut uses.is_writing, true) {
            tokio::spawn(Arc::clone(&self.0).write_uses());
        }
    }
}

impl Inner {
    /// The keys as of that moment or later.
    async fn known_since(&self, wanted: Duration) -> Result<Arc<Known>, KeyError> {
        let fresh = || Some(self.known.load_full()).filter(|it| it.since >= Some(wanted));
        if let Some(known) = fresh() {
            return Ok(known);
        }
        let mut reading = self.reading.lock().await;
        if let Some(known) = fresh() {
            return Ok(known);
        }
        if reading.failed >= Some(wanted) {
            return Err(KeyError::Unavailable);
        }
        if let Some(began) = reading.began {
            let pause = (began + READ_PAUSE).saturating_sub(self.clock.uptime());
            tokio::time::sleep(pause).await;
        }
        let began = self.clock.uptime();
        reading.began = Some(began);
        match self.store.unrevoked().await {
            Ok(keys) => {
                let known = Arc::new(Known::new(began, keys, &self.known.load()));
                self.known.store(Arc::clone(&known));
                Ok(known)
            }
            Err(error) => {
                tracing::error!(%error, "the API keys could not be read");
                reading.failed = Some(began);
                Err(KeyError::Unavailable)
            }
        }
    }

    /// Writes until there is nothing left to write. What fails is not tried again: the next use
    /// tells more.
    async fn write_uses(self: Arc<Self>) {
        loop {
            let uses = {
                let mut uses = self.uses.lock();
                if uses.pending.is_empty() {
                    uses.is_writing = false;
                    return;
                }
                std::mem::take(&mut uses.pending)
            };
            if let Err(error) = self.store.touch(&uses).await {
                tracing::debug!(%error, "uses of API keys were not written down");
            }
        }
    }
}

impl Known {
    fn new(since: Duration, keys: Vec<(KeyHash, ApiKey)>, before: &Known) -> Known {
        let known = |(hash, key): (KeyHash, ApiKey)| {
            let stored = key.last_used_at.map_or(i64::MIN, Timestamp::as_millis);
            let used = before.keys.get(&hash).map(|key| key.used_at.load(Ordering::Relaxed));
            let ApiKey { id, name, scopes, expires_at, .. } = key;
            let principal = Arc::new(Principal::ApiKey { id, name, scopes });
            let used_at = AtomicI64::new(used.unwrap_or(stored).max(stored));
            (hash, KnownKey { principal, id, expires_at, used_at })
        };
        Known { since: Some(since), keys: keys.into_iter().map(known).collect() }
    }
}
