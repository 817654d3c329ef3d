//! A store that is slow, refuses, loses requests and replies, and applies writes long after
//! their caller gave up: what a network and a remote store do on a bad day, on purpose and the
//! same for the same seed.
//!
//! One of these stands for the store itself: all nodes of a simulation share it, and it outlives
//! them. A write that is late is kept here and put in force by the first call after its time has
//! come, whoever makes it; nobody can tell this from a write that landed at that time.

mod stock;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barrow_engine::entity::{EntityKey, Shard};
use barrow_engine::ports::{
    Cache, CacheError, CasOutcome, Clock, DueEntity, EntityStore, Expected, Row, StoreError,
    WriteId,
};
use barrow_engine::time::Timestamp;
use bytes::Bytes;
use parking_lot::Mutex;

use crate::host::Sleeper;

/// How often something happens: so many times in a million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Rate(pub u32);

impl Rate {
    pub const NEVER: Rate = Rate(0);
    pub const ALWAYS: Rate = Rate(1_000_000);

    pub fn percent(percent: u32) -> Rate {
        Rate(percent * 10_000)
    }
}

/// What goes wrong, and how often. The default is a store without a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// A call takes anything up to this on its way there, and again on its way back.
    pub latency_max: Duration,
    /// It fails at once, and nothing was written.
    pub unavailable: Rate,
    /// It refuses for load, and nothing was written.
    pub throttled: Rate,
    /// The request of a write is lost: unknown, and not applied.
    pub request_lost: Rate,
    /// The reply to a write is lost: unknown, but applied.
    pub reply_lost: Rate,
    /// A write is applied only after its caller was told that its outcome is unknown.
    pub late: Rate,
    /// How much later at most.
    pub late_max: Duration,
}

/// A port with faults. Rates can be changed while it is used: break it, then heal it.
pub struct Faulty<P: ?Sized> {
    inner: Arc<P>,
    clock: Arc<dyn Clock>,
    sleeper: Arc<dyn Sleeper>,
    state: Mutex<State>,
}

struct State {
    faults: Faults,
    random: u64,
    late: Vec<LateWrite>,
    /// The last late write of each row that took effect.
    landed: BTreeMap<EntityKey, WriteId>,
}

struct LateWrite {
    lands_at: Duration,
    key: EntityKey,
    expected: Expected,
    row: Row,
}

/// What fate holds for one call, drawn in one step: the same seed and the same order of calls
/// make the same faults, whatever the rates of the others are.
struct Fate {
    there: Duration,
    back: Duration,
    late: Duration,
    unavailable: bool,
    throttled: bool,
    request_lost: bool,
    reply_lost: bool,
    is_late: bool,
}

impl State {
    /// SplitMix64: a few instructions, and every seed is a good one.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn happens(&mut self, rate: Rate) -> bool {
        self.next() % 1_000_000 < u64::from(rate.0)
    }

    fn up_to(&mut self, longest: Duration) -> Duration {
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX - 1);
        Duration::from_micros(self.next() % (micros.saturating_add(1)))
    }

    fn fate(&mut self) -> Fate {
        let faults = self.faults;
        Fate {
            there: self.up_to(faults.latency_max),
            back: self.up_to(faults.latency_max),
            late: self.up_to(faults.late_max),
            unavailable: self.happens(faults.unavailable),
            throttled: self.happens(faults.throttled),
            request_lost: self.happens(faults.request_lost),
            reply_lost: self.happens(faults.reply_lost),
            is_late: self.happens(faults.late),
        }
    }

    /// Takes out the late writes whose time has come, the earliest first.
    fn landing(&mut self, now: Duration) -> Vec<LateWrite> {
        let late = std::mem::take(&mut self.late);
        let (mut landing, waiting): (Vec<_>, Vec<_>) =
            late.into_iter().partition(|write| write.lands_at <= now);
        self.late = waiting;
        landing.sort_by_key(|write| write.lands_at);
        landing
    }
}

impl<P: ?Sized> Faulty<P> {
    pub fn new(
        inner: Arc<P>,
        clock: Arc<dyn Clock>,
        sleeper: Arc<dyn Sleeper>,
        seed: u64,
        faults: Faults,
    ) -> Faulty<P> {
        let state =
            Mutex::new(State { faults, random: seed, late: Vec::new(), landed: BTreeMap::new() });
        Faulty { inner, clock, sleeper, state }
    }

