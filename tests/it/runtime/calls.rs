//! What the store is asked, which is what a store beside the process bills and takes time for:
//! one write for a change, one load for an entity that wakes, nothing for what is in memory.

use barrow_adapters::decorators::{Measured, Meter};

use super::*;

/// A node whose calls of the store are counted.
struct Counted {
    node: Node,
    meter: Arc<Meter>,
}

impl Counted {
    fn start(store: &Arc<ScriptedStore>, settings: RuntimeSettings) -> Counted {
        let clock = Arc::new(SimulatedClock::default());
        let measured = Measured::<dyn EntityStore>::new(store.clone(), clock);
        let meter = measured.meter();
        let node = Node::start_behind(Arc::new(measured), store.clone(), settings);
        Counted { node, meter }
    }

    /// Loads and writes so far, however they ended.
    fn calls(&self) -> (u64, u64) {
        let seen = self.meter.snapshot();
        let of = |operation: &str| {
            let all = seen.iter().filter(|seen| seen.operation == operation);
            all.map(|seen| seen.ok + seen.refused + seen.failed + seen.unknown).sum()
        };
        (of("load"), of("cas"))
    }
}

#[tokio::test(start_paused = true)]
async fn an_acknowledged_change_is_one_write_and_all_else_is_none() {
    let counted = Counted::start(&Arc::default(), RuntimeSettings::default());
    let node = &counted.node;
    for item in 0..10 {
        for id in 1..=3 {
            node.append(id, item).await.unwrap();
        }
    }
    assert_eq!(counted.calls(), (3, 30), "each entity was looked for once");
    for id in 1..=3 {
        assert_eq!(node.read(id).await.len(), 10);
        assert_eq!(node.send(id, ProbeCommand::Nothing).await.unwrap().version, 10);
        assert_eq!(node.send(id, ProbeCommand::Refuse).await, Err(CommandError::Rejected(Refused)));
        node.append_keyed(id, 10, 7).await.unwrap();
        node.append_keyed(id, 10, 7).await.unwrap();
    }
    assert_eq!(counted.calls(), (3, 33), "only the new changes were written");
}

#[tokio::test(start_paused = true)]
async fn changes_that_come_together_are_fewer_writes_than_changes() {
    let counted = Counted::start(&Arc::default(), RuntimeSettings::default());
    let changes: Vec<_> =
        (0..20).map(|item| counted.node.send_soon(1, ProbeCommand::Append(item))).collect();
    for change in changes {
        change.await.unwrap().unwrap();
    }
    let (loads, writes) = counted.calls();
    assert_eq!(loads, 1);
    assert!((1..=20).contains(&writes), "{writes}");
    assert_eq!(counted.node.read(1).await.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn an_activation_is_one_load_at_most() {
    let store = Arc::<ScriptedStore>::default();
    Counted::start(&store, RuntimeSettings::default()).node.append(1, 1).await.unwrap();
    let settings =
        RuntimeSettings { idle_timeout: Duration::from_secs(5), ..RuntimeSettings::default() };
    let counted = Counted::start(&store, settings);
    let reads: Vec<_> = (0..100).map(|_| counted.node.read_soon(1)).collect();
    for read in reads {
        assert_eq!(read.await.unwrap().unwrap().view, [1]);
    }
    assert_eq!(counted.calls(), (1, 0), "a hundred who ask wake it once");
    until("it is passivated", || counted.node.runtime.observe().hot == 0).await;
    assert_eq!(counted.node.append(1, 2).await.unwrap().view, [1, 2]);
    assert_eq!(counted.node.runtime.observe().warm_activations, 1);
    assert_eq!(counted.calls(), (1, 1), "it came back from memory");
}
