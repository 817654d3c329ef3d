//! The stored form of an entity: what the runtime remembers of it, then the entity's own blob.
//!
//! The first byte is the form's version: a newer one than this build knows is refused, never
//! overwritten.

use barrow_engine::codec::{Reader, Writer};
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
        let mut writer = Writer::new(out, ENVELOPE_VERSION);
        writer.varint(self.version);
        writer.byte(u8::from(self.armed.is_some()));
        if let Some(armed) = self.armed {
            writer.time(armed);
        }
        self.memory.encode(&mut writer);
        self.outbox.encode(&mut writer);
        self.inbox.encode(&mut writer);
        E::encode(state, out);
    }

    pub fn decode<E: Entity>(id: u128, blob: &[u8]) -> Result<(Envelope, E::State), DecodeError> {
        // One version so far; a second one reads either here.
        let (_, mut reader) = Reader::open(blob, ENVELOPE_VERSION)?;
        let envelope = Self::decode_v1(&mut reader)?;
        let state = E::decode(id, reader.rest())?;
        Ok((envelope, state))
    }

    fn decode_v1(reader: &mut Reader<'_>) -> Result<Envelope, DecodeError> {
        let version = reader.varint()?;
        let armed = match reader.byte()? {
            0 => None,
            1 => Some(reader.time()?),
            _ => return Err(DecodeError::Damaged("a flag is neither 0 nor 1")),
        };
        let memory = KeyMemory::decode(reader)?;
        let outbox = Outbox::decode(reader)?;
        let inbox = Inbox::decode(reader)?;
        Ok(Envelope { version, armed, memory, outbox, inbox })
    }
}
