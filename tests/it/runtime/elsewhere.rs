//! Entities on two nodes: whoever asks gets the answer of the owner, and a shard that moves takes
//! its entities along.

use barrow_actors::runtime::{Feed, PeerService};
use barrow_cluster::transport::loopback::Loopback;
use barrow_cluster::transport::{Call, CallError, Refusal, Transport};
use barrow_cluster::{Member, MemberId, Peer, Router, RouterSettings, Shards, View};

use super::*;

const FIRST: MemberId = MemberId(1);
const SECOND: MemberId = MemberId(2);

/// Two nodes on one store, that reach each other in memory.
struct Pair {
    nodes: [TestNode; 2],
    network: Loopback,
    store: Arc<ScriptedStore>,
    view: parking_lot::Mutex<View>,
}

struct TestNode {
    shards: Arc<Shards>,
    runtime: Runtime<ProbeHost>,
    lease: Lease,
    /// Held, as a node holds it: runtimes are found by it.
    _effects: Arc<EffectRouter>,
}

fn member(id: MemberId) -> Member {
    let (name, build) = (id.to_string(), "1".to_owned());
    Member { id, name, weight: 1, build, reads: 1, draining: false }
}

fn peer(id: MemberId) -> Peer {
    let name = id.to_string();
    Peer { id, name, address: String::new(), certificate: Vec::new(), unreachable: Vec::new() }
}

impl Pair {
    /// All shards belong to the first.
    fn start() -> Pair {
        let (store, network) = (Arc::<ScriptedStore>::default(), Loopback::new());
        let nodes = [FIRST, SECOND].map(|id| start(id, &store, &network));
        let mut view =
            View { version: 1, members: vec![member(FIRST), member(SECOND)], ..View::default() };
        (0..1_024).for_each(|shard| view.give(shard, Some(FIRST)));
        let pair = Pair { nodes, network, store, view: parking_lot::Mutex::new(view) };
        pair.install(&[0, 1]);
        pair
    }

    /// Tells these nodes the newest view.
    fn install(&self, nodes: &[usize]) {
        let view = Arc::new(self.view.lock().clone());
        for node in nodes {
            self.nodes[*node].shards.install(view.clone(), [peer(FIRST), peer(SECOND)]);
        }
    }

    /// Gives the entity's shard to another node, in the table alone.
    fn give(&self, id: u128, to: MemberId) {
        let mut view = self.view.lock();
        view.version += 1;
        view.give(key(id).shard().index(), Some(to));
    }

    /// Hands the entity's shard over, as its owner does.
    async fn hand_over(&self, id: u128, from: usize, to: MemberId) {
        let shard = key(id).shard().index();
        self.nodes[from].shards.close(&[shard]);
        let node = &self.nodes[from].runtime;
        assert!(node.drain_shards(&[shard], Duration::from_secs(8)).await);
        self.give(id, to);
        self.install(&[from]);
    }
}

fn start(id: MemberId, store: &Arc<ScriptedStore>, network: &Loopback) -> TestNode {
    let clock = Arc::new(SimulatedClock::default());
    let lease = Lease::endless();
    let shards = Arc::new(Shards::new(id, lease.clone()));
    let transport = Arc::new(network.clone());
    let router = Arc::new(Router::new(shards.clone(), transport, RouterSettings::default()));
    let effects = Arc::new(EffectRouter::default());
    let runtime = Runtime::start(RuntimeParts {
        host: ProbeHost,
        store: store.clone(),
        clock: clock.clone(),
        entropy: Arc::new(SeededEntropy::new(id.0 as u64)),
        ownership: router.clone(),
        effects: effects.clone(),
        settings: RuntimeSettings::default(),
    });
    let targets = HashMap::from([(EntityKind::Probe, runtime.wakeable())]);
    DueScanner::new(store.clone(), clock.clone(), router.clone(), targets).start();
    let service = PeerService::new(router, effects.clone());
    service.set_ready();
    network.join(id, Arc::new(service));
    TestNode { shards, runtime, lease, _effects: effects }
}

impl TestNode {
    async fn append(&self, id: u128, item: u64) -> Answer {
        self.runtime.execute(id, ProbeCommand::Append(item), (), None, None).await
    }

    async fn append_keyed(&self, id: u128, item: u64, key: u64) -> Answer {
        let key = IdempotencyKey { key_hash: key, payload_hash: item as u32 };
        self.runtime.execute(id, ProbeCommand::Append(item), (), Some(key), None).await
    }

