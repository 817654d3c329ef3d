//! What happens at the table and to the nodes, whatever the nodes themselves do: writes arrive,
//! time passes, nodes crash.

use super::state::{
    BeatCall, ChangeCall, Id, KillCall, Life, NODES, Node, Read, Row, SHARDS, Seen, State, Step,
    View,
};
use super::{GONE_WAIT, LEASE, Mutant, READ_GAP, WATCH};

impl State {
    /// The heartbeat row's compare-and-set. A repeat has the same value, so it is told apart from
    /// a foreign write by whoever sent it.
    pub fn beat_arrives(&mut self, id: Id) {
        let outcome = match self.rows[id] {
            Row::Known => {
                self.rows[id] = Row::Ahead;
                self.outdate(id);
                BeatCall::Written
            }
            Row::Ahead => BeatCall::Found,
            Row::Gone => BeatCall::Lost,
        };
        if let Some(beat) = &mut self.nodes[id].beat {
            beat.call = outcome;
        }
    }

    pub fn stray_beat_arrives(&mut self, id: Id) {
        self.rows[id] = Row::Ahead;
        self.outdate(id);
        self.forget_what_cannot_be();
    }

    fn remove_row(&mut self, id: Id) {
        self.rows[id] = Row::Gone;
        self.outdate(id);
    }

    /// A row that somebody else removes: an operator, or a table that was set back.
    pub fn row_is_lost(&mut self, id: Id) {
        self.left.lost_rows -= 1;
        self.remove_row(id);
    }

    fn kill(&mut self, dead: Id) {
        let node = &self.nodes[dead];
        self.has_killed_steady |= node.life == Life::Up && node.is_steady;
        self.remove_row(dead);
    }

    /// The conditional removal of a row.
    pub fn kill_arrives(&mut self, id: Id, mutant: Option<Mutant>) {
        let Step::Killing(dead, KillCall::Sent { is_fresh }) = self.nodes[id].step else { return };
        let is_unconditional = mutant == Some(Mutant::UnconditionalKill);
        let outcome = match self.rows[dead] {
            Row::Gone => KillCall::Vanished,
            _ if is_fresh || is_unconditional => {
                self.kill(dead);
                KillCall::Removed
            }
            _ => KillCall::Survived { is_fresh: true },
        };
        self.nodes[id].step = Step::Killing(dead, outcome);
    }

    pub fn stray_kill_arrives(&mut self, id: Id, dead: Id) {
        self.nodes[id].strays.kills[dead] = false;
        self.kill(dead);
    }

    fn write_view(&mut self, next: &View) {
        self.view = View { version: self.view.version + 1, ..next.clone() };
        self.forget_what_cannot_be();
    }

    /// The view's compare-and-set.
    pub fn change_arrives(&mut self, id: Id, mutant: Option<Mutant>) {
        let Some(next) = self.nodes[id].change.clone() else { return };
        let is_unconditional = mutant == Some(Mutant::UnconditionalChange);
        let outcome = if is_unconditional || next.version == self.view.version + 1 {
            self.write_view(&next);
            ChangeCall::Written
        } else {
            ChangeCall::Conflict(self.view.clone())
        };
        self.nodes[id].step = Step::Changing(outcome);
    }

    pub fn stray_change_arrives(&mut self, id: Id) {
        if let Some(next) = self.nodes[id].strays.change.take() {
            self.write_view(&next);
        }
    }

    /// Strays that can have no effect any more are as good as lost, and what an ended node knew
    /// matters no more.
    pub fn forget_what_cannot_be(&mut self) {
        let version = self.view.version;
        for (id, node) in self.nodes.iter_mut().enumerate() {
            node.strays.change.take_if(|next| next.version != version + 1);
            node.strays.beat &= self.rows[id] == Row::Known;
            if node.life == Life::Ended && self.rows[id] == Row::Ahead {
                self.rows[id] = Row::Known;
            }
        }
    }

    /// What this node reads of each row now.
    pub fn rows_for(&self, id: Id) -> [Read; NODES] {
        std::array::from_fn(|other| match (self.rows[other], self.nodes[id].seen[other]) {
            (Row::Gone, _) => Read::Gone,
            (_, Seen::Row { is_fresh, .. }) => Read::Row { is_same: is_fresh, is_fresh: true },
            _ => Read::Row { is_same: false, is_fresh: true },
        })
    }

    /// A node crashes or ends. Its writes may still be applied.
    pub fn end(&mut self, id: Id) {
        let node = &mut self.nodes[id];
        let mut strays = std::mem::take(&mut node.strays);
        strays.beat |= node.beat.as_ref().is_some_and(|beat| beat.call == BeatCall::Sent);
        match node.step {
            Step::Killing(dead, KillCall::Sent { is_fresh: true }) => strays.kills[dead] = true,
            Step::Changing(ChangeCall::Sent) => strays.change = node.change.take(),
            _ => {}
        }
        *node = Node::ended(strays);
        self.catch_up_clocks();
        self.forget_what_cannot_be();
    }

    /// A tick of one clock.
    pub fn tick(&mut self, id: Id) {
        let node = &mut self.nodes[id];
        node.lease = node.lease.saturating_sub(1);
        node.has_beaten = false;
        node.has_polled = false;
        if let Some(beat) = &mut node.beat {
            beat.sent = LEASE.min(beat.sent + 1);
            beat.doubtful = beat.doubtful.map(|age| LEASE.min(age + 1));
        }
        node.read = node.read.map(|age| (READ_GAP + 1).min(age + 1));
        for seen in &mut node.seen {
            match seen {
                Seen::Row { silent, .. } => *silent = WATCH.min(*silent + 1),
                Seen::Gone(since) => *since = GONE_WAIT.min(*since + 1),
                Seen::Killed | Seen::Nobody => {}
            }
        }
    }

    /// Clocks are at most one tick apart.
    pub fn tick_ahead(&mut self, id: Id) {
        self.tick(id);
        self.nodes[id].is_ahead = true;
        self.catch_up_clocks();
    }

    fn catch_up_clocks(&mut self) {
        if self.nodes.iter().all(|node| node.is_ahead || node.life == Life::Ended) {
            self.nodes.iter_mut().for_each(|node| node.is_ahead = false);
        }
    }

    /// Whatever is open under a valid lease is soon used.
    pub fn use_what_is_open(&mut self) {
        for (id, node) in self.nodes.iter_mut().enumerate() {
            for shard in 0..SHARDS {
                node.undrained[shard] |= node.serves(id, shard);
            }
        }
    }
}
