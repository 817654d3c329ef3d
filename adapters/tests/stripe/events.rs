//! What Stripe tells on its own, and who is believed.
//!
//! The scheme is that of Stripe's page "Verify webhook signatures manually": `t` is the time,
//! `v1` the HMAC of SHA-256, in hex, of the time, a dot and the body, under the endpoint's secret;
//! while a secret is rolled there is one `v1` for each. The constants here were computed by
//! Python's `hmac`.

use barrow_engine::orders::OperationKind::{Authorize, Capture, Refund};
use barrow_engine::orders::PaymentOutcome;
use barrow_engine::ports::{Notice, PaymentGateway, WebhookError};
use barrow_engine::time::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};

use crate::{NOW, Shop, WEBHOOK_SECRET, key, request};

const BODY: &[u8] = br#"{"id":"evt_1","object":"event"}"#;
const SIGNED: &str = "765d0d35514a56905b8ddef451bc5570cc45dfa0395a213879a36689a6be55a3";
const SIGNED_BY_OLDER: &str = "0680fbb8b64958050b4dca627b7634a583cf4dcb9863a53e6f4ba345ca352f04";

fn signature(body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).unwrap();
    mac.update(b"1790000000.");
    mac.update(body);
    let bytes = mac.finalize().into_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t=1790000000,v1={hex}")
}

