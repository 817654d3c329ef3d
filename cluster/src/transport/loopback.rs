//! Calls within one process: nodes of a test reach each other without a network, under the same
//! bounds, and with the same difference between a call that did not leave and one of unknown
//! outcome.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use super::newest::{Newest, newest};
use super::{Call, CallError, Feed, PAYLOAD_BYTES_MAX, Service, Transport, runtime};
use crate::{MemberId, Peer};

/// The most calls, and the most feeds, that are under way at one node.
const UNDER_WAY_MAX: usize = 4_096;

/// The nodes that can be reached. Clones are the same network.
#[derive(Clone, Default)]
pub struct Loopback {
    nodes: Arc<Mutex<HashMap<MemberId, Node>>>,
}

#[derive(Clone)]
struct Node {
    service: Arc<dyn Service>,
    calls: Arc<Semaphore>,
    feeds: Arc<Semaphore>,
    /// True once it has left.
    has_left: watch::Sender<bool>,
}

impl std::fmt::Debug for Loopback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.nodes.lock().keys()).finish()
    }
}

impl Loopback {
    pub fn new() -> Loopback {
        Loopback::default()
    }

    /// From now on the node is reached.
    pub fn join(&self, id: MemberId, service: Arc<dyn Service>) {
        let permits = || Arc::new(Semaphore::new(UNDER_WAY_MAX));
        let has_left = watch::Sender::new(false);
        let node = Node { service, calls: permits(), feeds: permits(), has_left };
        self.nodes.lock().insert(id, node);
    }

    /// From now on it is not; calls that are under way there have no answer, and feeds end.
    pub fn leave(&self, id: MemberId) {
        if let Some(node) = self.nodes.lock().remove(&id) {
            node.has_left.send_replace(true);
        }
    }

    fn node(&self, to: &Peer, call: &Call) -> Result<Node, CallError> {
        if call.payload.len() > PAYLOAD_BYTES_MAX {
            let reason = "the payload is longer than a call may be";
            return Err(CallError::NotSent(reason.to_owned()));
        }
        let node = self.nodes.lock().get(&to.id).cloned();
        node.ok_or_else(|| CallError::NotSent(format!("no connection to {}", to.name)))
    }
}

