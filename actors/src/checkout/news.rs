//! The carts' news that they were frozen. They are told again until the order has come to an end,
//! so that whatever crashes, somebody drives every checkout.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use barrow_cluster::transport::{Feed, Refusal};
use barrow_engine::cart::CheckoutNews;
use barrow_engine::entity::{EntityKey, EntityKind};
use barrow_engine::ids::CartId;
use bytes::Bytes;

use super::{CheckoutError, Inner, Progress};
use crate::runtime::{DeliveryError, Receiver, Request, SequencedEffect};

/// How long the cart's actor waits for the end of a checkout. It is told again after that.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// How long the request that froze a cart has for itself. It knows how it is to be paid, and would
/// only be met by somebody who does not.
const HEAD_START: Duration = Duration::from_millis(250);

pub(super) fn register(inner: &Arc<Inner>) {
    let receiver: Weak<Inner> = Arc::downgrade(inner);
    inner.parts.effects.register(EntityKind::Checkout, receiver);
}

#[async_trait]
impl Receiver for Inner {
    async fn receive(
        self: Arc<Self>,
        source: EntityKey,
        effect: SequencedEffect,
    ) -> Result<(), DeliveryError> {
        let news = CheckoutNews::decode(&effect.effect.body).map_err(|_| DeliveryError)?;
        let (to, driven) = tokio::sync::oneshot::channel();
        let running = self.clone();
        self.tasks.spawn(async move {
            drop(to.send(running.go_on_with(CartId(source.id), news.freeze).await));
        });
        match tokio::time::timeout(ANSWER_MAX, driven).await {
            Ok(Ok(Ok(true))) => Ok(()),
            Ok(Ok(Err(error))) => {
                tracing::warn!(%error, cart.id = %CartId(source.id), "a checkout does not go on");
                Err(DeliveryError)
            }
            _ => Err(DeliveryError),
        }
    }

    /// Nothing is remembered of what was told.
    async fn confirm(
        self: Arc<Self>,
        _source: EntityKey,
        _target: EntityKey,
        _sequence: u64,
    ) -> Result<(), DeliveryError> {
        Ok(())
    }

    async fn answer(self: Arc<Self>, _request: Request) -> Result<Bytes, Refusal> {
        Err(Refusal::Unreadable)
    }

    async fn follow(self: Arc<Self>, _request: Request) -> Result<Feed, Refusal> {
        Err(Refusal::Unreadable)
    }
}

impl Inner {
    /// Drives the try that a cart was frozen for; whether it has come to an end.
    async fn go_on_with(&self, cart: CartId, freeze: u32) -> Result<bool, CheckoutError> {
        if !self.ended.has(cart, freeze) {
            tokio::time::sleep(HEAD_START).await;
        }
        if self.ended.has(cart, freeze) {
            return Ok(true);
        }
        let order = match self.parts.orders.of_cart(cart).await? {
            Some(order) if order.freeze > freeze => return Ok(true),
            Some(order) if order.freeze == freeze => Some(order),
            _ => self.open(cart).await?,
        };
        let Some(order) = order else {
            // It was frozen, and costs something else by now: nobody has agreed to that.
            self.unfreeze(cart, freeze).await?;
            return Ok(true);
        };
        let progress = self.drive(order, None).await?;
        Ok(!matches!(progress, Progress::Pending(_)))
    }
}
