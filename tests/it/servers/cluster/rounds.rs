//! Rounds, each with something else that happens to a node under load. After each the cluster
//! comes to rest by itself; in the end what the clients wrote down is compared with what is there.

use std::ops::Range;
use std::time::{Duration, Instant};

use barrow_servers::{BlackHole, Each, Fault};
use rustix::process::Signal;

use super::crowd::{Crowd, Pace};
use super::fleet::{Fleet, NODES, On};
use crate::support::{times, until};

const SHOPPERS: usize = 15;
const PACE: Pace = Pace { adds: Duration::from_millis(50), looks: Duration::from_millis(100) };

/// Who does not beat for so long is still a member, on any machine: the others watch it for six
/// and a quarter seconds.
const SURVIVED: Duration = Duration::from_secs(4);

/// Who does not beat for so long is none any more.
const NOT_SURVIVED: Duration = Duration::from_secs(10);

/// What happens in a round.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// `kill -9`.
    Kill,
    /// SIGSTOP, and SIGCONT after that time.
    Sleep(Duration),
    /// The other nodes do not reach it; or nobody reaches any other.
    Links { all: bool, fault: Fault, lasts: Duration },
    /// It does not reach the stores, nor the control table in them.
    Stores { fault: Fault, lasts: Duration },
    /// It does not reach the control table; the stores it does.
    Control { fault: Fault, lasts: Duration },
    /// SIGTERM, and started again.
    Restart,
}

/// SplitMix64: every number is a good one.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Trouble {
    /// Of a round: all kinds in turn, each time with another length and another way.
    fn of(round: u64) -> Trouble {
        let dice = mix(round);
        let (turn, ms) = (round / 5, Duration::from_millis);
        let way = (dice >> 16) % 4;
        // The first turn has both: what a node survives, and what it does not.
        let lasts = |longest: u64| match turn {
            0 => ms(longest),
            _ => ms(1_000 + (dice >> 32) % (longest - 1_000)),
        };
        match round % 5 {
            0 => Trouble::Kill,
            1 => Trouble::Links {
                all: (dice >> 8).is_multiple_of(2),
                fault: match way {
                    0 => Fault::Cut,
                    1 => Fault::BlackHole(BlackHole::All),
                    2 => Fault::BlackHole(BlackHole::Replies),
                    _ => Fault::HalfFail { each: Each::Chunk, seed: dice },
                },
                lasts: lasts(4_000),
            },
            2 => Trouble::Sleep(lasts(12_000)),
            3 => Trouble::Restart,
            _ => Trouble::Stores {
                fault: match way {
                    0 => Fault::Cut,
                    1 => Fault::BlackHole(BlackHole::Replies),
                    2 => Fault::HalfFail { each: Each::Chunk, seed: dice },
                    _ => Fault::BlackHole(BlackHole::All),
                },
                lasts: lasts(12_000),
            },
        }
    }

    /// Of a round where the control table lies apart: what a node survives, and what it does not.
    fn of_control(round: u64) -> Trouble {
        let lasts = if round.is_multiple_of(2) { 2 } else { 11 };
        let fault = match (round / 2) % 3 {
            0 => Fault::BlackHole(BlackHole::All),
            1 => Fault::Cut,
            _ => Fault::HalfFail { each: Each::Chunk, seed: mix(round) },
        };
        Trouble::Control { fault, lasts: Duration::from_secs(lasts) }
    }

    /// Has it happen to a node, and ends it; a node that has ended is started again.
    async fn happen(self, fleet: &mut Fleet, victim: usize) -> &'static str {
        match self {
            Trouble::Kill => {
                fleet.node(victim).kill().await;
                fleet.start(victim).await;
                "killed"
            }
            Trouble::Restart => {
                fleet.node(victim).stop().await;
                fleet.start(victim).await;
                "restarted"
            }
            Trouble::Sleep(lasts) => {
                fleet.signal(victim, Signal::STOP);
                tokio::time::sleep(lasts).await;
                fleet.signal(victim, Signal::CONT);
                after_silence(fleet, victim, lasts, true).await
            }
            Trouble::Links { all, fault, lasts } => {
                let hit = |node: usize| all || node == victim;
                for node in (0..NODES).filter(|node| hit(*node)) {
                    fleet.node(node).inbound().set(fault);
                }
                tokio::time::sleep(lasts).await;
                fleet.nodes().for_each(|node| node.inbound().set(Fault::None));
                assert!(fleet.nodes().all(|node| node.is_alive()), "nobody is given up for that");
                "linked again"
            }
            Trouble::Stores { fault, lasts } => {
                fleet.node(victim).stores.set(fault);
                tokio::time::sleep(lasts).await;
                fleet.node(victim).stores.set(Fault::None);
                after_silence(fleet, victim, lasts, is_silent(fault)).await
            }
            Trouble::Control { fault, lasts } => {
                fleet.node(victim).control().set(fault);
                tokio::time::sleep(lasts).await;
                fleet.node(victim).control().set(Fault::None);
                after_silence(fleet, victim, lasts, is_silent(fault)).await
            }
        }
    }
}

