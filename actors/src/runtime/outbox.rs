//! Effects under way: what an entity still has to tell others, and what it heard from them.
//!
//! An effect is part of the row until its target has it. It goes out at least once and takes
//! effect once: the target remembers the last sequence number per source until the source
//! confirms that it will not send that one again, and a while longer.

use barrow_engine::codec::{Reader, Writer};
use barrow_engine::entity::{DecodeError, Effect, EntityKey};

/// More effects of one entity are never pending; a command that would make more is refused.
pub(super) const PENDING_MAX: usize = 16;
/// The largest body of an effect: it is part of every write until it is delivered.
const BODY_BYTES_MAX: usize = 1_024;
/// More sources are never remembered; a further one is asked to try again.
const SOURCES_MAX: usize = 256;
/// So many sources are remembered beyond their confirmation.
const CONFIRMED_MAX: usize = 8;

/// An effect with its place in its source's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequencedEffect {
    /// From 1, without gaps, per source.
    pub sequence: u64,
    pub effect: Effect,
}

/// The target could not take an effect now; it is sent again later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the effect could not be delivered now")]
pub struct DeliveryError;

/// What an entity has yet to tell, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outbox {
    last_sequence: u64,
    pending: Vec<SequencedEffect>,
    /// Delivered and not in the row's pending list any more, but not yet confirmed to the
    /// target: its key and the sequence. Rides in the next write, and costs none of its own.
    unconfirmed: Vec<(EntityKey, u64)>,
}

impl Outbox {
    pub fn has_room(&self, more: usize) -> bool {
        self.pending.len() + more <= PENDING_MAX
    }

    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    pub fn push(&mut self, effect: Effect) {
        debug_assert!(effect.body.len() <= BODY_BYTES_MAX, "an effect's body is bounded");
        self.last_sequence += 1;
        self.pending.push(SequencedEffect { sequence: self.last_sequence, effect });
    }

    pub fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    pub fn first(&self) -> Option<&SequencedEffect> {
        self.pending.first()
    }

    /// The target has it.
    pub fn delivered(&mut self, sequence: u64) {
        let Some(at) = self.pending.iter().position(|e| e.sequence == sequence) else { return };
        let done = self.pending.remove(at);
        self.unconfirmed.retain(|(target, _)| *target != done.effect.target);
        if self.unconfirmed.len() == PENDING_MAX {
            self.unconfirmed.remove(0);
        }
        self.unconfirmed.push((done.effect.target, sequence));
    }

    pub fn unconfirmed(&self) -> Vec<(EntityKey, u64)> {
        self.unconfirmed.clone()
    }

    /// The target has forgotten it.
    pub fn confirmed(&mut self, target: EntityKey, sequence: u64) {
        self.unconfirmed.retain(|entry| *entry != (target, sequence));
    }

    pub fn encode(&self, writer: &mut Writer<'_>) {
        writer.varint(self.last_sequence);
        writer.varint(self.pending.len() as u64);
        for pending in &self.pending {
            writer.varint(pending.sequence);
            writer.raw(&pending.effect.target.to_bytes());
            writer.varint(pending.effect.body.len() as u64);
            writer.raw(&pending.effect.body);
        }
        writer.varint(self.unconfirmed.len() as u64);
        for (target, sequence) in &self.unconfirmed {
            writer.raw(&target.to_bytes());
            writer.varint(*sequence);
        }
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Outbox, DecodeError> {
        let last_sequence = reader.varint()?;
        let mut pending: Vec<SequencedEffect> = Vec::new();
        for _ in 0..reader.count(PENDING_MAX)? {
            let sequence = reader.varint()?;
            let before = pending.last().map_or(0, |effect| effect.sequence);
            // Out of order, the target would take a later one for a repeat, and lose it.
            if sequence <= before || sequence > last_sequence {
                return Err(DecodeError::Damaged("its effects are not in their order"));
            }
            let target = read_key(reader)?;
            let length = reader.count(BODY_BYTES_MAX)?;
            let body = reader.raw(length)?.to_vec();
            pending.push(SequencedEffect { sequence, effect: Effect { target, body } });
        }
        let mut unconfirmed = Vec::new();
        for _ in 0..reader.count(PENDING_MAX)? {
            let target = read_key(reader)?;
            unconfirmed.push((target, reader.varint()?));
        }
        Ok(Outbox { last_sequence, pending, unconfirmed })
    }
}

/// What an entity heard from others: the last sequence number of each source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Inbox {
    /// In the order in which they were last heard of.
    heard: Vec<Heard>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Heard {
    source: EntityKey,
    last: u64,
    /// The source sends nothing up to there again. A copy may still be under way between nodes,
    /// so it is forgotten only when there is no room.
    confirmed: bool,
}

/// What the inbox says of an effect that arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    New,
    Seen,
    Full,
}

