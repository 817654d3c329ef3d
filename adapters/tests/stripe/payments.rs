//! Payments from the page to the refund, with everything that goes wrong between.

use std::time::Duration;

use barrow_engine::orders::OperationKind::{Authorize, Capture, Refund, Void};
use barrow_engine::ports::contract::payment_gateway;
use barrow_engine::ports::{PaymentGateway, PaymentRequest};
use serde_json::json;

use crate::server::{Fault, error};
use crate::{NOW, Shop, gateway_at, request};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

#[tokio::test]
async fn it_keeps_the_promises_of_gateways() {
    for has_multicapture in [false, true] {
        let shop = Shop::open().await;
        shop.stripe.with(|objects| objects.has_multicapture = has_multicapture);
        let buyer = |url: &str| {
            shop.stripe.with(|objects| objects.pay(url));
        };
        let wait = |time: Duration| -> futures::future::BoxFuture<'static, ()> {
            Box::pin(tokio::time::sleep(time))
        };
        let moved = payment_gateway(&shop.gateway, "card", &buyer, NOW, 3, &wait).await;
        shop.stripe.with(|objects| {
            assert_eq!((objects.sessions.len(), objects.refunds.len()), (2, 1));
            let [first, second] = &objects.intents.iter().collect::<Vec<_>>()[..] else {
                panic!("a payment has one intent");
            };
            assert_eq!(first.1["amount_received"], moved.captured);
            assert_eq!(objects.refunded(first.0), moved.refunded);
            assert_eq!(
                (&second.1["status"], &second.1["amount"]),
                (&json!("canceled"), &json!(moved.voided))
            );
        });
    }
}

#[tokio::test]
async fn a_buyer_is_sent_to_the_page_and_back() {
    let shop = Shop::open().await;
    let authorize = request(1, 1, Authorize, 1_299, None);
    let url = shop.ask(&authorize).await;
    assert_eq!(url, "https://checkout.stripe.com/c/pay/cs_test_0001");
    shop.stripe.with(|objects| {
        let session = &objects.sessions["cs_test_0001"];
        let expected = json!("https://shop.example/paid?a=1&b=ä");
        assert_eq!((&session["success_url"], &session["cancel_url"]), (&expected, &expected));
        assert_eq!((&session["amount_total"], &session["currency"]), (&json!(1299), &json!("eur")));
    });
    let known = request(1, 1, Authorize, 1_299, Some("cs_test_0001"));
    assert_eq!(shop.look_up(&known).await, url);
    shop.stripe.with(|objects| objects.pay(&url));
    assert_eq!(shop.ask(&authorize).await, "succeeded", "a repeated answer is looked at anew");
    assert_eq!(shop.ask(&known).await, "succeeded");

    let late = request(2, 1, Authorize, 1_299, None);
    shop.ask(&late).await;
    let id = shop.stripe.with(|objects| objects.sessions.keys().last().unwrap().clone());
    shop.stripe.with(|objects| objects.expire(&id).is_ok());
    assert_eq!(shop.ask(&late).await, "session_expired");
}

#[tokio::test]
async fn what_is_refused_has_stripes_code() {
    let shop = Shop::open().await;
    let mut nowhere = request(1, 1, Authorize, 1_299, None);
    nowhere.return_url = None;
    assert_eq!(shop.ask(&nowhere).await, "return_url_missing");
    assert_eq!(shop.ask(&request(2, 1, Authorize, 49, None)).await, "amount_too_small");
    let intent = shop.paid(3, 1_000).await;
    let check = async |operation, kind, amount, expected| {
        let found = shop.ask(&request(3, operation, kind, amount, Some(&intent))).await;
        assert_eq!(found, expected, "{kind:?} {amount}");
    };
    check(2, Capture, 1_001, "amount_too_large").await;
    let mut declined = error("card_error", "card_declined");
    declined["error"]["decline_code"] = json!("insufficient_funds");
    shop.stripe.fail_next(Fault::Turned(402, declined));
    check(3, Capture, 600, "insufficient_funds").await;
    shop.stripe.fail_next(Fault::Turned(400, error("invalid_request_error", "<b>no code</b>")));
    check(4, Capture, 600, "capture_refused").await;
    check(5, Capture, 600, "succeeded").await;
    // The rest was let go with it: the card's bank knows one capture only.
    check(6, Capture, 400, "payment_intent_unexpected_state").await;
    check(7, Void, 400, "succeeded").await;
    check(8, Refund, 601, "amount_too_large").await;
    check(9, Refund, 600, "succeeded").await;
    check(10, Refund, 1, "charge_already_refunded").await;
    assert_eq!(shop.ask(&request(3, 11, Capture, 1, None)).await, "no_reference");
}

