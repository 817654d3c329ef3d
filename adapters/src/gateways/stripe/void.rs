//! Reserved money is let go; a page that is still open is closed.

use barrow_engine::orders::OperationKind;
use barrow_engine::ports::PaymentRequest;

use super::authorize::{in_path, is_session};
use super::client::{Fields, Posted};
use super::wire::{Intent, Session};
use super::{Answer, Mode, StripeGateway, failed, succeeded, unknown};

impl StripeGateway {
    pub(super) async fn void(&self, request: &PaymentRequest, mode: Mode) -> Answer {
        let Some(reference) = &request.reference else { return failed("no_reference") };
        if is_session(reference) {
            return self.close_session(request, reference, mode).await;
        }
        self.let_go(request, reference, mode).await
    }

    async fn close_session(&self, request: &PaymentRequest, id: &str, mode: Mode) -> Answer {
        let mut session = self.session(id).await?;
        if !session.is_of(request) {
            return Err(unknown("the session is not that of the order"));
        }
        if session.status.as_deref() == Some("open") {
            if mode == Mode::Look {
                return self.nothing_found(request);
            }
            let path = format!("/v1/checkout/sessions/{}/expire", in_path(id)?);
            let key = format!("{}/expire", request.key);
            match self.client.post::<Session>(&path, &key, &Vec::new()).await? {
                Posted::Done { .. } => return succeeded(None),
                // The buyer was faster.
                Posted::Refused(_) => session = self.session(id).await?,
            }
        }
        match (session.status.as_deref(), session.intent_id()) {
            (Some("expired"), _) => succeeded(None),
            (Some("complete"), Some(intent)) => self.let_go(request, intent, mode).await,
            _ => Err(unknown("the session is neither closed nor paid")),
        }
    }

    async fn let_go(&self, request: &PaymentRequest, id: &str, mode: Mode) -> Answer {
        let intent = self.intent(id).await?;
        if !intent.is_of(request) {
            return Err(unknown("the payment intent is not that of the order"));
        }
        let (action, form): (_, Fields<'_>) = match intent.status.as_str() {
            "canceled" => return succeeded(Some(intent.id)),
            // What was not taken by then was let go by the last capture.
            "succeeded" if intent.amount_received < intent.amount => {
                return succeeded(Some(intent.id));
            }
            "succeeded" => return failed("already_captured"),
            _ if mode == Mode::Look => return self.nothing_found(request),
            // A part was taken: the rest goes by a capture of nothing that is the last.
            _ if intent.amount_received > 0 => {
                let nothing = ("amount_to_capture", "0".to_owned());
                ("capture", vec![nothing, ("final_capture", "true".to_owned())])
            }
            _ => ("cancel", Vec::new()),
        };
        let path = format!("/v1/payment_intents/{}/{action}", in_path(&intent.id)?);
        let key = format!("{}/{action}", request.key);
        match self.client.post::<Intent>(&path, &key, &form).await? {
            Posted::Done { value, .. } => succeeded(Some(value.id)),
            Posted::Refused(problem) => failed(&problem.code_of(OperationKind::Void)),
        }
    }
}
