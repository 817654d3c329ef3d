//! What Stripe tells on its own. It may tell it twice, late, and in any order; what is known of an
//! operation by then is not changed by it.

use barrow_engine::orders::{OperationKey, OperationKind, PaymentOutcome};
use barrow_engine::ports::{Notice, WebhookError};
use serde::de::DeserializeOwned;

use super::wire::{Event, Intent, Refund, Session, code};

/// What a body says whose signature was good.
pub(super) fn notices(body: &[u8]) -> Result<Vec<Notice>, WebhookError> {
    let event: Event = serde_json::from_slice(body).map_err(unreadable)?;
    let object = event.data.object;
    Ok(match event.kind.as_str() {
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
            let session: Session = read(object)?;
            let reference = session.intent_id().map(str::to_owned);
            let outcome = reference.map(|id| PaymentOutcome::Succeeded { reference: Some(id) });
            notice(session.operation(), outcome)
        }
        "checkout.session.expired" => {
            notice(read::<Session>(object)?.operation(), Some(failed("session_expired".to_owned())))
        }
        "checkout.session.async_payment_failed" => {
            let code = code(None, OperationKind::Authorize);
            notice(read::<Session>(object)?.operation(), Some(failed(code)))
        }
        "payment_intent.amount_capturable_updated" | "payment_intent.succeeded" => {
            paid(&read(object)?)
        }
        "payment_intent.canceled" => {
            let intent: Intent = read(object)?;
            let code = code(intent.cancellation_reason.as_deref(), OperationKind::Authorize);
            notice(intent.operation(), Some(failed(code)))
        }
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => {
            refunded(&read(object)?)
        }
        // `payment_intent.payment_failed` among them: a card was declined, and the buyer still
        // stands before Stripe's page with another one. And `charge.captured`, `charge.refunded`:
        // a charge does not say which operation it was, its intent and its refunds do.
        _ => Vec::new(),
    })
}

/// A payment intent that holds money, and what was taken of it.
fn paid(intent: &Intent) -> Vec<Notice> {
    let Some(key) = intent.operation() else { return Vec::new() };
    let done = || PaymentOutcome::Succeeded { reference: Some(intent.id.clone()) };
    let captures = intent.captures().into_keys().filter(|operation| *operation > 0);
    let captures = captures.map(|operation| OperationKey { operation, ..key });
    [key].into_iter().chain(captures).map(|key| Notice { key, outcome: done() }).collect()
}

fn refunded(refund: &Refund) -> Vec<Notice> {
    let outcome = match refund.status.as_deref() {
        Some("succeeded") => Some(PaymentOutcome::Succeeded { reference: None }),
        Some("failed" | "canceled") => {
            let code = code(refund.failure_reason.as_deref(), OperationKind::Refund);
            // A bank can send back what had arrived: then the order is right no more.
            let operation = refund.operation().map(|key| key.to_string());
            tracing::error!(operation, refund = refund.id, code, "a refund failed at stripe");
            Some(failed(code))
        }
        _ => None,
    };
    notice(refund.operation(), outcome)
}

/// Nothing, of what is none of ours.
fn notice(key: Option<OperationKey>, outcome: Option<PaymentOutcome>) -> Vec<Notice> {
    key.zip(outcome).map(|(key, outcome)| Notice { key, outcome }).into_iter().collect()
}

fn failed(code: String) -> PaymentOutcome {
    PaymentOutcome::Failed { code }
}

fn read<T: DeserializeOwned>(object: serde_json::Value) -> Result<T, WebhookError> {
    serde_json::from_value(object).map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> WebhookError {
    WebhookError::Unreadable(error.to_string())
}