#[tokio::test]
async fn answers_say_whether_anything_was_done() {
    let shop = Shop::open().await;
    let intent = shop.paid(1, 1_000).await;
    let capture = request(1, 2, Capture, 1_000, Some(&intent));
    let api = |kind: &str| error(kind, "");
    for (fault, expected) in [
        (Fault::Turned(429, api("invalid_request_error")), "unavailable"),
        (Fault::Turned(401, api("invalid_request_error")), "unavailable"),
        (Fault::Turned(403, api("invalid_request_error")), "unavailable"),
        (Fault::Turned(409, error("invalid_request_error", "idempotency_key_in_use")), "unknown"),
        (Fault::Turned(500, api("api_error")), "unknown"),
        (Fault::Turned(503, api("api_error")), "unknown"),
        (Fault::Turned(302, api("api_error")), "unknown"),
        (Fault::Turned(400, api("idempotency_error")), "unknown"),
        (Fault::Foreign(403, "<html>a proxy</html>"), "unavailable"),
        (Fault::Foreign(400, "<html>a proxy</html>"), "unknown"),
        (Fault::Foreign(200, "<html>a proxy</html>"), "unknown"),
    ] {
        shop.stripe.fail_next(fault.clone());
        assert_eq!(shop.ask(&capture).await, expected, "{fault:?}");
    }
    assert_eq!(shop.ask(&capture).await, "succeeded");

    let wrong = gateway_at(&shop.stripe.url, "sk_test_other", &shop.time);
    let authorize = request(2, 1, Authorize, 1_000, None);
    assert_eq!(crate::word(wrong.ask(&authorize).await), "unavailable");
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let gone = gateway_at(&url, crate::SECRET_KEY, &shop.time);
    assert_eq!(crate::word(gone.ask(&authorize).await), "unavailable");
    assert_eq!(crate::word(gone.look_up(&authorize).await), "unknown");
}

#[tokio::test]
async fn a_lost_answer_is_found_again() {
    let shop = Shop::open().await;
    shop.stripe.with(|objects| objects.has_multicapture = true);
    let lose = async |request: PaymentRequest, expected: &str| {
        shop.stripe.fail_next(Fault::LostAnswer);
        assert_eq!(shop.ask(&request).await, "unknown");
        assert_eq!(shop.ask(&request).await, expected);
    };
    let authorize = request(1, 1, Authorize, 1_000, None);
    lose(authorize, "https://checkout.stripe.com/c/pay/cs_test_0001").await;
    let intent = shop.stripe.with(|objects| objects.pay("/cs_test_0001"));
    for (operation, amount) in [(2, 400), (3, 500), (4, 100)] {
        lose(request(1, operation, Capture, amount, Some(&intent)), "succeeded").await;
    }
    for (operation, amount) in [(5, 250), (6, 250), (7, 500)] {
        lose(request(1, operation, Refund, amount, Some(&intent)), "succeeded").await;
    }
    let other = shop.paid(2, 700).await;
    lose(request(2, 2, Void, 700, Some(&other)), "succeeded").await;
    let third = request(3, 1, Authorize, 700, None);
    shop.ask(&third).await;
    let open = shop.stripe.with(|objects| objects.sessions.keys().last().unwrap().clone());
    lose(request(3, 2, Void, 700, Some(&open)), "succeeded").await;
    assert_eq!(shop.ask(&third).await, "session_expired");
    shop.stripe.with(|objects| {
        assert_eq!((objects.sessions.len(), objects.refunds.len()), (3, 3));
        assert_eq!(objects.intents[&intent]["amount_received"], 1_000);
        assert_eq!(objects.intents[&intent]["status"], "succeeded");
        assert_eq!(objects.refunded(&intent), 1_000);
        assert_eq!(objects.intents[&other]["status"], "canceled");
    });
}

