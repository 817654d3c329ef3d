//! A host for entities that derive nothing from elsewhere and whose readers may see the state
//! as it is.

use std::marker::PhantomData;

use async_trait::async_trait;
use barrow_engine::entity::{DecodeError, Portable};
use barrow_engine::time::Timestamp;
use bytes::Bytes;

use super::host::{Host, HostError, WireError};

pub struct PlainHost<E>(PhantomData<fn() -> E>);

impl<E> Default for PlainHost<E> {
    fn default() -> Self {
        PlainHost(PhantomData)
    }
}

#[async_trait]
impl<E> Host for PlainHost<E>
where
    E: Portable,
    E::State: Clone + Sync,
{
    type Entity = E;
    type Ask = ();
    type View = E::State;

    fn is_fresh(&self, _state: &E::State, _now: Timestamp) -> bool {
        true
    }

    async fn refresh(&self, _state: &mut E::State, _now: Timestamp) -> Result<(), HostError> {
        Ok(())
    }

    fn view(&self, state: &E::State, _version: u64, (): ()) -> Result<E::State, E::Rejection> {
        Ok(state.clone())
    }

    fn publication(&self, _state: &E::State, _version: u64) -> Option<E::State> {
        None
    }

    fn encode_command(&self, command: &E::Command, out: &mut Vec<u8>) {
        E::encode_command(command, out);
    }

    async fn decode_command(&self, bytes: &[u8]) -> Result<E::Command, WireError> {
        Ok(E::decode_command(bytes)?)
    }

    fn encode_ask(&self, (): &(), _out: &mut Vec<u8>) {}

    fn decode_ask(&self, _bytes: &[u8]) -> Result<(), DecodeError> {
        Ok(())
    }

    fn encode_view(&self, view: &E::State, out: &mut Vec<u8>) {
        E::encode(view, out);
    }

    fn decode_view(&self, id: u128, bytes: Bytes) -> Result<E::State, DecodeError> {
        E::decode(id, &bytes)
    }

    fn encode_rejection(&self, rejection: &E::Rejection, out: &mut Vec<u8>) {
        E::encode_rejection(rejection, out);
    }

    fn decode_rejection(&self, bytes: &[u8]) -> Result<E::Rejection, DecodeError> {
        E::decode_rejection(bytes)
    }
}
