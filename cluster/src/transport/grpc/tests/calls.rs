//! Calls and their replies.

use proptest::prelude::*;
use tokio::task::JoinSet;

use super::*;

/// `e`, then bytes that no other call has.
fn distinct(number: usize, length: usize) -> Bytes {
    let mut payload = b"e".to_vec();
    payload.extend_from_slice(&number.to_le_bytes());
    payload.resize(payload.len() + length, number as u8);
    Bytes::from(payload)
}

async fn echo_all(peers: &Arc<Peers>, to: &Peer, payloads: Vec<Bytes>) {
    let mut callers = JoinSet::new();
    for payload in payloads {
        let (peers, to) = (Arc::clone(peers), to.clone());
        callers.spawn(async move {
            let reply = peers.call(&to, call(payload.clone())).await;
            assert_eq!(reply, Ok(payload));
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_calls_share_frames_and_each_gets_its_own_reply() {
    let (node, peers) = pair(Settings::default()).await;
    let peers = Arc::new(peers);
    for round in 0..3 {
        let payloads = (0..4_000).map(|n| distinct(round * 4_000 + n, n % 300));
        echo_all(&peers, &node.peer, payloads.collect()).await;
    }
    let (sent, served) = (peers.stats(), node.server.stats());
    assert_eq!((sent.calls, sent.answers), (12_000, 12_000));
    assert_eq!((served.calls, served.answers), (12_000, 12_000));
    assert_eq!((sent.connections, served.connections), (1, 1));
    assert!(sent.call_frames * 2 < sent.calls, "{sent:?}");
    assert!(sent.answer_frames * 2 < sent.answers, "{sent:?}");
    assert_eq!(sent.call_frames, served.call_frames);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Of any lengths, in any number: frames are cut somewhere else each time.
    #[test]
    fn every_call_gets_its_own_reply(
        lengths in prop::collection::vec(
            prop_oneof![8 => 0usize..200, 3 => 0usize..20_000, 1 => 0usize..900_000],
            1..60,
        ),
    ) {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let settings = Settings { queued_bytes_max: 64 << 20, ..Settings::default() };
            let (node, peers) = pair(settings).await;
            let payloads = lengths.iter().enumerate();
            let payloads = payloads.map(|(number, length)| distinct(number, *length));
            echo_all(&Arc::new(peers), &node.peer, payloads.collect()).await;
        });
    }
}

#[tokio::test]
async fn a_call_arrives_as_it_was_made_and_a_refusal_as_it_was_meant() {
    let (node, peers) = pair(Settings::default()).await;
    let moved = peers.call(&node.peer, Call { view: 41, ..call("m") }).await;
    assert_eq!(moved, Err(CallError::Refused(Refusal::Moved { view: 42 })));
    assert_eq!(peers.call(&node.peer, call("")).await, Ok(Bytes::new()));
}

#[tokio::test]
async fn a_call_that_is_not_answered_holds_up_no_other() {
    let (node, peers) = pair(Settings::default()).await;
    let peers = Arc::new(peers);
    let (slow, to) = (Arc::clone(&peers), node.peer.clone());
    let slow = runtime::spawn(async move { slow.call(&to, call("w")).await });
    eventually("it is under way", || node.service.under_way() == 1).await;
    for _ in 0..100 {
        assert_eq!(peers.call(&node.peer, call("e")).await, Ok(Bytes::from("e")));
    }
    assert_eq!(node.service.under_way(), 1);
    node.service.gate.send_replace(true);
    assert_eq!(slow.await.unwrap(), Ok(Bytes::from("w")));
}

#[tokio::test]
async fn a_call_that_was_sent_ends_with_its_patience_as_unknown_here_and_there() {
    let (node, peers) = pair(Settings::default()).await;
    // The connection is there before: it is the answer that is waited for.
    assert!(peers.call(&node.peer, call("e")).await.is_ok());
    let outcome = peers.call(&node.peer, with_patience(100, "s")).await;
    assert!(matches!(outcome, Err(CallError::Unknown(_))), "{outcome:?}");
    assert_eq!(node.service.begun(), 2);
    eventually("the server waits no longer", || node.service.under_way() == 0).await;
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_nothing_behind() {
    let settings = Settings { calls_max: 1, ..Settings::default() };
    let (node, peers) = pair(settings).await;
    for round in 1..4 {
        let gone = tokio::time::timeout(Duration::ZERO, peers.call(&node.peer, call("s"))).await;
        assert!(gone.is_err(), "round {round}");
    }
    assert_eq!(peers.call(&node.peer, call("e")).await, Ok(Bytes::from("e")));
}

#[tokio::test]
async fn a_server_that_stops_answers_what_it_has_begun_and_refuses_the_rest() {
    let (mut node, peers) = pair(Settings::default()).await;
    let peers = Arc::new(peers);
    let (waiting, to) = (Arc::clone(&peers), node.peer.clone());
    let waiting = runtime::spawn(async move { waiting.call(&to, call("w")).await });
    eventually("it is under way", || node.service.under_way() == 1).await;
    node.stop.cancel();
    let mut refused = Ok(Bytes::new());
    while refused.is_ok() {
        refused = peers.call(&node.peer, call("e")).await;
    }
    assert_eq!(refused, Err(CallError::Refused(Refusal::Unavailable)));
    node.service.gate.send_replace(true);
    assert_eq!(waiting.await.unwrap(), Ok(Bytes::from("w")));
    tokio::time::timeout(LONG, &mut node.task).await.unwrap().unwrap();
    let after = peers.call(&node.peer, call("e")).await;
    assert!(matches!(after, Err(CallError::NotSent(_))), "{after:?}");
}
