//! The keys that sign shop tokens: one row, made at the first start, so that tokens stay good
//! across restarts. A token names its key by a small id.

use std::fmt;

use crate::codec::{Reader, Writer};
use crate::entity::{Decision, DecodeError, Entity, EntityKey, EntityKind};
use crate::time::Timestamp;

/// The most keys. One signs; the others are those that two nodes made at the same first start,
/// and tokens may be signed by either.
pub const SIGNING_KEYS_MAX: usize = 16;

/// The newest stored form: how many, then for each its secret and when it was made. The place
/// is the id.
const VERSION: u8 = 1;

/// What a token calls its key, from 1, in the order in which the keys were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SigningKeyId(pub u8);

/// A key. Its secret never appears in a log: `Debug` leaves it out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SigningKey {
    pub id: SigningKeyId,
    pub secret: [u8; 32],
    pub created_at: Timestamp,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("SigningKey");
        debug.field("id", &self.id).field("created_at", &self.created_at).finish_non_exhaustive()
    }
}

/// All keys, by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SigningKeyRing {
    keys: Vec<SigningKey>,
}

impl SigningKeyRing {
    pub fn keys(&self) -> &[SigningKey] {
        &self.keys
    }

    /// The key that signs new tokens: the first. Every node sees the same one, whatever keys
    /// were added in the meantime.
    pub fn signing(&self) -> Option<&SigningKey> {
        self.keys.first()
    }