#[tokio::test]
async fn what_was_taken_in_parts_lets_the_rest_go() {
    let shop = Shop::open().await;
    shop.stripe.with(|objects| objects.has_multicapture = true);
    let intent = shop.paid(1, 1_000).await;
    assert_eq!(shop.ask(&request(1, 2, Capture, 300, Some(&intent))).await, "succeeded");
    assert_eq!(shop.ask(&request(1, 3, Void, 700, Some(&intent))).await, "succeeded");
    assert_eq!(shop.ask(&request(1, 3, Void, 700, Some(&intent))).await, "succeeded");
    shop.stripe.with(|objects| {
        assert_eq!(objects.intents[&intent]["amount_received"], 300);
        assert_eq!(objects.intents[&intent]["status"], "succeeded");
    });
    let whole = shop.paid(2, 1_000).await;
    assert_eq!(shop.ask(&request(2, 2, Capture, 1_000, Some(&whole))).await, "succeeded");
    assert_eq!(shop.ask(&request(2, 3, Void, 1_000, Some(&whole))).await, "already_captured");
}

#[tokio::test]
async fn a_page_is_closed_unless_the_buyer_was_faster() {
    let shop = Shop::open().await;
    let url = shop.ask(&request(1, 1, Authorize, 1_000, None)).await;
    let void = request(1, 2, Void, 1_000, Some("cs_test_0001"));
    assert_eq!(shop.look_up(&void).await, "unknown", "it may be under way");
    let intent = shop.stripe.with(|objects| objects.pay(&url));
    assert_eq!(shop.ask(&void).await, "succeeded");
    shop.stripe.with(|objects| assert_eq!(objects.intents[&intent]["status"], "canceled"));
    assert_eq!(shop.look_up(&void).await, "succeeded");
}

#[tokio::test]
async fn a_slow_refund_is_waited_for() {
    let shop = Shop::open().await;
    shop.stripe.with(|objects| objects.slow_refunds = true);
    let intent = shop.paid(1, 1_000).await;
    shop.ask(&request(1, 2, Capture, 1_000, Some(&intent))).await;
    let refunds: Vec<_> = (3..8).map(|at| request(1, at, Refund, 100, Some(&intent))).collect();
    for refund in &refunds {
        assert_eq!(shop.ask(refund).await, "pending");
        assert_eq!(shop.ask(refund).await, "pending");
    }
    let ids: Vec<String> = shop.stripe.with(|objects| objects.refunds.keys().cloned().collect());
    let settle = |at: usize, status: &str, reason: Option<&str>| {
        shop.stripe.with(|objects| {
            let refund = objects.refunds.get_mut(&ids[at]).unwrap();
            refund["status"] = json!(status);
            refund["failure_reason"] = json!(reason);
        });
    };
    settle(0, "succeeded", None);
    settle(1, "failed", Some("lost_or_stolen_card"));
    settle(2, "canceled", None);
    let expected = ["succeeded", "lost_or_stolen_card", "refund_refused", "pending", "pending"];
    for (refund, expected) in refunds.iter().zip(expected) {
        assert_eq!(shop.ask(refund).await, expected);
        assert_eq!(shop.look_up(refund).await, expected, "found on whichever page");
    }
}

