//! Where effects go: from the entity that has them to the runtime of the entity they are for.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use barrow_cluster::transport::{Feed, Refusal};
use barrow_engine::entity::{EntityKey, EntityKind};
use bytes::Bytes;
use parking_lot::RwLock;

use super::outbox::{DeliveryError, SequencedEffect};
use super::remote::Request;

/// Takes effects for one kind of entity.
#[async_trait]
pub trait Receiver: Send + Sync + 'static {
    /// Returns once the target has applied the effect and that is durable.
    async fn receive(
        self: Arc<Self>,
        source: EntityKey,
        effect: SequencedEffect,
    ) -> Result<(), DeliveryError>;

    /// The source will send nothing up to this sequence again.
    async fn confirm(
        self: Arc<Self>,
        source: EntityKey,
        target: EntityKey,
        sequence: u64,
    ) -> Result<(), DeliveryError>;

    /// Answers another node about an entity whose shard is here.
    async fn answer(self: Arc<Self>, request: Request) -> Result<Bytes, Refusal>;

    /// Lets another node follow an entity whose shard is here.
    async fn follow(self: Arc<Self>, request: Request) -> Result<Feed, Refusal>;
}

/// Finds the receiver of an effect by the kind of its target. Runtimes register themselves;
/// an effect for a kind that is not there yet is sent again later.
#[derive(Default)]
pub struct EffectRouter {
    receivers: RwLock<HashMap<EntityKind, Weak<dyn Receiver>>>,
}

impl EffectRouter {
    pub fn register(&self, kind: EntityKind, receiver: Weak<dyn Receiver>) {
        self.receivers.write().insert(kind, receiver);
    }

    pub(super) fn receiver(&self, kind: EntityKind) -> Result<Arc<dyn Receiver>, DeliveryError> {
        self.receivers.read().get(&kind).and_then(Weak::upgrade).ok_or(DeliveryError)
    }
}
