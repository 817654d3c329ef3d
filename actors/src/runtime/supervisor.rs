//! One supervisor per shard: it hears of each actor that ends, and how.

use std::sync::Weak;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::actor::FAILED;
use super::directory::Shared;
use super::host::Host;

/// Restarts nothing by itself: an entity comes back when somebody asks for it, and one that
/// failed not before a rest that doubles, so that a poisoned cart costs the others nothing.
pub(super) struct ShardSupervisor<H: Host>(pub Weak<Shared<H>>);

impl<H: Host> Actor for ShardSupervisor<H> {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(
        &self,
        _myself: ActorRef<()>,
        _arguments: (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<()>,
        event: SupervisionEvent,
        _state: &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let Some(shared) = self.0.upgrade() else {
            myself.stop(None);
            return Ok(());
        };
        match event {
            SupervisionEvent::ActorTerminated(actor, _, reason) => {
                shared.ended(actor.get_id(), reason.as_deref() == Some(FAILED));
            }
            SupervisionEvent::ActorFailed(actor, error) => {
                tracing::error!(%error, "an actor failed");
                shared.ended(actor.get_id(), true);
            }
            _ => {}
        }
        Ok(())
    }
}