    /// The key that a token names.
    pub fn key(&self, id: SigningKeyId) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    fn add(&mut self, secret: [u8; 32], created_at: Timestamp) {
        let place = u8::try_from(self.keys.len() + 1).expect("there are few keys");
        self.keys.push(SigningKey { id: SigningKeyId(place), secret, created_at });
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SigningKeysCommand {
    /// Adds a key; one that is there already changes nothing.
    Add { secret: [u8; 32], created_at: Timestamp },
}

impl fmt::Debug for SigningKeysCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SigningKeysCommand::Add { created_at, .. } = self;
        f.debug_struct("Add").field("created_at", created_at).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SigningKeysEvent {
    Added { secret: [u8; 32], created_at: Timestamp },
}

impl fmt::Debug for SigningKeysEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SigningKeysEvent::Added { created_at, .. } = self;
        f.debug_struct("Added").field("created_at", created_at).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningKeysRejection {
    /// There are [`SIGNING_KEYS_MAX`] keys.
    Full,
}

/// The signing keys, to the runtime.
#[derive(Debug)]
pub struct SigningKeys;

impl SigningKeys {
    /// The one row.
    pub fn key() -> EntityKey {
        EntityKey::new(EntityKind::SigningKeys, 0)
    }
}

impl Entity for SigningKeys {
    const KIND: EntityKind = EntityKind::SigningKeys;

    type State = SigningKeyRing;
    type Command = SigningKeysCommand;
    type Event = SigningKeysEvent;
    type Rejection = SigningKeysRejection;

    fn initial(_id: u128) -> SigningKeyRing {
        SigningKeyRing::default()
    }

    fn decide(
        state: &SigningKeyRing,
        command: SigningKeysCommand,
        _now: Timestamp,
    ) -> Result<Decision<Self>, SigningKeysRejection> {
        let SigningKeysCommand::Add { secret, created_at } = command;
        if state.keys.iter().any(|key| key.secret == secret) {
            return Ok(Decision::nothing());
        }
        if state.keys.len() >= SIGNING_KEYS_MAX {
            return Err(SigningKeysRejection::Full);
        }
        Ok(Decision::event(SigningKeysEvent::Added { secret, created_at }))
    }

    fn apply(state: &mut SigningKeyRing, event: SigningKeysEvent) {
        let SigningKeysEvent::Added { secret, created_at } = event;
        state.add(secret, created_at);
    }

    fn due(_state: &SigningKeyRing) -> Option<Timestamp> {
        None
    }

    fn timer(_state: &SigningKeyRing, _now: Timestamp) -> Option<SigningKeysCommand> {
        None
    }

    fn receive(_source: EntityKey, _body: &[u8]) -> Result<SigningKeysCommand, DecodeError> {
        Err(DecodeError::Damaged("nobody sends it messages"))
    }

    fn encode(state: &SigningKeyRing, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out, VERSION);
        writer.varint(state.keys.len() as u64);
        for key in &state.keys {
            writer.raw(&key.secret);
            writer.time(key.created_at);
        }
    }

    fn decode(_id: u128, blob: &[u8]) -> Result<SigningKeyRing, DecodeError> {
        let (_, mut reader) = Reader::open(blob, VERSION)?;
        let mut ring = SigningKeyRing::default();
        for _ in 0..reader.count(SIGNING_KEYS_MAX)? {
            ring.add(reader.array()?, reader.time()?);
        }
        reader.finish()?;
        Ok(ring)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::SigningKeysCommand::Add;
    use super::*;
    use crate::session::tests::{check_codec, check_golden, run};

    fn add(ring: &mut SigningKeyRing, secret: u8) -> Result<usize, SigningKeysRejection> {
        let command = Add { secret: [secret; 32], created_at: Timestamp(i64::from(secret)) };
        run::<SigningKeys>(ring, command, Timestamp(0))
    }

    #[test]
    fn keys_are_numbered_and_the_first_signs() {
        let mut ring = SigningKeyRing::default();
        assert_eq!(ring.signing(), None);
        assert_eq!(add(&mut ring, 9), Ok(1));
        assert_eq!(add(&mut ring, 9), Ok(0), "the same key again");
        assert_eq!(add(&mut ring, 4), Ok(1));
        assert_eq!(ring.signing().map(|key| (key.id.0, key.secret[0])), Some((1, 9)));
        assert_eq!(ring.key(SigningKeyId(2)).map(|key| key.secret[0]), Some(4));
        assert_eq!(ring.key(SigningKeyId(3)), None);
    }

    #[test]
    fn a_full_ring_refuses() {
        let mut ring = SigningKeyRing::default();
        for secret in 0..SIGNING_KEYS_MAX as u8 {
            add(&mut ring, secret).unwrap();
        }
        assert_eq!(add(&mut ring, 99), Err(SigningKeysRejection::Full));
        assert_eq!(add(&mut ring, 0), Ok(0));
    }

    #[test]
    fn secrets_are_not_printed() {
        let secret = [0xab; 32];
        let created_at = Timestamp(0);
        let mut ring = SigningKeyRing::default();
        ring.add(secret, created_at);
        let added = SigningKeysEvent::Added { secret, created_at };
        let printed = format!("{ring:?} {added:?} {:?}", Add { secret, created_at });
        assert!(!printed.contains("171") && !printed.contains("ab, ab"), "{printed}");
    }

    #[test]
    fn the_stored_form_never_changes() {
        check_golden::<SigningKeys>(include_str!("golden/signing_keys_v1.hex"), |ring| {
            let found: Vec<_> =
                ring.keys().iter().map(|key| (key.id.0, key.secret, key.created_at.0)).collect();
            let expected = [(1, [0x11; 32], 1_700_000_000_000), (2, [0x22; 32], -1)];
            assert_eq!(found, expected);
        });
    }

    proptest! {
        #[test]
        fn any_ring_survives_its_row_and_any_damage(
            keys in prop::collection::vec((any::<[u8; 32]>(), any::<i64>()), 0..SIGNING_KEYS_MAX),
            noise: Vec<u8>,
            cut: prop::sample::Index,
        ) {
            let mut ring = SigningKeyRing::default();
            keys.into_iter().for_each(|(secret, at)| ring.add(secret, Timestamp(at)));
            check_codec::<SigningKeys>(&ring, &noise, cut);
        }
    }
}
