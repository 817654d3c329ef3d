//! What holds for every address: ids, traces, refusals, compression, other origins.

use std::io::Read;

use reqwest::Method;
use serde_json::{Value, json};

use crate::assert_reply;
use crate::support::{ORIGIN, guest, visitor};

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let visitor = visitor();
    for path in
        ["/", "/v1", "/v1/", "/v2/products", "/v1/product", "/v1/shop/", "/admin", "//v1/shop"]
    {
        visitor.get(path).refused(404, "not_found").await;
    }
    assert_reply!("problem_not_found", visitor.get("/v1/nothing").refused(404, "not_found").await);
}

#[tokio::test]
async fn wrong_methods_are_told_the_right_ones() {
    let guest = guest().await;
    let cart = guest.cart().await;
    for (method, path, allowed) in [
        (Method::POST, "/v1/products", vec!["GET", "HEAD"]),
        (Method::DELETE, "/v1/carts", vec!["POST"]),
        (Method::PUT, &cart.path, vec!["GET", "HEAD"]),
        (Method::GET, &cart.at("/lines"), vec!["POST"]),
        (Method::POST, &cart.at("/lines/line_1"), vec!["PATCH", "DELETE"]),
        (Method::PUT, "/healthz", vec!["GET", "HEAD"]),
        (Method::PATCH, "/v1/sessions/current", vec!["GET", "HEAD", "DELETE"]),
    ] {
        let reply = guest.call(method.clone(), path).send().await.is(405);
        assert_eq!(reply.json()["code"], "method_not_allowed");
        let mut found: Vec<&str> = reply.header("allow").split(',').map(str::trim).collect();
        let mut allowed = allowed;
        found.sort_unstable();
        allowed.sort_unstable();
        assert_eq!(found, allowed, "{method} {path}");
    }
    let options = guest.call(Method::OPTIONS, "/v1/products").send().await;
    assert!(options.status < 300 && options.header("allow").contains("GET"), "{options:?}");
    let odd = Method::from_bytes(b"BREW").unwrap();
    guest.call(odd, "/v1/products").refused(405, "method_not_allowed").await;
}

#[tokio::test]
async fn names_of_requests_are_taken_up_or_made() {
    let visitor = visitor();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let named =
        visitor.get("/v1/shop").header("x-request-id", "mine-1").header("traceparent", trace);
    let named = named.send().await;
    assert_eq!((named.header("x-request-id"), named.header("traceparent")), ("mine-1", trace));
    let refused = visitor.get("/v1/nothing").header("x-request-id", "mine-2");
    assert_eq!(refused.refused(404, "not_found").await["request_id"], "mine-2");
    for bad in ["", "with space", &"x".repeat(200)] {
        let reply = visitor.get("/v1/shop").header("x-request-id", bad).send().await;
        assert_ne!(reply.header("x-request-id"), bad);
    }
    let [one, other] = [visitor.get("/v1/shop").send().await, visitor.get("/v1/shop").send().await];
    assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
    assert_ne!(one.header("traceparent"), other.header("traceparent"));
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let guest = guest().await;
    let cart = guest.cart().await;
    for path in ["/v1/shop", "/v1/products", "/v1/products/oak-chair", &cart.path, "/healthz"] {
        let get = guest.get(path).send().await.is(200);
        let head = guest.call(Method::HEAD, path).send().await.is(200);
        assert!(head.body.is_empty());
        for name in ["content-type", "etag", "cache-control"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
    }
    guest.call(Method::HEAD, "/v1/nothing").send().await.is(404);
}

#[tokio::test]
async fn bodies_must_be_json() {
    let cart = guest().await.cart().await;
    let path = cart.at("/lines");
    let send =
        |kind: &str, body: &'static str| cart.client.call(Method::POST, &path).body(kind, body);
    let good = r#"{"sku": "RED-LAMP", "quantity": 1}"#;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/xml", "json", ""] {
        send(kind, good).refused(415, "unsupported_media_type").await;
    }
    send("application/json; charset=latin-1", good).refused(415, "unsupported_media_type").await;
    let zipped = send("application/json", good).header("content-encoding", "gzip");
    zipped.refused(415, "unsupported_media_type").await;
    for kind in
        ["application/json", "Application/JSON; charset=UTF-8", "application/merge-patch+json"]
    {
        send(kind, good).ok().await;
    }
    for broken in
        ["", "{", "nonsense", "{\"sku\": }", good.trim_end_matches('}'), "{}{}", "{'a': 1}"]
    {
        send("application/json", broken).refused(400, "malformed_json").await;
    }
    let twice = r#"{"sku": "RED-LAMP", "quantity": 1, "quantity": 9}"#;
    send("application/json", twice).refused(400, "malformed_json").await;
    let bare = cart.client.call(Method::POST, &path);
    bare.refused(415, "unsupported_media_type").await;
}