#[tokio::test]
async fn signatures_are_those_that_stripe_documents() {
    let shop = Shop::open().await;
    let check = |header: &str, body: &[u8], seconds_later: i64, expected: WebhookError| {
        let now = Timestamp(NOW.0 + seconds_later * 1_000);
        let value = |name: &str| (name == "stripe-signature").then(|| header.to_owned());
        let found = shop.gateway.notices(&value, body, now);
        let found = match (found, &expected) {
            (Err(WebhookError::Unreadable(_)), WebhookError::Unreadable(_)) => return,
            (found, _) => found,
        };
        assert_eq!(found, Err(expected), "{header}");
    };
    // Believed, and then it is an event of no kind.
    let believed = || WebhookError::Unreadable(String::new());
    let good = format!("t=1790000000,v1={SIGNED}");
    check(&good, BODY, 0, believed());
    check(&good, BODY, 300, believed());
    check(&good, BODY, 301, WebhookError::TooOld);
    check(&good, BODY, -301, WebhookError::TooOld);
    check(&good, br#"{"id":"evt_2","object":"event"}"#, 0, WebhookError::NotSigned);
    let rolled = format!("t=1790000000,v1={SIGNED_BY_OLDER},v1={SIGNED}");
    check(&rolled, BODY, 0, believed());
    let both = format!("t=1790000000,v1={SIGNED},v1={SIGNED_BY_OLDER},v0=6ffbb59b2300aae63f27");
    check(&both, BODY, 0, believed());
    for header in [
        format!("t=1790000000,v1={SIGNED_BY_OLDER}"),
        format!("t=1790000001,v1={SIGNED}"),
        format!("t=1790000000,v0={SIGNED}"),
        format!("v1={SIGNED}"),
        format!("t=1790000000,v1={}", &SIGNED[..62]),
        format!("t=,v1={SIGNED}"),
        String::new(),
    ] {
        check(&header, BODY, 0, WebhookError::NotSigned);
    }
}

fn event(kind: &str, object: &Value) -> Vec<u8> {
    let mut event: Value = serde_json::from_str(include_str!("fixtures/event.json")).unwrap();
    event["type"] = json!(kind);
    event["data"]["object"] = object.clone();
    event.to_string().into_bytes()
}

fn told(shop: &Shop, kind: &str, object: &Value) -> Vec<Notice> {
    let body = event(kind, object);
    let signed = signature(&body);
    let header = |name: &str| (name == "stripe-signature").then(|| signed.clone());
    let first = shop.gateway.notices(&header, &body, NOW).unwrap();
    assert_eq!(
        shop.gateway.notices(&header, &body, NOW).unwrap(),
        first,
        "told again it is the same"
    );
    first
}

fn succeeded(attempt: u32, operation: u32, reference: Option<&str>) -> Notice {
    let reference = reference.map(str::to_owned);
    Notice { key: key(attempt, operation), outcome: PaymentOutcome::Succeeded { reference } }
}

fn failed(attempt: u32, operation: u32, code: &str) -> Notice {
    let outcome = PaymentOutcome::Failed { code: code.to_owned() };
    Notice { key: key(attempt, operation), outcome }
}

#[tokio::test]
async fn events_tell_what_came_of_operations() {
    let shop = Shop::open().await;
    shop.stripe.with(|objects| objects.has_multicapture = true);
    let intent = shop.paid(1, 1_000).await;
    let (session, held) = shop.stripe.with(|objects| {
        (objects.sessions["cs_test_0001"].clone(), objects.intents[&intent].clone())
    });
    let authorized = succeeded(1, 1, Some(&intent));
    let check = |kind: &str, object: &Value, expected: &[Notice]| {
        assert_eq!(told(&shop, kind, object), expected, "{kind}");
    };
    check("checkout.session.completed", &session, std::slice::from_ref(&authorized));
    check("payment_intent.amount_capturable_updated", &held, std::slice::from_ref(&authorized));
    check("checkout.session.expired", &session, &[failed(1, 1, "session_expired")]);
    check("checkout.session.async_payment_failed", &session, &[failed(1, 1, "payment_refused")]);
    let mut canceled = held.clone();
    canceled["cancellation_reason"] = json!("automatic");
    check("payment_intent.canceled", &canceled, &[failed(1, 1, "automatic")]);
    // The buyer still has other cards; and a charge does not say which operation it was.
    for kind in ["payment_intent.payment_failed", "charge.captured", "charge.refunded", "x"] {
        check(kind, &held, &[]);
    }

    for (operation, amount) in [(2, 300), (3, 700)] {
        shop.ask(&request(1, operation, Capture, amount, Some(&intent))).await;
    }
    let taken = shop.stripe.with(|objects| objects.intents[&intent].clone());
    let captured = [2, 3].map(|operation| succeeded(1, operation, Some(&intent)));
    let all = [&[authorized.clone()][..], &captured].concat();
    check("payment_intent.succeeded", &taken, &all);
    let mut untrue = taken.clone();
    untrue["amount_received"] = json!(999);
    check("payment_intent.succeeded", &untrue, &[authorized]);

    shop.ask(&request(1, 4, Refund, 100, Some(&intent))).await;
    let mut refund = shop.stripe.with(|objects| objects.refunds.values().next().unwrap().clone());
    check("refund.updated", &refund, &[succeeded(1, 4, None)]);
    refund["status"] = json!("pending");
    check("refund.created", &refund, &[]);
    refund["status"] = json!("failed");
    refund["failure_reason"] = json!("expired_or_canceled_card");
    for kind in ["refund.failed", "charge.refund.updated"] {
        check(kind, &refund, &[failed(1, 4, "expired_or_canceled_card")]);
    }
}

#[tokio::test]
async fn what_is_none_of_ours_is_no_notice() {
    let shop = Shop::open().await;
    let url = shop.ask(&request(1, 1, Authorize, 1_000, None)).await;
    let intent = shop.stripe.with(|objects| objects.pay(&url));
    let mut foreign = shop.stripe.with(|objects| objects.intents[&intent].clone());
    for metadata in [json!({}), json!(null), json!({"barrow_operation": "ord_1/1/1"})] {
        foreign["metadata"] = metadata;
        assert_eq!(told(&shop, "payment_intent.succeeded", &foreign), []);
    }
    let body = event("payment_intent.succeeded", &json!({"id": 5}));
    let signed = signature(&body);
    let found = shop.gateway.notices(&|_| Some(signed.clone()), &body, NOW);
    assert!(matches!(found, Err(WebhookError::Unreadable(_))), "{found:?}");
}
