//! Fuzz targets: the events that Stripe tells, with the seal made good and without.

use std::sync::Arc;

use barrow_engine::orders::PaymentOutcome;
use barrow_engine::ports::{Clock, PaymentGateway, WebhookError};
use barrow_engine::time::Timestamp;
use barrow_fuzz::{INPUTS, Verdict, fuzz};

use super::{STRIPE_API, StripeGateway, StripeSettings};
use crate::gateways::signature;
use crate::host::SystemClock;

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const SECRET: &str = "whsec_fuzz";

const SESSION: &[u8] = br#"{"object":"event","type":"checkout.session.completed","data":{"object":
{"id":"cs_1","status":"complete","url":null,"payment_intent":"pi_1","metadata":
{"barrow_operation":"ord_00000000000000000000000001/1/1"}}}}"#;

const INTENT: &[u8] = br#"{"object":"event","type":"payment_intent.succeeded","data":{"object":
{"id":"pi_1","status":"succeeded","amount":10,"currency":"eur","amount_received":10,
"cancellation_reason":null,"latest_charge":"ch_1","metadata":{"barrow_capture_2":"10",
"barrow_operation":"ord_00000000000000000000000001/1/1"}}}}"#;

const REFUND: &[u8] = br#"{"object":"event","type":"refund.failed","data":{"object":
{"id":"re_1","status":"failed","failure_reason":"declined","metadata":
{"barrow_operation":"ord_00000000000000000000000001/1/3"}}}}"#;

#[test]
fn fuzz_stripe_events() {
    let settings = StripeSettings {
        api_url: STRIPE_API.to_owned(),
        secret_key: "sk_test_fuzz".to_owned(),
        webhook_secret: SECRET.to_owned(),
        title: "Your order".to_owned(),
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let gateway = StripeGateway::new(settings, clock).unwrap();
    fuzz("stripe_events", INPUTS, &[SESSION, INTENT, REFUND], |body| {
        let unsigned = gateway.notices(&|_| Some("t=1790000000,v1=00".to_owned()), body, NOW);
        assert_eq!(unsigned, Err(WebhookError::NotSigned));
        let signed = signature::sign(SECRET.as_bytes(), body, NOW);
        let told = gateway.notices(&|_| Some(signed.clone()), body, NOW);
        for notice in told.iter().flatten() {
            assert!(notice.key.attempt > 0 && notice.key.operation > 0);
            if let PaymentOutcome::Failed { code } = &notice.outcome {
                assert!((1..=64).contains(&code.len()) && code.is_ascii());
            }
        }
        Verdict::of(&told)
    });
}

#[test]
fn fuzz_stripe_signatures() {
    let sample = signature::sign(SECRET.as_bytes(), b"{}", NOW);
    fuzz("stripe_signatures", INPUTS, &[sample.as_bytes()], |bytes| {
        let Ok(header) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        let checked = signature::check(SECRET.as_bytes(), header, b"{}", NOW);
        if checked.is_ok() {
            assert!(header.contains("t=1790000") && header.contains("v1="), "{header}");
        }
        Verdict::of(&checked)
    });
}
