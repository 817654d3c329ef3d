//! Trouble stays where it is. Something is wrong with one of three nodes, or with the way to it,
//! and at the door of another one a crowd asks for its carts: the carts of the others are served
//! without a single refusal, and what is too much is refused to those who ask for too much. The
//! times are printed; what is asserted is who was refused what.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use barrow_servers::Fault;
use futures::future::join_all;
use rustix::process::{Pid, Signal, kill_process};
use tokio_util::sync::CancellationToken;

use super::fleet::{Fleet, NODES, On};
use super::lanes::{Lane, Plan};
use super::log::{Durations, Span};
use crate::support::client::Client;
use crate::support::{times, until};

/// What one node answers at once. Few, so that a crowd fills it on any machine.
const REQUESTS_MAX: &str = "limits.requests=64";

/// The node that the trouble is with.
const VICTIM: usize = 1;

/// The node at whose door the crowd asks for the victim's carts.
const CROWDED: usize = 0;

/// More than the crowded node answers at once.
const CROWD: usize = 100;

/// What is asked for on any day.
const PACE: Duration = Duration::from_millis(40);

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// Whatever the others send to it takes long, and so do its answers.
    SlowLink,
    /// Between the others and it a few bytes pass at a time.
    NarrowLink,
    /// It stands still most of the time, never for as long as a lease.
    SlowNode,
    /// Its stores take long; its control table does not.
    SlowStore,
    /// It is asked for more than it can do, at its own door and at those of the others.
    Overload,
    /// It is killed.
    Death,
}

impl Trouble {
    /// Whether carts of that owner, asked for at that door, have nothing to do with it.
    fn leaves_alone(self, owner: usize, door: usize) -> bool {
        match self {
            Trouble::SlowLink | Trouble::NarrowLink => owner != VICTIM || door == VICTIM,
            Trouble::SlowStore => owner != VICTIM,
            Trouble::SlowNode | Trouble::Overload | Trouble::Death => {
                owner != VICTIM && door != VICTIM
            }
        }
    }

    /// At which doors a crowd asks for the victim's carts.
    fn crowded(self) -> &'static [usize] {
        match self {
            Trouble::Overload => &[0, 1, 2],
            _ => &[CROWDED],
        }
    }

    async fn begin(self, fleet: &mut Fleet) -> Option<Flicker> {
        match self {
            Trouble::SlowLink => fleet.node(VICTIM).inbound().set(slow(300)),
            Trouble::NarrowLink => {
                let each = Duration::from_millis(10);
                fleet.node(VICTIM).inbound().set(Fault::Trickle { bytes: 64, each });
            }
            Trouble::SlowNode => {
                return Some(Flicker::begin(fleet.node(VICTIM).server().process()));
            }
            Trouble::SlowStore => fleet.node(VICTIM).stores.set(slow(200)),
            // It would need more of a crowd if its stores were as fast as they are.
            Trouble::Overload => fleet.node(VICTIM).stores.set(slow(50)),
            Trouble::Death => fleet.node(VICTIM).kill().await,
        }
        None
    }

    async fn end(self, fleet: &mut Fleet) {
        match self {
            Trouble::Death => fleet.start(VICTIM).await,
            _ => {
                fleet.node(VICTIM).inbound().set(Fault::None);
                fleet.node(VICTIM).stores.set(Fault::None);
            }
        }
        fleet.is_at_rest().await;
    }
}

fn slow(ms: u64) -> Fault {
    Fault::Latency { each: Duration::from_millis(ms), jitter: Duration::ZERO }
}

/// Owners of carts, and the doors at which they are asked for.
fn pairs() -> impl Iterator<Item = (usize, usize)> {
    (0..NODES).flat_map(|owner| (0..NODES).map(move |door| (owner, door)))
}

/// A process that stands still for five sixths of the time, until this is dropped.
struct Flicker {
    is_over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Flicker {
    fn begin(process: u32) -> Flicker {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let process = i32::try_from(process).ok().and_then(Pid::from_raw).expect("it runs");
        let thread = std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                for (signal, ms) in [(Signal::STOP, 100), (Signal::CONT, 20)] {
                    if kill_process(process, signal).is_err() {
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(ms));
                }
            }
        });
        Flicker { is_over, thread: Some(thread) }
    }
}

impl Drop for Flicker {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It ends by itself, and leaves the process awake.
            let _ = thread.join();
        }
    }
}

/// Three nodes, and who asks them for what.
struct Stage {
    fleet: Fleet,
    /// Some carts of each node through each.
    lanes: Vec<Lane>,
    /// The victim's, asked for by many.
    crowds: Vec<Lane>,
    over: CancellationToken,
}