impl Inbox {
    pub fn arrival(&self, source: EntityKey, sequence: u64) -> Arrival {
        match self.heard.iter().find(|heard| heard.source == source) {
            Some(heard) if sequence <= heard.last => Arrival::Seen,
            None if self.unconfirmed() >= SOURCES_MAX => Arrival::Full,
            _ => Arrival::New,
        }
    }

    fn unconfirmed(&self) -> usize {
        self.heard.iter().filter(|heard| !heard.confirmed).count()
    }

    pub fn remember(&mut self, source: EntityKey, sequence: u64) {
        self.heard.retain(|heard| heard.source != source);
        self.heard.push(Heard { source, last: sequence, confirmed: false });
        self.tidy();
    }

    /// The source will not send this one, or one before it, again.
    pub fn confirm(&mut self, source: EntityKey, sequence: u64) {
        let heard = self.heard.iter_mut().find(|heard| heard.source == source);
        if let Some(heard) = heard.filter(|heard| heard.last <= sequence) {
            heard.confirmed = true;
            self.tidy();
        }
    }

    /// Forgets the oldest of too many confirmed sources.
    fn tidy(&mut self) {
        let confirmed = self.heard.len() - self.unconfirmed();
        for _ in CONFIRMED_MAX..confirmed {
            if let Some(oldest) = self.heard.iter().position(|heard| heard.confirmed) {
                self.heard.remove(oldest);
            }
        }
    }

