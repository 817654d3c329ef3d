//! The least that the runtime can host: a number, and a store that has always written it.

use async_trait::async_trait;
use barrow_engine::codec::{Reader, Writer};
use barrow_engine::entity::{
    Decision, DecodeError, Entity, EntityKey, EntityKind, Portable, Shard,
};
use barrow_engine::ports::{CasOutcome, DueEntity, EntityStore, Expected, Row, StoreError};
use barrow_engine::time::Timestamp;

pub struct Counter;

/// Makes it one more.
#[derive(Debug)]
pub struct Raise;

impl Entity for Counter {
    const KIND: EntityKind = EntityKind::Probe;
    type State = u64;
    type Command = Raise;
    type Event = Raise;
    type Rejection = ();

    fn initial(_id: u128) -> u64 {
        0
    }

    fn decide(_: &u64, command: Raise, _: Timestamp) -> Result<Decision<Counter>, ()> {
        Ok(Decision::event(command))
    }

    fn apply(state: &mut u64, Raise: Raise) {
        *state += 1;
    }

    fn due(_: &u64) -> Option<Timestamp> {
        None
    }

    fn timer(_: &u64, _: Timestamp) -> Option<Raise> {
        None
    }

    fn receive(_: EntityKey, _: &[u8]) -> Result<Raise, DecodeError> {
        Err(DecodeError::Damaged("nobody sends it messages"))
    }

    fn encode(state: &u64, out: &mut Vec<u8>) {
        Writer::new(out, 1).varint(*state);
    }

    fn decode(_: u128, blob: &[u8]) -> Result<u64, DecodeError> {
        Reader::open(blob, 1)?.1.varint()
    }
}

impl Portable for Counter {
    fn encode_command(_: &Raise, out: &mut Vec<u8>) {
        Writer::new(out, 1);
    }

    fn decode_command(bytes: &[u8]) -> Result<Raise, DecodeError> {
        Reader::open(bytes, 1).map(|_| Raise)
    }

    fn encode_rejection((): &(), _out: &mut Vec<u8>) {}

    fn decode_rejection(_bytes: &[u8]) -> Result<(), DecodeError> {
        Ok(())
    }
}

/// Has nothing, and has written everything at once.
pub struct ReadyStore;

#[async_trait]
impl EntityStore for ReadyStore {
    async fn load(&self, _: EntityKey) -> Result<Option<Row>, StoreError> {
        Ok(None)
    }

    async fn cas(&self, _: EntityKey, _: Expected, _: Row) -> Result<CasOutcome, StoreError> {
        Ok(CasOutcome::Written)
    }

    async fn due(&self, _: &[Shard], _: Timestamp, _: usize) -> Result<Vec<DueEntity>, StoreError> {
        Ok(Vec::new())
    }

    fn durability(&self) -> &'static str {
        "nothing survives"
    }
}