fn permit(of: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, CallError> {
    let permit = Arc::clone(of).try_acquire_owned();
    permit.map_err(|_| CallError::Full("too many calls under way".to_owned()))
}

fn unknown<T>(reason: &str) -> Result<T, CallError> {
    Err(CallError::Unknown(reason.to_owned()))
}

/// Waits until the node has left, if it ever does.
async fn left(has_left: watch::Sender<bool>) {
    // It cannot close: an end of it is held here.
    let _ = has_left.subscribe().wait_for(|has_left| *has_left).await;
}

#[async_trait]
impl Transport for Loopback {
    async fn call(&self, to: &Peer, call: Call) -> Result<Bytes, CallError> {
        let node = self.node(to, &call)?;
        let permit = permit(&node.calls)?;
        // In a task of its own: a caller that gives up does not undo what it began.
        let work = runtime::spawn(async move {
            let _permit = permit;
            tokio::select! {
                result = timeout(call.patience, node.service.call(call)) => match result {
                    Ok(Ok(reply)) if reply.len() > PAYLOAD_BYTES_MAX => {
                        unknown("the reply is longer than an answer may be")
                    }
                    Ok(result) => result.map_err(CallError::Refused),
                    Err(_) => unknown("its time is over"),
                },
                () = left(node.has_left.clone()) => unknown("the peer has left"),
            }
        });
        work.await.unwrap_or_else(|_| unknown("the peer failed at it"))
    }

    async fn open(&self, to: &Peer, call: Call) -> Result<Feed, CallError> {
        let node = self.node(to, &call)?;
        let permit = permit(&node.feeds)?;
        let opening = tokio::select! {
            opening = timeout(call.patience, node.service.open(call)) => opening,
            () = left(node.has_left.clone()) => return unknown("the peer has left"),
        };
        let feed = match opening {
            Ok(opened) => opened.map_err(CallError::Refused)?,
            Err(_) => return unknown("its time is over"),
        };
        let (slot, source) = newest();
        runtime::spawn(async move {
            let _permit = permit;
            tokio::select! {
                () = forward(feed, &slot) => {}
                () = slot.unread() => {}
                () = left(node.has_left) => {}
            }
        });
        Ok(source.feed(|| {}))
    }
}

async fn forward(mut from: Feed, to: &Newest) {
    while let Some(message) = from.recv().await {
        to.put(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Refusal;
    use std::time::Duration;
    use tokio::sync::mpsc;

    /// Echoes; `s` is never answered, and a feed counts up to its end.
    struct Echo;

    #[async_trait]
    impl Service for Echo {
        async fn call(&self, call: Call) -> Result<Bytes, Refusal> {
            match call.payload.as_ref() {
                b"s" => std::future::pending().await,
                b"m" => Err(Refusal::Overloaded),
                _ => Ok(call.payload),
            }
        }

        async fn open(&self, call: Call) -> Result<Feed, Refusal> {
            let (sender, feed) = mpsc::channel(1);
            runtime::spawn(async move {
                for n in 0..100u8 {
                    let _ = sender.send(Bytes::from(vec![n])).await;
                }
                if call.payload.as_ref() == b"s" {
                    sender.closed().await;
                }
            });
            Ok(feed)
        }
    }

    fn call(payload: &'static str) -> Call {
        let payload = Bytes::from(payload);
        Call { shard: 1, view: 1, patience: Duration::from_secs(9), payload }
    }

    fn node() -> (Loopback, Peer) {
        let net = Loopback::new();
        let id = MemberId(1);
        net.join(id, Arc::new(Echo));
        let (name, address) = ("one".to_owned(), "one:1".to_owned());
        let peer = Peer { id, name, address, certificate: vec![], unreachable: vec![] };
        (net, peer)
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_ends_in_its_reply_a_refusal_or_with_its_patience() {
        let (net, to) = node();
        assert_eq!(net.call(&to, call("e")).await, Ok(Bytes::from("e")));
        let refused = Err(CallError::Refused(Refusal::Overloaded));
        assert_eq!(net.call(&to, call("m")).await, refused);
        let late = net.call(&to, call("s")).await;
        assert!(matches!(late, Err(CallError::Unknown(_))), "{late:?}");
        let longer = Call { payload: vec![0; PAYLOAD_BYTES_MAX + 1].into(), ..call("") };
        assert!(matches!(net.call(&to, longer).await, Err(CallError::NotSent(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_under_way_at_a_node_that_leaves_is_unknown_and_the_rest_not_sent() {
        let (net, to) = node();
        let feed = net.open(&to, call("s"));
        let mut feed = feed.await.unwrap();
        let mut slow = Box::pin(net.call(&to, call("s")));
        assert!(futures::poll!(slow.as_mut()).is_pending());
        net.leave(to.id);
        assert!(matches!(slow.await, Err(CallError::Unknown(_))));
        assert!(matches!(net.call(&to, call("e")).await, Err(CallError::NotSent(_))));
        while feed.recv().await.is_some() {}
    }

    #[tokio::test(start_paused = true)]
    async fn a_feed_ends_in_its_newest_message() {
        let (net, to) = node();
        let mut feed = net.open(&to, call("e")).await.unwrap();
        let mut last = None;
        while let Some(message) = feed.recv().await {
            last = Some(message);
        }
        assert_eq!(last, Some(Bytes::from(vec![99])));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_under_way_than_may_be() {
        let (net, to) = node();
        let calls = (0..=UNDER_WAY_MAX).map(|_| net.call(&to, call("s")));
        let outcomes = futures::future::join_all(calls).await;
        let refused = outcomes.iter().filter(|o| matches!(o, Err(CallError::Full(_))));
        assert_eq!(refused.count(), 1);
    }
}