impl Stage {
    async fn set(on: On, trouble: Trouble) -> Option<Stage> {
        let fleet = Fleet::open_with(on, &[REQUESTS_MAX]).await?;
        let (over, mut lanes, mut crowds) = (CancellationToken::new(), Vec::new(), Vec::new());
        for (owner, door) in (0..NODES).flat_map(|owner| (0..NODES).map(move |door| (owner, door)))
        {
            let mut lane = Lane::open(&fleet, Plan { owner, door, carts: 2, pause: PACE }).await;
            lane.begin(&over);
            lanes.push(lane);
        }
        for door in trouble.crowded() {
            let plan = Plan { owner: VICTIM, door: *door, carts: CROWD, pause: Duration::ZERO };
            crowds.push(Lane::open(&fleet, plan).await);
        }
        Some(Stage { fleet, lanes, crowds, over })
    }

    /// Waits until each cart that `counts` was served so often since a moment; answers the span.
    /// It ends before a dead node's carts, and the crowd with them, become the others'.
    async fn watch(
        &mut self,
        from: Instant,
        counts: impl Fn(&Plan) -> bool,
        requests: usize,
    ) -> Span {
        let mut whole = from;
        until("each cart is served so often", async || {
            let looked = Instant::now();
            if self.fleet.view().await.members.len() < NODES {
                return true;
            }
            whole = looked;
            self.lanes.iter_mut().chain(&mut self.crowds).for_each(Lane::is_content);
            let span = Span { from, to: whole };
            let lanes = self.lanes.iter().filter(|lane| counts(&lane.plan));
            lanes.map(|lane| lane.done_of_each(span)).min() >= Some(requests)
        })
        .await;
        Span { from, to: whole }
    }

    /// What a node says of itself.
    async fn figure(&self, node: usize, name: &str) -> u64 {
        let url = self.fleet.doors().url(node);
        let page = Client::of(&url).get("/metrics").send_unchecked().await.is(200);
        let line = page.text().lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.expect("the figure is there").parse().unwrap()
    }

    /// Requests that a node refused at its door, since it had too many.
    async fn shed(&self, node: usize) -> u64 {
        self.figure(node, "barrow_http_requests_shed_total").await
    }

    fn took(&self, span: Span, counts: impl Fn(&Plan) -> bool) -> Durations {
        let lanes = self.lanes.iter().filter(|lane| counts(&lane.plan));
        Durations::all(lanes.map(|lane| lane.took(span)))
    }

    /// Says how everybody fared, in that span and before.
    fn tell(&self, trouble: Trouble, calm: Span, meanwhile: Span) {
        let alone = |plan: &Plan| trouble.leaves_alone(plan.owner, plan.door);
        let (before, then) = (self.took(calm, alone), self.took(meanwhile, alone));
        println!("{trouble:?}, for {:.1?}", meanwhile.to - meanwhile.from);
        println!("  who has nothing to do with it, before: {before}");
        println!("  who has nothing to do with it, meanwhile: {then}");
        let ratio = then.percent(99).as_secs_f64() / before.percent(99).as_secs_f64();
        println!("  p99 meanwhile to before: {ratio:.2}");
        println!("  whom it concerns: {}", self.took(meanwhile, |plan| !alone(plan)));
        for lane in self.lanes.iter().chain(&self.crowds) {
            let refused = lane.refused(meanwhile);
            if !refused.is_empty() {
                println!("  refused: {:?}, {refused:?}", lane.plan);
            }
        }
    }

    /// Who has nothing to do with the trouble was not refused anything.
    fn nobody_else_was_refused(&self, trouble: Trouble, span: Span) {
        let is_alone = |lane: &&Lane| trouble.leaves_alone(lane.plan.owner, lane.plan.door);
        for lane in self.lanes.iter().filter(is_alone) {
            let refused = lane.refused(span);
            assert!(refused.is_empty(), "{:?}: {refused:?}", lane.plan);
            assert!(lane.done_of_each(span) > 0, "{:?}", lane.plan);
        }
    }

    /// Lets them finish, and compares every cart with what was acknowledged.
    async fn end(mut self) -> usize {
        self.over.cancel();
        let mut changes = 0;
        for lane in self.lanes.iter_mut().chain(&mut self.crowds) {
            lane.end().await;
            lane.compare().await;
            changes += lane.changes();
        }
        changes
    }
}

