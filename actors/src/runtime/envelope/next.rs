//! The form of the build to come, for tests: the parts in another order, behind a hash of them.
//! Nothing of it can be taken for the form before.

use barrow_engine::codec::{Reader, Writer};
use barrow_engine::entity::{DecodeError, Entity};
use xxhash_rust::xxh3::xxh3_64;

use super::super::form::NEXT_FORM;
use super::{Envelope, Inbox, KeyMemory, Outbox, read_armed, write_armed};

pub(super) fn encode<E: Entity>(envelope: &Envelope, state: &E::State, out: &mut Vec<u8>) {
    let mut parts = Vec::with_capacity(512);
    let mut writer = Writer::new(&mut parts, NEXT_FORM);
    envelope.inbox.encode(&mut writer);
    envelope.outbox.encode(&mut writer);
    envelope.memory.encode(&mut writer);
    write_armed(envelope.armed, &mut writer);
    writer.varint(envelope.version);
    E::encode(state, &mut parts);
    let mut writer = Writer::new(out, NEXT_FORM);
    writer.raw(&xxh3_64(&parts).to_be_bytes());
    writer.raw(&parts);
}

pub(super) fn decode<E: Entity>(
    id: u128,
    mut reader: Reader<'_>,
) -> Result<(Envelope, E::State), DecodeError> {
    let hash = u64::from_be_bytes(reader.array()?);
    let parts = reader.rest();
    if xxh3_64(parts) != hash {
        return Err(DecodeError::Damaged("its hash is another"));
    }
    let (_, mut reader) = Reader::open(parts, NEXT_FORM)?;
    let inbox = Inbox::decode(&mut reader)?;
    let outbox = Outbox::decode(&mut reader)?;
    let memory = KeyMemory::decode(&mut reader)?;
    let armed = read_armed(&mut reader)?;
    let version = reader.varint()?;
    let state = E::decode(id, reader.rest())?;
    Ok((Envelope { version, armed, memory, outbox, inbox }, state))
}