    async fn read(&self, id: u128) -> Vec<u64> {
        self.runtime.read(id, ()).await.expect("a probe can be read").view
    }
}

async fn next(feed: &mut Feed<ProbeHost>) -> Vec<u64> {
    feed.next().await.expect("the feed goes on").view
}

#[tokio::test(start_paused = true)]
async fn any_node_answers_for_the_owner() {
    let pair = Pair::start();
    let [owner, other] = &pair.nodes;
    assert_eq!(other.append(1, 10).await.unwrap().view, [10]);
    assert_eq!(owner.append(1, 11).await.unwrap().view, [10, 11]);
    assert_eq!(other.read(1).await, [10, 11]);
    let refused = other.runtime.execute(1, ProbeCommand::Refuse, (), None, None).await;
    assert_eq!(refused, Err(CommandError::Rejected(Refused)));
    let late = other.runtime.execute(1, ProbeCommand::Append(9), (), None, Some(1)).await;
    assert_eq!(late, Err(CommandError::VersionMismatch { current: 2 }));
    assert_eq!(other.append_keyed(1, 12, 7).await.unwrap().replayed, None);
    assert_eq!(owner.append_keyed(1, 12, 7).await.unwrap().replayed, Some(3));
    assert_eq!(other.append_keyed(1, 12, 7).await.unwrap().replayed, Some(3));
    assert_eq!(other.append_keyed(1, 13, 7).await, Err(CommandError::KeyReused));
    assert_eq!(other.runtime.observe().hot, 0, "the entity is in memory at its owner alone");
}

