//! The stored form of an entity: what the runtime remembers of it, then the entity's own blob.
//!
//! Little-endian base-128 numbers; signed ones zigzag. The first byte is the form's version: a
//! newer one than this build knows is refused, never overwritten.

use barrow_engine::entity::{DecodeError, Entity};
use barrow_engine::time::Timestamp;

use super::memory::KeyMemory;
use super::outbox::{Inbox, Outbox};

/// The newest stored form that this build writes and reads.
pub const ENVELOPE_VERSION: u8 = 1;

/// What the runtime remembers of an entity, beside its state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Envelope {
    /// Counts the accepted changes; what clients see as the version.
    pub version: u64,
    /// When the entity's own timer is set to; it may be earlier than it needs to be.
    pub armed: Option<Timestamp>,
    pub memory: KeyMemory,
    pub outbox: Outbox,
    pub inbox: Inbox,
}

impl Envelope {
    pub fn encode<E: Entity>(&self, state: &E::State, out: &mut Vec<u8>) {
        out.push(ENVELOPE_VERSION);
        put_unsigned(out, self.version);
        match self.armed {
            None => out.push(0),
            Some(at) => {
                out.push(1);
                put_signed(out, at.0);
            }
        }
        self.memory.encode(out);
        self.outbox.encode(out);
        self.inbox.encode(out);
        E::encode(state, out);
    }

    pub fn decode<E: Entity>(id: u128, blob: &[u8]) -> Result<(Envelope, E::State), DecodeError> {
        let (&version, rest) = blob.split_first().ok_or(DecodeError::Damaged("empty"))?;
        if version != ENVELOPE_VERSION {
            return Err(match version {
                0 => DecodeError::Damaged("envelope version 0"),
                found => DecodeError::FutureVersion { found, supported: ENVELOPE_VERSION },
            });
        }
        let mut reader = Reader::new(rest);
        let envelope =
            Self::decode_v1(&mut reader).ok_or(DecodeError::Damaged("envelope cut or garbled"))?;
        let state = E::decode(id, reader.rest())?;
        Ok((envelope, state))
    }

    fn decode_v1(reader: &mut Reader<'_>) -> Option<Envelope> {
        let version = reader.unsigned()?;
        let armed = match reader.byte()? {
            0 => None,
            1 => Some(Timestamp(reader.signed()?)),
            _ => return None,
        };
        let memory = KeyMemory::decode(reader)?;
        let outbox = Outbox::decode(reader)?;
        let inbox = Inbox::decode(reader)?;
        Some(Envelope { version, armed, memory, outbox, inbox })
    }
}

pub(super) fn put_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_unsigned(out, (value << 1 ^ value >> 63) as u64);
}

/// Reads what the functions above wrote; `None` at the first thing that is not of the form.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes }
    }

    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.bytes.split_at_checked(count)?;
        self.bytes = tail;
        Some(head)
    }

    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte may hold one bit only.
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    pub fn signed(&mut self) -> Option<i64> {
        let value = self.unsigned()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}
