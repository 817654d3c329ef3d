//! How a node is a member of its cluster: it makes its heartbeat row and joins the view, beats,
//! watches the others, takes over from the dead, hands shards over, and leaves.
//!
//! All of it is decided here, and the time is handed in. Whoever drives it asks two questions,
//! independently of each other: which beat to send ([`Node::beat`]), and what else to do
//! ([`Node::next`]); it makes the calls and says what became of them. After each word it carries
//! out the effects ([`Node::take_effects`]) before anything else happens.
//!
//! - **R5** A shard leaves a live owner only by that owner's own change of the view, once it is
//!   closed and drained; a dead one only after its lease has ended.
//! - **R7** A node's death is the removal of its heartbeat row at the version that was watched,
//!   by a node that watched the full wait. Only that one grants its shards at once.
//! - **R8** A change of the view whose outcome is unknown is repeated, or a later version seen,
//!   before its writer serves the shards that it would have given away.
//! - A node whose row is gone, or whom the view does not name any more, serves nothing from that
//!   moment on and ends. Nothing is revived: it starts again as another member.

mod changes;
mod form;
mod handoff;
mod heart;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use self::changes::Change;
use self::handoff::Handoff;
use self::heart::{Heard, Heart};
use self::watch::Watch;
use crate::{
    ControlError, ControlOutcome, ControlRow, Member, MemberId, Peer, VIEW_KEY, View, ViewError,
};

/// What the keys of heartbeat rows begin with; the member's id follows.
pub const HEARTBEAT_PREFIX: &str = "node/";

/// How often the view and the heartbeat rows are read.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How often while a node seems dead.
const POLL_INTERVAL_TENSE: Duration = Duration::from_millis(250);

/// How soon again for somebody who wants the view now.
const POLL_INTERVAL_MIN: Duration = Duration::from_millis(50);

/// How soon what failed is tried again.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// How often it is said that the view cannot be read.
const WARN_INTERVAL: Duration = Duration::from_secs(60);

/// How often the last removal of the own row is tried. If it stays, the others remove it.
const REMOVALS_MAX: u32 = 3;

/// How much is handed over at once, and when stored rows take a later form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeSettings {
    /// Shards in a batch, while the node stays.
    pub batch: usize,
    /// Shards in a batch, while it leaves.
    pub draining_batch: usize,
    /// For how long all members have to read a later form before it is written: until then
    /// builds may go back.
    pub form_wait: Duration,
}

impl Default for NodeSettings {
    fn default() -> NodeSettings {
        let form_wait = Duration::from_secs(24 * 3_600);
        NodeSettings { batch: 64, draining_batch: 256, form_wait }
    }
}

/// What a call to the control table came to.
pub type Answer = Result<ControlOutcome, ControlError>;

/// A compare-and-set to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    pub key: String,
    pub expected: u64,
    pub value: Vec<u8>,
}

/// A conditional removal to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    pub key: String,
    pub expected: u64,
}

/// What a poll read: first the view, and then all heartbeat rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    pub view: Option<ControlRow>,
    pub rows: Vec<(String, ControlRow)>,
}

/// Whether a beat is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pulse {
    /// Send it now; what became of it goes to [`Node::beaten`].
    Send(Write),
    /// Ask again at that uptime.
    Wait(Duration),
    /// There are no more.
    Over,
}

/// What to do next, beside beating.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ask again at that uptime, or when anything was learned.
    Wait(Duration),
    /// Read the view, then the heartbeat rows: [`Node::polled`].
    Poll,
    /// Change the view: [`Node::changed`].
    Change(Write),
    /// Remove the row of a node that seems dead: [`Node::killed`].
    Kill(Removal),
    /// Have these shards drained, and go on meanwhile: [`Node::drained`].
    Drain(Vec<u16>),
    /// Remove the own row: [`Node::removed`].
    Remove(Removal),
    End(Ended),
}

/// Why a node's membership has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It has handed over what it had, and is no member any more.
    Left,
    /// It was to leave, and could not in time: the others wait until its lease has ended.
    TimedOut,
    /// The others took it for dead, or its rows were lost. It serves nothing any more.
    Evicted,
    /// It did not become a member: the shop is stored in that form, which it does not read.
    TooOld { form: u8 },
}

/// What an answer means for the rest of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The lease ends then: renewed, or given up with zero.
    Lease(Duration),
    Install(Arc<View>, Vec<Peer>),
    Close(Vec<u16>),
    Reopen(Vec<u16>),
}

