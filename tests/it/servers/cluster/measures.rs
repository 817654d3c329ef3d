//! How long shoppers wait when a node dies, and when nodes are restarted one after the other. The
//! figures are printed; what is asserted tells what works from what is broken, on any machine.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::crowd::{Crowd, Pace};
use super::fleet::{Fleet, NODES, On};
use super::log::{Durations, Span};
use crate::support::{times, until};

const SHOPPERS: usize = 60;

/// While a node is dead: nothing is as long as that lasts, and the machine has time to spare.
const EASY: Pace = Pace { adds: Duration::from_millis(300), looks: Duration::from_secs(2) };

/// While nodes hand over: no cart is left alone for longer than that takes.
const BUSY: Pace = Pace { adds: Duration::from_millis(100), looks: Duration::from_secs(2) };

/// Whoever does not have a cart back by then does not get it back: a lease runs out in five
/// seconds, and what the machine does beside takes some more.
const BACK_MAX: Duration = Duration::from_secs(20);

/// What is handed over is not waited for as for what is dead.
const HANDED_OVER_MAX: Duration = Duration::from_secs(4);

/// How long the crowd is watched on any day, before something happens.
const BEFORE: Duration = Duration::from_secs(7);

/// Carts of that node, and of the others.
async fn carts(fleet: &Fleet, crowd: &Crowd, node: usize) -> (HashSet<String>, HashSet<String>) {
    let view = fleet.view().await;
    crowd.carts().into_iter().partition(|cart| fleet.owner(cart, &view) == Some(node))
}

/// Says how each node's carts fare, and whether anybody was turned away.
fn tell_of_others(crowd: &Crowd, others: &HashSet<String>, span: Span, victim: usize) {
    let before = crowd.log.took(others, span.before(), victim);
    let meanwhile = crowd.log.took(others, span, victim);
    println!("  the others' carts before: {before}");
    println!("  the others' carts meanwhile: {meanwhile}");
    let ratio = meanwhile.percent(99).as_secs_f64() / before.percent(99).as_secs_f64();
    println!("  p99 meanwhile to before: {ratio:.2}");
    println!("  failed at the others: {}", crowd.log.failures_of(others, span, victim));
}

async fn kills(on: On) {
    let Some(mut fleet) = Fleet::open(on).await else { return };
    let mut crowd = Crowd::enter(&fleet.doors(), SHOPPERS, EASY).await;
    for round in 0..times(1, 5) {
        let victim = round % NODES;
        tokio::time::sleep(BEFORE).await;
        let (moved, others) = carts(&fleet, &crowd, victim).await;
        let died = Instant::now();
        fleet.node(victim).kill().await;
        until("every cart is back", async || {
            crowd.is_content();
            let back = crowd.log.served_since(died);
            // One that is full is not changed any more.
            let awaited = crowd.carts().into_iter().filter(|cart| moved.contains(cart));
            awaited.into_iter().all(|cart| back.contains(&cart))
        })
        .await;
        let span = Span { from: died, to: Instant::now() };
        let resumed = crowd.log.resumed(&moved, died);
        println!("{on:?}: node {victim} is killed, with {} carts of {SHOPPERS}", moved.len());
        println!("  its carts are back after: {resumed}");
        tell_of_others(&crowd, &others, span, victim);
        assert!(resumed.count() * 10 > moved.len() * 9, "{} are back", resumed.count());
        assert!(resumed.percent(100) < BACK_MAX, "{resumed}");
        fleet.start(victim).await;
        fleet.is_at_rest().await;
        crowd.log.forget();
    }
    crowd.stop().await;
}

/// What the shoppers of nodes that ended in order waited for.
#[derive(Default)]
struct Waits {
    handed_over: Vec<Durations>,
    before: Vec<Durations>,
    of_others: Vec<Durations>,
}

/// Ends a node in order, and starts it again.
async fn roll(fleet: &mut Fleet, crowd: &mut Crowd, node: usize, waits: &mut Waits) {
    tokio::time::sleep(BEFORE / 3).await;
    let (moved, others) = carts(fleet, crowd, node).await;
    let told = Instant::now();
    fleet.node(node).stop().await;
    let span = Span { from: told, to: Instant::now() };
    println!("  node {node} ends in {:.1?}, with {} carts", told.elapsed(), moved.len());
    // What was sent just before the end is answered just after it.
    tokio::time::sleep(BUSY.adds * 2).await;
    waits.handed_over.push(crowd.log.longest(&moved, span));
    waits.before.push(crowd.log.longest(&moved, span.before()));
    waits.of_others.push(crowd.log.longest(&others, span));
    fleet.start(node).await;
    fleet.is_at_rest().await;
    crowd.is_content();
}

/// All nodes are ended and started again, one after the other.
async fn rolls(on: On) {
    let Some(mut fleet) = Fleet::open(on).await else { return };
    let mut crowd = Crowd::enter(&fleet.doors(), SHOPPERS, BUSY).await;
    let mut waits = Waits::default();
    for round in 0..times(1, 5) {
        println!("{on:?}: rolling restart {round}");
        let (began, before) = (Instant::now(), crowd.log.count());
        for node in 0..NODES {
            roll(&mut fleet, &mut crowd, node, &mut waits).await;
        }
        tell_of_requests(&crowd, Span { from: began, to: Instant::now() }, before);
        crowd.log.forget();
    }
    crowd.stop().await;
    let handed_over = Durations::all(waits.handed_over);
    println!("{on:?}: the longest wait for each cart that was handed over: {handed_over}");
    println!("  the same just before: {}", Durations::all(waits.before));
    println!("  the longest for each of the others: {}", Durations::all(waits.of_others));
    assert!(handed_over.percent(99) < HANDED_OVER_MAX, "{handed_over}");
}

/// Says what failed, of which nothing may fail twice; `before` changes were made before that span.
fn tell_of_requests(crowd: &Crowd, span: Span, before: usize) {
    let late = crowd.log.beyond_one_retry();
    let (count, took) = (crowd.log.count() - before, span.to - span.from);
    println!("  took {took:.1?}; {count} changes, {} of them failed more than once", late.len());
    for one in &late {
        println!("  {:?}", crowd.log.story(&one.cart, one.sent));
    }
    println!("  failed, with reads at nodes that were away: {}", crowd.log.failures(span));
    assert!(late.is_empty(), "{late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_carts_of_a_killed_node_are_back_soon_on_postgres() {
    kills(On::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_carts_of_a_killed_node_are_back_soon_on_dynamodb() {
    kills(On::DynamoDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_loses_no_request_on_postgres() {
    rolls(On::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_loses_no_request_on_dynamodb() {
    rolls(On::DynamoDb).await;
}
