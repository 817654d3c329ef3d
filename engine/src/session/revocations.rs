//! Tokens that were revoked before their time: who signed out is out, on every node.
//!
//! All revocations lie in a few rows, so that every node can hold all of them in memory and read
//! them anew each second. An entry is kept until the token would have expired anyway.

use crate::codec::{Reader, Writer};
use crate::entity::{Decision, DecodeError, Entity, EntityKey, EntityKind};
use crate::ids::SessionId;
use crate::time::Timestamp;

/// How many rows the revocations are spread over. Few, for every node reads them all each
/// second; several, so that sign-outs do not wait for one row. Fixed for ever: it is part of
/// stored keys.
pub const BUCKETS: u128 = 16;

/// The most revocations of one row that are still of use. At 11 bytes each a row stays under
/// 100 KB; all rows hold 131,072 people who signed out within one token's life.
pub const REVOCATIONS_MAX: usize = 8_192;

/// The newest stored form: how many, then for each the seconds since the one before, and the
/// session's hash.
const VERSION: u8 = 1;

/// 64 bits that stand for a session: half the room of its id. A session whose hash equals that
/// of a revoked one would be signed out too; among all sessions of a shop it will not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionHash(pub u64);

impl SessionHash {
    /// Fixed for ever: it is stored.
    pub fn of(session: SessionId) -> SessionHash {
        SessionHash(xxhash_rust::xxh3::xxh3_64(&session.0.to_be_bytes()))
    }
}

/// One row of revocations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RevokedSessions {
    /// By the end of the token's life, then by hash. Whole seconds, rounded up.
    entries: Vec<(u64, SessionHash)>,
}

impl RevokedSessions {
    /// Whether the row holds a revocation of this session.
    pub fn is_revoked(&self, session: SessionId) -> bool {
        let hash = SessionHash::of(session);
        self.entries.iter().any(|(_, revoked)| *revoked == hash)
    }

    /// Every revocation with the time until which it is of use, soonest first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (SessionHash, Timestamp)> {
        self.entries.iter().map(|(until_s, hash)| (*hash, from_seconds(*until_s)))
    }
}

fn to_seconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(0).div_ceil(1_000)
}

