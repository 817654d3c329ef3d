//! What the runtime asks of the world on behalf of one kind of entity.

use async_trait::async_trait;
use barrow_engine::entity::{DecodeError, Entity};
use barrow_engine::time::Timestamp;
use bytes::Bytes;

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

    /// Appends a command as the owner of its entity reads it, on another node.
    fn encode_command(&self, command: &Command<Self>, out: &mut Vec<u8>);

    /// Reads a command of another node, and adds to it what this node has to know of itself.
    async fn decode_command(&self, bytes: &[u8]) -> Result<Command<Self>, WireError>;

    fn encode_ask(&self, ask: &Self::Ask, out: &mut Vec<u8>);

    fn decode_ask(&self, bytes: &[u8]) -> Result<Self::Ask, DecodeError>;

    fn encode_view(&self, view: &Self::View, out: &mut Vec<u8>);

    /// Reads the view of the entity with that id.
    fn decode_view(&self, id: u128, bytes: Bytes) -> Result<Self::View, DecodeError>;

    fn encode_rejection(&self, rejection: &Rejection<Self>, out: &mut Vec<u8>);

    fn decode_rejection(&self, bytes: &[u8]) -> Result<Rejection<Self>, DecodeError>;
}

/// Why a command of another node cannot be decided here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It is of a later build, or damaged.
    #[error(transparent)]
    Unreadable(#[from] DecodeError),
    /// What it needs is not known here now.
    #[error("{0}")]
    Unavailable(String),
}

pub(super) type State<H> = <<H as Host>::Entity as Entity>::State;
pub(super) type Command<H> = <<H as Host>::Entity as Entity>::Command;
pub(super) type Rejection<H> = <<H as Host>::Entity as Entity>::Rejection;
