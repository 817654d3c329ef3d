//! The typed handle: how the rest of the program reaches the entities of one kind.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use barrow_cluster::Ownership;
use barrow_cluster::transport::{self, Refusal};
use barrow_engine::entity::{Entity, EntityKey};
use barrow_engine::ports::{Clock, EntityStore, Entropy};
use bytes::Bytes;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, broadcast, oneshot};

use super::actor::Message;
use super::directory::{Shared, Undispatched};
use super::elsewhere::next_there;
use super::gate::Subscription;
use super::host::{Command, Host, Rejection};
use super::machine::Order;
use super::memory::IdempotencyKey;
use super::observe::RuntimeObservation;
use super::outbox::{DeliveryError, SequencedEffect};
use super::remote::Request;
use super::router::{EffectRouter, Receiver};
use super::scanner::Wakeable;
use super::settings::RuntimeSettings;
use super::spawn::{Tasks, spawn, spawn_background};
use super::warm::Warm;
use super::{CommandError, Reply};

/// How often a drain looks whether every actor has ended.
const DRAIN_POLL: Duration = Duration::from_millis(5);

/// How often a request looks here and elsewhere for an entity whose shard moves back and forth.
const LOOKS_MAX: u32 = 3;

/// What a runtime is made of.
pub struct RuntimeParts<H: Host> {
    pub host: H,
    pub store: Arc<dyn EntityStore>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub ownership: Arc<dyn Ownership>,
    pub effects: Arc<EffectRouter>,
    pub settings: RuntimeSettings,
}

/// The entities of one kind. Clones are handles to the same runtime.
pub struct Runtime<H: Host> {
    shared: Arc<Shared<H>>,
}

impl<H: Host> Clone for Runtime<H> {
    fn clone(&self) -> Self {
        Runtime { shared: self.shared.clone() }
    }
}

type Failure<H> = CommandError<Rejection<H>>;

impl<H: Host> Runtime<H> {
    /// Starts the runtime on the current tokio runtime, and registers it for effects.
    pub fn start(parts: RuntimeParts<H>) -> Runtime<H> {
        // Seeded, so that a simulation visits its entities in the same order each time.
        let seed = |n: u64| parts.entropy.next_u64() ^ n;
        let hasher = ahash::RandomState::with_seeds(seed(1), seed(2), seed(3), seed(4));
        let shared = Arc::new(Shared {
            host: Arc::new(parts.host),
            incarnation: parts.entropy.next_u64(),
            store: parts.store,
            clock: parts.clock,
            ownership: parts.ownership,
            effects: parts.effects,
            tasks: Tasks::here(),
            stats: Default::default(),
            warm: Warm::new(parts.settings.warm_bytes_max, hasher.clone()),
            permits: Arc::new(Semaphore::new(parts.settings.in_flight_max)),
            loads: Semaphore::new(parts.settings.loads_max),
            draining: AtomicBool::new(false),
            writes: AtomicU64::new(0),
            slots: dashmap::DashMap::with_hasher(hasher.clone()),
            ids: parking_lot::Mutex::new(HashMap::with_hasher(hasher.clone())),
            supervisors: parking_lot::Mutex::new(HashMap::with_hasher(hasher)),
            settings: parts.settings,
        });
        let receiver: Weak<Shared<H>> = Arc::downgrade(&shared);
        shared.effects.register(H::Entity::KIND, receiver);
        start_sweeper(Arc::downgrade(&shared), shared.settings.sweep_interval);
        Runtime { shared }
    }

    /// Sends a command; the reply comes once what it was decided on is durable.
    pub async fn execute(
        &self,
        id: u128,
        command: Command<H>,
        ask: H::Ask,
        key: Option<IdempotencyKey>,
        expected_version: Option<u64>,
    ) -> Result<Reply<H::View>, Failure<H>> {
        let mut order = Some(Order { command, ask, key, expected_version });
        for _ in 0..LOOKS_MAX {
            let (to, reply) = oneshot::channel();
            let message = |ticket| {
                let order = order.take().expect("it is sent once");
                Message::Command { order, to, ticket }
            };
            match self.shared.dispatch(key_of::<H>(id), message).await {
                // An actor that ended without a word may have written before.
                Ok(_) => return reply.await.unwrap_or(Err(CommandError::OutcomeUnknown)),
                Err(Undispatched::Refused(error)) => return Err(error),
                Err(Undispatched::Elsewhere) => {}
            }
            let unsent = order.as_ref().expect("it was not sent");
            // Boxed: what is asked here should not carry the room for what is asked elsewhere.
            let answer = Box::pin(self.shared.execute_elsewhere(key_of::<H>(id), unsent)).await;
            if let Some(answer) = answer {
                return answer;
            }
        }
        Err(self.shared.unavailable())
    }

