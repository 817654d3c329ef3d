//! What operators see of a cluster, and how they take a node out of it: the real command beside
//! real nodes, by way of the table alone.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::ground::{Ground, on_postgres};
use crate::support::Client;
use crate::support::client::{list, number, text};

/// Nothing in here takes a quarter of it.
const PATIENCE: Duration = Duration::from_secs(60);

fn told(ground: &Ground, args: &[&str]) -> Value {
    serde_json::from_str(&ground.done(args)).unwrap()
}

/// The status of the cluster, once it is balanced among two nodes that beat.
fn balanced(ground: &Ground) -> Value {
    let began = Instant::now();
    loop {
        let status = told(ground, &["cluster", "status", "--json"]);
        let nodes = list(&status["nodes"]);
        let beat = nodes.iter().all(|node| node["heartbeat"] == "beats");
        if status["balanced"] == true && nodes.len() == 2 && beat {
            return status;
        }
        assert!(began.elapsed() < PATIENCE, "{status:#}");
    }
}

/// It ends with that code, and says that.
fn ends(ground: &Ground, args: &[&str], code: i32, said: &str) {
    let ended = ground.run(args);
    assert_eq!(ended.code, Some(code), "{args:?}: {ended:#?}");
    assert!(ended.err.contains(said), "{args:?}: {ended:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_see_the_nodes_and_drain_one() {
    let Some(mut ground) = on_postgres() else { return };
    ground.stock();
    let servers = [ground.launch("first").start(), ground.launch("second").start()];
    let status = balanced(&ground);
    assert_eq!((&status["shards_without_owner"], &status["deploying"]), (&0.into(), &false.into()));
    for (node, server) in list(&status["nodes"]).iter().zip(&servers) {
        // Within a tenth of its share.
        assert!((460..=564).contains(&number(&node["shards"])), "{node:#}");
        assert_eq!(node["draining"], false);
        let name = format!("process {} on ", server.process());
        assert!(text(&node["name"]).starts_with(&name), "in the order in which they joined");
        assert!(text(&node["address"]).starts_with("127.0.0.1:"), "{node:#}");
    }
    let id = |place: usize| text(&status["nodes"][place]["id"]).to_owned();
    let shards = told(&ground, &["cluster", "shards", "--json", "--node", &id(1)[..20]]);
    assert_eq!(list(&shards["owners"]).len(), 1);
    let owned = |place: usize| number(&status["nodes"][place]["shards"]);
    assert_eq!(owned(0) + owned(1), 1_024);
    assert_eq!(list(&shards["owners"][0]["shards"]).len() as i64, owned(1));

    let drained = told(&ground, &["cluster", "drain", &id(0), "--json"]);
    assert_eq!((number(&drained["shards"]), number(&drained["shards_left"])), (owned(0), 0));
    let table = ground.done(&["cluster", "status"]);
    assert!(table.contains("draining") && table.contains("a deploy under way"), "{table}");
    let shards = told(&ground, &["cluster", "shards", "--json"]);
    assert_eq!(list(&shards["owners"][0]["shards"]).len(), 0);
    assert_eq!(list(&shards["owners"][1]["shards"]).len(), 1_024);
    for server in &servers {
        // The drained one has the other answer.
        let cart = Client::of(&server.url).guest().await.cart().await;
        cart.add("BULK-0001", 1).ok().await;
    }
    ends(&ground, &["cluster", "drain", &id(1)], 1, "no other node takes shards");
    ends(&ground, &["cluster", "drain", "nobody"], 1, "no node is called 'nobody'");
    drop(servers);
    ground.end_servers();
    ends(&ground, &["cluster", "status"], 4, "commerce.url");
}

#[test]
fn a_node_alone_is_no_cluster() {
    ends(&Ground::new(), &["cluster", "status"], 3, "cluster.control is none");
}