/// One run of a node, as a member of its cluster.
#[derive(Debug, Clone)]
pub struct Node {
    me: Member,
    settings: NodeSettings,
    heart: Heart,
    watch: Watch,
    /// The newest that is known to be in the table.
    view: Arc<View>,
    peers: Vec<Peer>,
    /// The view in the table is of a later build: nothing is changed.
    is_unreadable: bool,
    warned_at: Option<Duration>,
    /// The view named this node.
    was_member: bool,
    /// It is to leave, by then.
    leaving: Option<Duration>,
    handoff: Handoff,
    change: Option<Change>,
    killing: Option<(MemberId, u64)>,
    /// The form that all members read, where it is a later one than the view's, and since when.
    to_come: Option<(u8, Duration)>,
    /// The form of the shop, if this build does not read it.
    too_late: Option<u8>,
    /// Since when shards have no owner that could have one.
    ownerless_since: Option<Duration>,
    polled_at: Option<Duration>,
    poll_due: Duration,
    /// Nothing is written before: the last attempt failed.
    act_due: Duration,
    handoff_due: Duration,
    /// Removals of the own row that were tried, once there is nothing else to do.
    removals: Option<u32>,
    ended: Option<Ended>,
    effects: Vec<Effect>,
}

fn row_key(id: MemberId) -> String {
    format!("{HEARTBEAT_PREFIX}{id}")
}

impl Node {
    /// `me` and `peer` are of the same run of the same node.
    pub fn new(me: Member, peer: Peer, settings: NodeSettings) -> Node {
        Node {
            me,
            settings,
            heart: Heart::new(peer),
            watch: Watch::default(),
            view: Arc::new(View::default()),
            peers: Vec::new(),
            is_unreadable: false,
            warned_at: None,
            was_member: false,
            leaving: None,
            handoff: Handoff::Idle,
            change: None,
            killing: None,
            to_come: None,
            too_late: None,
            ownerless_since: None,
            polled_at: None,
            poll_due: Duration::ZERO,
            act_due: Duration::ZERO,
            handoff_due: Duration::ZERO,
            removals: None,
            ended: None,
            effects: Vec::new(),
        }
    }

    pub fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// What the last answers mean for the rest of the node, in their order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Names of members that this one does not reach, for its heartbeat row.
    pub fn note_unreachable(&mut self, names: Vec<String>) {
        self.heart.note_unreachable(names);
    }

    /// Leaves the cluster, and ends at `deadline` at the latest.
    pub fn begin_leave(&mut self, deadline: Duration) {
        self.leaving.get_or_insert(deadline);
    }

    /// Somebody heard of a newer view, or waits for one.
    pub fn want_view(&mut self) {
        let soonest = self.polled_at.map_or(Duration::ZERO, |at| at + POLL_INTERVAL_MIN);
        self.poll_due = self.poll_due.min(soonest);
    }

    /// The beat to send. One is under way at a time.
    pub fn beat(&mut self, uptime: Duration) -> Pulse {
        if self.ended.is_some() || self.removals.is_some() {
            return Pulse::Over;
        }
        match self.heart.beat(uptime) {
            Ok(beat) => Pulse::Send(beat),
            Err(due) => Pulse::Wait(due.unwrap_or(uptime + RETRY_INTERVAL)),
        }
    }

    /// What became of the beat.
    pub fn beaten(&mut self, answer: &Answer, uptime: Duration) {
        if self.ended.is_some() || self.removals.is_some() {
            return;
        }
        match self.heart.answered(answer, uptime) {
            Heard::Beaten => self.effects.push(Effect::Lease(self.heart.valid_until())),
            Heard::Again => {}
            Heard::Lost => self.evicted("its heartbeat row is gone, or not its own"),
        }
    }

    /// What to do next, beside beating. One step is under way at a time, but for a drain.
    pub fn next(&mut self, uptime: Duration) -> Step {
        if let Some(ended) = self.ended {
            return Step::End(ended);
        }
        if self.leaving.is_some_and(|deadline| deadline <= uptime) {
            return Step::End(self.end(Ended::TimedOut));
        }
        if self.leaving.is_some() && !self.was_member && self.change.is_none() {
            self.removals.get_or_insert(0);
        }
        if let Some(tries) = self.removals {
            return self.remove_row(tries);
        }
        if !self.heart.is_proven() {
            return Step::Wait(uptime + RETRY_INTERVAL);
        }
        if self.poll_due <= uptime {
            self.polled_at = Some(uptime);
            self.poll_due = uptime + POLL_INTERVAL;
            return Step::Poll;
        }
        let acted = if self.may_act(uptime) { self.act(uptime) } else { None };
        acted.unwrap_or_else(|| Step::Wait(self.wake_at(uptime)))
    }

    /// Only a node whose own lease is valid changes anything for others, by what it has just
    /// read and can understand.
    fn may_act(&self, uptime: Duration) -> bool {
        uptime < self.heart.valid_until()
            && self.act_due <= uptime
            && self.watch.is_current()
            && !self.is_unreadable
    }

    fn act(&mut self, uptime: Duration) -> Option<Step> {
        if let Some(change) = &self.change {
            return Some(Step::Change(change.write()));
        }
        if self.was_member {
            let delay = self.delay(uptime);
            if let Some((id, version)) = self.watch.silent(uptime, delay) {
                tracing::warn!(node = %id, "a node is silent: its heartbeat row is removed");
                self.killing = Some((id, version));
                return Some(Step::Kill(Removal { key: row_key(id), expected: version }));
            }
        }
        self.give_up_unwanted();
        if let Some(next) = self.wanted_view(uptime) {
            let change = self.change.insert(Change::new(self.view.version, next));
            return Some(Step::Change(change.write()));
        }
        self.begin_handoff(uptime).map(Step::Drain)
    }