    /// Reads the durable state.
    pub async fn read(&self, id: u128, ask: H::Ask) -> Result<Reply<H::View>, Failure<H>> {
        let mut ask = Some(ask);
        for _ in 0..LOOKS_MAX {
            let (to, reply) = oneshot::channel();
            let message = |ticket| {
                let ask = ask.take().expect("it is sent once");
                Message::Read { ask, to, ticket }
            };
            match self.shared.dispatch(key_of::<H>(id), message).await {
                Ok(_) => return reply.await.unwrap_or_else(|_| Err(self.shared.unavailable())),
                Err(Undispatched::Refused(error)) => return Err(error),
                Err(Undispatched::Elsewhere) => {}
            }
            let unsent = ask.as_ref().expect("it was not sent");
            let answer = Box::pin(self.shared.read_elsewhere(key_of::<H>(id), unsent)).await;
            if let Some(answer) = answer {
                return answer;
            }
        }
        Err(self.shared.unavailable())
    }

    /// Reads the stored row itself, whoever owns the entity and whether or not anybody does: what
    /// was acknowledged is in it.
    pub async fn read_stored(&self, id: u128, ask: H::Ask) -> Result<Reply<H::View>, Failure<H>> {
        self.shared.read_stored(key_of::<H>(id), ask).await
    }

    /// Follows the durable state from now on.
    pub async fn subscribe(&self, id: u128, ask: H::Ask) -> Result<Feed<H>, Failure<H>>
    where
        H::Ask: Clone,
    {
        let key = key_of::<H>(id);
        for _ in 0..LOOKS_MAX {
            match subscribe_here(&self.shared, key, ask.clone()).await {
                Ok(feed) => return Ok(feed),
                Err(Undispatched::Refused(error)) => return Err(error),
                Err(Undispatched::Elsewhere) => {}
            }
            if let Some(feed) = self.shared.follow_elsewhere(key, &ask).await? {
                return Ok(feed);
            }
        }
        Err(self.shared.unavailable())
    }

    /// Finishes, stores and lets go of the entities of these shards, which nothing is let into any
    /// more; `false` after `deadline`.
    pub async fn drain_shards(&self, shards: &[u16], deadline: Duration) -> bool {
        self.shared.drain_shards(shards, deadline).await
    }

    /// Refuses what comes from now on, and returns once every actor has finished what it had
    /// and ended, or `false` after `deadline`.
    pub async fn drain(&self, deadline: Duration) -> bool {
        self.shared.draining.store(true, Ordering::Release);
        self.shared.retire_all();
        let give_up_at = self.shared.clock.uptime() + deadline;
        while self.shared.hot() > 0 {
            if self.shared.clock.uptime() >= give_up_at {
                return false;
            }
            tokio::time::sleep(DRAIN_POLL).await;
        }
        true
    }

    pub fn observe(&self) -> RuntimeObservation {
        let shared = &self.shared;
        let in_flight = shared.settings.in_flight_max - shared.permits.available_permits();
        shared.stats.observe(shared.hot(), shared.warm.len(), in_flight as u64)
    }

    /// For the scanner of due entities.
    pub fn wakeable(&self) -> Weak<dyn Wakeable> {
        let shared: Weak<Shared<H>> = Arc::downgrade(&self.shared);
        shared
    }
}

fn key_of<H: Host>(id: u128) -> EntityKey {
    EntityKey::new(H::Entity::KIND, id)
}

/// Ends when the runtime is gone.
fn start_sweeper<H: Host>(shared: Weak<Shared<H>>, interval: Duration) {
    spawn_background(interval, move || {
        let shared = shared.upgrade();
        async move {
            if let Some(shared) = &shared {
                shared.sweep();
            }
            shared.is_some()
        }
    });
}