#[tokio::test]
async fn nothing_is_asked_by_a_look_up_and_nothing_is_denied_too_soon() {
    let shop = Shop::open().await;
    let intent = shop.paid(1, 1_000).await;
    let posted = shop.stripe.posted().len();
    let requests = [
        request(1, 2, Capture, 1_000, Some(&intent)),
        request(1, 3, Void, 1_000, Some(&intent)),
        request(1, 4, Refund, 1_000, Some(&intent)),
    ];
    for (later, expected) in [(Duration::ZERO, "unknown"), (24 * HOUR, "never asked")] {
        shop.later(later);
        for request in &requests {
            assert_eq!(shop.look_up(request).await, expected, "{:?}", request.kind);
        }
    }
    assert_eq!(shop.stripe.posted().len(), posted);
}

#[tokio::test]
async fn a_payment_whose_name_never_came_is_searched_for() {
    let shop = Shop::open().await;
    let lost = request(1, 1, Authorize, 1_000, None);
    shop.stripe.fail_next(Fault::LostAnswer);
    assert_eq!(shop.ask(&lost).await, "unknown");
    shop.stripe.with(|objects| objects.pay("/cs_test_0001"));
    shop.stripe.with(|objects| objects.is_search_behind = true);
    shop.later(36 * MINUTE);
    assert_eq!(shop.ask(&lost).await, "unknown", "search may be behind");
    shop.stripe.with(|objects| objects.is_search_behind = false);
    assert_eq!(shop.ask(&lost).await, "succeeded");
    assert_eq!(shop.look_up(&lost).await, "succeeded");

    let never = request(2, 1, Authorize, 1_000, None);
    assert_eq!(shop.look_up(&never).await, "unknown");
    shop.later(2 * HOUR);
    assert_eq!(shop.look_up(&never).await, "session_expired");
    assert_eq!(shop.stripe.posted().len(), 1, "after its time no page is opened");
}

#[tokio::test]
async fn a_request_for_a_page_that_comes_late_opens_none() {
    let shop = Shop::open().await;
    shop.later(6 * MINUTE);
    assert_eq!(shop.ask(&request(1, 1, Authorize, 1_000, None)).await, "session_expired");
    shop.stripe.with(|objects| assert!(objects.sessions.is_empty()));
}

#[tokio::test]
async fn somebody_elses_payment_is_not_taken() {
    let shop = Shop::open().await;
    let intent = shop.paid(1, 1_000).await;
    for kind in [Capture, Void, Refund] {
        let foreign = request(2, 2, kind, 1_000, Some(&intent));
        assert_eq!(shop.ask(&foreign).await, "unknown", "{kind:?}");
    }
    for kind in [Authorize, Void] {
        let foreign = request(2, 1, kind, 1_000, Some("cs_test_0001"));
        assert_eq!(shop.ask(&foreign).await, "unknown", "{kind:?}");
    }
    let other_amount = request(1, 1, Authorize, 999, Some(&intent));
    assert_eq!(shop.ask(&other_amount).await, "unknown");
    for reference in ["pi_../../v1/charges", "", "pi_1?expand=x", "pi_none"] {
        let capture = request(1, 2, Capture, 1_000, Some(reference));
        assert_eq!(shop.ask(&capture).await, "unknown", "{reference}");
    }
    assert_eq!(shop.stripe.posted(), ["/v1/checkout/sessions"]);
}

#[tokio::test]
async fn an_error_that_stripe_remembers_ends_in_a_look_up() {
    let shop = Shop::open().await;
    let intent = shop.paid(1, 1_000).await;
    let capture = request(1, 2, Capture, 1_000, Some(&intent));
    shop.stripe.fail_next(Fault::Remembered(500, error("api_error", "")));
    for _ in 0..3 {
        assert_eq!(shop.ask(&capture).await, "unknown");
    }
    shop.later(shop.gateway.key_memory() + 10 * MINUTE);
    assert_eq!(shop.look_up(&capture).await, "never asked");
}
