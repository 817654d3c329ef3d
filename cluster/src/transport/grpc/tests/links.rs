//! Connections: made when needed, kept, lost, noticed to be lost, made anew.

use super::*;
use crate::transport::runtime::Stopwatch;

fn quick_pings() -> Settings {
    Settings {
        ping_interval: Duration::from_millis(50),
        ping_patience: Duration::from_millis(200),
        ..Settings::default()
    }
}

fn is_not_sent(outcome: &Result<Bytes, CallError>) -> bool {
    matches!(outcome, Err(CallError::NotSent(_)))
}

fn is_unknown(outcome: &Result<Bytes, CallError>) -> bool {
    matches!(outcome, Err(CallError::Unknown(_)))
}

#[tokio::test]
async fn a_peer_that_has_gone_dark_is_noticed_by_both_sides() {
    let caller = identity();
    let node = Node::start(1, &[&caller], quick_pings()).await;
    let weather = Arc::new(Weather::default());
    let peers = Peers::new(caller.clone(), Arc::new(Arc::clone(&weather)), quick_pings());
    let dark = async {
        eventually("it is under way", || node.service.under_way() == 1).await;
        weather.is_dark.store(true, Ordering::SeqCst);
    };
    // Its patience is for ever: it is the connection that ends it.
    let forever = Call { patience: Duration::from_secs(1 << 20), ..call("s") };
    let calling = tokio::time::timeout(LONG, peers.call(&node.peer, forever));
    let (outcome, ()) = tokio::join!(calling, dark);
    let outcome = outcome.unwrap();
    assert!(is_unknown(&outcome), "{outcome:?}");
    eventually("the server has given it up", || node.service.under_way() == 0).await;
    weather.is_dark.store(false, Ordering::SeqCst);
    assert!(peers.call(&node.peer, call("e")).await.is_ok(), "a new connection is made");
}

#[tokio::test]
async fn a_dead_peer_costs_only_calls_to_it() {
    let caller = identity();
    let node = Node::start(1, &[&caller], Settings::default()).await;
    // It takes connections, and never says a word.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = mute.local_addr().unwrap().to_string();
    let dead = peer(2, address, node.peer.certificate.as_slice());
    let peers = peers(&caller, Settings { connect_within: LONG, ..Settings::default() });
    let to_dead = peers.call(&dead, with_patience(500, "e"));
    let to_live = async {
        for _ in 0..50 {
            assert!(peers.call(&node.peer, call("e")).await.is_ok());
        }
    };
    let (outcome, ()) = tokio::join!(to_dead, to_live);
    assert!(is_not_sent(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn calls_fail_at_once_between_attempts_and_succeed_when_the_peer_is_back() {
    let (caller, own) = (identity(), identity());
    let reserved = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = reserved.local_addr().unwrap().to_string();
    drop(reserved);
    let to = peer(1, address.clone(), own.certificate());
    let weather = Arc::new(Weather::default());
    let settings = Settings { backoff_min: LONG, backoff_max: LONG, ..Settings::default() };
    let patient = Peers::new(caller.clone(), Arc::new(Arc::clone(&weather)), settings);
    for _ in 0..10 {
        let outcome = patient.call(&to, call("e")).await;
        assert!(is_not_sent(&outcome), "{outcome:?}");
    }
    assert_eq!(weather.made.load(Ordering::SeqCst), 1);

    let peers = peers(&caller, Settings::default());
    assert!(is_not_sent(&peers.call(&to, call("e")).await));
    let _node = Node::start_at(&address, 1, own, &[&caller], Settings::default()).await;
    let mut outcome = peers.call(&to, call("e")).await;
    while is_not_sent(&outcome) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        outcome = peers.call(&to, call("e")).await;
    }
    assert_eq!(outcome, Ok(Bytes::from("e")));
}

#[tokio::test]
async fn what_was_sent_to_a_peer_that_dies_is_unknown_and_what_comes_after_is_not_sent() {
    let (node, peers) = pair(Settings::default()).await;
    let dying = async {
        eventually("it is under way", || node.service.under_way() == 1).await;
        node.task.abort();
    };
    let (outcome, ()) = tokio::join!(peers.call(&node.peer, call("s")), dying);
    assert!(is_unknown(&outcome), "{outcome:?}");
    let next = peers.call(&node.peer, call("e")).await;
    assert!(is_not_sent(&next), "{next:?}");
    eventually("its work has ended", || node.service.under_way() == 0).await;
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed_and_made_again_when_it_is() {
    let settings = Settings { idle_for: Duration::from_millis(100), ..Settings::default() };
    let (node, peers) = pair(settings).await;
    for connections in 1..3 {
        assert!(peers.call(&node.peer, call("e")).await.is_ok());
        assert_eq!(peers.stats().connections, connections);
        let link = peers.link(&node.peer);
        eventually("it is closed", || link.is_closed()).await;
    }
    // One that reads a feed is used.
    let _feed = peers.open(&node.peer, call("e")).await.unwrap();
    let since = Stopwatch::start();
    eventually("it has rested", || since.elapsed() > Duration::from_millis(300)).await;
    assert!(!peers.link(&node.peer).is_closed());
}

#[tokio::test]
async fn links_to_members_that_have_gone_are_forgotten_but_not_while_they_are_asked_for() {
    let caller = identity();
    let gone = |id| peer(id, "127.0.0.1:1".to_owned(), caller.certificate());
    let at_once = Duration::ZERO;
    let settings = Settings { idle_for: at_once, backoff_min: at_once, ..Settings::default() };
    let forgetful = peers(&caller, settings);
    for id in 0..50 {
        assert!(is_not_sent(&forgetful.call(&gone(id), call("e")).await));
    }
    assert!(forgetful.links.lock().len() < 5, "{}", forgetful.links.lock().len());

    let weather = Arc::new(Weather::default());
    let settings = Settings { backoff_min: LONG, backoff_max: LONG, ..Settings::default() };
    let peers = Peers::new(caller.clone(), Arc::new(Arc::clone(&weather)), settings);
    for id in (0..10).cycle().take(100) {
        assert!(is_not_sent(&peers.call(&gone(id), call("e")).await));
    }
    assert_eq!(weather.made.load(Ordering::SeqCst), 10, "one attempt for each");
}

#[tokio::test]
async fn connections_end_with_the_one_who_made_them() {
    let (node, peers) = pair(Settings::default()).await;
    let mut feed = peers.open(&node.peer, call("e")).await.unwrap();
    let sender = node.service.feeds.lock().pop().unwrap();
    drop(peers);
    assert_eq!(tokio::time::timeout(LONG, feed.recv()).await, Ok(None));
    tokio::time::timeout(LONG, sender.closed()).await.unwrap();
}
