//! The buyer's money is reserved: a page of Stripe's, and what came of it.

use std::time::Duration;

use barrow_engine::orders::{OperationKind, PaymentOutcome};
use barrow_engine::ports::{GatewayAnswer, GatewayError, PaymentRequest};

use super::client::{Fields, Posted};
use super::wire::{Expandable, Intent, OPERATION, Page, Session, code};
use super::{Answer, Mode, StripeGateway, amount, failed, succeeded, unknown};

/// How long a buyer has on Stripe's page. Stripe takes nothing less than half an hour; what is
/// more is how long a request for a session may come late.
const SESSION: Duration = Duration::from_secs(35 * 60);

/// How long Stripe's search may take to find a payment intent, which is a minute mostly.
const SEARCH_LAG: Duration = Duration::from_secs(60 * 60);

impl StripeGateway {
    pub(super) async fn authorize(&self, request: &PaymentRequest, mode: Mode) -> Answer {
        match &request.reference {
            Some(reference) => self.authorization(request, reference).await,
            // Whoever sends a request for a session that is over gets none.
            None if mode == Mode::Look || self.age(request) > SESSION => {
                self.find_authorization(request).await
            }
            None => self.open_session(request).await,
        }
    }

    async fn open_session(&self, request: &PaymentRequest) -> Answer {
        let Some(return_url) = &request.return_url else { return failed("return_url_missing") };
        let Some((amount, currency)) = amount::to_stripe(request.amount) else {
            return failed("amount_not_possible");
        };
        let key = request.key.to_string();
        let expires_at = request.at.plus(SESSION).as_millis() / 1_000;
        let form: Fields<'_> = vec![
            ("mode", "payment".to_owned()),
            ("payment_method_types[0]", "card".to_owned()),
            ("client_reference_id", key.clone()),
            ("metadata[barrow_operation]", key.clone()),
            ("line_items[0][quantity]", "1".to_owned()),
            ("line_items[0][price_data][currency]", currency),
            ("line_items[0][price_data][unit_amount]", amount.to_string()),
            ("line_items[0][price_data][product_data][name]", self.title.clone()),
            ("payment_intent_data[capture_method]", "manual".to_owned()),
            ("payment_intent_data[metadata][barrow_operation]", key.clone()),
            ("payment_method_options[card][request_multicapture]", "if_available".to_owned()),
            ("expires_at", expires_at.to_string()),
            ("success_url", return_url.clone()),
            ("cancel_url", return_url.clone()),
        ];
        match self.client.post::<Session>("/v1/checkout/sessions", &key, &form).await? {
            // It says how the session was when it was made.
            Posted::Done { value, is_replay: true } => self.authorization(request, &value.id).await,
            Posted::Done { value, is_replay: false } => Self::read_session(request, value),
            Posted::Refused(problem) if problem.param.as_deref() == Some("expires_at") => {
                failed("session_expired")
            }
            Posted::Refused(problem) => failed(&problem.code_of(OperationKind::Authorize)),
        }
    }

    /// What came of a session, or of the payment intent that it led to.
    async fn authorization(&self, request: &PaymentRequest, reference: &str) -> Answer {
        match is_session(reference) {
            true => Self::read_session(request, self.session(reference).await?),
            false => read_intent(request, &self.intent(reference).await?),
        }
    }

    fn read_session(request: &PaymentRequest, session: Session) -> Answer {
        if !session.is_of(request) {
            return Err(unknown("the session is not that of the order"));
        }
        match (session.status.as_deref(), session.url, session.payment_intent) {
            (Some("expired"), ..) => failed("session_expired"),
            (Some("open"), Some(url), _) => {
                let outcome = PaymentOutcome::ActionRequired { reference: session.id, url };
                Ok(GatewayAnswer::Known(outcome))
            }
            (Some("complete"), _, Some(Expandable::Whole(intent))) => read_intent(request, &intent),
            (status, ..) => {
                let what = format!("the session {} is {}", session.id, status.unwrap_or("nothing"));
                Err(GatewayError::OutcomeUnknown(what))
            }
        }
    }

    /// Of a payment whose reference never came to us. Search is not up to date, so that nothing
    /// found means nothing until it must be.
    async fn find_authorization(&self, request: &PaymentRequest) -> Answer {
        let query = format!("metadata['{OPERATION}']:'{}'", request.key);
        let query = vec![("query", query), ("limit", "2".to_owned())];
        let found: Page<Intent> = self.client.get("/v1/payment_intents/search", &query).await?;
        match found.data.first() {
            // Whatever the buyer did not do before the page was closed stays undone.
            Some(intent) if intent.status.starts_with("requires_") && !is_held(intent) => {
                self.if_over(request)
            }
            Some(intent) => read_intent(request, intent),
            None => self.if_over(request),
        }
    }

    fn if_over(&self, request: &PaymentRequest) -> Answer {
        match self.age(request) > SESSION + SEARCH_LAG {
            true => failed("session_expired"),
            false => Err(unknown("the page may still be open")),
        }
    }

    pub(super) async fn session(&self, id: &str) -> Result<Session, GatewayError> {
        let query = vec![("expand[0]", "payment_intent".to_owned())];
        self.client.get(&format!("/v1/checkout/sessions/{}", in_path(id)?), &query).await
    }

    pub(super) async fn intent(&self, id: &str) -> Result<Intent, GatewayError> {
        let query = vec![("expand[0]", "latest_charge".to_owned())];
        self.client.get(&format!("/v1/payment_intents/{}", in_path(id)?), &query).await
    }

    /// The payment intent behind a reference; `None` while there is none.
    pub(super) async fn intent_of(&self, reference: &str) -> Result<Option<Intent>, GatewayError> {
        if !is_session(reference) {
            return self.intent(reference).await.map(Some);
        }
        match self.session(reference).await?.intent_id() {
            Some(id) => self.intent(id).await.map(Some),
            None => Ok(None),
        }
    }
}

/// A reference is a session's until the buyer paid, a payment intent's from then on.
pub(super) fn is_session(reference: &str) -> bool {
    reference.starts_with("cs_")
}

/// An id as part of a path.
pub(super) fn in_path(id: &str) -> Result<&str, GatewayError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    match !id.is_empty() && id.bytes().all(is_plain) {
        true => Ok(id),
        false => Err(unknown("a reference is none of stripe's")),
    }
}

fn is_held(intent: &Intent) -> bool {
    matches!(intent.status.as_str(), "requires_capture" | "succeeded")
}

fn read_intent(request: &PaymentRequest, intent: &Intent) -> Answer {
    let expected = amount::to_stripe(request.amount);
    let is_ours = expected.is_some_and(|(amount, currency)| {
        intent.amount == amount && intent.currency == currency && intent.is_of(request)
    });
    match intent.status.as_str() {
        _ if !is_ours => {
            tracing::error!(operation = %request.key, intent = intent.id, "not what was asked for");
            Err(unknown("the payment intent is not what was asked for"))
        }
        _ if is_held(intent) => succeeded(Some(intent.id.clone())),
        "canceled" => {
            failed(&code(intent.cancellation_reason.as_deref(), OperationKind::Authorize))
        }
        _ => Ok(GatewayAnswer::Pending),
    }
}
