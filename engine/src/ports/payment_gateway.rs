//! Who moves the money.

use std::time::Duration;

use async_trait::async_trait;

use crate::money::Money;
use crate::orders::{OperationKey, OperationKind, PaymentOutcome};
use crate::time::Timestamp;

/// One operation of a payment, as it is part of its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRequest {
    /// The idempotency key: whatever is asked under it has one effect.
    pub key: OperationKey,
    pub kind: OperationKind,
    pub amount: Money,
    pub method: String,
    /// What the gateway calls the payment; `None` until it told.
    pub reference: Option<String>,
    /// Where the buyer comes back to after paying elsewhere.
    pub return_url: Option<String>,
    /// When it was first to be asked.
    pub at: Timestamp,
}

/// What a gateway knows of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GatewayAnswer {
    Known(PaymentOutcome),
    /// It does not know yet itself: look again, or wait for its notice.
    Pending,
    /// It was never asked; only to a look up.
    NeverAsked,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// Surely without an effect.
    #[error("the payment gateway is not available: {0}")]
    Unavailable(String),
    /// It may have had its effect, or have it yet.
    #[error("the payment gateway did not answer: {0}")]
    OutcomeUnknown(String),
}

/// What a gateway tells on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub key: OperationKey,
    pub outcome: PaymentOutcome,
}

/// A notice that is not believed. Who sent it is told no more than that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    #[error("the signature is not the gateway's")]
    NotSigned,
    /// Signed too long ago: it may be somebody's recording.
    #[error("the signature is too old")]
    TooOld,
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}

/// A payment gateway. Asking under a key again has no second effect for as long as it remembers
/// keys; after that it is looked up instead.
#[async_trait]
pub trait PaymentGateway: Send + Sync + 'static {
    /// The methods that a shop's clients can name.
    fn methods(&self) -> &[&str];

    /// How long it remembers keys, at least.
    fn key_memory(&self) -> Duration;

    async fn ask(&self, request: &PaymentRequest) -> Result<GatewayAnswer, GatewayError>;

    /// What became of an operation that may have been asked.
    async fn look_up(&self, request: &PaymentRequest) -> Result<GatewayAnswer, GatewayError>;

    /// Reads what it tells on its own, once the signature proves that it is from it. `header`
    /// looks a header up by its name in lower case. What is none of ours is no notice.
    fn notices(
        &self,
        header: &(dyn for<'a> Fn(&'a str) -> Option<String> + Sync),
        body: &[u8],
        now: Timestamp,
    ) -> Result<Vec<Notice>, WebhookError>;
}
