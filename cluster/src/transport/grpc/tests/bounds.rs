//! Nothing grows without an end.

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::*;

fn is_not_sent(outcome: &Result<Bytes, CallError>, reason: &str) -> bool {
    let told = match outcome {
        Err(CallError::NotSent(told) | CallError::Full(told)) => told,
        _ => return false,
    };
    told.contains(reason)
}

#[tokio::test]
async fn calls_beyond_the_bound_are_not_sent() {
    let (node, peers) = pair(Settings { calls_max: 2, ..Settings::default() }).await;
    let (one, two) = (peers.call(&node.peer, call("w")), peers.call(&node.peer, call("w")));
    let third = async {
        eventually("both are under way", || node.service.under_way() == 2).await;
        let third = peers.call(&node.peer, call("e")).await;
        node.service.gate.send_replace(true);
        third
    };
    let (one, two, third) = tokio::join!(one, two, third);
    assert_eq!(third, Err(CallError::Full("too many calls under way".to_owned())));
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(node.service.begun(), 2);
    assert!(peers.call(&node.peer, call("e")).await.is_ok(), "there is room again");
}

#[tokio::test]
async fn a_server_refuses_calls_beyond_its_own_bound() {
    let caller = identity();
    let settings = Settings { served_max: 1, ..Settings::default() };
    let node = Node::start(1, &[&caller], settings).await;
    let peers = peers(&caller, Settings::default());
    let slow = peers.call(&node.peer, call("w"));
    let second = async {
        eventually("it is under way", || node.service.under_way() == 1).await;
        let second = peers.call(&node.peer, call("e")).await;
        node.service.gate.send_replace(true);
        second
    };
    let (slow, second) = tokio::join!(slow, second);
    assert_eq!(second, Err(CallError::Refused(Refusal::Overloaded)));
    assert!(slow.is_ok());
    assert_eq!(node.service.begun(), 1);
    assert!(peers.call(&node.peer, call("e")).await.is_ok(), "there is room again");
}

#[tokio::test]
async fn a_server_refuses_calls_beyond_its_bound_of_bytes() {
    let caller = identity();
    let settings = Settings { served_bytes_max: 64 << 10, ..Settings::default() };
    let node = Node::start(1, &[&caller], settings).await;
    let peers = peers(&caller, Settings::default());
    let slow = peers.call(&node.peer, call(vec![b'w'; 40 << 10]));
    let others = async {
        eventually("it is under way", || node.service.under_way() == 1).await;
        let large = peers.call(&node.peer, call(vec![b'e'; 40 << 10])).await;
        let small = peers.call(&node.peer, call("e")).await;
        node.service.gate.send_replace(true);
        (large, small)
    };
    let (slow, (large, small)) = tokio::join!(slow, others);
    assert_eq!(large, Err(CallError::Refused(Refusal::Overloaded)));
    assert!(slow.is_ok() && small.is_ok());
    let large = peers.call(&node.peer, call(vec![b'e'; 40 << 10])).await;
    assert!(large.is_ok(), "there is room again");
}

#[tokio::test]
async fn who_stalls_at_its_handshake_takes_nobodys_place() {
    let caller = identity();
    let settings = Settings { handshakes_max: 4, connect_within: LONG * 10, ..Settings::default() };
    let node = Node::start(1, &[&caller], settings).await;
    let before = peers(&caller, Settings::default());
    assert!(before.call(&node.peer, call("e")).await.is_ok());
    let mut mute = Vec::new();
    for _ in 0..40 {
        mute.push(TcpStream::connect(&node.peer.address).await.unwrap());
    }
    let after = peers(&caller, Settings { connect_within: LONG, ..Settings::default() });
    assert!(after.call(&node.peer, call("e")).await.is_ok(), "it is let in");
    assert!(before.call(&node.peer, call("e")).await.is_ok());
    assert_eq!((before.stats().connections, node.server.stats().connections), (1, 2));
    is_hung_up(&mut mute[0]).await;
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_ends() {
    let settings = Settings { connect_within: Duration::from_millis(50), ..Settings::default() };
    let node = Node::start(1, &[], settings).await;
    is_hung_up(&mut TcpStream::connect(&node.peer.address).await.unwrap()).await;
}

async fn is_hung_up(stream: &mut TcpStream) {
    let heard = tokio::time::timeout(LONG, stream.read(&mut [0; 9])).await.unwrap();
    assert!(!matches!(heard, Ok(length) if length > 0), "{heard:?}");
}

#[tokio::test]
async fn the_longest_payload_arrives_and_a_longer_one_does_not_leave() {
    let (node, peers) = pair(Settings::default()).await;
    let longest = Bytes::from(vec![b'e'; PAYLOAD_BYTES_MAX]);
    assert_eq!(peers.call(&node.peer, call(longest.clone())).await, Ok(longest));
    let longer = vec![b'e'; PAYLOAD_BYTES_MAX + 1];
    let outcome = peers.call(&node.peer, call(longer)).await;
    assert!(is_not_sent(&outcome, "the payload is longer than a call may be"), "{outcome:?}");
    assert_eq!(node.service.begun(), 1);
}

#[tokio::test]
async fn a_reply_that_is_too_long_costs_one_call() {
    let (node, peers) = pair(Settings::default()).await;
    let outcome = peers.call(&node.peer, call("l")).await;
    let too_long = matches!(&outcome, Err(CallError::Unknown(told)) if told.contains("longer"));
    assert!(too_long, "{outcome:?}");
    assert!(peers.call(&node.peer, call("e")).await.is_ok());
    assert_eq!(peers.stats().connections, 1);
}

#[tokio::test]
async fn calls_to_a_peer_that_does_not_read_end_and_do_not_gather() {
    let caller = identity();
    let node = Node::start(1, &[&caller], Settings::default()).await;
    // No ping: it is not seen that nothing gets through.
    let settings =
        Settings { ping_interval: LONG, queued_bytes_max: 2 << 20, ..Settings::default() };
    let weather = Arc::new(Weather::default());
    let peers = Peers::new(caller.clone(), Arc::new(Arc::clone(&weather)), settings);
    assert!(peers.call(&node.peer, call("e")).await.is_ok());
    weather.is_stuck.store(true, Ordering::SeqCst);
    let payload = Bytes::from(vec![b'e'; 256 << 10]);
    let (mut unknown, mut crowded) = (0, 0);
    for round in 0..6 {
        let calls = (0..64).map(|_| peers.call(&node.peer, with_patience(200, payload.clone())));
        let outcomes = futures::future::join_all(calls).await;
        let count = |reason| outcomes.iter().filter(|o| is_not_sent(o, reason)).count();
        let not_sent = count("");
        assert!(round < 5 || not_sent == 64, "in the end nothing leaves: {outcomes:?}");
        crowded += count("too much waits to be sent");
        unknown += outcomes.len() - not_sent;
    }
    // What left lies in HTTP/2's own, bounded buffers: 4 MiB at most.
    assert!(unknown <= 16, "{unknown} calls left");
    assert!(crowded > 0);
    let link = peers.link(&node.peer);
    assert!(link.is_idle(), "nothing stays in the queue");
    assert_eq!(node.service.begun(), 1);
}
