//! The entity runtime's rules, each on its own, with a store whose every answer is decided.

mod calls;
mod effects_and_timers;
mod elsewhere;
mod forms;
mod isolation;
mod keys;
mod life;
mod writes;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use barrow_actors::runtime::{
    CommandError, DueScanner, EffectRouter, IdempotencyKey, Reply, Runtime, RuntimeParts,
    RuntimeSettings,
};
use barrow_cluster::{Lease, SoleOwner};
use barrow_engine::entity::{EntityKey, EntityKind};
use barrow_engine::ports::{Clock, EntityStore};
use barrow_tests::host::{SeededEntropy, SimulatedClock};
use barrow_tests::probe::{NOT_UNDERSTOOD_ITEM, ProbeCommand, ProbeHost, Refused};
use barrow_tests::scripted_store::ScriptedStore;

type Answer = Result<Reply<Vec<u64>>, CommandError<Refused>>;

/// A node with probes on it. Time is paused: it passes when everybody waits.
struct Node {
    runtime: Runtime<ProbeHost>,
    store: Arc<ScriptedStore>,
    clock: Arc<SimulatedClock>,
    lease: Lease,
}

impl Node {
    fn start() -> Node {
        Node::start_on(Arc::default(), RuntimeSettings::default())
    }

    fn with(settings: RuntimeSettings) -> Node {
        Node::start_on(Arc::default(), settings)
    }

    fn start_on(store: Arc<ScriptedStore>, settings: RuntimeSettings) -> Node {
        Node::start_behind(store.clone(), store, settings)
    }

    /// `seen` is what the node has for its store: the store itself, or something around it.
    fn start_behind(
        seen: Arc<dyn EntityStore>,
        store: Arc<ScriptedStore>,
        settings: RuntimeSettings,
    ) -> Node {
        let clock = Arc::new(SimulatedClock::default());
        let lease = Lease::endless();
        let ownership = Arc::new(SoleOwner::new(1, lease.clone()));
        let runtime = Runtime::start(RuntimeParts {
            host: ProbeHost,
            store: seen.clone(),
            clock: clock.clone(),
            // Two nodes on one store have different write ids, as on different machines.
            entropy: Arc::new(SeededEntropy::new(store.applied.lock().len() as u64 + 1)),
            ownership: ownership.clone(),
            effects: Arc::new(EffectRouter::default()),
            settings,
        });
        let targets = HashMap::from([(EntityKind::Probe, runtime.wakeable())]);
        DueScanner::new(seen, clock.clone(), ownership, targets).start();
        Node { runtime, store, clock, lease }
    }

    async fn send(&self, id: u128, command: ProbeCommand) -> Answer {
        self.runtime.execute(id, command, (), None, None).await
    }

    async fn append(&self, id: u128, item: u64) -> Answer {
        self.send(id, ProbeCommand::Append(item)).await
    }

    async fn append_keyed(&self, id: u128, item: u64, key: u64) -> Answer {
        let key = IdempotencyKey { key_hash: key, payload_hash: item as u32 };
        self.runtime.execute(id, ProbeCommand::Append(item), (), Some(key), None).await
    }

    async fn read(&self, id: u128) -> Vec<u64> {
        self.runtime.read(id, ()).await.expect("a probe can be read").view
    }

    /// Sends without waiting for the answer.
    fn send_soon(&self, id: u128, command: ProbeCommand) -> tokio::task::JoinHandle<Answer> {
        let runtime = self.runtime.clone();
        tokio::spawn(async move { runtime.execute(id, command, (), None, None).await })
    }

    fn read_soon(&self, id: u128) -> tokio::task::JoinHandle<Answer> {
        let runtime = self.runtime.clone();
        tokio::spawn(async move { runtime.read(id, ()).await })
    }

    fn now_plus(&self, duration: Duration) -> barrow_engine::time::Timestamp {
        self.clock.now().plus(duration)
    }
}

fn key(id: u128) -> EntityKey {
    EntityKey::new(EntityKind::Probe, id)
}

/// Lets every task that can run do so, and no time pass.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Lets time pass until the condition holds; fails after a simulated minute.
async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..6_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never happened: {what}");
}