fn from_seconds(seconds: u64) -> Timestamp {
    Timestamp(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevocationsCommand {
    /// Revokes the session's tokens, of which the last expires at `until`.
    Revoke { session: SessionId, until: Timestamp },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevocationsEvent {
    hash: SessionHash,
    until_s: u64,
    /// What ended before is dropped on this occasion.
    now_s: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevocationsRejection {
    /// The row holds [`REVOCATIONS_MAX`] that are all still of use.
    Full,
}

/// The revocations, to the runtime.
#[derive(Debug)]
pub struct Revocations;

impl Revocations {
    /// The row that a session's revocation goes to.
    pub fn key(session: SessionId) -> EntityKey {
        EntityKey::new(EntityKind::Revocations, session.0 % BUCKETS)
    }

    /// All rows.
    pub fn keys() -> impl Iterator<Item = EntityKey> {
        (0..BUCKETS).map(|bucket| EntityKey::new(EntityKind::Revocations, bucket))
    }
}

impl Entity for Revocations {
    const KIND: EntityKind = EntityKind::Revocations;

    type State = RevokedSessions;
    type Command = RevocationsCommand;
    type Event = RevocationsEvent;
    type Rejection = RevocationsRejection;

    fn initial(_id: u128) -> RevokedSessions {
        RevokedSessions::default()
    }

    fn decide(
        state: &RevokedSessions,
        command: RevocationsCommand,
        now: Timestamp,
    ) -> Result<Decision<Self>, RevocationsRejection> {
        let RevocationsCommand::Revoke { session, until } = command;
        let (hash, until_s) = (SessionHash::of(session), to_seconds(until));
        let now_s = to_seconds(now);
        let known = state.entries.iter().find(|(_, revoked)| *revoked == hash);
        let is_over = until <= now;
        if is_over || known.is_some_and(|(known_s, _)| *known_s >= until_s) {
            return Ok(Decision::nothing());
        }
        let of_use = state.entries.iter().filter(|(until_s, _)| *until_s >= now_s).count();
        if known.is_none() && of_use >= REVOCATIONS_MAX {
            return Err(RevocationsRejection::Full);
        }
        Ok(Decision::event(RevocationsEvent { hash, until_s, now_s }))
    }

    fn apply(state: &mut RevokedSessions, event: RevocationsEvent) {
        state.entries.retain(|(until_s, hash)| *until_s >= event.now_s && *hash != event.hash);
        let entry = (event.until_s, event.hash);
        let place = state.entries.partition_point(|other| *other < entry);
        state.entries.insert(place, entry);
    }

    /// Nothing is urgent about dropping what is over: the next revocation does it.
    fn due(_state: &RevokedSessions) -> Option<Timestamp> {
        None
    }

    fn timer(_state: &RevokedSessions, _now: Timestamp) -> Option<RevocationsCommand> {
        None
    }

    fn receive(_source: EntityKey, _body: &[u8]) -> Result<RevocationsCommand, DecodeError> {
        Err(DecodeError::Damaged("nobody sends it messages"))
    }

    fn encode(state: &RevokedSessions, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out, VERSION);
        writer.varint(state.entries.len() as u64);
        let mut last = 0;
        for (until_s, hash) in &state.entries {
            writer.varint(until_s - last);
            writer.raw(&hash.0.to_be_bytes());
            last = *until_s;
        }
    }

    fn decode(_id: u128, blob: &[u8]) -> Result<RevokedSessions, DecodeError> {
        let (_, mut reader) = Reader::open(blob, VERSION)?;
        let count = reader.count(REVOCATIONS_MAX)?;
        let mut entries = Vec::with_capacity(count);
        let mut last = (0u64, SessionHash(0));
        for _ in 0..count {
            let until_s = last.0.checked_add(reader.varint()?);
            let until_s = until_s.ok_or(DecodeError::Damaged("a time out of range"))?;
            let entry = (until_s, SessionHash(u64::from_be_bytes(reader.array()?)));
            if entry < last {
                return Err(DecodeError::Damaged("the revocations are not in order"));
            }
            entries.push(entry);
            last = entry;
        }
        reader.finish()?;
        Ok(RevokedSessions { entries })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::RevocationsCommand::Revoke;
    use super::*;
    use crate::session::tests::{check_codec, check_golden, run};

    fn revoke(state: &mut RevokedSessions, session: u128, until_s: i64, now_s: i64) -> usize {
        let until = Timestamp(until_s * 1_000);
        let command = Revoke { session: SessionId(session), until };
        run::<Revocations>(state, command, Timestamp(now_s * 1_000)).unwrap()
    }

    #[test]
    fn what_was_revoked_stays_so_until_the_token_is_over() {
        let mut state = RevokedSessions::default();
        assert_eq!(revoke(&mut state, 1, 100, 0), 1);
        assert_eq!(revoke(&mut state, 2, 50, 0), 1);
        assert!(state.is_revoked(SessionId(1)));
        assert!(state.is_revoked(SessionId(2)));
        assert!(!state.is_revoked(SessionId(3)));
        revoke(&mut state, 3, 200, 50);
        assert!(state.is_revoked(SessionId(2)), "until its last second");
        revoke(&mut state, 4, 200, 51);
        assert!(!state.is_revoked(SessionId(2)));
        assert!(state.is_revoked(SessionId(1)));
    }

    #[test]
    fn revoking_again_prolongs_and_never_shortens() {
        let mut state = RevokedSessions::default();
        revoke(&mut state, 1, 100, 0);
        assert_eq!(revoke(&mut state, 1, 100, 0), 0);
        assert_eq!(revoke(&mut state, 1, 60, 0), 0);
        assert_eq!(revoke(&mut state, 1, 120, 0), 1);
        let hash = SessionHash::of(SessionId(1));
        let found: Vec<_> = state.entries().collect();
        assert_eq!(found, [(hash, Timestamp(120_000))]);
        assert_eq!(revoke(&mut state, 2, 10, 10), 0, "a token that is over needs no entry");
    }

    #[test]
    fn times_are_rounded_up() {
        let mut state = RevokedSessions::default();
        let command = Revoke { session: SessionId(1), until: Timestamp(1_001) };
        run::<Revocations>(&mut state, command, Timestamp(0)).unwrap();
        assert_eq!(state.entries().next().unwrap().1, Timestamp(2_000));
    }

    #[test]
    fn a_full_row_refuses_rather_than_forget_and_makes_room_in_time() {
        let entries = (0..REVOCATIONS_MAX as u64).map(|n| (100 + n / 8, SessionHash(n)));
        let mut state = RevokedSessions { entries: entries.collect() };
        let command = Revoke { session: SessionId(7), until: Timestamp(9_000_000) };
        let refused = run::<Revocations>(&mut state, command, Timestamp(0));
        assert_eq!(refused, Err(RevocationsRejection::Full));
        let mut blob = Vec::new();
        Revocations::encode(&state, &mut blob);
        assert!(blob.len() < 100_000, "{}", blob.len());
        assert_eq!(run::<Revocations>(&mut state, command, Timestamp(101_000)), Ok(1));
        assert_eq!(state.entries().len(), REVOCATIONS_MAX - 8 + 1);
    }

    #[test]
    fn every_session_has_a_row() {
        let keys: Vec<_> = Revocations::keys().collect();
        assert_eq!(keys.len(), 16);
        for session in [0, 1, 17, u128::MAX] {
            assert!(keys.contains(&Revocations::key(SessionId(session))));
        }
    }

    #[test]
    fn the_stored_form_never_changes() {
        check_golden::<Revocations>(include_str!("golden/revocations_v1.hex"), |state| {
            let found: Vec<_> = state.entries().collect();
            let hash = |session| SessionHash::of(SessionId(session));
            assert_eq!(hash(1), SessionHash(0x4152_418f_75dd_93bb));
            let expected =
                [(hash(2), Timestamp(1_700_000_000_000)), (hash(1), Timestamp(1_700_000_600_000))];
            assert_eq!(found, expected);
        });
    }

    proptest! {
        #[test]
        fn any_row_survives_the_store_and_any_damage(
            mut entries in prop::collection::vec((any::<u64>(), any::<u64>()), 0..40),
            noise: Vec<u8>,
            cut: prop::sample::Index,
        ) {
            entries.sort_unstable();
            let entries = entries.into_iter().map(|(s, hash)| (s, SessionHash(hash))).collect();
            check_codec::<Revocations>(&RevokedSessions { entries }, &noise, cut);
        }
    }
}
