//! Feeds over a connection.

use super::*;

async fn opened(node: &Node, peers: &Peers) -> (mpsc::Sender<Bytes>, Feed) {
    let feed = peers.open(&node.peer, call("e")).await.unwrap();
    let sender = node.service.feeds.lock().pop().unwrap();
    (sender, feed)
}

fn number(message: &Bytes) -> u32 {
    u32::from_le_bytes(message.as_ref().try_into().unwrap())
}

#[tokio::test]
async fn a_slow_reader_skips_to_the_newest_message() {
    let (node, peers) = pair(Settings::default()).await;
    let (sender, mut feed) = opened(&node, &peers).await;
    for n in 0..5_000u32 {
        sender.send(Bytes::copy_from_slice(&n.to_le_bytes())).await.unwrap();
    }
    drop(sender);
    // One that the reader had room for at the beginning, one that waited for room, the last.
    let mut seen = Vec::new();
    let reading = async {
        // Nothing is read before everything has arrived.
        let sent = || peers.stats().answers == node.server.stats().answers;
        eventually("the server has read all", || node.server.stats().answers > 1).await;
        eventually("it has arrived", sent).await;
        while let Some(message) = feed.recv().await {
            seen.push(number(&message));
        }
    };
    tokio::time::timeout(LONG, reading).await.unwrap();
    assert_eq!(seen.last(), Some(&4_999));
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    assert!(seen.len() < 2_500, "{} messages", seen.len());
}

#[tokio::test]
async fn a_feed_that_is_dropped_is_ended_at_the_server_and_frees_its_place() {
    let settings = Settings { feeds_max: 1, served_max: 1, ..Settings::default() };
    let (node, peers) = pair(settings).await;
    let (sender, feed) = opened(&node, &peers).await;
    let second = peers.open(&node.peer, call("e")).await;
    assert!(matches!(second, Err(CallError::Full(_))), "{second:?}");
    drop(feed);
    tokio::time::timeout(LONG, sender.closed()).await.unwrap();
    let link = peers.link(&node.peer);
    eventually("it frees its place", || link.is_idle()).await;
    let (sender, mut feed) = opened(&node, &peers).await;
    sender.send(Bytes::from("now")).await.unwrap();
    assert_eq!(feed.recv().await, Some(Bytes::from("now")));
}

#[tokio::test]
async fn a_feed_that_the_server_ends_is_ended_after_its_last_message() {
    let (node, peers) = pair(Settings::default()).await;
    let (sender, mut feed) = opened(&node, &peers).await;
    sender.send(Bytes::from("last")).await.unwrap();
    drop(sender);
    assert_eq!(feed.recv().await, Some(Bytes::from("last")));
    assert_eq!(feed.recv().await, None);
    eventually("nothing is left of it", || peers.link(&node.peer).is_idle()).await;
}

#[tokio::test]
async fn a_feed_ends_with_the_connection_on_both_sides() {
    let (node, peers) = pair(Settings::default()).await;
    let (sender, mut feed) = opened(&node, &peers).await;
    node.task.abort();
    assert_eq!(tokio::time::timeout(LONG, feed.recv()).await, Ok(None));
    tokio::time::timeout(LONG, sender.closed()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_stops_ends_its_feeds() {
    let (mut node, peers) = pair(Settings::default()).await;
    let (sender, mut feed) = opened(&node, &peers).await;
    node.stop.cancel();
    assert_eq!(tokio::time::timeout(LONG, feed.recv()).await, Ok(None));
    tokio::time::timeout(LONG, sender.closed()).await.unwrap();
    tokio::time::timeout(LONG, &mut node.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_feed_may_be_refused_or_not_come_in_time() {
    let (node, peers) = pair(Settings::default()).await;
    let refused = peers.open(&node.peer, call("m")).await;
    assert!(matches!(refused, Err(CallError::Refused(Refusal::Unavailable))), "{refused:?}");
    let late = peers.open(&node.peer, with_patience(100, "s")).await;
    assert!(matches!(late, Err(CallError::Unknown(_))), "{late:?}");
    eventually("the server waits no longer", || node.service.under_way() == 0).await;
    eventually("nothing is left of it", || peers.link(&node.peer).is_idle()).await;
}