/// Follows an entity whose shard is on this node.
pub(super) async fn subscribe_here<H: Host>(
    shared: &Arc<Shared<H>>,
    key: EntityKey,
    ask: H::Ask,
) -> Result<Feed<H>, Undispatched<Rejection<H>>> {
    let (to, reply) = oneshot::channel();
    let feeds = shared.dispatch(key, |ticket| Message::Subscribe { ask, to, ticket }).await?;
    let guard = FeedGuard::new(feeds);
    let subscribed = reply.await.unwrap_or_else(|_| Err(shared.unavailable()))?;
    let Subscription { first, newest } = subscribed;
    Ok(Feed { first: Some(first), source: Source::Here { newest, _guard: guard } })
}

impl<H: Host> Wakeable for Shared<H> {
    fn wake(self: Arc<Self>, key: EntityKey) {
        spawn(async move {
            // Refused for load: the next scan finds it again.
            drop(self.dispatch(key, |ticket| Message::Wake { ticket }).await);
        });
    }
}

#[async_trait]
impl<H: Host> Receiver for Shared<H> {
    async fn receive(
        self: Arc<Self>,
        source: EntityKey,
        effect: SequencedEffect,
    ) -> Result<(), DeliveryError> {
        let (to, receipt) = oneshot::channel();
        let target = effect.effect.target;
        let mut unsent = Some(effect);
        let message = |ticket| {
            let effect = unsent.take().expect("it is sent once");
            Message::Receive { source, effect, to, ticket }
        };
        match self.dispatch(target, message).await {
            Ok(_) => receipt.await.unwrap_or(Err(DeliveryError)),
            Err(Undispatched::Refused(_)) => Err(DeliveryError),
            Err(Undispatched::Elsewhere) => {
                let effect = unsent.expect("it was not sent");
                Box::pin(self.receive_elsewhere(source, &effect)).await
            }
        }
    }

    async fn confirm(
        self: Arc<Self>,
        source: EntityKey,
        target: EntityKey,
        sequence: u64,
    ) -> Result<(), DeliveryError> {
        let message = |ticket| Message::Forget { source, sequence, ticket };
        match self.dispatch(target, message).await {
            Ok(_) => Ok(()),
            Err(Undispatched::Refused(_)) => Err(DeliveryError),
            Err(Undispatched::Elsewhere) => {
                Box::pin(self.confirm_elsewhere(source, target, sequence)).await
            }
        }
    }

    async fn answer(self: Arc<Self>, request: Request) -> Result<Bytes, Refusal> {
        self.answer_here(request).await
    }

    async fn follow(self: Arc<Self>, request: Request) -> Result<transport::Feed, Refusal> {
        self.follow_here(request).await
    }
}

/// Follows one entity: the newest durable view after each change, skipping what came between.
pub struct Feed<H: Host> {
    first: Option<Reply<H::View>>,
    source: Source<H>,
}

enum Source<H: Host> {
    Here {
        newest: broadcast::Receiver<Reply<H::View>>,
        _guard: FeedGuard,
    },
    /// At the entity's owner, on another node.
    There {
        host: Arc<H>,
        id: u128,
        messages: transport::Feed,
    },
}

impl<H: Host> Feed<H> {
    pub(super) fn there(
        first: Reply<H::View>,
        host: Arc<H>,
        id: u128,
        messages: transport::Feed,
    ) -> Feed<H> {
        Feed { first: Some(first), source: Source::There { host, id, messages } }
    }

    /// The next view, the first one at once; `None` when the actor ended and the caller has
    /// to subscribe anew.
    pub async fn next(&mut self) -> Option<Reply<H::View>> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let newest = match &mut self.source {
            Source::Here { newest, .. } => newest,
            Source::There { host, id, messages } => {
                return next_there(&**host, *id, messages).await;
            }
        };
        loop {
            match newest.recv().await {
                Ok(reply) => return Some(reply),
                // Some were skipped; the newest is there.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// Keeps an entity that somebody follows from being passivated for idleness.
struct FeedGuard(Arc<AtomicUsize>);

impl FeedGuard {
    fn new(feeds: Arc<AtomicUsize>) -> FeedGuard {
        feeds.fetch_add(1, Ordering::AcqRel);
        FeedGuard(feeds)
    }
}

impl Drop for FeedGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
