//! Taken money goes back.

use barrow_engine::orders::OperationKind;
use barrow_engine::ports::{GatewayAnswer, GatewayError, PaymentRequest};

use super::authorize::in_path;
use super::client::{Fields, Posted};
use super::wire::{Page, Refund, code};
use super::{Answer, Mode, StripeGateway, amount, failed, succeeded, unknown};

/// Pages of 100 refunds that are looked through: a payment has 200 operations at most.
const PAGES_MAX: usize = 3;

impl StripeGateway {
    pub(super) async fn refund(&self, request: &PaymentRequest, mode: Mode) -> Answer {
        let Some(reference) = &request.reference else { return failed("no_reference") };
        let Some((amount, _)) = amount::to_stripe(request.amount) else {
            return failed("amount_not_possible");
        };
        let Some(intent) = self.intent_of(reference).await? else { return failed("not_captured") };
        if !intent.is_of(request) {
            return Err(unknown("the payment intent is not that of the order"));
        }
        if mode == Mode::Look {
            return match self.find_refund(&intent.id, request).await? {
                Some(refund) => read_refund(&refund),
                None => self.nothing_found(request),
            };
        }
        let key = request.key.to_string();
        let form: Fields<'_> = vec![
            ("payment_intent", intent.id),
            ("amount", amount.to_string()),
            ("metadata[barrow_operation]", key.clone()),
        ];
        match self.client.post::<Refund>("/v1/refunds", &key, &form).await? {
            // It says how the refund was when it was made.
            Posted::Done { value, is_replay: true } => {
                let path = format!("/v1/refunds/{}", in_path(&value.id)?);
                read_refund(&self.client.get(&path, &Vec::new()).await?)
            }
            Posted::Done { value, is_replay: false } => read_refund(&value),
            Posted::Refused(problem) => failed(&problem.code_of(OperationKind::Refund)),
        }
    }

    async fn find_refund(
        &self,
        intent: &str,
        request: &PaymentRequest,
    ) -> Result<Option<Refund>, GatewayError> {
        let mut after: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut query: Fields<'_> =
                vec![("payment_intent", intent.to_owned()), ("limit", "100".to_owned())];
            query.extend(after.map(|after| ("starting_after", after)));
            let page: Page<Refund> = self.client.get("/v1/refunds", &query).await?;
            after = page.data.last().map(|refund| refund.id.clone());
            let is_it = |refund: &Refund| refund.operation() == Some(request.key);
            let found = page.data.into_iter().find(is_it);
            if found.is_some() || !page.has_more || after.is_none() {
                return Ok(found);
            }
        }
        Err(unknown("there are too many refunds to look through"))
    }
}

fn read_refund(refund: &Refund) -> Answer {
    match refund.status.as_deref() {
        Some("succeeded") => succeeded(None),
        Some("failed" | "canceled") => {
            failed(&code(refund.failure_reason.as_deref(), OperationKind::Refund))
        }
        // The bank takes its days.
        Some("pending" | "requires_action") => Ok(GatewayAnswer::Pending),
        _ => Err(unknown("the refund is in no state that we know")),
    }
}
