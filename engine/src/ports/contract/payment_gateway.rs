//! The suite of payment gateways.

use super::{LAG_MAX, LAG_STEP, Names, Wait};
use crate::ids::OrderId;
use crate::money::{Currency, Money};
use crate::orders::{OperationKey, OperationKind, PaymentOutcome};
use crate::ports::{GatewayAnswer, PaymentGateway, PaymentRequest, WebhookError};
use crate::time::Timestamp;

/// Somebody who pays, at an address that the gateway named.
pub type Buyer<'a> = &'a (dyn Fn(&str) + Sync);

const AUTHORIZED: i64 = 3_000;
const CAPTURED: i64 = 1_000;
const REFUNDED: i64 = 400;

struct Suite<'a> {
    gateway: &'a dyn PaymentGateway,
    method: &'a str,
    buyer: Buyer<'a>,
    order: OrderId,
    now: Timestamp,
    wait: Wait<'a>,
}

/// What the suite moved at a gateway, for those who can count it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    pub captured: i64,
    pub refunded: i64,
    /// Was reserved, and let go.
    pub voided: i64,
}

/// Whatever is asked under a key has one effect, and is known to whoever looks it up: of a payment
/// of which a part is taken and a part of that given back, and of one that is let go.
pub async fn payment_gateway(
    gateway: &dyn PaymentGateway,
    method: &str,
    buyer: Buyer<'_>,
    now: Timestamp,
    seed: u64,
    wait: Wait<'_>,
) -> Moved {
    assert!(gateway.methods().contains(&method), "the gateway takes {method}");
    assert!(!gateway.key_memory().is_zero(), "the gateway remembers keys for a while");
    let order = OrderId(Names { seed }.number(0));
    let suite = Suite { gateway, method, buyer, order, now, wait };

    let reference = suite.authorize(1).await;
    suite.once(1, 2, OperationKind::Capture, CAPTURED, &reference).await;
    suite.once(1, 3, OperationKind::Refund, REFUNDED, &reference).await;

    let reference = suite.authorize(2).await;
    suite.once(2, 2, OperationKind::Void, AUTHORIZED, &reference).await;

    for body in [&b"{}"[..], b"", b"\xff"] {
        let unsigned = gateway.notices(&|_| None, body, now);
        assert_eq!(unsigned, Err(WebhookError::NotSigned), "an unsigned notice is not believed");
        let forged = gateway.notices(&|_| Some("t=1,v1=00".to_owned()), body, now);
        assert!(forged.is_err(), "a forged notice is not believed");
    }
    Moved { captured: CAPTURED, refunded: REFUNDED, voided: AUTHORIZED }
}

impl Suite<'_> {
    fn request(
        &self,
        attempt: u32,
        operation: u32,
        kind: OperationKind,
        amount: i64,
        reference: Option<String>,
    ) -> PaymentRequest {
        let currency = Currency::from_code("EUR").expect("it is a currency");
        PaymentRequest {
            key: OperationKey { order: self.order, attempt, operation },
            kind,
            amount: Money::new(amount, currency),
            method: self.method.to_owned(),
            reference,
            return_url: Some("https://shop.example/paid".to_owned()),
            at: self.now,
        }
    }

    /// Reserves money, if need be with the buyer's help; what the gateway calls the payment.
    async fn authorize(&self, attempt: u32) -> String {
        let mut request = self.request(attempt, 1, OperationKind::Authorize, AUTHORIZED, None);
        if let GatewayAnswer::Known(PaymentOutcome::ActionRequired { reference, url }) =
            self.ask(&request).await
        {
            let again = self.ask(&request).await;
            let expected = PaymentOutcome::ActionRequired { reference, url: url.clone() };
            assert_eq!(again, GatewayAnswer::Known(expected), "a repeat opens no second page");
            (self.buyer)(&url);
        }
        let reference = self.succeed(&request).await;
        let reference = reference.expect("a payment that is reserved has a name");
        assert_eq!(self.succeed(&request).await.as_ref(), Some(&reference), "a repeat is one");
        request.reference = Some(reference.clone());
        assert_eq!(self.succeed(&request).await.as_ref(), Some(&reference), "its name finds it");
        let found = self.gateway.look_up(&request).await.expect("a gateway that is there answers");
        assert_eq!(found, known(Some(reference.clone())), "it is known to a look up");
        reference
    }

    /// Asks three times, and looks.
    async fn once(
        &self,
        attempt: u32,
        operation: u32,
        kind: OperationKind,
        amount: i64,
        reference: &str,
    ) {
        let request = self.request(attempt, operation, kind, amount, Some(reference.to_owned()));
        for _ in 0..3 {
            let name = self.succeed(&request).await;
            let same = name.is_none_or(|name| name == reference);
            assert!(same, "{kind:?} does not give the payment another name");
        }
        let found = self.gateway.look_up(&request).await.expect("a gateway that is there answers");
        let is_done = matches!(found, GatewayAnswer::Known(PaymentOutcome::Succeeded { .. }));
        assert!(is_done, "{kind:?} is known to a look up: {found:?}");
    }

    /// Asks until it is known; what the payment is called then.
    async fn succeed(&self, request: &PaymentRequest) -> Option<String> {
        let rounds = LAG_MAX.as_millis() / LAG_STEP.as_millis();
        for _ in 0..rounds {
            match self.ask(request).await {
                GatewayAnswer::Known(PaymentOutcome::Succeeded { reference }) => return reference,
                GatewayAnswer::Known(PaymentOutcome::Failed { code }) => {
                    panic!("{:?} of good money failed: {code}", request.kind)
                }
                _ => (self.wait)(LAG_STEP).await,
            }
        }
        panic!("{:?} does not come to an end", request.kind)
    }

    async fn ask(&self, request: &PaymentRequest) -> GatewayAnswer {
        self.gateway.ask(request).await.expect("a gateway that is there answers")
    }
}

fn known(reference: Option<String>) -> GatewayAnswer {
    GatewayAnswer::Known(PaymentOutcome::Succeeded { reference })
}
