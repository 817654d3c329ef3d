//! Changes of the view: what this node wants of it, and what became of its last wish.

use std::sync::Arc;
use std::time::Duration;

use super::{Answer, Effect, Handoff, Node, RETRY_INTERVAL, VIEW_KEY, Write};
use crate::plan::{self, JoinError};
use crate::planted::{Bug, is_planted};
use crate::{ControlError, ControlOutcome, View, ViewError};

/// A change that was sent, and whose outcome is not known.
#[derive(Debug, Clone)]
pub(super) struct Change {
    expected: u64,
    next: View,
    value: Vec<u8>,
    /// A write of it may have been applied, or may yet be.
    is_doubtful: bool,
}

impl Change {
    pub fn new(expected: u64, next: View) -> Change {
        let next = View { version: expected + 1, ..next };
        let value = next.encode();
        Change { expected, next, value, is_doubtful: false }
    }

    pub fn write(&self) -> Write {
        let (key, value) = (VIEW_KEY.to_owned(), self.value.clone());
        Write { key, expected: self.expected, value }
    }
}

impl Node {
    /// The view as it should be next, if it should be another.
    pub(super) fn wanted_view(&mut self, uptime: Duration) -> Option<View> {
        let mut next = View::clone(&self.view);
        if !self.was_member {
            match plan::join(&mut next, self.me.clone()) {
                Ok(()) => {}
                Err(JoinError::Full) => {
                    tracing::warn!("the cluster is full: this node waits until one leaves");
                    return None;
                }
                Err(JoinError::TooOld { form }) => {
                    self.refuse(form);
                    return None;
                }
            }
        } else {
            let delay = self.delay(uptime);
            for dead in self.watch.buriable(&self.view, uptime, delay) {
                tracing::warn!(node = %dead, "a dead node's shards go to others");
                plan::bury(&mut next, dead);
            }
            let me = self.me.id;
            let is_drained = next.member(me).is_some_and(|member| member.draining);
            if self.leaving.is_some() && !is_drained {
                plan::drain(&mut next, me);
            }
            self.hand_over(&mut next);
            self.raise_form(&mut next, uptime);
        }
        let ownerless: Vec<_> =
            plan::plan(&next).into_iter().filter(|wanted| wanted.from.is_none()).collect();
        let is_same = next == *self.view;
        if is_same && !self.is_turn_to_give(!ownerless.is_empty(), uptime) {
            return None;
        }
        plan::apply(&mut next, &ownerless);
        (next != *self.view).then_some(next)
    }

    /// Shards that nobody owns go with any change; one for their sake alone is made by the node
    /// whose turn it is.
    fn is_turn_to_give(&mut self, has_ownerless: bool, uptime: Duration) -> bool {
        if !has_ownerless {
            self.ownerless_since = None;
            return false;
        }
        let since = *self.ownerless_since.get_or_insert(uptime);
        uptime.saturating_sub(since) >= self.delay(uptime)
    }

    /// What became of a change of the view. R8: if that is unknown, the same one is repeated
    /// until it is known, or a later version is seen.
    pub fn changed(&mut self, answer: &Answer, uptime: Duration) {
        let found = match answer {
            Ok(ControlOutcome::Conflict(Some(row))) => self.decode(row),
            _ => Ok(View::default()),
        };
        let Some(change) = &mut self.change else { return };
        match answer {
            Ok(ControlOutcome::Written) => {
                let next = change.next.clone();
                self.learn(next, uptime);
            }
            Ok(ControlOutcome::Conflict(_)) => match found {
                Ok(view) => drop(self.learn(view, uptime)),
                // A later build has changed it: this change was not made, or was before that.
                Err(ViewError::FutureForm { .. } | ViewError::Damaged(_)) => {
                    self.change = None;
                    self.is_unreadable = true;
                    self.poll_due = uptime;
                }
            },
            Err(error) => {
                change.is_doubtful |= matches!(error, ControlError::OutcomeUnknown(_));
                self.act_due = uptime + RETRY_INTERVAL;
                if !change.is_doubtful {
                    self.change = None;
                } else if is_planted(Bug::UnknownChangeServed) {
                    self.change = None;
                    self.give_up_handoff();
                }
            }
        }
    }

    /// Takes a view that is in the table; whether this node goes on.
    pub(super) fn learn(&mut self, view: View, uptime: Duration) -> bool {
        if view.version < self.view.version {
            self.evicted("the table has lost a view that was written");
            return false;
        }
        let me = view.member(self.me.id);
        let is_decided = self.change.as_ref().is_some_and(|change| change.expected < view.version);
        if self.was_member && me.is_none() {
            let has_left = self.handoff.is_last() && self.change.is_some();
            match has_left {
                true => self.removals = Some(0),
                false => self.evicted("the view does not name it any more"),
            }
            return false;
        }
        self.was_member |= me.is_some();
        if is_decided {
            self.change = None;
        }
        let is_new = view.version > self.view.version;
        self.view = Arc::new(view);
        self.effects.push(Effect::Install(self.view.clone(), self.peers.clone()));
        if is_new {
            self.handoff.keep_terms(&self.view, self.me.id);
            self.handoff_due = self.handoff_due.min(uptime);
        }
        true
    }

    /// Nothing of the batch leaves any more: its shards are taken up again.
    pub(super) fn give_up_handoff(&mut self) {
        let shards = std::mem::replace(&mut self.handoff, Handoff::Idle).shards();
        if !shards.is_empty() {
            self.effects.push(Effect::Reopen(shards));
        }
    }
}