#[tokio::test]
async fn replies_are_compressed_when_asked() {
    let visitor = visitor();
    let path = "/v1/products?limit=100";
    let plain = visitor.get(path).send().await.is(200);
    assert_eq!(plain.header("content-encoding"), "");
    let gzip = visitor.get(path).header("accept-encoding", "gzip").send().await.is(200);
    assert_eq!(gzip.header("content-encoding"), "gzip");
    let mut varies = gzip.headers.get_all("vary").iter();
    assert!(varies.any(|name| name == "accept-encoding"), "{gzip:?}");
    let mut unzipped = Vec::new();
    flate2::read::GzDecoder::new(&gzip.body[..]).read_to_end(&mut unzipped).unwrap();
    let brotli = visitor.get(path).header("accept-encoding", "br").send().await.is(200);
    assert_eq!(brotli.header("content-encoding"), "br");
    let mut unpacked = Vec::new();
    brotli_decompressor::Decompressor::new(&brotli.body[..], 4096)
        .read_to_end(&mut unpacked)
        .unwrap();
    assert!(unzipped == plain.body && unpacked == plain.body);
    assert!(gzip.body.len() * 3 < plain.body.len());
    let small = visitor.get("/healthz").header("accept-encoding", "gzip").send().await;
    assert_eq!(small.header("content-encoding"), "", "not worth it");
    let picture = visitor.get("/media/goods/oak-chair.pdf").header("accept-encoding", "gzip, br");
    assert_eq!(picture.send().await.header("content-encoding"), "");
    let none = visitor.get(path).header("accept-encoding", "zstd;q=1, identity;q=0.5").send().await;
    assert_eq!(none.header("content-encoding"), "");
}

#[tokio::test]
async fn the_shops_own_origin_may_call_and_no_other() {
    let guest = guest().await;
    let preflight = |origin: &'static str| {
        guest
            .call(Method::OPTIONS, "/v1/carts")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type,idempotency-key")
    };
    let allowed = preflight(ORIGIN).send_unchecked().await;
    assert_eq!(allowed.header("access-control-allow-origin"), ORIGIN, "{allowed:?}");
    assert!(allowed.header("access-control-allow-methods").contains("POST"));
    for name in ["authorization", "content-type", "idempotency-key", "if-match"] {
        let headers = allowed.header("access-control-allow-headers").to_lowercase();
        assert!(headers.contains(name), "{allowed:?}");
    }
    let foreign = preflight("https://evil.example").send_unchecked().await;
    assert_eq!(foreign.header("access-control-allow-origin"), "", "{foreign:?}");
    let reply = guest.get("/v1/shop").header("origin", ORIGIN).send().await.is(200);
    assert_eq!(reply.header("access-control-allow-origin"), ORIGIN);
    let exposed = reply.header("access-control-expose-headers").to_lowercase();
    for name in ["etag", "x-request-id", "idempotent-replayed", "retry-after", "location"] {
        assert!(exposed.contains(name), "{exposed}");
    }
    let refused = guest.get("/v1/nothing").header("origin", ORIGIN).send().await.is(404);
    assert_eq!(refused.header("access-control-allow-origin"), ORIGIN, "refusals can be read, too");
}

#[tokio::test]
async fn accept_is_not_negotiated() {
    let visitor = visitor();
    for accept in ["text/html", "application/xml", "image/png", "nonsense"] {
        let reply = visitor.get("/v1/shop").header("accept", accept).send().await.is(200);
        assert_eq!(reply.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn too_many_parameters_are_refused() {
    let visitor = visitor();
    let many: String = (0..300).map(|n| format!("facet.f{n}=x&")).collect();
    visitor.get(&format!("/v1/products?{many}")).refused(400, "invalid_parameter").await;
    let changing = guest().await.cart().await;
    let add =
        changing.client.post(&changing.at("/lines?dry=1"), json!({"sku": "A", "quantity": 1}));
    add.refused(400, "unknown_parameter").await;
}

#[tokio::test]
async fn a_validation_problem_has_its_shape() {
    let cart = guest().await.cart().await;
    let refused = cart.add("NO-SUCH-SKU", 1).refused(422, "validation_failed").await;
    assert_eq!(refused["errors"].as_array().map(Vec::len), Some(1));
    assert_ne!(refused["errors"][0]["detail"], Value::Null);
    assert_reply!("problem_validation_failed", refused);
}
