//! A host for entities that derive nothing from elsewhere and whose readers may see the state
//! as it is.

use std::marker::PhantomData;

use async_trait::async_trait;
use barrow_engine::entity::Entity;
use barrow_engine::time::Timestamp;

use super::host::{Host, HostError};

pub struct PlainHost<E>(PhantomData<fn() -> E>);

impl<E> Default for PlainHost<E> {
    fn default() -> Self {
        PlainHost(PhantomData)
    }
}

#[async_trait]
impl<E> Host for PlainHost<E>
where
    E: Entity,
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
}
