//! Runs a node's membership on a control table: makes the calls that [`Node`] asks for, and tells
//! the shards what it decided.
//!
//! Three loops in one future: beats, all other calls, and drains. None waits for another: a beat
//! leaves in time whatever else is slow. The future may have a thread and a runtime of its own.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, watch};

use crate::node::HEARTBEAT_PREFIX;
use crate::node::{Answer, Effect, Ended, Node, NodeSettings, Poll, Pulse, Removal, Step, Write};
use crate::{ControlError, ControlTable, Member, Peer, Shards, VIEW_KEY};

/// How long a call to the table may take. What a write came to is unknown after that.
const CALL_MAX: Duration = Duration::from_secs(2);

/// How long a batch of shards is drained before they are taken up again.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// The shortest sleep: a clock that is slower than the runtime's is not asked without end.
const SLEEP_MIN: Duration = Duration::from_millis(1);

/// This node's own boot-time clock.
pub type Uptime = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Whoever keeps entities in memory, as far as a handoff needs it.
#[async_trait]
pub trait ShardHost: Send + Sync + 'static {
    /// Finishes and stores what these closed shards hold; true once nothing of them is in memory.
    /// Dropped if that takes too long: the shards are open again then.
    async fn drain(&self, shards: &[u16]) -> bool;
}

/// What a membership is made of.
pub struct MembershipParts {
    pub table: Arc<dyn ControlTable>,
    /// Of the same member; its lease is what this membership renews.
    pub shards: Arc<Shards>,
    pub host: Arc<dyn ShardHost>,
    pub uptime: Uptime,
    pub member: Member,
    pub peer: Peer,
    pub settings: NodeSettings,
}

/// A node's membership. Clones share it.
#[derive(Clone)]
pub struct Membership {
    control: Arc<Control>,
    ended: watch::Receiver<Option<Ended>>,
}

impl Membership {
    /// The membership, and the future that runs it until it ends: whoever has it polled chooses
    /// the thread.
    pub fn new(parts: MembershipParts) -> (Membership, impl Future<Output = Ended> + Send) {
        let (end, ended) = watch::channel(None);
        let node = Node::new(parts.member, parts.peer, parts.settings);
        let control = Arc::new(Control {
            table: parts.table,
            shards: parts.shards,
            host: parts.host,
            uptime: parts.uptime,
            node: Mutex::new(node),
            learned: Notify::new(),
        });
        let running = Arc::clone(&control);
        let run = async move {
            let ended = running.run().await;
            end.send_replace(Some(ended));
            ended
        };
        (Membership { control, ended }, run)
    }

    /// Hands everything over and leaves the cluster, within `patience`.
    pub fn leave(&self, patience: Duration) {
        self.control.tell(|node, uptime| node.begin_leave(uptime + patience));
    }

    /// Names of members that this node does not reach, for operators to see.
    pub fn note_unreachable(&self, names: Vec<String>) {
        self.control.tell(|node, _| node.note_unreachable(names));
    }

    /// Returns when this node is no member any more, and why. Nothing is served from then on.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        let ended = ended.wait_for(Option::is_some).await.ok().and_then(|ended| *ended);
        // Who runs it was dropped: the others see no beat any more.
        ended.unwrap_or(Ended::TimedOut)
    }
}

struct Control {
    table: Arc<dyn ControlTable>,
    shards: Arc<Shards>,
    host: Arc<dyn ShardHost>,
    uptime: Uptime,
    node: Mutex<Node>,
    /// Something was learned beside the loop that acts.
    learned: Notify,
}

impl Control {
    async fn run(&self) -> Ended {
        let (hand, to_drain) = mpsc::channel(1);
        tokio::select! {
            biased;
            () = self.run_beats() => unreachable!("it runs until it is dropped"),
            () = self.run_drains(to_drain) => unreachable!("it runs until it is dropped"),
            ended = self.run_steps(hand) => ended,
        }
    }

