//! A node's own heartbeat row: who it is, how it is reached, and that it lives. The row's version
//! counts the beats, and each beat is a lease from the moment it was *sent*.
//!
//! A beat of unknown outcome is repeated as it was until its outcome is known. Found to have been
//! written by an earlier one of those, it is a lease from the first of them: who watches the row
//! may have seen it since then.
//!
//! Each repeat leaves a copy that may reach the table at any later time. Could such copies make
//! the row again after it was removed, and bring it to the version that the node knows, then a
//! node that was taken for dead would beat on. So a node is no member before one of its beats was
//! written that was sent only once: no copy leads past that version.

use std::time::Duration;

use super::{Answer, Write, row_key};
use crate::planted::{Bug, is_planted};
use crate::{BEAT_INTERVAL, ControlError, ControlOutcome, LEASE, MemberId, Peer};

/// How soon a beat is repeated that did not succeed.
const REPEAT_INTERVAL: Duration = Duration::from_millis(250);

/// The most names of unreachable members in a row: they are for people.
const UNREACHABLE_MAX: usize = 16;

#[derive(Debug, Clone)]
pub(super) struct Heart {
    peer: Peer,
    /// Of the row as far as it is known; 0 before it is made.
    version: u64,
    pending: Option<Pending>,
    /// When the next beat leaves; `None` while one is under way.
    due: Option<Duration>,
    valid_until: Duration,
    /// A beat was written that was sent only once.
    is_proven: bool,
}

/// The beat that leads to the next version.
#[derive(Debug, Clone)]
struct Pending {
    value: Vec<u8>,
    /// When it was last sent.
    sent: Duration,
    /// When the first one was sent that may have been written.
    doubtful: Option<Duration>,
}

/// What an answer says of the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    Beaten,
    /// Nothing for certain.
    Again,
    /// The row is gone, or another's.
    Lost,
}

impl Heart {
    pub fn new(peer: Peer) -> Heart {
        Heart {
            peer,
            version: 0,
            pending: None,
            due: Some(Duration::ZERO),
            valid_until: Duration::ZERO,
            is_proven: false,
        }
    }

    pub fn id(&self) -> MemberId {
        self.peer.id
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn valid_until(&self) -> Duration {
        self.valid_until
    }

    /// No copy of a former write can be taken for a beat of this node.
    pub fn is_proven(&self) -> bool {
        self.is_proven || (self.version > 0 && is_planted(Bug::RowRevived))
    }

    /// The row was found at another version than was known: a beat of ours was written meanwhile.
    pub fn found_at(&mut self, version: u64) {
        self.version = version;
    }

    pub fn fence(&mut self) {
        self.valid_until = Duration::ZERO;
    }

    /// Names members for the next beats to tell of.
    pub fn note_unreachable(&mut self, mut names: Vec<String>) {
        names.truncate(UNREACHABLE_MAX);
        self.peer.unreachable = names;
    }

    /// The beat to send now, or when the next one is due; neither while one is under way.
    pub fn beat(&mut self, uptime: Duration) -> Result<Write, Option<Duration>> {
        match self.due {
            Some(due) if due <= uptime => {}
            due => return Err(due),
        }
        self.due = None;
        let pending = self.pending.get_or_insert_with(|| Pending {
            value: serde_json::to_vec(&self.peer).expect("a peer is plain data"),
            sent: uptime,
            doubtful: None,
        });
        pending.sent = uptime;
        let (key, value) = (row_key(self.peer.id), pending.value.clone());
        Ok(Write { key, expected: self.version, value })
    }

    /// What became of the beat that was sent last.
    pub fn answered(&mut self, answer: &Answer, uptime: Duration) -> Heard {
        let Some(pending) = &mut self.pending else { return Heard::Again };
        let sent = pending.sent;
        match answer {
            Ok(ControlOutcome::Written) => {
                self.is_proven |= pending.doubtful.is_none();
                self.beaten(sent, sent + BEAT_INTERVAL);
                Heard::Beaten
            }
            Ok(ControlOutcome::Conflict(Some(row)))
                if row.version == self.version + 1 && row.value == pending.value =>
            {
                let first = match is_planted(Bug::LeaseFromRepeat) {
                    true => sent,
                    false => pending.doubtful.unwrap_or(sent),
                };
                // The lease may have been used up meanwhile: the next beat leaves at once.
                self.beaten(first, uptime);
                Heard::Beaten
            }
            Ok(ControlOutcome::Conflict(_)) => Heard::Lost,
            Err(error) => {
                if matches!(error, ControlError::OutcomeUnknown(_)) {
                    pending.doubtful.get_or_insert(sent);
                }
                self.due = Some(uptime.max(sent + REPEAT_INTERVAL));
                Heard::Again
            }
        }
    }

    fn beaten(&mut self, sent: Duration, due: Duration) {
        self.version += 1;
        self.pending = None;
        self.due = Some(due);
        self.valid_until = self.valid_until.max(sent + LEASE);
    }
}
