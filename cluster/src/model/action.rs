//! What may happen next, in any order.

use super::state::{
    BeatCall, ChangeCall, Handoff, Id, KillCall, Life, NODES, Row, SHARDS, Seen, State, Step, View,
};
use super::{ControlModel, Mutant};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It arrives, and its answer comes at once.
    Quick,
    /// Both happen at any later time, or never. The node may time out first, and wait no more.
    Slow,
    /// It does nothing, and the node knows that.
    Refused,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// All clocks tick, or one.
    TickAll,
    Tick(Id),
    Beat(Id, Fate),
    BeatArrives(Id),
    BeatAnswered(Id),
    BeatTimesOut(Id),
    StrayBeatArrives(Id),
    Poll(Id, Fate),
    Kill(Id, Id, Fate),
    /// The next view, or the one that was sent before.
    Change(Id, View, Fate),
    /// The kill or the change that is under way.
    StepArrives(Id),
    StepAnswered(Id),
    StepTimesOut(Id),
    StrayKillArrives(Id, Id),
    StrayChangeArrives(Id),
    BeginHandoff(Id, usize),
    Drained(Id),
    GiveUpHandoff(Id),
    Crash(Id),
    Pause(Id),
    Resume(Id),
    RowIsLost(Id),
    OutageBegins,
    OutageEnds,
}

impl ControlModel {
    /// What this node may do, and what may come to it.
    pub fn actions_of(&self, state: &State, id: Id, actions: &mut Vec<Action>) {
        let node = &state.nodes[id];
        match node.life {
            Life::Ended => return,
            Life::Paused => return actions.push(Action::Resume(id)),
            Life::Up => {}
        }
        let (is_out, has_slow) = (state.is_out, state.left.slow > 0);
        if !node.is_beating() && !node.has_beaten {
            actions.push(Action::Beat(id, if is_out { Fate::Refused } else { Fate::Quick }));
            if has_slow {
                actions.push(Action::Beat(id, Fate::Slow));
            }
        }
        if node.is_beating() {
            if node.beat.as_ref().is_some_and(|beat| beat.call != BeatCall::Sent) {
                actions.push(Action::BeatAnswered(id));
            }
            actions.push(Action::BeatTimesOut(id));
        }
        let may_poll = node.has_beat_sent() && node.step == Step::Idle;
        if may_poll && !is_out && (!node.has_polled || node.read.is_none()) {
            actions.push(Action::Poll(id, Fate::Quick));
            if has_slow {
                actions.push(Action::Poll(id, Fate::Slow));
            }
        }
        if may_poll && !node.has_polled && (is_out || has_slow) {
            actions.push(Action::Poll(id, Fate::Refused));
        }
        if node.step != Step::Idle {
            let is_sent = matches!(
                node.step,
                Step::Killing(_, KillCall::Sent { .. }) | Step::Changing(ChangeCall::Sent)
            );
            if !is_sent {
                actions.push(Action::StepAnswered(id));
            }
            actions.push(Action::StepTimesOut(id));
        }
        self.writes_of(state, id, actions);
        if matches!(node.handoff, Handoff::Draining(..)) {
            actions.push(Action::Drained(id));
        }
        if state.may_give_up(id) {
            actions.push(Action::GiveUpHandoff(id));
        }
        if state.left.pauses > 0 {
            actions.push(Action::Pause(id));
        }
    }

