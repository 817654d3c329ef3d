//! Where each live entity's actor is, and the only way to it.
//!
//! A message is sent while the entity's slot is locked, so nothing is ever sent to an actor
//! that was told to retire: what comes later waits until that one is gone, and activates anew.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use barrow_cluster::{Grant, Ownership};
use barrow_engine::entity::{Entity, EntityKey};
use barrow_engine::ports::{Clock, EntityStore, Row, WriteId};
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use parking_lot::Mutex;
use ractor::{ActorCell, ActorId, ActorRef, ActorRuntime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::actor::{Arguments, EntityActor, Lane, LoadError, Message};
use super::gate::{Answer, InUse, Ticket};
use super::host::{Host, Rejection};
use super::machine::Machine;
use super::observe::{RuntimeStats, count};
use super::planted::{Bug, is_planted};
use super::router::EffectRouter;
use super::settings::RuntimeSettings;
use super::spawn::Tasks;
use super::supervisor::ShardSupervisor;
use super::warm::Warm;
use super::{CommandError, Reply};

/// Everything that the actors of one runtime share.
pub(super) struct Shared<H: Host> {
    pub host: Arc<H>,
    pub store: Arc<dyn EntityStore>,
    pub clock: Arc<dyn Clock>,
    pub ownership: Arc<dyn Ownership>,
    pub effects: Arc<EffectRouter>,
    /// Starts tasks from threads that are not the runtime's own.
    pub tasks: Tasks,
    pub settings: RuntimeSettings,
    pub stats: RuntimeStats,
    pub warm: Warm,
    pub permits: Arc<Semaphore>,
    /// Entities that are being loaded; the others wait for their turn.
    pub loads: Semaphore,
    pub draining: AtomicBool,
    /// Tells this runtime's writes from those of every other, now and ever.
    pub incarnation: u64,
    pub writes: AtomicU64,
    pub slots: DashMap<u128, Slot<H>, ahash::RandomState>,
    /// Whose actor it is. Locked while one is started, so that its end is never told before
    /// it is known.
    pub ids: Mutex<HashMap<ActorId, u128, ahash::RandomState>>,
    pub supervisors: Mutex<HashMap<u16, ActorCell, ahash::RandomState>>,
}

pub(super) struct Slot<H: Host> {
    phase: Phase<H>,
    lane: Lane,
    queued: Arc<AtomicUsize>,
    /// In milliseconds of uptime.
    last_used: u64,
    pub feeds: Arc<AtomicUsize>,
    failures: u32,
}

/// Why a message was not sent. It is as it was: `message` was not called.
#[derive(Debug)]
pub(super) enum Undispatched<R> {
    /// The entity's shard is not on this node.
    Elsewhere,
    Refused(CommandError<R>),
}

impl<R> From<CommandError<R>> for Undispatched<R> {
    fn from(error: CommandError<R>) -> Undispatched<R> {
        Undispatched::Refused(error)
    }
}

enum Phase<H: Host> {
    Live(ActorRef<Message<H>>),
    /// Told to end; the semaphore closes when it has.
    Retiring(ActorId, Arc<Semaphore>),
    /// Failed; not activated before this uptime.
    Resting(Duration),
}

impl<H: Host> Shared<H> {
    /// A permit to be under way, for as long as it is held.
    pub fn permit(&self) -> Result<OwnedSemaphorePermit, CommandError<Rejection<H>>> {
        self.permits.clone().try_acquire_owned().map_err(|_| {
            count(&self.stats.refused);
            self.overloaded()
        })
    }

    /// Sends a message to the entity, activating it where needed. What `message` makes is sent
    /// exactly once, or not at all.
    pub async fn dispatch(
        self: &Arc<Self>,
        key: EntityKey,
        message: impl FnOnce(Ticket) -> Message<H>,
    ) -> Result<Arc<AtomicUsize>, Undispatched<Rejection<H>>> {
        let permit = self.permit()?;
        let mut waited = false;
        loop {
            if self.draining.load(Ordering::Acquire) {
                return Err(self.unavailable().into());
            }
            let entry = self.slots.entry(key.id);
            // Asked while the slot is locked: whoever drains a shard closes it first and looks
            // into every slot then, so that no actor begins behind its back (R5).
            let Some(grant) = self.ownership.grant(key.shard().index()) else {
                return Err(Undispatched::Elsewhere);
            };
            let gone = match entry {
                Entry::Vacant(vacant) => {
                    let slot = self.activate(key, grant, Lane::default(), 0)?;
                    let mut slot = vacant.insert(slot);
                    return Ok(self.send(&mut slot, permit, message)?);
                }
                Entry::Occupied(mut occupied) => match self.find(key, grant, occupied.get_mut())? {
                    None => return Ok(self.send(occupied.get_mut(), permit, message)?),
                    Some(gone) => gone,
                },
            };
            // It ends when its last write has: the caller's own deadline bounds the wait.
            if waited && self.permits.available_permits() == 0 {
                return Err(self.overloaded().into());
            }
            waited = true;
            drop(gone.acquire().await);
        }
    }

    /// Makes the slot live, or says what to wait for.
    fn find(
        self: &Arc<Self>,
        key: EntityKey,
        grant: Grant,
        slot: &mut Slot<H>,
    ) -> Result<Option<Arc<Semaphore>>, CommandError<Rejection<H>>> {
        match &slot.phase {
            Phase::Live(_) => Ok(None),
            Phase::Retiring(..) if is_planted(Bug::NextActivationEarly) => {
                *slot = self.activate(key, grant, Lane::default(), 0)?;
                Ok(None)
            }
            Phase::Retiring(_, gone) => Ok(Some(gone.clone())),
            Phase::Resting(until) => {
                let now = self.clock.uptime();
                if now < *until {
                    return Err(CommandError::Unavailable { retry_after: *until - now });
                }
                *slot = self.activate(key, grant, slot.lane.clone(), slot.failures)?;
                Ok(None)
            }
        }
    }

    fn send(
        &self,
        slot: &mut Slot<H>,
        permit: OwnedSemaphorePermit,
        message: impl FnOnce(Ticket) -> Message<H>,
    ) -> Result<Arc<AtomicUsize>, CommandError<Rejection<H>>> {
        let Phase::Live(actor) = &slot.phase else { return Err(self.unavailable()) };
        if slot.queued.load(Ordering::Acquire) >= self.settings.queue_max {
            count(&self.stats.refused);
            return Err(self.overloaded());
        }
        slot.last_used = self.uptime_ms();
        let ticket = Ticket { _in_use: InUse::new(&slot.queued), _permit: permit };
        match actor.cast(message(ticket)) {
            Ok(()) => Ok(slot.feeds.clone()),
            // It ended just now, and its supervisor is about to say so.
            Err(_) => Err(self.unavailable()),
        }
    }

    fn activate(
        self: &Arc<Self>,
        key: EntityKey,
        grant: Grant,
        lane: Lane,
        failures: u32,
    ) -> Result<Slot<H>, CommandError<Rejection<H>>> {
        let supervisor = self.supervisor(key.shard().index())?;
        let arguments = Arguments { shared: self.clone(), key, grant, lane: lane.clone() };
        let handler = EntityActor::<H>(PhantomData);
        let mut ids = self.ids.lock();
        let spawned = ActorRuntime::spawn_linked_instant(None, handler, arguments, supervisor);
        let (actor, _) = spawned.map_err(|error| {
            tracing::error!(entity = %key, %error, "an actor could not be started");
            self.unavailable()
        })?;
        ids.insert(actor.get_id(), key.id);
        Ok(Slot {
            phase: Phase::Live(actor),
            lane,
            queued: Arc::default(),
            last_used: self.uptime_ms(),
            feeds: Arc::default(),
            failures,
        })
    }

    fn supervisor(self: &Arc<Self>, shard: u16) -> Result<ActorCell, CommandError<Rejection<H>>> {
        let mut supervisors = self.supervisors.lock();
        if let Some(supervisor) = supervisors.get(&shard) {
            return Ok(supervisor.clone());
        }
        let handler = ShardSupervisor::<H>(Arc::downgrade(self));
        let (supervisor, _) =
            ActorRuntime::spawn_instant(None, handler, ()).map_err(|_| self.unavailable())?;
        supervisors.insert(shard, supervisor.get_cell());
        Ok(supervisor.get_cell())
    }

    /// An actor has ended; told by its supervisor.
    pub fn ended(&self, actor: ActorId, failed: bool) {
        let Some(id) = self.ids.lock().remove(&actor) else { return };
        let Entry::Occupied(mut occupied) = self.slots.entry(id) else { return };
        let slot = occupied.get_mut();
        match &slot.phase {
            Phase::Live(live) if live.get_id() == actor => {}
            Phase::Retiring(retiring, gone) if *retiring == actor => gone.close(),
            _ => return,
        }
        let rest = match failed {
            false => Duration::ZERO,
            true => {
                count(&self.stats.failures);
                slot.failures += 1;
                let doubled = self.settings.failure_backoff * (1 << (slot.failures - 1).min(16));
                doubled.min(self.settings.failure_backoff_max)
            }
        };
        // A slot whose lane is taken stays: a write is still under way, and the next
        // activation must wait for it.
        if !failed && slot.lane.try_lock().is_ok() {
            occupied.remove();
        } else {
            slot.phase = Phase::Resting(self.clock.uptime() + rest);
            slot.last_used = self.uptime_ms();
        }
    }

    /// Keeps an entity that is in memory there, unless it has to go.
    pub fn keep(&self, key: EntityKey) -> Option<InUse> {
        self.slots.get(&key.id).map(|slot| InUse::new(&slot.queued))
    }

    /// Tells the actor to end if nobody waits for it. Idle or blank entities, and memory.
    pub fn retire_if_unused(&self, key: EntityKey) {
        if let Entry::Occupied(mut occupied) = self.slots.entry(key.id) {
            let slot = occupied.get_mut();
            let is_unused =
                slot.queued.load(Ordering::Acquire) == 0 && slot.feeds.load(Ordering::Acquire) == 0;
            let whoever_waits =
                is_planted(Bug::NextActivationEarly) || is_planted(Bug::MailboxDropped);
            if is_unused || whoever_waits {
                retire(slot);
            }
        }
    }

    /// From the actor itself, when what it holds must not be seen any more.
    pub fn retire_and_stop(&self, key: EntityKey, myself: &ActorRef<Message<H>>) {
        if let Entry::Occupied(mut occupied) = self.slots.entry(key.id)
            && matches!(&occupied.get().phase, Phase::Live(a) if a.get_id() == myself.get_id())
        {
            // From here on callers wait. What is in the mailbox already is refused until the
            // `Retire` behind it is reached.
            retire(occupied.get_mut());
            return;
        }
        myself.stop(None);
    }

    /// Retires what was not used for a while, and the least recently used beyond the limit.
    pub fn sweep(&self) {
        let now = self.uptime_ms();
        let idle = self.settings.idle_timeout.as_millis() as u64;
        let mut live: Vec<(u64, u128)> = Vec::new();
        let mut rested: Vec<u128> = Vec::new();
        for slot in &self.slots {
            match &slot.phase {
                Phase::Live(_) => live.push((slot.last_used, *slot.key())),
                Phase::Resting(_) if slot.last_used + idle < now => rested.push(*slot.key()),
                _ => {}
            }
        }
        for id in rested {
            self.slots.remove_if(&id, |_, slot| {
                matches!(slot.phase, Phase::Resting(_)) && slot.lane.try_lock().is_ok()
            });
        }
        let excess = live.len().saturating_sub(self.settings.hot_max);
        if excess > 0 {
            live.select_nth_unstable(excess - 1);
        }
        for (index, (last_used, id)) in live.into_iter().enumerate() {
            if index < excess || last_used + idle < now {
                self.retire_if_unused(EntityKey::new(H::Entity::KIND, id));
            }
        }
    }

    /// Has every entity of these shards, which must have been closed before, finish and store what
    /// it has, and returns once none of them is in memory; `false` after `deadline`.
    pub async fn drain_shards(&self, shards: &[u16], deadline: Duration) -> bool {
        let is_leaving = |id: u128| {
            let shard = EntityKey::new(H::Entity::KIND, id).shard().index();
            shards.contains(&shard)
        };
        let mut leaving: Vec<(Option<Arc<Semaphore>>, Lane)> = Vec::new();
        for mut slot in self.slots.iter_mut() {
            if is_leaving(*slot.key()) {
                retire(&mut slot);
                let gone = match &slot.phase {
                    Phase::Retiring(_, gone) => Some(gone.clone()),
                    _ => None,
                };
                leaving.push((gone, slot.lane.clone()));
            }
        }
        let all_gone = async {
            for (gone, lane) in leaving {
                if let Some(gone) = gone {
                    // It never hands out a permit: it closes.
                    drop(gone.acquire().await);
                }
                drop(lane.lock().await);
            }
        };
        if tokio::time::timeout(deadline, all_gone).await.is_err() {
            return false;
        }
        self.slots.retain(|id, _| !is_leaving(*id));
        let mut supervisors = self.supervisors.lock();
        for shard in shards {
            if let Some(supervisor) = supervisors.remove(shard) {
                supervisor.stop(None);
            }
        }
        true
    }

    /// Tells every actor to end, whoever waits: they finish what they have first.
    pub fn retire_all(&self) {
        for mut slot in self.slots.iter_mut() {
            retire(&mut slot);
        }
    }

    pub async fn load(&self, key: EntityKey, epoch: u64) -> Result<Machine<H>, LoadError> {
        let row = match self.warm.take(key.id, epoch) {
            Some(row) => {
                count(&self.stats.warm_activations);
                Some(row)
            }
            None => {
                // When a node dies its entities come up elsewhere all at once.
                let turn = self.loads.acquire().await;
                let row = self.load_row(key).await?;
                drop(turn);
                row
            }
        };
        let mut machine = Machine::load(key, self.host.clone(), row, self.settings.reads)
            .map_err(|error| LoadError::Unreadable(error.to_string()))?;
        let refreshed = self.host.refresh(&mut machine.state, self.clock.now()).await;
        refreshed.map_err(|error| LoadError::Unavailable(error.to_string()))?;
        Ok(machine)
    }

    async fn load_row(&self, key: EntityKey) -> Result<Option<Row>, LoadError> {
        let give_up_at = self.clock.uptime() + self.settings.write_deadline;
        let mut backoff = self.settings.write_backoff;
        loop {
            // The caller waits: a store that went silent must not add its own time-out.
            let left = give_up_at.saturating_sub(self.clock.uptime());
            let error = match tokio::time::timeout(left, self.store.load(key)).await {
                Ok(Ok(row)) => return Ok(row),
                Ok(Err(error)) if !error.is_retryable() => {
                    return Err(LoadError::Unreadable(error.to_string()));
                }
                Ok(Err(error)) => error,
                Err(_) => {
                    let silent = "the entity store does not answer in time".to_owned();
                    return Err(LoadError::Unavailable(silent));
                }
            };
            if self.clock.uptime() + backoff >= give_up_at {
                return Err(LoadError::Unavailable(error.to_string()));
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(Duration::from_secs(1));
        }
    }

    pub async fn read_stored(
        &self,
        key: EntityKey,
        ask: H::Ask,
    ) -> Result<Reply<H::View>, CommandError<Rejection<H>>> {
        let _permit = self.permit()?;
        let row = self.store.load(key).await.map_err(|error| {
            tracing::warn!(entity = %key, %error, "a row is not read");
            self.unavailable()
        })?;
        let machine = Machine::load(key, self.host.clone(), row, self.settings.reads);
        machine.map_err(|_| CommandError::Unreadable)?.view(ask)
    }

    /// The form of rows that are written now: one that whoever may read them reads.
    pub fn form(&self) -> u8 {
        let newest = self.settings.reads;
        if is_planted(Bug::NewestFormWritten) {
            return newest;
        }
        self.ownership.form().map_or(newest, |form| form.min(newest))
    }

    pub fn next_write_id(&self) -> WriteId {
        let count = self.writes.fetch_add(1, Ordering::Relaxed);
        WriteId(u128::from(self.incarnation) << 64 | u128::from(count))
    }

    pub fn count_answer(&self, answer: &Answer<H>) {
        count(match answer {
            Ok(reply) if reply.replayed.is_some() => &self.stats.replays,
            Ok(_) => &self.stats.commands,
            Err(_) => &self.stats.rejections,
        });
    }

    pub fn count_write(&self, bytes: usize) {
        count(&self.stats.writes);
        self.stats.bytes_written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub fn unavailable(&self) -> CommandError<Rejection<H>> {
        CommandError::Unavailable { retry_after: self.settings.retry_after }
    }

    pub fn overloaded(&self) -> CommandError<Rejection<H>> {
        CommandError::Overloaded { retry_after: self.settings.retry_after }
    }

    /// Actors that have not ended yet.
    pub fn hot(&self) -> u64 {
        self.ids.lock().len() as u64
    }

    fn uptime_ms(&self) -> u64 {
        self.clock.uptime().as_millis() as u64
    }
}

fn retire<H: Host>(slot: &mut Slot<H>) {
    let Phase::Live(actor) = &slot.phase else { return };
    let actor = actor.clone();
    slot.phase = Phase::Retiring(actor.get_id(), Arc::new(Semaphore::new(0)));
    if is_planted(Bug::MailboxDropped) {
        return actor.stop(None);
    }
    // It refuses messages only if it has ended, and then its supervisor says so.
    drop(actor.cast(Message::Retire));
}