    fn delay(&self, uptime: Duration) -> Duration {
        self.watch.delay(&self.view, self.me.id, uptime)
    }

    fn wake_at(&self, uptime: Duration) -> Duration {
        let later = [self.act_due, self.handoff_due].into_iter().filter(|due| *due > uptime);
        later.chain(self.leaving).fold(self.poll_due, Duration::min)
    }

    /// What was read; `None` if a part of it failed.
    pub fn polled(&mut self, poll: Option<Poll>, uptime: Duration) {
        if self.ended.is_some() {
            return;
        }
        let Some(poll) = poll else { return self.missed(uptime) };
        let version = poll.view.as_ref().map_or(0, |row| row.version);
        let view = poll.view.map_or_else(|| Ok(View::default()), |row| self.decode(&row));
        let view = match view {
            Ok(view) => view,
            Err(ViewError::FutureForm { found, .. }) if !self.was_member => {
                return self.refuse(found);
            }
            Err(error) => {
                self.is_unreadable = true;
                self.warn_unreadable(version, &error, uptime);
                return self.missed(uptime);
            }
        };
        self.is_unreadable = false;
        let (mut versions, mut peers) = (BTreeMap::new(), Vec::new());
        for (key, row) in poll.rows {
            let Some(id) = key.strip_prefix(HEARTBEAT_PREFIX).and_then(|id| id.parse().ok()) else {
                continue;
            };
            versions.insert(id, row.version);
            if let Ok(peer) = serde_json::from_slice::<Peer>(&row.value) {
                peers.push(peer);
            }
        }
        if versions.remove(&self.heart.id()).is_none() {
            return self.evicted("its heartbeat row is gone");
        }
        peers.retain(|peer| peer.id != self.me.id && view.member(peer.id).is_some());
        self.peers = peers;
        self.watch.observe(&view, &versions, self.me.id, uptime);
        if self.learn(view, uptime) {
            // Whoever is given a dead node's shards is to learn it at once.
            let soon = self.watch.is_tense(uptime).then_some(uptime + POLL_INTERVAL_TENSE);
            let due = self.watch.deadline(uptime, self.delay(uptime));
            self.poll_due = due.into_iter().chain(soon).fold(self.poll_due, Duration::min);
        }
    }

    fn missed(&mut self, uptime: Duration) {
        self.watch.missed();
        self.poll_due = self.poll_due.min(uptime + RETRY_INTERVAL);
    }

    fn warn_unreadable(&mut self, version: u64, error: &ViewError, uptime: Duration) {
        let is_due = self.warned_at.is_none_or(|at| uptime.saturating_sub(at) >= WARN_INTERVAL);
        if is_due {
            self.warned_at = Some(uptime);
            tracing::warn!(version, %error, "this node changes nothing in the cluster");
        }
    }

    /// What became of the removal of a silent node's row.
    pub fn killed(&mut self, answer: &Answer, uptime: Duration) {
        let Some((id, _)) = self.killing.take() else { return };
        match answer {
            Ok(ControlOutcome::Written) => self.watch.killed(id, &self.view),
            Ok(ControlOutcome::Conflict(Some(row))) => {
                self.watch.survived(id, row.version, uptime);
            }
            Ok(ControlOutcome::Conflict(None)) => self.watch.vanished(id, uptime),
            // The next read tells; if the row is gone then, it may be that somebody else did it.
            Err(_) => {
                self.act_due = uptime + RETRY_INTERVAL;
                self.poll_due = self.poll_due.min(self.act_due);
            }
        }
    }

    fn remove_row(&mut self, tries: u32) -> Step {
        let expected = self.heart.version();
        if tries >= REMOVALS_MAX || expected == 0 {
            return Step::End(self.end(self.departure()));
        }
        if tries == 0 {
            self.fence();
        }
        self.removals = Some(tries + 1);
        Step::Remove(Removal { key: row_key(self.me.id), expected })
    }

    /// What became of the removal of the own row.
    pub fn removed(&mut self, answer: &Answer) {
        match answer {
            // A beat was under way.
            Ok(ControlOutcome::Conflict(Some(row))) => self.heart.found_at(row.version),
            Ok(_) => drop(self.end(self.departure())),
            Err(_) => {}
        }
    }

    fn decode(&self, row: &ControlRow) -> Result<View, ViewError> {
        View::decode(row.version, &row.value, self.me.reads)
    }

    fn fence(&mut self) {
        self.heart.fence();
        self.effects.push(Effect::Lease(Duration::ZERO));
    }

    fn end(&mut self, ended: Ended) -> Ended {
        self.fence();
        *self.ended.get_or_insert(ended)
    }

    fn evicted(&mut self, why: &str) {
        tracing::error!(node = %self.me.id, why, "this node is no member any more, and ends");
        self.end(Ended::Evicted);
    }
}
