//! Stripe. The buyer pays on Stripe's own page (a Checkout Session), so no card number ever comes
//! near us: an authorization answers with the page's address, and is known when Stripe tells.
//!
//! What was asked is looked at before it is asked again wherever Stripe keeps a trace of it: a
//! session and a payment intent by their ids, a capture by what it wrote into the intent's
//! metadata, a refund by its own. The idempotency key stands behind that.

mod amount;
mod authorize;
mod capture;
mod client;
#[cfg(test)]
mod fuzz;
mod refund;
mod void;
mod webhook;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barrow_engine::orders::{OperationKind, PaymentOutcome};
use barrow_engine::ports::{
    Clock, GatewayAnswer, GatewayError, Notice, PaymentGateway, PaymentRequest, WebhookError,
};
use barrow_engine::time::Timestamp;

use super::signature;
use client::Client;

pub use client::STRIPE_VERSION;

/// Where Stripe is.
pub const STRIPE_API: &str = "https://api.stripe.com";

/// The header that carries the signature of an event.
const SIGNATURE: &str = "stripe-signature";

/// Stripe keeps keys for 24 hours at least. An hour less: what was sent at the last moment may
/// take its time.
const KEY_MEMORY: Duration = Duration::from_secs(23 * 60 * 60);

/// How long a request under way may still have its effect, once nobody waits for it.
const IN_FLIGHT_MAX: Duration = Duration::from_secs(10 * 60);

/// What a shop has at Stripe.
pub struct StripeSettings {
    /// [`STRIPE_API`], or a server that speaks like it.
    pub api_url: String,
    pub secret_key: String,
    /// Of the webhook endpoint.
    pub webhook_secret: String,
    /// What a buyer reads on Stripe's page beside the amount.
    pub title: String,
}

/// The gateway `stripe`.
pub struct StripeGateway {
    client: Client,
    webhook_secret: Vec<u8>,
    title: String,
    clock: Arc<dyn Clock>,
}

/// Settings that no gateway can be made of.
#[derive(Debug, thiserror::Error)]
#[error("stripe cannot be used: {0}")]
pub struct StripeSettingsError(String);

/// Whether an operation may be asked for, or only looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Ask,
    Look,
}

type Answer = Result<GatewayAnswer, GatewayError>;

impl StripeGateway {
    /// # Errors
    /// Where the address is none, or the key cannot stand in a header.
    pub fn new(
        settings: StripeSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<StripeGateway, StripeSettingsError> {
        let client = Client::new(&settings.api_url, &settings.secret_key)?;
        if settings.webhook_secret.is_empty() {
            return Err(StripeSettingsError("the webhook secret is empty".to_owned()));
        }
        let webhook_secret = settings.webhook_secret.into_bytes();
        Ok(StripeGateway { client, webhook_secret, title: settings.title, clock })
    }

    async fn settle(&self, request: &PaymentRequest, mode: Mode) -> Answer {
        match request.kind {
            OperationKind::Authorize => self.authorize(request, mode).await,
            OperationKind::Capture => self.capture(request, mode).await,
            OperationKind::Void => self.void(request, mode).await,
            OperationKind::Refund => self.refund(request, mode).await,
        }
    }

    fn age(&self, request: &PaymentRequest) -> Duration {
        self.clock.now().since(request.at)
    }

    /// Nothing is there of an operation. Whether it was never asked is known for sure only when no
    /// request can be under way any more.
    fn nothing_found(&self, request: &PaymentRequest) -> Answer {
        match self.age(request) >= KEY_MEMORY + IN_FLIGHT_MAX {
            true => Ok(GatewayAnswer::NeverAsked),
            false => Err(unknown("nothing is there of it, but it may be under way")),
        }
    }
}

#[async_trait]
impl PaymentGateway for StripeGateway {
    fn methods(&self) -> &[&str] {
        &["card"]
    }

    fn key_memory(&self) -> Duration {
        KEY_MEMORY
    }

    async fn ask(&self, request: &PaymentRequest) -> Answer {
        self.settle(request, Mode::Ask).await
    }

    async fn look_up(&self, request: &PaymentRequest) -> Answer {
        self.settle(request, Mode::Look).await
    }

    fn notices(
        &self,
        header: &(dyn for<'a> Fn(&'a str) -> Option<String> + Sync),
        body: &[u8],
        now: Timestamp,
    ) -> Result<Vec<Notice>, WebhookError> {
        let signed = header(SIGNATURE).ok_or(WebhookError::NotSigned)?;
        signature::check(&self.webhook_secret, &signed, body, now)?;
        webhook::notices(body)
    }
}

fn unknown(what: &str) -> GatewayError {
    GatewayError::OutcomeUnknown(what.to_owned())
}

fn succeeded(reference: Option<String>) -> Answer {
    Ok(GatewayAnswer::Known(PaymentOutcome::Succeeded { reference }))
}

fn failed(code: &str) -> Answer {
    Ok(GatewayAnswer::Known(PaymentOutcome::Failed { code: code.to_owned() }))
}
