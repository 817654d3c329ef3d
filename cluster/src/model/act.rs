//! What a node does: what it sends, and what it makes of an answer. Each function stands for the
//! one of [`crate::node`] that its comment names.

use super::state::{
    Beat, BeatCall, ChangeCall, Handoff, Id, KillCall, Life, NODES, Node, Read, Row, Seen, State,
    Step, View,
};
use super::{GONE_WAIT, LEASE, Mutant, READ_GAP, WATCH};

/// How long a silence is a death: `silence` of `node::watch`.
pub fn silence(mutant: Option<Mutant>) -> u8 {
    match mutant {
        Some(Mutant::EarlyTakeOver) => LEASE / 2,
        Some(Mutant::NoMargin) => LEASE,
        _ => WATCH,
    }
}

impl Node {
    /// `Watch::silent`: whose row may be removed.
    pub fn is_silent(&self, id: Id, mutant: Option<Mutant>) -> bool {
        matches!(self.seen[id], Seen::Row { silent, .. } if silent >= silence(mutant))
    }

    /// `Watch::buriable`.
    fn is_buriable(&self, id: Id, mutant: Option<Mutant>) -> bool {
        let wait = if mutant == Some(Mutant::GoneGrantedAtOnce) { 0 } else { GONE_WAIT };
        let is_dead = match self.seen[id] {
            Seen::Killed => true,
            Seen::Gone(since) => since >= wait,
            Seen::Row { .. } | Seen::Nobody => false,
        };
        is_dead && self.view.members[id]
    }

    /// `Node::wanted_view`: buries who may be buried and gives away what is drained. The plan may
    /// choose anybody.
    pub fn wanted_view(&self, me: Id, heir: Id, mutant: Option<Mutant>) -> Option<View> {
        let is_dead = |id: Id| self.is_buriable(id, mutant);
        if is_dead(heir) || !self.view.members[heir] {
            return None;
        }
        let mut next = self.view.clone();
        (0..NODES).filter(|id| is_dead(*id)).for_each(|dead| next.bury(dead, heir));
        if let Handoff::Drained(shard, _) = self.handoff
            && heir != me
        {
            next.give(shard, heir);
        }
        let is_new = next != self.view;
        next.version += 1;
        is_new.then_some(next)
    }

    /// `Watch::observe`.
    fn observe(&mut self, me: Id, view: &View, rows: [Read; NODES], mutant: Option<Mutant>) {
        let age = self.read.replace(0);
        let has_no_gap =
            age.is_some_and(|age| age <= READ_GAP) || mutant == Some(Mutant::FailedPollsCounted);
        for id in (0..NODES).filter(|id| *id != me) {
            self.seen[id] = match (rows[id], self.seen[id]) {
                (Read::Row { is_same: true, .. }, known) if has_no_gap => known,
                (Read::Row { is_fresh, .. }, _) => Seen::Row { is_fresh, silent: 0 },
                (Read::Gone, _) if !view.members[id] => Seen::Nobody,
                (Read::Gone, Seen::Row { .. } | Seen::Nobody) => Seen::Gone(0),
                (Read::Gone, known) => known,
            };
        }
    }

    /// `Node::learn`; false if this node is no member any more.
    fn learn(&mut self, me: Id, view: View) -> bool {
        if view.version < self.view.version || !view.members[me] {
            return false;
        }
        self.change.take_if(|next| next.version <= view.version);
        self.view = view;
        if let Handoff::Draining(shard, epoch) | Handoff::Drained(shard, epoch) = self.handoff
            && (!self.view.is_owner(me, shard) || self.view.epoch[shard] != epoch)
        {
            self.handoff = Handoff::Idle;
        }
        for id in 0..NODES {
            if !self.view.members[id] && !matches!(self.seen[id], Seen::Row { .. }) {
                self.seen[id] = Seen::Nobody;
            }
        }
        true
    }
}

impl State {
    /// `Node::beat`.
    pub fn send_beat(&mut self, id: Id) {
        let node = &mut self.nodes[id];
        let doubtful = node.beat.as_ref().and_then(|beat| beat.doubtful);
        node.beat = Some(Beat { sent: 0, doubtful, call: BeatCall::Sent });
        node.has_beaten = true;
    }

    /// `Node::beaten`, with an answer.
    pub fn beat_answered(&mut self, id: Id, mutant: Option<Mutant>) {
        let node = &mut self.nodes[id];
        let Some(beat) = node.beat.take() else { return };
        let from = match beat.call {
            BeatCall::Lost => return self.end(id),
            _ if mutant == Some(Mutant::LeaseFromAnswer) => 0,
            BeatCall::Found if mutant != Some(Mutant::LeaseFromRepeat) => {
                beat.doubtful.unwrap_or(beat.sent)
            }
            _ => beat.sent,
        };
        node.lease = node.lease.max(LEASE.saturating_sub(from));
        // One that was found written is followed by the next at once.
        node.has_beaten = beat.call == BeatCall::Written && beat.sent == 0;
        if self.rows[id] == Row::Ahead {
            self.rows[id] = Row::Known;
        }
    }

