//! Reserved money is taken, in one part or in several.

use barrow_engine::orders::OperationKind;
use barrow_engine::ports::{GatewayAnswer, PaymentRequest};

use super::client::{Fields, Posted};
use super::wire::{CAPTURE, Intent};
use super::{Answer, Mode, StripeGateway, amount, failed, succeeded, unknown};

impl StripeGateway {
    pub(super) async fn capture(&self, request: &PaymentRequest, mode: Mode) -> Answer {
        let Some(reference) = &request.reference else { return failed("no_reference") };
        let Some((amount, _)) = amount::to_stripe(request.amount) else {
            return failed("amount_not_possible");
        };
        let Some(intent) = self.intent_of(reference).await? else {
            return failed("not_authorized");
        };
        if !intent.is_of(request) {
            return Err(unknown("the payment intent is not that of the order"));
        }
        match intent.captures().get(&request.key.operation) {
            Some(taken) if *taken == amount => return succeeded(Some(intent.id)),
            Some(_) => return Err(unknown("another amount was captured")),
            None if mode == Mode::Look => return self.nothing_found(request),
            None => {}
        }
        let name = format!("metadata[{CAPTURE}{}]", request.key.operation);
        let amount = amount.to_string();
        let mut form: Fields<'_> = vec![("amount_to_capture", amount.clone()), (&name, amount)];
        // The same for each capture of a payment, so that a repeat is the same request: Stripe
        // ends the payment by itself when nothing is left.
        if intent.has_multicapture() {
            form.push(("final_capture", "false".to_owned()));
        }
        let path =
            format!("/v1/payment_intents/{}/capture", super::authorize::in_path(&intent.id)?);
        match self.client.post::<Intent>(&path, &request.key.to_string(), &form).await? {
            Posted::Done { value, .. } if value.status == "processing" => {
                Ok(GatewayAnswer::Pending)
            }
            Posted::Done { value, .. } => succeeded(Some(value.id)),
            Posted::Refused(problem) => failed(&problem.code_of(OperationKind::Capture)),
        }
    }
}
