//! Entities whose shard is on another node: what is asked of them goes there, and what other
//! nodes ask of ours is answered here.

use std::sync::Arc;

use barrow_cluster::transport::{self, Refusal};
use barrow_cluster::{Place, RouteError, Routed, Router};
use barrow_engine::entity::{DecodeError, EntityKey};
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::actor::Message;
use super::directory::{Shared, Undispatched};
use super::gate::Answer;
use super::handle::{Feed, subscribe_here};
use super::host::{Host, Rejection, WireError};
use super::machine::Order;
use super::outbox::{DeliveryError, SequencedEffect};
use super::planted::{Bug, is_planted};
use super::remote::{self, Asked, Request};
use super::spawn::spawn;
use super::{CommandError, Reply};

type Failure<H> = CommandError<Rejection<H>>;

/// What it means for the entity that no answer came to what was asked of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Silence {
    /// It was only read.
    Harmless,
    /// It may have changed.
    Open,
}

impl<H: Host> Shared<H> {
    fn router(&self) -> Result<&Router, Failure<H>> {
        self.ownership.elsewhere().ok_or_else(|| self.unavailable())
    }

    /// Asks the owner of the entity's shard; `None` if that is this node by now.
    async fn ask(
        &self,
        key: EntityKey,
        payload: Bytes,
        repeatable: bool,
        silence: Silence,
    ) -> Option<Answer<H>> {
        let (router, _permit) = match (self.router(), self.permit()) {
            (Ok(router), Ok(permit)) => (router, permit),
            (Err(error), _) | (_, Err(error)) => return Some(Err(error)),
        };
        match router.call(key.shard().index(), payload, repeatable).await {
            Ok(Routed::Here) => None,
            Ok(Routed::There(bytes)) => {
                let answer = remote::decode_answer(&*self.host, key.id, &bytes);
                Some(answer.unwrap_or_else(|error| Err(self.unreadable(&error, silence))))
            }
            Err(error) => Some(Err(self.no_answer(error, silence))),
        }
    }

    fn no_answer(&self, error: RouteError, silence: Silence) -> Failure<H> {
        match error {
            RouteError::Overloaded => self.overloaded(),
            RouteError::Unknown if silence == Silence::Open => CommandError::OutcomeUnknown,
            RouteError::Unknown | RouteError::Unavailable => self.unavailable(),
        }
    }

    fn unreadable(&self, error: &DecodeError, silence: Silence) -> Failure<H> {
        tracing::warn!(%error, "an answer of another node cannot be read");
        self.no_answer(RouteError::Unknown, silence)
    }

    /// Has the owner decide a command; `None` if that is this node by now.
    pub async fn execute_elsewhere(&self, key: EntityKey, order: &Order<H>) -> Option<Answer<H>> {
        let payload = remote::command(&*self.host, key, order);
        let repeatable = order.key.is_some() || is_planted(Bug::ForwardedAgain);
        self.ask(key, payload, repeatable, Silence::Open).await
    }

    pub async fn read_elsewhere(&self, key: EntityKey, ask: &H::Ask) -> Option<Answer<H>> {
        self.ask(key, remote::read(&*self.host, key, ask), true, Silence::Harmless).await
    }

    /// Follows the entity at its owner; `None` if that is this node by now.
    pub async fn follow_elsewhere(
        &self,
        key: EntityKey,
        ask: &H::Ask,
    ) -> Result<Option<Feed<H>>, Failure<H>> {
        let payload = remote::subscribe(&*self.host, key, ask);
        let opened = self.router()?.open(key.shard().index(), payload).await;
        let mut messages = match opened {
            Ok(Routed::Here) => return Ok(None),
            Ok(Routed::There(messages)) => messages,
            Err(error) => return Err(self.no_answer(error, Silence::Harmless)),
        };
        let first = messages.recv().await.ok_or_else(|| self.unavailable())?;
        let first = remote::decode_answer(&*self.host, key.id, &first);
        let first = first.map_err(|error| self.unreadable(&error, Silence::Harmless))??;
        Ok(Some(Feed::there(first, self.host.clone(), key.id, messages)))
    }

    /// Has the target's owner take an effect. It does not wait for a shard that moves: the effect
    /// is in the source's row, and is sent again.
    pub async fn receive_elsewhere(
        &self,
        source: EntityKey,
        effect: &SequencedEffect,
    ) -> Result<(), DeliveryError> {
        let target = effect.effect.target;
        self.tell(target, remote::receive(source, effect)).await
    }

    pub async fn confirm_elsewhere(
        &self,
        source: EntityKey,
        target: EntityKey,
        sequence: u64,
    ) -> Result<(), DeliveryError> {
        self.tell(target, remote::confirm(source, target, sequence)).await
    }

    async fn tell(&self, target: EntityKey, payload: Bytes) -> Result<(), DeliveryError> {
        let router = self.ownership.elsewhere().ok_or(DeliveryError)?;
        let shard = target.shard().index();
        let Place::There(_) = router.shards().place(shard) else { return Err(DeliveryError) };
        match router.call(shard, payload, true).await {
            Ok(Routed::There(_)) => Ok(()),
            _ => Err(DeliveryError),
        }
    }