    /// `Node::act`.
    fn writes_of(&self, state: &State, id: Id, actions: &mut Vec<Action>) {
        let node = &state.nodes[id];
        if !node.may_act() {
            return;
        }
        let mut fates = Vec::with_capacity(2);
        if !state.is_out {
            fates.push(Fate::Quick);
        }
        if state.left.slow > 0 {
            fates.push(Fate::Slow);
        }
        for fate in fates {
            if let Some(pending) = &node.change {
                actions.push(Action::Change(id, pending.clone(), fate));
                continue;
            }
            let silent = (0..NODES).filter(|other| node.is_silent(*other, self.mutant));
            actions.extend(silent.map(|other| Action::Kill(id, other, fate)));
            let wanted = (0..NODES).filter_map(|heir| node.wanted_view(id, heir, self.mutant));
            actions.extend(wanted.map(|next| Action::Change(id, next, fate)));
        }
        if node.change.is_none() && node.handoff == Handoff::Idle && state.left.handoffs > 0 {
            let own = (0..SHARDS).filter(|shard| node.view.is_owner(id, *shard));
            actions.extend(own.map(|shard| Action::BeginHandoff(id, shard)));
        }
    }

    /// What may happen to this node or to its writes.
    pub fn accidents_of(&self, state: &State, id: Id, actions: &mut Vec<Action>) {
        let (node, left) = (&state.nodes[id], state.left);
        if !state.is_out {
            if node.beat.as_ref().is_some_and(|beat| beat.call == BeatCall::Sent) {
                actions.push(Action::BeatArrives(id));
            }
            let is_sent = matches!(
                node.step,
                Step::Killing(_, KillCall::Sent { .. }) | Step::Changing(ChangeCall::Sent)
            );
            if is_sent {
                actions.push(Action::StepArrives(id));
            }
            if node.strays.beat {
                actions.push(Action::StrayBeatArrives(id));
            }
            if node.strays.change.is_some() {
                actions.push(Action::StrayChangeArrives(id));
            }
            let kills = (0..NODES).filter(|dead| node.strays.kills[*dead]);
            actions.extend(kills.map(|dead| Action::StrayKillArrives(id, dead)));
        }
        if node.life != Life::Ended && left.crashes > 0 {
            actions.push(Action::Crash(id));
        }
        if state.rows[id] != Row::Gone && left.lost_rows > 0 {
            actions.push(Action::RowIsLost(id));
        }
    }

    /// A node beats and reads at least once in each tick, unless it is paused: a pause is how
    /// anything lasts too long.
    fn may_tick(&self, state: &State, id: Id) -> bool {
        let node = &state.nodes[id];
        let has_polled = node.has_polled || node.step != Step::Idle;
        let is_ready = node.life != Life::Up || (node.has_beat_sent() && has_polled);
        is_ready && (!self.scenario.is_prompt || self.is_done(state, id))
    }

    /// It has done whatever it can, and nothing of it is under way.
    fn is_done(&self, state: &State, id: Id) -> bool {
        let node = &state.nodes[id];
        let mut writes = Vec::new();
        self.writes_of(state, id, &mut writes);
        node.life != Life::Up
            || (!node.is_beating()
                && node.step == Step::Idle
                && node.read.is_some()
                && writes.iter().all(|write| matches!(write, Action::BeginHandoff(..))))
    }

    pub fn ticks(&self, state: &State, actions: &mut Vec<Action>) {
        if self.scenario.ticks.is_some_and(|ticks| state.clock >= ticks) {
            return;
        }
        let mut living = (0..NODES).filter(|id| state.nodes[*id].life != Life::Ended);
        if self.scenario.has_skew {
            let behind = living.filter(|id| !state.nodes[*id].is_ahead);
            let ready = behind.filter(|id| self.may_tick(state, *id));
            actions.extend(ready.map(Action::Tick));
        } else if living.all(|id| self.may_tick(state, id)) {
            actions.push(Action::TickAll);
        }
    }