#[tokio::test(start_paused = true)]
async fn a_shard_takes_its_entities_along_and_a_late_view_is_followed() {
    let pair = Pair::start();
    let [first, second] = &pair.nodes;
    assert_eq!(first.append(1, 10).await.unwrap().view, [10]);
    pair.hand_over(1, 0, SECOND).await;
    assert_eq!(first.runtime.observe().hot, 0);
    // The new owner has not read the view yet: whoever calls it knows a later one.
    let asked = tokio::spawn({
        let runtime = first.runtime.clone();
        async move { runtime.execute(1, ProbeCommand::Append(11), (), None, None).await }
    });
    second.shards.wanted().await;
    pair.install(&[1]);
    assert_eq!(asked.await.unwrap().unwrap().view, [10, 11]);
    assert_eq!(second.read(1).await, [10, 11]);
    assert_eq!(second.runtime.observe().hot, 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_still_takes_the_former_owner_for_it_is_told() {
    let pair = Pair::start();
    let [first, second] = &pair.nodes;
    assert_eq!(second.append(1, 10).await.unwrap().view, [10]);
    pair.hand_over(1, 0, SECOND).await;
    // It asks the former owner, hears that the shard has moved, reads the view, and is it.
    let asked = tokio::spawn({
        let runtime = second.runtime.clone();
        async move { runtime.execute(1, ProbeCommand::Append(11), (), None, None).await }
    });
    second.shards.wanted().await;
    pair.install(&[1]);
    assert_eq!(asked.await.unwrap().unwrap().view, [10, 11]);
    assert_eq!(first.read(1).await, [10, 11]);
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_when_the_last_write_has_and_what_comes_meanwhile_waits() {
    let pair = Pair::start();
    let [first, second] = &pair.nodes;
    let held = pair.store.hold_next_write();
    let writing = tokio::spawn({
        let runtime = first.runtime.clone();
        async move { runtime.execute(1, ProbeCommand::Append(10), (), None, None).await }
    });
    settle().await;
    let shard = key(1).shard().index();
    first.shards.close(&[shard]);
    let draining = tokio::spawn({
        let runtime = first.runtime.clone();
        async move { runtime.drain_shards(&[shard], Duration::from_secs(8)).await }
    });
    let late = tokio::spawn({
        let runtime = first.runtime.clone();
        async move { runtime.execute(1, ProbeCommand::Append(11), (), None, None).await }
    });
    settle().await;
    assert!(!draining.is_finished() && !late.is_finished());
    held.add_permits(1);
    assert!(draining.await.unwrap());
    assert_eq!(writing.await.unwrap().unwrap().view, [10], "what was admitted is answered");
    pair.give(1, SECOND);
    pair.install(&[0, 1]);
    assert_eq!(late.await.unwrap().unwrap().view, [10, 11]);
    assert_eq!(second.runtime.observe().hot, 1);
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_is_nowhere_for_long_is_not_waited_for() {
    let pair = Pair::start();
    let [first, _] = &pair.nodes;
    first.shards.close(&[key(1).shard().index()]);
    let answer = first.append(1, 10).await;
    assert!(matches!(answer, Err(CommandError::Unavailable { .. })), "{answer:?}");
    assert!(pair.store.applied.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_owner_without_a_lease_answers_nobody() {
    let pair = Pair::start();
    let [owner, other] = &pair.nodes;
    other.append(1, 10).await.unwrap();
    owner.lease.renew(Duration::ZERO);
    let answer = other.append(1, 11).await;
    assert!(matches!(answer, Err(CommandError::Unavailable { .. })), "{answer:?}");
    let read = other.runtime.read(1, ()).await;
    assert!(matches!(read, Err(CommandError::Unavailable { .. })), "{read:?}");
    let stored = other.runtime.read_stored(1, ()).await;
    assert_eq!(stored.unwrap().view, [10], "the row tells what was acknowledged");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_gone_leaves_open_what_it_was_asked_and_repeats_what_may_be() {
    let pair = Pair::start();
    let [_, other] = &pair.nodes;
    let _held = pair.store.hold_next_write();
    let send = |key: Option<u64>| {
        let runtime = other.runtime.clone();
        let key = key.map(|key_hash| IdempotencyKey { key_hash, payload_hash: 1 });
        tokio::spawn(
            async move { runtime.execute(1, ProbeCommand::Append(10), (), key, None).await },
        )
    };
    let (unkeyed, keyed) = (send(None), send(Some(7)));
    settle().await;
    pair.network.leave(FIRST);
    assert_eq!(unkeyed.await.unwrap(), Err(CommandError::OutcomeUnknown));
    // Nobody else has the shard, so the command with a key is not answered either.
    assert_eq!(keyed.await.unwrap(), Err(CommandError::OutcomeUnknown));
    let unreached = other.append(1, 12).await;
    assert!(matches!(unreached, Err(CommandError::Unavailable { .. })), "{unreached:?}");
}

#[tokio::test(start_paused = true)]
async fn effects_reach_their_target_on_the_other_node_once() {
    let pair = Pair::start();
    let [first, second] = &pair.nodes;
    let target = (2..).find(|id| key(*id).shard() != key(1).shard()).unwrap();
    pair.hand_over(target, 0, SECOND).await;
    pair.install(&[1]);
    let tell = ProbeCommand::Tell { target, item: 5 };
    first.runtime.execute(1, tell, (), None, None).await.unwrap();
    until("the other node has it", || second.runtime.observe().hot == 1).await;
    until("it is delivered", || first.runtime.observe().effects == 1).await;
    assert_eq!(first.read(target).await, [5]);
    assert_eq!(first.read(1).await, [5]);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(second.read(target).await, [5], "no scan delivers it again");
}

#[tokio::test(start_paused = true)]
async fn a_feed_follows_the_entity_on_the_other_node_until_its_shard_moves() {
    let pair = Pair::start();
    let [first, second] = &pair.nodes;
    first.append(1, 10).await.unwrap();
    let mut feed = second.runtime.subscribe(1, ()).await.unwrap();
    assert_eq!(next(&mut feed).await, [10]);
    first.append(1, 11).await.unwrap();
    assert_eq!(next(&mut feed).await, [10, 11]);
    pair.hand_over(1, 0, SECOND).await;
    assert!(feed.next().await.is_none(), "its reader subscribes anew");
    pair.install(&[1]);
    let mut feed = first.runtime.subscribe(1, ()).await.unwrap();
    assert_eq!(next(&mut feed).await, [10, 11]);
    second.append(1, 12).await.unwrap();
    assert_eq!(next(&mut feed).await, [10, 11, 12]);
}

/// The first byte of what nodes ask and answer is its version.
#[tokio::test(start_paused = true)]
async fn what_a_later_build_asks_is_refused_and_not_done() {
    let pair = Pair::start();
    pair.nodes[0].append(1, 1).await.unwrap();
    let ask = async |version: u8| {
        let mut payload = vec![version, 2];
        payload.extend_from_slice(&key(1).to_bytes());
        let (shard, patience) = (key(1).shard().index(), Duration::from_secs(1));
        let call = Call { shard, view: 1, patience, payload: payload.into() };
        pair.network.call(&peer(FIRST), call).await
    };
    assert!(ask(1).await.is_ok(), "a read of this build");
    assert_eq!(ask(2).await, Err(CallError::Refused(Refusal::Unreadable)));
    assert_eq!(pair.nodes[0].read(1).await, [1]);
}