    /// Answers another node about an entity whose shard is here.
    pub async fn answer_here(self: &Arc<Self>, request: Request) -> Result<Bytes, Refusal> {
        let Request { key, asked } = request;
        let answer = match asked {
            Asked::Command { key: idempotency_key, expected_version, ask, rest } => {
                let command = match self.host.decode_command(&rest).await {
                    Ok(command) => command,
                    Err(WireError::Unreadable(_)) => return Err(Refusal::Unreadable),
                    Err(WireError::Unavailable(why)) => {
                        tracing::warn!(entity = %key, why, "a command of another node is refused");
                        return Err(Refusal::Unavailable);
                    }
                };
                let ask = self.host.decode_ask(&ask).map_err(|_| Refusal::Unreadable)?;
                let order = Order { command, ask, key: idempotency_key, expected_version };
                let (to, reply) = oneshot::channel();
                let message = |ticket| Message::Command { order, to, ticket };
                self.dispatch(key, message).await.map_err(|error| self.refusal(error))?;
                reply.await.unwrap_or(Err(CommandError::OutcomeUnknown))
            }
            Asked::Read { ask } => {
                let ask = self.host.decode_ask(&ask).map_err(|_| Refusal::Unreadable)?;
                let (to, reply) = oneshot::channel();
                let message = |ticket| Message::Read { ask, to, ticket };
                self.dispatch(key, message).await.map_err(|error| self.refusal(error))?;
                reply.await.unwrap_or_else(|_| Err(self.unavailable()))
            }
            Asked::Receive { source, effect } => {
                let (to, receipt) = oneshot::channel();
                let message = |ticket| Message::Receive { source, effect, to, ticket };
                self.dispatch(key, message).await.map_err(|error| self.refusal(error))?;
                let taken = receipt.await.unwrap_or(Err(DeliveryError));
                return taken.map(|()| Bytes::new()).map_err(|_| Refusal::Unavailable);
            }
            Asked::Confirm { source, sequence } => {
                let message = |ticket| Message::Forget { source, sequence, ticket };
                self.dispatch(key, message).await.map_err(|error| self.refusal(error))?;
                return Ok(Bytes::new());
            }
            // A feed is opened, not called for.
            Asked::Subscribe { .. } => return Err(Refusal::Unreadable),
        };
        Ok(remote::encode_answer(&*self.host, &answer))
    }

    fn refusal(&self, error: Undispatched<Rejection<H>>) -> Refusal {
        match error {
            Undispatched::Elsewhere => {
                // It left between the look and the call: the next view has it elsewhere.
                let view = self.ownership.elsewhere().map_or(0, |r| r.shards().view().version);
                Refusal::Moved { view: view + 1 }
            }
            Undispatched::Refused(CommandError::Overloaded { .. }) => Refusal::Overloaded,
            Undispatched::Refused(_) => Refusal::Unavailable,
        }
    }

    /// Lets another node follow an entity whose shard is here. The first message is the answer to
    /// its question; after a refusal there is no other.
    pub async fn follow_here(
        self: &Arc<Self>,
        request: Request,
    ) -> Result<transport::Feed, Refusal> {
        let Request { key, asked: Asked::Subscribe { ask } } = request else {
            return Err(Refusal::Unreadable);
        };
        let ask = self.host.decode_ask(&ask).map_err(|_| Refusal::Unreadable)?;
        let feed = match subscribe_here(self, key, ask).await {
            Ok(feed) => Ok(feed),
            Err(Undispatched::Refused(error)) => Err(error),
            Err(gone @ Undispatched::Elsewhere) => return Err(self.refusal(gone)),
        };
        // One message on the way: while its reader is slow the feed skips what comes between.
        let (to, messages) = mpsc::channel(1);
        let host = self.host.clone();
        spawn(async move {
            match feed {
                Err(error) => {
                    drop(to.send(remote::encode_answer(&*host, &Err(error))).await);
                }
                Ok(mut feed) => loop {
                    let reply = tokio::select! {
                        biased;
                        () = to.closed() => return,
                        reply = feed.next() => reply,
                    };
                    let Some(reply) = reply else { return };
                    if to.send(remote::encode_answer(&*host, &Ok(reply))).await.is_err() {
                        return;
                    }
                },
            }
        });
        Ok(messages)
    }
}

/// The messages of a feed at another node, as replies.
pub(super) async fn next_there<H: Host>(
    host: &H,
    id: u128,
    messages: &mut transport::Feed,
) -> Option<Reply<H::View>> {
    let message = messages.recv().await?;
    match remote::decode_answer(host, id, &message) {
        Ok(answer) => answer.ok(),
        Err(error) => {
            tracing::warn!(%error, "a message of another node cannot be read");
            None
        }
    }
}