    pub fn apply(&self, state: &mut State, action: Action) {
        let mutant = self.mutant;
        match action {
            Action::TickAll => {
                (0..NODES).for_each(|id| state.tick(id));
                state.clock += u8::from(self.scenario.ticks.is_some());
            }
            Action::Tick(id) => state.tick_ahead(id),
            Action::Beat(id, fate) => self.send_beat(state, id, fate),
            Action::BeatArrives(id) => state.beat_arrives(id),
            Action::BeatAnswered(id) => state.beat_answered(id, mutant),
            Action::BeatTimesOut(id) => state.beat_times_out(id),
            Action::StrayBeatArrives(id) => state.stray_beat_arrives(id),
            Action::Poll(id, fate) => {
                match fate {
                    Fate::Refused => state.read_failed(id),
                    Fate::Quick | Fate::Slow => state.read(id),
                }
                self.follow(state, id, fate);
            }
            Action::Kill(id, dead, fate) => {
                state.send_kill(id, dead);
                self.follow(state, id, fate);
            }
            Action::Change(id, next, fate) => {
                state.send_change(id, next);
                self.follow(state, id, fate);
            }
            Action::StepArrives(id) => step_arrives(state, id, mutant),
            Action::StepAnswered(id) => state.step_answered(id, mutant),
            Action::StepTimesOut(id) => state.step_times_out(id, mutant),
            Action::StrayKillArrives(id, dead) => state.stray_kill_arrives(id, dead),
            Action::StrayChangeArrives(id) => state.stray_change_arrives(id),
            Action::BeginHandoff(id, shard) => state.begin_handoff(id, shard, mutant),
            Action::Drained(id) => state.drained(id),
            Action::GiveUpHandoff(id) => state.nodes[id].handoff = Handoff::Idle,
            Action::Crash(id) => {
                state.left.crashes -= 1;
                state.end(id);
            }
            Action::Pause(id) => {
                state.left.pauses -= 1;
                state.nodes[id].life = Life::Paused;
                state.nodes[id].is_steady = false;
            }
            Action::Resume(id) => state.nodes[id].life = Life::Up,
            Action::RowIsLost(id) => state.row_is_lost(id),
            Action::OutageBegins => {
                state.left.outages -= 1;
                state.is_out = true;
            }
            Action::OutageEnds => {
                state.is_out = false;
                // What was refused is tried again within the tick.
                state.nodes.iter_mut().for_each(|node| node.has_beaten = false);
            }
        }
    }

    fn send_beat(&self, state: &mut State, id: Id, fate: Fate) {
        match fate {
            Fate::Refused => state.beat_refused(id),
            Fate::Quick => {
                state.send_beat(id);
                state.beat_arrives(id);
                state.beat_answered(id, self.mutant);
            }
            Fate::Slow => {
                state.left.slow -= 1;
                state.nodes[id].is_steady = false;
                state.send_beat(id);
            }
        }
    }

    fn follow(&self, state: &mut State, id: Id, fate: Fate) {
        match fate {
            Fate::Quick => {
                step_arrives(state, id, self.mutant);
                state.step_answered(id, self.mutant);
            }
            Fate::Slow => state.left.slow -= 1,
            Fate::Refused => state.left.slow -= u8::from(!state.is_out),
        }
    }
}

fn step_arrives(state: &mut State, id: Id, mutant: Option<Mutant>) {
    match state.nodes[id].step {
        Step::Killing(..) => state.kill_arrives(id, mutant),
        Step::Changing(..) => state.change_arrives(id, mutant),
        Step::Reading(..) | Step::Idle => {}
    }
}

impl State {
    /// What matters no more is made alike, so that fewer states differ. `wait` is how long a
    /// silence has to be to matter: shorter of an old version, it ends with the next read, and
    /// nothing is done before that one.
    pub fn settle(&mut self, wait: u8, counts_steadiness: bool) {
        self.use_what_is_open();
        for node in &mut self.nodes {
            node.beat.take_if(|beat| beat.call == BeatCall::Idle && beat.doubtful.is_none());
            node.is_steady &= counts_steadiness;
            for seen in &mut node.seen {
                if let Seen::Row { is_fresh: false, silent } = seen
                    && *silent < wait
                {
                    *silent = 0;
                }
            }
        }
    }
}
