//! What an entity remembers of the keys it was sent (rule R6).
//!
//! A command that may be sent twice carries its client's key; the row remembers it: the last 16
//! and all of the last five minutes, at most 1,024. A full memory refuses rather than forget.
//! The hashes are stored, so how they are made is fixed for ever.

use std::collections::VecDeque;
use std::time::Duration;

use barrow_engine::codec::{Reader, Writer};
use barrow_engine::entity::DecodeError;
use barrow_engine::time::Timestamp;

/// So many keys are remembered however old they are.
pub const KEYS_MIN: usize = 16;
/// So long a key is remembered however many came after it.
pub const KEY_AGE_MIN: Duration = Duration::from_secs(300);
/// More are never remembered: 1,024 keys are 16 KB of every write.
pub const KEYS_MAX: usize = 1_024;

/// A client's key, and what it was sent with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// 64 bits of the key's hash.
    pub key_hash: u64,
    /// 32 bits of the hash of what was sent.
    pub payload_hash: u32,
}

impl IdempotencyKey {
    /// `payload` is whatever makes two uses of the key the same command.
    pub fn new(key: &[u8], payload: &[u8]) -> IdempotencyKey {
        IdempotencyKey {
            key_hash: xxhash_rust::xxh3::xxh3_64(key),
            payload_hash: xxhash_rust::xxh3::xxh3_64(payload) as u32,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Remembered {
    key: IdempotencyKey,
    /// The entity's version after the command.
    version: u64,
    at: Timestamp,
}

/// The keys an entity remembers, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KeyMemory {
    keys: VecDeque<Remembered>,
}

/// What the memory says of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recall {
    New,
    /// Seen, with the same payload; the version then made.
    Seen(u64),
    /// Seen, with another payload.
    Reused,
    /// New, and there is no room for it.
    Full,
}

impl KeyMemory {
    pub fn recall(&self, key: IdempotencyKey, now: Timestamp) -> Recall {
        if let Some(seen) = self.keys.iter().rev().find(|k| k.key.key_hash == key.key_hash) {
            return if seen.key.payload_hash == key.payload_hash {
                Recall::Seen(seen.version)
            } else {
                Recall::Reused
            };
        }
        match self.keys.front() {
            Some(oldest) if self.keys.len() >= KEYS_MAX && !expired(oldest, now) => Recall::Full,
            _ => Recall::New,
        }
    }

    /// Remembers a key that [`KeyMemory::recall`] called new, and forgets what it may.
    pub fn remember(&mut self, key: IdempotencyKey, version: u64, now: Timestamp) {
        self.keys.push_back(Remembered { key, version, at: now });
        while self.keys.len() > KEYS_MIN && self.keys.front().is_some_and(|k| expired(k, now)) {
            self.keys.pop_front();
        }
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// About 15 bytes a key: hashes as they are, version and time as differences.
    pub fn encode(&self, writer: &mut Writer<'_>) {
        writer.varint(self.keys.len() as u64);
        let (mut version, mut at) = (0, 0);
        for seen in &self.keys {
            writer.raw(&seen.key.key_hash.to_le_bytes());
            writer.raw(&seen.key.payload_hash.to_le_bytes());
            writer.varint(seen.version.wrapping_sub(version));
            writer.time(Timestamp(seen.at.0.wrapping_sub(at)));
            (version, at) = (seen.version, seen.at.0);
        }
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<KeyMemory, DecodeError> {
        let count = reader.count(KEYS_MAX)?;
        let (mut version, mut at) = (0u64, 0i64);
        let mut keys = VecDeque::with_capacity(count + 1);
        for _ in 0..count {
            let key_hash = u64::from_le_bytes(reader.array()?);
            let payload_hash = u32::from_le_bytes(reader.array()?);
            version = version.wrapping_add(reader.varint()?);
            at = at.wrapping_add(reader.time()?.0);
            let key = IdempotencyKey { key_hash, payload_hash };
            keys.push_back(Remembered { key, version, at: Timestamp(at) });
        }
        Ok(KeyMemory { keys })
    }
}

/// Older than it must be remembered. A clock that went back makes keys younger, never older.
fn expired(seen: &Remembered, now: Timestamp) -> bool {
    now.since(seen.at) > KEY_AGE_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> IdempotencyKey {
        IdempotencyKey { key_hash: n, payload_hash: n as u32 }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp(secs * 1_000)
    }

    #[test]
    fn hashes_are_fixed_for_ever() {
        let key = IdempotencyKey::new(b"0123456789abcdef", b"add MUG-BLUE 2");
        assert_eq!((key.key_hash, key.payload_hash), (7_224_786_756_799_439_149, 3_939_146_724));
    }

    #[test]
    fn the_last_sixteen_are_kept_however_old() {
        let mut memory = KeyMemory::default();
        for n in 0..40 {
            memory.remember(key(n), n, at(n as i64 * 1_000));
        }
        assert_eq!(memory.len(), KEYS_MIN);
        assert_eq!(memory.recall(key(24), at(1_000_000)), Recall::Seen(24));
        assert_eq!(memory.recall(key(23), at(1_000_000)), Recall::New);
    }

    #[test]
    fn all_of_five_minutes_are_kept_up_to_the_limit_which_refuses() {
        let mut memory = KeyMemory::default();
        for n in 0..KEYS_MAX as u64 {
            assert_eq!(memory.recall(key(n), at(0)), Recall::New);
            memory.remember(key(n), n, at(0));
        }
        assert_eq!(memory.recall(key(0), at(300)), Recall::Seen(0));
        assert_eq!(memory.recall(key(5_000), at(300)), Recall::Full);
        assert_eq!(memory.recall(key(5_000), at(301)), Recall::New);
        memory.remember(key(5_000), 5_000, at(301));
        assert_eq!(memory.len(), KEYS_MIN);
    }

    #[test]
    fn another_payload_under_a_used_key_is_told() {
        let mut memory = KeyMemory::default();
        memory.remember(key(1), 1, at(0));
        let other = IdempotencyKey { payload_hash: 99, ..key(1) };
        assert_eq!(memory.recall(other, at(0)), Recall::Reused);
    }

    #[test]
    fn the_stored_form_gives_the_same_memory_back() {
        let mut memory = KeyMemory::default();
        for n in 0..20 {
            memory.remember(key(n << 40), n * 3, at(1_800_000_000 + n as i64));
        }
        let mut blob = Vec::new();
        memory.encode(&mut Writer::new(&mut blob, 1));
        assert!(blob.len() <= 20 * 16 + 8, "{} bytes", blob.len());
        let (_, mut reader) = Reader::open(&blob, 1).unwrap();
        assert_eq!(KeyMemory::decode(&mut reader), Ok(memory));
    }
}
