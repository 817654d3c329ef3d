//! Bodies that are too large, too deep, of the wrong type, or no text at all.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use reqwest::Method;
use serde_json::{Value, json};

use super::{guest, shop};
use crate::support::goods::bulk_sku;
use crate::support::{Call, Cart, times};

/// Every call that changes a cart, or makes something, with a body that it takes.
fn mutations(cart: &Cart) -> Vec<(Method, String, Value)> {
    let address = crate::support::client::address("DE", Value::Null);
    vec![
        (Method::POST, "/v1/sessions".to_owned(), json!({})),
        (Method::POST, "/v1/sessions/current/refresh".to_owned(), json!({})),
        (Method::POST, "/v1/carts".to_owned(), json!({"currency": "EUR"})),
        (Method::POST, cart.at("/lines"), json!({"sku": bulk_sku(0), "quantity": 1})),
        (Method::PATCH, cart.at("/lines/line_1"), json!({"quantity": 2})),
        (
            Method::POST,
            cart.at("/actions"),
            json!({"actions": [
                {"type": "add_line", "sku": bulk_sku(1), "quantity": 1},
                {"type": "set_contact", "email": "ada@example.com", "phone": null},
            ]}),
        ),
        (Method::PUT, cart.at("/contact"), json!({"email": "ada@example.com", "phone": "1"})),
        (Method::PUT, cart.at("/addresses"), json!({"shipping": address, "billing": null})),
        (Method::PUT, cart.at("/shipping_method"), json!({"id": "standard"})),
    ]
}

fn send(cart: &Cart, method: &Method, path: &str, body: Vec<u8>) -> Call {
    cart.client.call(method.clone(), path).body("application/json", body)
}

#[tokio::test]
async fn a_huge_body_is_refused_on_every_route() {
    let cart = guest().await.cart().await;
    for (method, path, _) in mutations(&cart) {
        for size in [256 * 1024 + 1, 8 << 20] {
            let call = send(&cart, &method, &path, vec![b' '; size]);
            call.refused(413, "body_too_large").await;
        }
    }
}

#[tokio::test]
async fn a_huge_body_without_a_length_is_refused_while_it_comes() {
    let cart = guest().await.cart().await;
    let chunk = bytes::Bytes::from(vec![b' '; 64 * 1024]);
    let chunks =
        futures::stream::iter((0..512).map(move |_| Ok::<_, std::io::Error>(chunk.clone())));
    let call = cart.client.call(Method::POST, &cart.at("/lines"));
    let call = call.body("application/json", reqwest::Body::wrap_stream(chunks));
    call.refused(413, "body_too_large").await;
}

#[tokio::test]
async fn a_body_at_the_limit_is_read() {
    let cart = guest().await.cart().await;
    let mut body = json!({"sku": bulk_sku(0), "quantity": 1}).to_string();
    body.push_str(&" ".repeat(256 * 1024 - body.len()));
    send(&cart, &Method::POST, &cart.at("/lines"), body.into_bytes()).ok().await;
}

#[tokio::test]
async fn what_is_nested_too_deep_is_refused() {
    let cart = guest().await.cart().await;
    for (method, path, _) in mutations(&cart) {
        for depth in [33, 1_000, 60_000] {
            let lists = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            send(&cart, &method, &path, lists.into_bytes()).refused(400, "malformed_json").await;
            let objects = format!(
                "{}1{}",
                "{\"a\":".repeat(depth.min(30_000)),
                "}".repeat(depth.min(30_000))
            );
            send(&cart, &method, &path, objects.into_bytes()).refused(400, "malformed_json").await;
            // And never closed.
            send(&cart, &method, &path, vec![b'['; depth]).refused(400, "malformed_json").await;
        }
        let allowed = format!("{}{}", "[".repeat(32), "]".repeat(32));
        send(&cart, &method, &path, allowed.into_bytes()).refused(422, "validation_failed").await;
    }
}

#[tokio::test]
async fn what_is_not_utf8_is_refused() {
    let cart = guest().await.cart().await;
    for (method, path, _) in mutations(&cart) {
        for bytes in [
            &b"{\"sku\": \"\xff\xfe\", \"quantity\": 1}"[..],
            b"\xef\xbb\xbf{}",
            b"{\"sku\": \"\xed\xa0\x80\"}",
            b"\x00\x01\x02",
            b"{\"sku\": \"\\ud800\"}",
            b"\xff\xfe{\x00}\x00",
        ] {
            send(&cart, &method, &path, bytes.to_vec()).refused(400, "malformed_json").await;
        }
    }
}