async fn trouble_stays(on: On, trouble: Trouble) {
    let Some(mut stage) = Stage::set(on, trouble).await else { return };
    let requests = times(60, 300);
    let calm = stage.watch(Instant::now(), |_| true, requests).await;
    assert!(stage.lanes.iter().all(|lane| lane.refused(calm).is_empty()), "before anything");

    let crowd_over = CancellationToken::new();
    stage.crowds.iter_mut().for_each(|crowd| crowd.begin(&crowd_over));
    let began = Instant::now();
    let flicker = trouble.begin(&mut stage.fleet).await;
    let counts = |plan: &Plan| trouble.leaves_alone(plan.owner, plan.door);
    let meanwhile = stage.watch(began, counts, requests).await;
    stage.tell(trouble, calm, meanwhile);
    stage.nobody_else_was_refused(trouble, meanwhile);
    for node in (0..NODES).filter(|node| *node != VICTIM) {
        assert_eq!(stage.shed(node).await, 0, "node {node} has room for all that concerns it");
    }
    is_refused_its_surplus(&stage, trouble, meanwhile).await;
    let are_members = stage.fleet.view().await.members.len() == NODES;
    assert!(are_members || trouble == Trouble::Death, "nobody is given up for being slow");

    drop(flicker);
    crowd_over.cancel();
    trouble.end(&mut stage.fleet).await;
    for crowd in &mut stage.crowds {
        crowd.end().await;
    }
    let healed = Instant::now();
    // What was on its way may still be refused.
    let rested = stage.watch(healed, |_| true, 2).await;
    let after = stage.watch(rested.to, |_| true, requests / 3).await;
    assert!(stage.lanes.iter().all(|lane| lane.refused(after).is_empty()), "as before");
    println!("{trouble:?}: {} acknowledged changes are there, each once", stage.end().await);
}

/// The crowds wanted more than there is, and were told so.
async fn is_refused_its_surplus(stage: &Stage, trouble: Trouble, span: Span) {
    if trouble != Trouble::Death {
        // Through a narrow link that may come later than all that the others are watched for.
        until("each crowd is served, too", async || {
            let so_far = Span { from: span.from, to: Instant::now() };
            stage.crowds.iter().all(|crowd| crowd.took(so_far).count() > 0)
        })
        .await;
    }
    for crowd in &stage.crowds {
        let refused = crowd.refused(span);
        let overloaded = refused.get("429 overloaded").copied().unwrap_or(0);
        let as_expected = match trouble {
            // Nobody answers for its carts.
            Trouble::Death => !refused.is_empty(),
            Trouble::SlowLink | Trouble::Overload => overloaded > 0 && refused.len() == 1,
            Trouble::NarrowLink | Trouble::SlowNode | Trouble::SlowStore => overloaded > 0,
        };
        assert!(as_expected, "{:?}: {refused:?}", crowd.plan);
    }
    let kept_apart = stage.figure(CROWDED, "barrow_cluster_crowded_total").await;
    assert!(kept_apart > 0 || trouble == Trouble::Death, "it refuses on the way to the victim");
    if trouble == Trouble::Overload {
        assert!(stage.shed(VICTIM).await > 0, "it refuses at its own door");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_peer_link_leaves_all_others_alone() {
    trouble_stays(On::Postgres, Trouble::SlowLink).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_narrow_peer_link_leaves_all_others_alone() {
    trouble_stays(On::DynamoDb, Trouble::NarrowLink).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_node_leaves_the_carts_of_the_others_alone() {
    trouble_stays(On::DynamoDb, Trouble::SlowNode).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_store_of_one_node_leaves_the_carts_of_the_others_alone() {
    trouble_stays(On::Apart, Trouble::SlowStore).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overload_of_one_node_is_refused_there_and_not_spread() {
    trouble_stays(On::Postgres, Trouble::Overload).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_node_that_many_ask_for_leaves_the_carts_of_the_others_alone() {
    trouble_stays(On::DynamoDb, Trouble::Death).await;
}

/// A change waits for the store of its cart's owner, and nobody waits for the change.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_stores_of_all_are_slow_carts_in_memory_are_read() {
    let Some(mut fleet) = Fleet::open(On::Apart).await else { return };
    let (mut changed, mut read) = (Vec::new(), Vec::new());
    for (owner, door) in pairs() {
        let lane = Lane::open(&fleet, Plan { owner, door, carts: 1, pause: PACE }).await;
        lane.change_each().await;
        lane.read_each().await;
        if owner == door { changed.push(lane) } else { read.push(lane) }
    }
    let began = Instant::now();
    fleet.nodes().for_each(|node| node.stores.set(slow(700)));
    let is_changed = AtomicBool::new(false);
    let changing = async {
        join_all(changed.iter().map(Lane::change_each)).await;
        is_changed.store(true, Ordering::Relaxed);
    };
    let reading = async {
        let mut meanwhile = 0;
        while !is_changed.load(Ordering::Relaxed) {
            join_all(read.iter().map(Lane::read_each)).await;
            meanwhile += usize::from(!is_changed.load(Ordering::Relaxed));
        }
        meanwhile
    };
    let ((), meanwhile) = tokio::join!(changing, reading);
    let span = Span { from: began, to: Instant::now() };
    fleet.nodes().for_each(|node| node.stores.set(Fault::None));
    println!("slow stores of all: a change takes {}", changed[0].took(span));
    println!("  each cart in memory was read {meanwhile} times meanwhile: {}", read[0].took(span));
    assert!(meanwhile > 0, "no cart is read before another was changed");
    for lane in changed.iter().chain(&read) {
        assert!(lane.refused(span).is_empty(), "{:?}: {:?}", lane.plan, lane.refused(span));
        lane.compare().await;
    }
}