    /// `Node::beaten`, without: it is repeated soon.
    pub fn beat_times_out(&mut self, id: Id) {
        let node = &mut self.nodes[id];
        let Some(beat) = &mut node.beat else { return };
        node.strays.beat |= beat.call == BeatCall::Sent;
        beat.doubtful.get_or_insert(beat.sent);
        beat.call = BeatCall::Idle;
        node.has_beaten = false;
        self.forget_what_cannot_be();
    }

    /// The table does not take it: nothing was written.
    pub fn beat_refused(&mut self, id: Id) {
        let node = &mut self.nodes[id];
        node.has_beaten = true;
        if let Some(beat) = &mut node.beat {
            beat.sent = 0;
        }
    }

    pub fn read(&mut self, id: Id) {
        let rows = self.rows_for(id);
        self.nodes[id].step = Step::Reading(self.view.clone(), rows);
        self.nodes[id].has_polled = true;
    }

    /// `Node::polled`, with nothing.
    pub fn read_failed(&mut self, id: Id) {
        let node = &mut self.nodes[id];
        node.step = Step::Idle;
        node.has_polled = true;
        node.read = None;
    }

    pub fn send_kill(&mut self, id: Id, dead: Id) {
        let Seen::Row { is_fresh, .. } = self.nodes[id].seen[dead] else { return };
        self.nodes[id].step = Step::Killing(dead, KillCall::Sent { is_fresh });
    }

    pub fn send_change(&mut self, id: Id, next: View) {
        self.nodes[id].change = Some(next);
        self.nodes[id].step = Step::Changing(ChangeCall::Sent);
    }

    /// `Node::polled`, `Node::killed` and `Node::changed`, with an answer.
    pub fn step_answered(&mut self, id: Id, mutant: Option<Mutant>) {
        let node = &mut self.nodes[id];
        let goes_on = match std::mem::replace(&mut node.step, Step::Idle) {
            Step::Reading(_, rows) if rows[id] == Read::Gone => false,
            Step::Reading(view, rows) => {
                node.observe(id, &view, rows, mutant);
                node.learn(id, view)
            }
            Step::Killing(dead, outcome) => {
                node.seen[dead] = match outcome {
                    KillCall::Removed if node.view.members[dead] => Seen::Killed,
                    KillCall::Removed => Seen::Nobody,
                    KillCall::Survived { is_fresh } => Seen::Row { is_fresh, silent: 0 },
                    KillCall::Vanished | KillCall::Sent { .. } => Seen::Gone(0),
                };
                true
            }
            Step::Changing(ChangeCall::Conflict(found)) => node.learn(id, found),
            Step::Changing(_) => match node.change.take() {
                Some(next) => node.learn(id, next),
                None => true,
            },
            Step::Idle => true,
        };
        if !goes_on {
            self.end(id);
        }
    }

    /// The same, without. R8: a change stays as it was sent.
    pub fn step_times_out(&mut self, id: Id, mutant: Option<Mutant>) {
        let node = &mut self.nodes[id];
        match std::mem::replace(&mut node.step, Step::Idle) {
            Step::Reading(..) => return self.read_failed(id),
            Step::Killing(dead, outcome) => {
                node.strays.kills[dead] |= outcome == KillCall::Sent { is_fresh: true };
                // The next read comes before anything else.
                node.has_polled = false;
            }
            Step::Changing(outcome) => {
                if outcome == ChangeCall::Sent {
                    node.strays.change.clone_from(&node.change);
                }
                if mutant == Some(Mutant::UnknownChangeServed) {
                    node.change = None;
                    node.handoff = Handoff::Idle;
                }
            }
            Step::Idle => {}
        }
        self.forget_what_cannot_be();
    }

    /// `Node::begin_handoff`: closed from here on.
    pub fn begin_handoff(&mut self, id: Id, shard: usize, mutant: Option<Mutant>) {
        self.left.handoffs -= 1;
        let node = &mut self.nodes[id];
        let epoch = node.view.epoch[shard];
        node.handoff = match mutant == Some(Mutant::HandoffUndrained) {
            true => Handoff::Drained(shard, epoch),
            false => Handoff::Draining(shard, epoch),
        };
    }

    /// `Node::drained`.
    pub fn drained(&mut self, id: Id) {
        let node = &mut self.nodes[id];
        if let Handoff::Draining(shard, epoch) = node.handoff {
            node.handoff = Handoff::Drained(shard, epoch);
            node.undrained[shard] = false;
        }
    }

    /// Whether the node may take up again what it was handing over: the drain failed, or the plan
    /// wants it nowhere any more (`Node::give_up_unwanted`).
    pub fn may_give_up(&self, id: Id) -> bool {
        let node = &self.nodes[id];
        match node.handoff {
            Handoff::Idle => false,
            Handoff::Draining(..) => node.life == Life::Up,
            Handoff::Drained(..) => node.may_act() && node.change.is_none(),
        }
    }
}