    /// From now on these faults.
    pub fn set_faults(&self, faults: Faults) {
        self.state.lock().faults = faults;
    }

    async fn sleep(&self, duration: Duration) {
        if !duration.is_zero() {
            self.sleeper.sleep(duration).await;
        }
    }

    /// For ports without writes that matter: slow, or not there.
    async fn plain<T, E>(
        &self,
        call: impl Future<Output = Result<T, E>>,
        error: impl FnOnce(String) -> E,
    ) -> Result<T, E> {
        let fate = self.state.lock().fate();
        self.sleep(fate.there).await;
        if fate.unavailable || fate.throttled {
            return Err(error("broken on purpose".to_owned()));
        }
        let result = call.await;
        self.sleep(fate.back).await;
        result
    }
}

impl Faulty<dyn EntityStore> {
    /// How many writes are still on their way.
    pub fn late_writes(&self) -> usize {
        self.state.lock().late.len()
    }

    /// Lets every late write land now, for the end of a simulation.
    pub async fn settle(&self) {
        self.land(Duration::MAX).await;
    }

    /// The rows that a late write has changed, each with the id of the last one that did.
    pub fn landed_late(&self) -> BTreeMap<EntityKey, WriteId> {
        self.state.lock().landed.clone()
    }

    async fn land(&self, now: Duration) {
        let landing = self.state.lock().landing(now);
        for LateWrite { key, expected, row, .. } in landing {
            let write_id = row.write_id;
            // Nobody waits for the answer any more.
            let outcome = self.inner.cas(key, expected, row).await;
            if matches!(outcome, Ok(CasOutcome::Written)) {
                self.state.lock().landed.insert(key, write_id);
            }
        }
    }

    /// The way there; what was late and has landed meanwhile is in force.
    async fn arrive(&self) -> Result<Fate, StoreError> {
        let fate = self.state.lock().fate();
        self.sleep(fate.there).await;
        self.land(self.clock.uptime()).await;
        if fate.unavailable {
            return Err(StoreError::Unavailable("broken on purpose".to_owned()));
        }
        if fate.throttled {
            return Err(StoreError::Throttled);
        }
        Ok(fate)
    }
}

#[async_trait]
impl EntityStore for Faulty<dyn EntityStore> {
    async fn load(&self, key: EntityKey) -> Result<Option<Row>, StoreError> {
        let fate = self.arrive().await?;
        let result = self.inner.load(key).await;
        self.sleep(fate.back).await;
        result
    }

    async fn cas(
        &self,
        key: EntityKey,
        expected: Expected,
        row: Row,
    ) -> Result<CasOutcome, StoreError> {
        let fate = self.arrive().await?;
        if fate.request_lost {
            self.sleep(fate.back).await;
            return Err(StoreError::OutcomeUnknown("the request was lost on purpose".to_owned()));
        }
        if fate.is_late {
            let lands_at = self.clock.uptime() + fate.back + fate.late;
            self.state.lock().late.push(LateWrite { lands_at, key, expected, row });
            self.sleep(fate.back).await;
            return Err(StoreError::OutcomeUnknown("the write is late on purpose".to_owned()));
        }
        let result = self.inner.cas(key, expected, row).await;
        self.sleep(fate.back).await;
        if fate.reply_lost {
            return Err(StoreError::OutcomeUnknown("the reply was lost on purpose".to_owned()));
        }
        result
    }

    async fn due(
        &self,
        shards: &[Shard],
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueEntity>, StoreError> {
        let fate = self.arrive().await?;
        let result = self.inner.due(shards, before, limit).await;
        self.sleep(fate.back).await;
        result
    }

    fn durability(&self) -> &'static str {
        self.inner.durability()
    }
}

#[async_trait]
impl Cache for Faulty<dyn Cache> {
    async fn get(&self, key: &str, touch: Option<Duration>) -> Result<Option<Bytes>, CacheError> {
        self.plain(self.inner.get(key, touch), CacheError).await
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        self.plain(self.inner.put(key, value, ttl), CacheError).await
    }

    async fn remove(&self, key: &str) -> Result<(), CacheError> {
        self.plain(self.inner.remove(key), CacheError).await
    }
}