/// Where some calls pass, beats may pass.
fn is_silent(fault: Fault) -> bool {
    !matches!(fault, Fault::HalfFail { .. } | Fault::BlackHole(BlackHole::Replies))
}

/// A node that was silent for long has lost its place: it ends by itself, and is started again.
/// One that was not goes on.
async fn after_silence(
    fleet: &mut Fleet,
    victim: usize,
    lasts: Duration,
    is_silent: bool,
) -> &'static str {
    let began = Instant::now();
    while began.elapsed() < SURVIVED && fleet.node(victim).is_alive() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    if fleet.node(victim).is_alive() {
        assert!(!is_silent || lasts < NOT_SURVIVED, "it lost its place and does not see it");
        return "survived";
    }
    assert!(lasts > SURVIVED, "it was given up too soon");
    fleet.node(victim).gives_up().await;
    fleet.start(victim).await;
    "given up, and started again"
}

async fn rounds(on: On, rounds: Range<u64>, trouble: impl Fn(u64) -> Trouble) {
    let Some(mut fleet) = Fleet::open(on).await else { return };
    let mut crowd = Crowd::enter(&fleet.doors(), SHOPPERS, PACE).await;
    for round in rounds {
        let (trouble, victim) = (trouble(round), (mix(round) % NODES as u64) as usize);
        let began = Instant::now();
        println!("{on:?}, round {round}: node {victim}, {trouble:?}");
        let became = trouble.happen(&mut fleet, victim).await;
        let healed = Instant::now();
        fleet.is_at_rest().await;
        let rested = healed.elapsed();
        until("every shopper goes on", async || {
            crowd.is_content();
            crowd.log.served_since(healed).len() >= SHOPPERS
        })
        .await;
        println!(
            "{on:?}, round {round}: {became} after {:.1?}, at rest {rested:.1?} later; \
             {} changes acknowledged so far, {} looks",
            healed - began,
            crowd.log.count(),
            crowd.log.looks(),
        );
        crowd.log.forget();
    }
    crowd.stop().await;
    fleet.begin_anew().await;
    crowd.compare().await;
    println!("{on:?}: {} acknowledged changes are there, each once", crowd.log.count());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_on_postgres_lose_nothing_whatever_happens_to_one() {
    rounds(On::Postgres, 0..times(5, 50) as u64, Trouble::of).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_on_dynamodb_lose_nothing_whatever_happens_to_one() {
    rounds(On::DynamoDb, 50..50 + times(5, 50) as u64, Trouble::of).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_lose_nothing_when_one_is_cut_from_the_control_table_alone() {
    rounds(On::Apart, 0..times(2, 12) as u64, Trouble::of_control).await;
}
