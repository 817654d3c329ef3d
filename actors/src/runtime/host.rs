//! What the runtime asks of the world on behalf of one kind of entity.

use async_trait::async_trait;
use barrow_engine::entity::Entity;
use barrow_engine::time::Timestamp;

/// What an entity derives from elsewhere cannot be brought up to date now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HostError(pub String);

/// Hosts one kind of entity: keeps what its state derives from elsewhere fresh, and shows it.
#[async_trait]
pub trait Host: Send + Sync + 'static {
    type Entity: Entity;
    /// What a caller wants to see.
    type Ask: Send + 'static;
    /// What a caller gets to see.
    type View: Send + Sync + Clone + 'static;

    /// Whether what the state derives from elsewhere still holds. Asked before each message:
    /// it must be cheap.
    fn is_fresh(&self, state: &State<Self>, now: Timestamp) -> bool;

    /// Brings it up to date; asked after a load and whenever it is not fresh. It may read, but
    /// never write: the actor stands still meanwhile. When it fails, a hot entity goes on with
    /// what it had; one that is being activated does not come up.
    async fn refresh(&self, state: &mut State<Self>, now: Timestamp) -> Result<(), HostError>;

    /// Shows the state to a caller, or refuses to.
    fn view(
        &self,
        state: &State<Self>,
        version: u64,
        ask: Self::Ask,
    ) -> Result<Self::View, Rejection<Self>>;

    /// What subscribers get after a change; `None` where there is nothing to subscribe to.
    fn publication(&self, state: &State<Self>, version: u64) -> Option<Self::View>;
}

pub(super) type State<H> = <<H as Host>::Entity as Entity>::State;
pub(super) type Command<H> = <<H as Host>::Entity as Entity>::Command;
pub(super) type Rejection<H> = <<H as Host>::Entity as Entity>::Rejection;
