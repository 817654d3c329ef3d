//! Three nodes, each in a network of its own, and cables between them that are pulled under load:
//! what is sent into one is lost without a word, as between machines. Only where the user may make
//! networks.

use std::time::{Duration, Instant};

use barrow_servers::{Cable, Namespaces};

use super::crowd::{Crowd, Pace};
use super::fleet::{Fleet, NODES};
use crate::support::until;

const SHOPPERS: usize = 9;
const PACE: Pace = Pace { adds: Duration::from_millis(50), looks: Duration::from_millis(100) };

/// Longer than it takes to see that a peer is dead, and shorter than a lease.
const BETWEEN_NODES: Duration = Duration::from_secs(3);

/// Every shopper was served since. What went wrong meanwhile is of no more interest.
async fn all_go_on(fleet: &Fleet, crowd: &mut Crowd, healed: Instant) {
    fleet.is_at_rest().await;
    until("every shopper goes on", async || {
        crowd.is_content();
        crowd.log.served_since(healed).len() >= SHOPPERS
    })
    .await;
    println!("  {} changes acknowledged so far, {} looks", crowd.log.count(), crowd.log.looks());
    crowd.log.forget();
}

/// The cables of some nodes to the others are pulled for a while. Nobody is given up for that.
async fn apart(fleet: &mut Fleet, crowd: &mut Crowd, networks: &Namespaces, nodes: &[u8]) {
    let before = fleet.view().await;
    nodes.iter().for_each(|node| networks.set(*node, Cable::Switch, false));
    tokio::time::sleep(BETWEEN_NODES).await;
    nodes.iter().for_each(|node| networks.set(*node, Cable::Switch, true));
    assert!(fleet.nodes().all(|node| node.is_alive()));
    assert_eq!(fleet.view().await.members, before.members, "nobody is given up for that");
    println!("cut from each other: {nodes:?}");
    all_go_on(fleet, crowd, Instant::now()).await;
}

/// A node's cable to the stores, the table and the shoppers is pulled, until its shards are the
/// others': then it has lost its place, and ends once it learns it.
async fn alone(fleet: &mut Fleet, crowd: &mut Crowd, networks: &Namespaces, node: u8) {
    let pulled = Instant::now();
    networks.set(node, Cable::Uplink, false);
    until("it is given up", async || {
        crowd.is_content();
        fleet.view().await.members.len() < NODES
    })
    .await;
    println!("cut from all but its peers: {node}, given up after {:.1?}", pulled.elapsed());
    assert!(fleet.node(usize::from(node)).is_alive(), "it does not know yet");
    networks.set(node, Cable::Uplink, true);
    fleet.node(usize::from(node)).gives_up().await;
    fleet.start(usize::from(node)).await;
    all_go_on(fleet, crowd, Instant::now()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_in_networks_of_their_own_lose_nothing_when_cables_are_pulled() {
    let Some(networks) = Namespaces::start(NODES as u8) else { return };
    let Some(mut fleet) = Fleet::open_in(&networks).await else { return };
    let mut crowd = Crowd::enter(&fleet.doors(), SHOPPERS, PACE).await;
    apart(&mut fleet, &mut crowd, &networks, &[1]).await;
    alone(&mut fleet, &mut crowd, &networks, 2).await;
    apart(&mut fleet, &mut crowd, &networks, &[0, 1, 2]).await;
    crowd.stop().await;
    println!("{} acknowledged changes are there, each once", crowd.log.count());
}
