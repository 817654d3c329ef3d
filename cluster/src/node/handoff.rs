//! Handing shards over, R5: they are closed, drained, and only then given to their new owner, by
//! one change of the view. One batch is under way at a time.

use std::time::Duration;

use super::{Effect, Node};
use crate::planted::{Bug, is_planted};
use crate::{MemberId, SHARDS, View, plan};

/// How soon a batch is begun again that could not be drained.
const AGAIN_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Handoff {
    Idle,
    /// Nothing is let into them any more, and what they hold is being stored.
    Draining(Batch),
    /// Nothing of them is in memory: they wait for the change of the view.
    Drained(Batch),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    /// Shards with the epochs of the terms that end.
    shards: Vec<(u16, u64)>,
    /// All that a leaving node still has, and that nobody takes.
    is_last: bool,
}

impl Handoff {
    pub fn is_last(&self) -> bool {
        matches!(self, Handoff::Drained(batch) if batch.is_last)
    }

    pub fn shards(self) -> Vec<u16> {
        match self {
            Handoff::Idle => Vec::new(),
            Handoff::Draining(batch) | Handoff::Drained(batch) => {
                batch.shards.into_iter().map(|(shard, _)| shard).collect()
            }
        }
    }

    /// Forgets shards whose term has ended.
    pub fn keep_terms(&mut self, view: &View, me: MemberId) {
        let (Handoff::Draining(batch) | Handoff::Drained(batch)) = self else { return };
        batch.shards.retain(|(shard, epoch)| {
            let term = view.terms[usize::from(*shard)];
            term.owner == Some(me) && term.epoch == *epoch
        });
    }
}

impl Node {
    /// Closes the next batch, and answers what is to be drained.
    pub(super) fn begin_handoff(&mut self, uptime: Duration) -> Option<Vec<u16>> {
        if !self.was_member || self.handoff != Handoff::Idle || uptime < self.handoff_due {
            return None;
        }
        let me = self.me.id;
        let size = match self.leaving {
            Some(_) => self.settings.draining_batch,
            None => self.settings.batch,
        };
        let wanted = plan::outgoing(&self.view, me, size);
        let mut shards: Vec<u16> = wanted.into_iter().map(|(shard, _)| shard).collect();
        let is_last = self.leaving.is_some() && shards.is_empty();
        if is_last {
            shards = self.view.shards_of(me).collect();
        } else if shards.is_empty() {
            // Nothing changes before the view does.
            self.handoff_due = Duration::MAX;
            return None;
        }
        let epoch = |shard: &u16| self.view.terms[usize::from(*shard)].epoch;
        let with_epochs = shards.iter().map(|shard| (*shard, epoch(shard))).collect();
        let batch = Batch { shards: with_epochs, is_last };
        self.effects.push(Effect::Close(shards.clone()));
        self.handoff = match is_planted(Bug::HandoffUndrained) {
            true => Handoff::Drained(batch),
            false => Handoff::Draining(batch),
        };
        Some(shards)
    }

    /// Whether the shards of [`super::Step::Drain`] are drained. If not, they are taken up again.
    pub fn drained(&mut self, is_drained: bool, uptime: Duration) {
        match std::mem::replace(&mut self.handoff, Handoff::Idle) {
            Handoff::Draining(batch) if is_drained => self.handoff = Handoff::Drained(batch),
            Handoff::Draining(batch) => {
                self.handoff = Handoff::Draining(batch);
                self.give_up_handoff();
                self.handoff_due = uptime + AGAIN_INTERVAL;
            }
            other => self.handoff = other,
        }
    }

    /// The drained shards that the plan still wants elsewhere, and where.
    fn outgoing(&self, view: &View, batch: &Batch) -> Vec<(u16, MemberId)> {
        let wanted = plan::outgoing(view, self.me.id, SHARDS).into_iter();
        let is_drained = |shard: u16| batch.shards.iter().any(|(drained, _)| *drained == shard);
        wanted.filter(|(shard, _)| is_drained(*shard)).collect()
    }

    /// Gives away what is drained.
    pub(super) fn hand_over(&self, next: &mut View) {
        let Handoff::Drained(batch) = &self.handoff else { return };
        if batch.is_last {
            return plan::leave(next, self.me.id);
        }
        for (shard, to) in self.outgoing(next, batch) {
            next.give(shard, Some(to));
        }
    }

    /// Takes up again what was drained and has to go nowhere any more: the view has changed
    /// meanwhile, or the rest of the batch is gone.
    pub(super) fn give_up_unwanted(&mut self) {
        let Handoff::Drained(batch) = &self.handoff else { return };
        if !batch.is_last && self.outgoing(&self.view, batch).is_empty() {
            self.give_up_handoff();
        }
    }
}
