//! A stored row of an entity: what the runtime remembers of it, then the entity's own blob.
//!
//! The first byte is the [form](super::form): a newer one than this build knows is refused, never
//! overwritten.

#[cfg(any(test, feature = "planted"))]
mod next;
#[cfg(test)]
mod tests;

use barrow_engine::codec::{Reader, Writer};
use barrow_engine::entity::{DecodeError, Entity};
use barrow_engine::time::Timestamp;

use super::form::FORM;
use super::memory::KeyMemory;
use super::outbox::{Inbox, Outbox};

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
    /// Appends it in that form, which must be one that this build knows.
    pub fn encode<E: Entity>(&self, state: &E::State, form: u8, out: &mut Vec<u8>) {
        #[cfg(any(test, feature = "planted"))]
        if form == super::form::NEXT_FORM {
            return next::encode::<E>(self, state, out);
        }
        debug_assert_eq!(form, FORM, "there is no other one");
        let mut writer = Writer::new(out, FORM);
        writer.varint(self.version);
        write_armed(self.armed, &mut writer);
        self.memory.encode(&mut writer);
        self.outbox.encode(&mut writer);
        self.inbox.encode(&mut writer);
        E::encode(state, out);
    }

    /// Reads any form up to `reads`.
    pub fn decode<E: Entity>(
        id: u128,
        blob: &[u8],
        reads: u8,
    ) -> Result<(Envelope, E::State), DecodeError> {
        let (form, mut reader) = Reader::open(blob, reads)?;
        match form {
            FORM => {
                let envelope = Self::decode_v1(&mut reader)?;
                Ok((envelope, E::decode(id, reader.rest())?))
            }
            #[cfg(any(test, feature = "planted"))]
            super::form::NEXT_FORM => next::decode::<E>(id, reader),
            found => Err(DecodeError::FutureVersion { found, supported: FORM }),
        }
    }

    fn decode_v1(reader: &mut Reader<'_>) -> Result<Envelope, DecodeError> {
        let version = reader.varint()?;
        let armed = read_armed(reader)?;
        let memory = KeyMemory::decode(reader)?;
        let outbox = Outbox::decode(reader)?;
        let inbox = Inbox::decode(reader)?;
        Ok(Envelope { version, armed, memory, outbox, inbox })
    }
}

fn write_armed(armed: Option<Timestamp>, writer: &mut Writer<'_>) {
    writer.byte(u8::from(armed.is_some()));
    if let Some(armed) = armed {
        writer.time(armed);
    }
}

fn read_armed(reader: &mut Reader<'_>) -> Result<Option<Timestamp>, DecodeError> {
    match reader.byte()? {
        0 => Ok(None),
        1 => Ok(Some(reader.time()?)),
        _ => Err(DecodeError::Damaged("a flag is neither 0 nor 1")),
    }
}