#[tokio::test]
async fn numbers_no_machine_holds_are_out_of_range() {
    let cart = guest().await.cart().await;
    for number in ["1e400", "-1e400", "99999999999999999999999999", "1e99", "-0.5e-400"] {
        let body = format!("{{\"sku\": \"{}\", \"quantity\": {number}}}", bulk_sku(0));
        let call = send(&cart, &Method::POST, &cart.at("/lines"), body.into_bytes());
        let reply = call.send().await.is(422).json();
        assert_eq!(reply["code"], "validation_failed", "{number}");
    }
    let digits = format!("{{\"quantity\": {}}}", "9".repeat(100_000));
    let call = send(&cart, &Method::PATCH, &cart.at("/lines/line_1"), digits.into_bytes());
    call.refused(422, "validation_failed").await;
}

#[tokio::test]
async fn texts_of_any_kind_are_kept_or_refused_and_never_break_a_reply() {
    let cart = guest().await.cart().await;
    for text in [
        "'; DROP TABLE carts; --",
        "<script>alert(1)</script>",
        "\u{202e}desrever",
        "👩‍👩‍👧‍👦",
        "a\u{0}b",
        "line\u{2028}break",
        "%00%ff",
        &"é".repeat(100),
        &"\u{10ffff}".repeat(100),
    ] {
        let mut shipping = crate::support::client::address("DE", Value::Null);
        shipping["city"] = json!(text);
        let call = cart.client.put(&cart.at("/addresses"), json!({"shipping": shipping}));
        let reply = call.send().await;
        match reply.status {
            200 => assert_eq!(reply.json()["addresses"]["shipping"]["city"], json!(text)),
            _ => assert_eq!(
                (reply.status, &reply.json()["code"]),
                (422, &json!("validation_failed"))
            ),
        }
        cart.add(text, 1).invalid("/sku", "unknown_sku").await;
    }
    cart.read().await;
}

#[tokio::test]
async fn more_streams_than_are_configured_are_refused() {
    use crate::support::sse::Events;

    let cart = guest().await.cart().await;
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(Events::open(cart.client.get(&cart.at("/events"))).await);
    }
    cart.client.get(&cart.at("/events")).refused(429, "overloaded").await;
    for events in &mut open {
        events.wait_for("cart").await;
    }
}

/// JSON of every shape, up to a few levels.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-5i64..100_005).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[A-Z]{3,5}-[0-9]{4}".prop_map(Value::from),
        Just(json!("BULK-0001")),
        Just(json!("line_1")),
        Just(json!("add_line")),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((field(), inner), 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Fields that some route knows.
const FIELDS: &[&str] = &[
    "sku",
    "quantity",
    "actions",
    "type",
    "line_id",
    "email",
    "phone",
    "shipping",
    "billing",
    "country",
    "city",
    "id",
    "currency",
    "channel",
    "locale",
    "first_name",
];

/// Names that routes know, and some that none does.
fn field() -> impl Strategy<Value = String> {
    prop_oneof![8 => prop::sample::select(FIELDS).prop_map(str::to_owned), 1 => any::<String>()]
}

/// A good body with one part of it replaced.
fn mutated(good: &Value, part: Value, at: prop::sample::Index) -> Value {
    let mut places = Vec::new();
    pointers(good, String::new(), &mut places);
    let mut body = good.clone();
    *body.pointer_mut(&places[at.index(places.len())]).unwrap() = part;
    body
}

fn pointers(value: &Value, at: String, out: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| pointers(value, format!("{at}/{name}"), out));
        }
        Value::Array(values) => {
            let values = values.iter().enumerate();
            values.for_each(|(index, value)| pointers(value, format!("{at}/{index}"), out));
        }
        _ => {}
    }
    out.push(at);
}

#[tokio::test]
async fn any_json_on_any_route_is_answered_below_500() {
    let guest = guest().await;
    let cart = guest.cart().await;
    cart.add(&bulk_sku(0), 1).ok().await;
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[42; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = (any_json(), any::<prop::sample::Index>(), any::<bool>());
    let mut refused = 0;
    // Bodies tried on each route; the client looks at every reply.
    let cases = times(60, 2_000);
    for (method, path, good) in mutations(&cart) {
        for case in 0..cases {
            let (part, at, whole) = strategy.new_tree(&mut runner).unwrap().current();
            let body = if whole { part } else { mutated(&good, part, at) };
            let call = send(&cart, &method, &path, body.to_string().into_bytes());
            let sent =
                if case % 3 == 0 { call.key(&format!("generated-key-{case:04}")) } else { call };
            let reply = tokio::time::timeout(Duration::from_secs(10), sent.send()).await;
            let reply = reply.unwrap_or_else(|_| panic!("{method} {path} hangs on {body}"));
            refused += usize::from(reply.status >= 400);
        }
    }
    assert!(refused > cases * 4, "{refused} were refused: the bodies are too tame");
    cart.read().await;
    let metrics = guest.get("/metrics").send().await;
    let panics = metrics.text().lines().find(|line| line.starts_with("barrow_http_panics_total"));
    assert_eq!(panics, Some("barrow_http_panics_total 0"), "no handler broke");
    assert!(!shop().said().contains("panicked"), "{}", shop().said());
}