    /// Asks or tells the node, and carries out what that means for the shards.
    fn with<T>(&self, say: impl FnOnce(&mut Node, Duration) -> T) -> T {
        let mut node = self.node.lock();
        let answer = say(&mut node, (self.uptime)());
        for effect in node.take_effects() {
            match effect {
                Effect::Lease(valid_until) => self.shards.lease().renew(valid_until),
                Effect::Install(view, peers) => self.shards.install(view, peers),
                Effect::Close(shards) => self.shards.close(&shards),
                Effect::Reopen(shards) => self.shards.reopen(&shards),
            }
        }
        answer
    }

    fn tell(&self, say: impl FnOnce(&mut Node, Duration)) {
        self.with(say);
        self.learned.notify_one();
    }

    async fn sleep_until(&self, due: Duration) {
        let pause = due.saturating_sub((self.uptime)());
        tokio::time::sleep(pause.max(SLEEP_MIN)).await;
    }

    async fn cas(&self, write: Write) -> Answer {
        answered(self.table.cas(&write.key, write.expected, write.value)).await
    }

    async fn delete(&self, removal: Removal) -> Answer {
        answered(self.table.delete(&removal.key, removal.expected)).await
    }

    async fn run_beats(&self) {
        let mut is_failing = false;
        loop {
            match self.with(Node::beat) {
                Pulse::Send(beat) => {
                    let answer = self.cas(beat).await;
                    if let Err(error) = &answer
                        && !is_failing
                    {
                        tracing::warn!(%error, "a beat was not taken; the lease runs out");
                    }
                    is_failing = answer.is_err();
                    self.tell(|node, uptime| node.beaten(&answer, uptime));
                }
                Pulse::Wait(due) => self.sleep_until(due).await,
                Pulse::Over => std::future::pending().await,
            }
        }
    }

    async fn run_drains(&self, mut to_drain: mpsc::Receiver<Vec<u16>>) {
        while let Some(shards) = to_drain.recv().await {
            let drained = tokio::time::timeout(DRAIN_MAX, self.host.drain(&shards)).await;
            let is_drained = drained.unwrap_or(false);
            if !is_drained {
                let shards = shards.len();
                tracing::warn!(shards, "shards could not be drained, and stay here for now");
            }
            self.tell(|node, uptime| node.drained(is_drained, uptime));
        }
        std::future::pending().await
    }

    async fn run_steps(&self, hand: mpsc::Sender<Vec<u16>>) -> Ended {
        loop {
            match self.with(Node::next) {
                Step::Wait(due) => self.wait(due).await,
                Step::Poll => {
                    let poll = self.poll().await;
                    self.with(|node, uptime| node.polled(poll, uptime));
                }
                Step::Change(write) => {
                    let answer = self.cas(write).await;
                    self.with(|node, uptime| node.changed(&answer, uptime));
                }
                Step::Kill(removal) => {
                    let answer = self.delete(removal).await;
                    self.with(|node, uptime| node.killed(&answer, uptime));
                }
                Step::Drain(shards) => {
                    // There is room: one is under way at a time.
                    let _ = hand.try_send(shards);
                }
                Step::Remove(removal) => {
                    let answer = self.delete(removal).await;
                    self.with(|node, _| node.removed(&answer));
                }
                Step::End(ended) => return ended,
            }
        }
    }

    async fn wait(&self, due: Duration) {
        tokio::select! {
            biased;
            () = self.learned.notified() => {}
            () = self.shards.wanted() => self.with(|node, _| node.want_view()),
            () = self.sleep_until(due) => {}
        }
    }

    /// First the view and then the rows: who is a member in the former had made its row before.
    async fn poll(&self) -> Option<Poll> {
        let view = answered(self.table.load(VIEW_KEY)).await.ok()?;
        let rows = answered(self.table.list(HEARTBEAT_PREFIX)).await.ok()?;
        Some(Poll { view, rows })
    }
}

/// Waits for an answer for as long as a call may take.
async fn answered<T>(
    call: impl Future<Output = Result<T, ControlError>>,
) -> Result<T, ControlError> {
    let late = |_| Err(ControlError::OutcomeUnknown("the table did not answer in time".to_owned()));
    tokio::time::timeout(CALL_MAX, call).await.unwrap_or_else(late)
}

#[cfg(test)]
mod tests;
