//! The control protocol as a model, of which every state is visited: all orders of events, within
//! a budget of faults. The simulation runs the real code under some schedules; this runs all
//! schedules of a smaller world: three nodes, two shards, and a lease of two ticks.
//!
//! **A tick** is a beat interval: whoever is not paused beats and then reads in each. Clocks
//! either tick together or are at most one tick apart at any time, so that of a watch of four
//! ticks two are left for a lease at the worst. A paused node does nothing while its clock runs
//! on, and then goes on with what it knew.
//!
//! **A call** is quick, or one of a budget of slow ones. A slow write arrives whenever, and its
//! answer comes whenever after that; the node may give it up at any time between, which leaves a
//! stray write that is applied at any later time or never. That is a delayed, a lost and an
//! ambiguous write in one, and also a node that is paused between what it decides and what it
//! sends. What a slow read says may be old. A read may also fail.
//!
//! **What each action stands for** in [`crate::node`]: those of a beat for `Node::beat` and
//! `beaten`, `Poll` for `polled` and with it `Watch::observe` and `learn`, `Kill` for `Step::Kill`
//! and `killed`, `Change` for `wanted_view` and `changed` (R8: the same one until its outcome is
//! known), `BeginHandoff`, `Drained` and `GiveUpHandoff` for `begin_handoff`, `drained` and
//! `give_up_handoff`. That a node serves is no action: it is what it might do in a state, by
//! `Shards::place` and its lease.
//!
//! **Left out**: which shard goes where (any member may get it, a handoff begins at will, and all
//! that one change gives away goes to one member); how long nodes let each other go first (any
//! order); that a read of all rows is not of one moment; joining and leaving, and with them the
//! first beats of a row (`Bug::RowRevived`); views that cannot be read; how a host drains. A node
//! that has ended is gone for good: it would be another member.

mod act;
mod action;
mod state;
mod table;
mod tests;

use stateright::{Model, Property};

use self::action::Action;
use self::state::{Budget, Id, Life, NODES, Node, Row, SHARDS, State, View};

/// How long a beat lets its sender serve: `crate::LEASE`.
const LEASE: u8 = 2;

/// Reads further apart leave a gap: `GAP_MAX` of `node::watch`.
const READ_GAP: u8 = LEASE;

/// Silence of a node that is dead: a lease, and as much as clocks can differ in that time.
const WATCH: u8 = LEASE + 2;

/// How long a row is gone before its node is buried by whoever did not remove it.
const GONE_WAIT: u8 = LEASE + 2;

const NOT_SERVED_TWICE: &str = "no shard is served by two nodes";
const DRAINED_BEFORE: &str = "what is given away was drained, or its lease is over";
const NO_STEADY_KILLED: &str = "nobody is killed who beat whenever the table let it";
const TAKEN_OVER: &str = "a crashed node's shard is served again";
const HANDED_OVER: &str = "a shard is handed over and served there";
const FENCED: &str = "a node that was taken for dead lives on, and serves nothing";
const ALL_SERVED: &str = "every shard is served again";

/// A rule that is broken, to see that it is needed and that the model has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// A node is dead after half a lease of silence (R5).
    EarlyTakeOver,
    /// A node is dead after a lease of silence on whatever clock (R5).
    NoMargin,
    /// A row is removed at whatever version it has (R7).
    UnconditionalKill,
    /// The shards of a node without a row are given away when that is seen (R7).
    GoneGrantedAtOnce,
    /// Silence goes on while reads fail, or are not made.
    FailedPollsCounted,
    /// After a change of unknown outcome the shard is taken up again (R8).
    UnknownChangeServed,
    /// The view is changed while the shard is being drained (R5).
    HandoffUndrained,
    /// The lease begins when the answer comes.
    LeaseFromAnswer,
    /// A beat that is found written is a lease from the last time that it was sent.
    LeaseFromRepeat,
    /// The view is written whatever is there.
    UnconditionalChange,
}

/// What a model is explored under.
#[derive(Debug, Clone, Copy)]
struct Scenario {
    budget: Budget,
    /// Clocks drift apart by up to a tick; otherwise they tick together.
    has_skew: bool,
    /// Nodes do all they can in each tick, and no call outlasts one.
    is_prompt: bool,
    /// A node has crashed as it all begins.
    has_crashed: bool,
    /// After so many ticks no time passes any more. Clocks tick together then.
    ticks: Option<u8>,
    /// What has to come about at least once.
    sometimes: &'static [&'static str],
}

#[derive(Debug, Clone)]
struct ControlModel {
    scenario: Scenario,
    mutant: Option<Mutant>,
}

impl ControlModel {
    /// Three members; the first two have a shard each, which they have just beaten for.
    fn start(&self) -> State {
        let view = View { version: 1, owner: [0, 1], epoch: [1; SHARDS], members: [true; NODES] };
        let mut state = State {
            rows: [Row::Known; NODES],
            is_out: false,
            nodes: std::array::from_fn(|id: Id| Node::new(id, &view)),
            view,
            left: self.scenario.budget,
            clock: 0,
            has_killed_steady: false,
        };
        if self.scenario.has_crashed {
            state.end(0);
        }
        state.settle(act::silence(self.mutant), self.counts_steadiness());
        state
    }

    fn counts_steadiness(&self) -> bool {
        self.scenario.budget.outages > 0
    }
}

impl Model for ControlModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for id in 0..NODES {
            self.actions_of(state, id, actions);
            self.accidents_of(state, id, actions);
        }
        self.ticks(state, actions);
        if state.is_out {
            actions.push(Action::OutageEnds);
        } else if state.left.outages > 0 {
            actions.push(Action::OutageBegins);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        self.apply(&mut state, action);
        state.settle(act::silence(self.mutant), self.counts_steadiness());
        Some(state)
    }

    fn properties(&self) -> Vec<Property<ControlModel>> {
        let mut all = vec![
            Property::always(NOT_SERVED_TWICE, |_, state: &State| {
                (0..SHARDS).all(|shard| state.servers(shard) < 2)
            }),
            Property::always(DRAINED_BEFORE, |_, state: &State| {
                (0..SHARDS).all(|shard| !state.is_given_away_undrained(shard))
            }),
        ];
        if self.counts_steadiness() {
            all.push(Property::always(NO_STEADY_KILLED, |_, state: &State| {
                !state.has_killed_steady
            }));
        }
        all.extend(self.scenario.sometimes.iter().map(|name| match *name {
            TAKEN_OVER => Property::sometimes(TAKEN_OVER, |_, state: &State| {
                state.view.members.contains(&false) && state.are_all_served()
            }),
            HANDED_OVER => Property::sometimes(HANDED_OVER, |_, state: &State| {
                !state.view.members.contains(&false)
                    && state.view.version > 1
                    && state.are_all_served()
            }),
            _ => Property::sometimes(FENCED, |_, state: &State| {
                let mut nodes = state.nodes.iter().zip(state.view.members);
                nodes.any(|(node, is_member)| node.life == Life::Up && !is_member)
            }),
        }));
        if self.scenario.ticks.is_some() {
            all.push(Property::always(ALL_SERVED, |model: &ControlModel, state: &State| {
                model.scenario.ticks != Some(state.clock) || state.are_all_served()
            }));
        }
        all
    }
}