    pub fn encode(&self, writer: &mut Writer<'_>) {
        writer.varint(self.heard.len() as u64);
        for heard in &self.heard {
            writer.raw(&heard.source.to_bytes());
            writer.varint(heard.last);
            writer.byte(heard.confirmed.into());
        }
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Inbox, DecodeError> {
        let mut heard = Vec::new();
        for _ in 0..reader.count(SOURCES_MAX + CONFIRMED_MAX)? {
            let (source, last) = (read_key(reader)?, reader.varint()?);
            let confirmed = match reader.byte()? {
                0 => false,
                1 => true,
                _ => return Err(DecodeError::Damaged("a flag is neither 0 nor 1")),
            };
            heard.push(Heard { source, last, confirmed });
        }
        Ok(Inbox { heard })
    }
}

fn read_key(reader: &mut Reader<'_>) -> Result<EntityKey, DecodeError> {
    EntityKey::from_bytes(reader.raw(EntityKey::LEN)?)
        .ok_or(DecodeError::Damaged("it names an entity of an unknown kind"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrow_engine::entity::EntityKind;

    fn key(id: u128) -> EntityKey {
        EntityKey::new(EntityKind::Probe, id)
    }

    #[test]
    fn an_effect_is_new_once_and_a_copy_that_comes_late_is_known() {
        let mut inbox = Inbox::default();
        assert_eq!(inbox.arrival(key(1), 1), Arrival::New);
        inbox.remember(key(1), 1);
        assert_eq!(inbox.arrival(key(1), 1), Arrival::Seen);
        assert_eq!(inbox.arrival(key(1), 2), Arrival::New);
        inbox.remember(key(1), 2);
        inbox.confirm(key(1), 1);
        assert_eq!(inbox.unconfirmed(), 1, "a late confirmation confirms no more");
        inbox.confirm(key(1), 2);
        assert_eq!(inbox.unconfirmed(), 0);
        assert_eq!(inbox.arrival(key(1), 2), Arrival::Seen);
        assert_eq!(inbox.arrival(key(1), 3), Arrival::New);
    }

    #[test]
    fn more_sources_than_are_remembered_are_asked_to_wait() {
        let mut inbox = Inbox::default();
        (0..SOURCES_MAX as u128).for_each(|id| inbox.remember(key(id), 7));
        let stranger = key(u128::MAX);
        assert_eq!(inbox.arrival(stranger, 1), Arrival::Full);
        assert_eq!(inbox.arrival(key(3), 8), Arrival::New, "who is known goes on");
        inbox.confirm(key(3), 7);
        assert_eq!(inbox.arrival(stranger, 1), Arrival::New);
    }

    #[test]
    fn of_the_confirmed_the_last_few_are_remembered() {
        let mut inbox = Inbox::default();
        for id in 0..CONFIRMED_MAX as u128 + 1 {
            inbox.remember(key(id), 1);
            inbox.confirm(key(id), 1);
        }
        assert_eq!(inbox.heard.len(), CONFIRMED_MAX);
        assert_eq!(inbox.arrival(key(0), 1), Arrival::New, "the oldest is forgotten");
        assert_eq!(inbox.arrival(key(1), 1), Arrival::Seen);
        let mut blob = Vec::new();
        inbox.encode(&mut Writer::new(&mut blob, 1));
        assert_eq!(Inbox::decode(&mut Reader::open(&blob, 1).unwrap().1), Ok(inbox));
    }

    #[test]
    fn of_many_confirmations_that_wait_the_latest_are_kept() {
        let mut outbox = Outbox::default();
        for n in 1..=PENDING_MAX as u64 + 1 {
            assert!(outbox.has_room(1));
            outbox.push(Effect { target: key(n.into()), body: Vec::new() });
            outbox.delivered(n);
        }
        let waiting: Vec<u64> = outbox.unconfirmed().iter().map(|(_, n)| *n).collect();
        assert_eq!(waiting, (2..=PENDING_MAX as u64 + 1).collect::<Vec<_>>());
    }

    #[test]
    fn effects_out_of_their_order_are_damage() {
        let decoded = |sequences: &[u64], last_sequence| {
            let effect = Effect { target: key(1), body: Vec::new() };
            let pending =
                sequences.iter().map(|n| SequencedEffect { sequence: *n, effect: effect.clone() });
            let outbox =
                Outbox { last_sequence, pending: pending.collect(), unconfirmed: Vec::new() };
            let mut blob = Vec::new();
            outbox.encode(&mut Writer::new(&mut blob, 1));
            Outbox::decode(&mut Reader::open(&blob, 1).unwrap().1)
        };
        assert!(decoded(&[2, 4], 4).is_ok());
        for (sequences, last) in [(&[4, 2][..], 4), (&[2, 2], 4), (&[0], 4), (&[5], 4)] {
            assert!(decoded(sequences, last).is_err(), "{sequences:?} of {last}");
        }
    }

    #[test]
    fn effects_leave_in_order_and_the_stored_form_keeps_them() {
        let mut outbox = Outbox::default();
        for n in 1..=3 {
            outbox.push(Effect { target: key(n), body: vec![n as u8; 3] });
        }
        outbox.delivered(1);
        assert_eq!(outbox.first().map(|e| e.sequence), Some(2));
        assert_eq!(outbox.unconfirmed(), vec![(key(1), 1)]);
        let mut blob = Vec::new();
        outbox.encode(&mut Writer::new(&mut blob, 1));
        let (_, mut reader) = Reader::open(&blob, 1).unwrap();
        assert_eq!(Outbox::decode(&mut reader), Ok(outbox.clone()));
        outbox.confirmed(key(1), 1);
        assert!(outbox.unconfirmed().is_empty());
    }
}
