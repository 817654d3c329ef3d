//! Fuzz targets: heads, queries and bodies, before any route sees them.

use std::collections::BTreeSet;

use barrow_engine::pricing::Shop;
use barrow_fuzz::{INPUTS, Verdict, fuzz};
use http::{HeaderMap, HeaderValue, Method, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::client_ip::client_ip;
use super::context::{REQUEST_ID, TRACEPARENT};
use super::idempotency::{self, payload};
use super::json::{DEPTH_MAX, parse, typed};
use super::params::{PAGE_SIZE_MAX, Params};
use super::{
    ClientKey, Code, Names, Precondition, Problem, RequestContext, Selling, etag, prefers_minimal,
};
use crate::wire::cart_requests::{
    Actions, AddLine, Nothing, OpenCart, SetAddresses, SetContact, SetQuantity, SetShippingMethod,
};

const LINE: &[u8] = br#"{"sku": "OAK-CHAIR-NAT", "quantity": 2}"#;
const OPEN: &[u8] = br#"{"currency": "EUR", "channel": "web", "locale": "en"}"#;
const ADDRESSES: &[u8] = br#"{"shipping": {"first_name": "Ada", "last_name": "Lovelace",
    "company": null, "line1": "Unter den Linden 1", "city": "Berlin", "postal_code": "10117",
    "country": "DE", "phone": "+49 30 1234567"}, "billing": null}"#;
const ACTIONS: &[u8] = br#"{"actions": [{"type": "add_line", "sku": "A", "quantity": 2.0},
    {"type": "set_quantity", "line_id": "line_1", "quantity": 0}, [[{"a": [-1.5e3, true]}]]]}"#;

/// A refusal of the kind that is expected says where and what, in words that stay.
#[track_caller]
pub(crate) fn check_problem(problem: &Problem, expected: &[Code]) {
    assert!(expected.contains(&problem.code()), "{:?}: {}", problem.code(), problem.detail());
    assert!(problem.code().status().is_client_error());
    assert!(problem.detail().chars().count() <= 1_000, "{}", problem.detail());
    for error in problem.errors() {
        assert!(error.pointer.is_empty() || error.pointer.starts_with('/'), "{error:?}");
        assert!(error.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{error:?}");
        assert!(error.detail.chars().count() <= 1_000, "{} characters", error.detail.len());
    }
    if problem.code() == Code::ValidationFailed {
        assert!(!problem.errors().is_empty());
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[test]
fn fuzz_bodies() {
    fuzz("bodies", INPUTS, &[LINE, OPEN, ADDRESSES, ACTIONS], |bytes| {
        let parsed = parse(bytes);
        match &parsed {
            Ok(value) => {
                assert!(depth(value) <= DEPTH_MAX);
                let again = parse(value.to_string().as_bytes()).expect("it was read before");
                assert_eq!(&again, value);
                // A key stands for the body as parsed, however it was written.
                let stands = |value: &Value| payload(&Method::POST, "/v1/carts", Some(value));
                assert_eq!(stands(&again), stands(value));
            }
            Err(problem) => {
                check_problem(problem, &[Code::MalformedJson, Code::ValidationFailed]);
            }
        }
        Verdict::of(&parsed)
    });
}

fn check_body<T: DeserializeOwned>(name: &str, samples: &[&[u8]]) {
    fuzz(name, INPUTS / 4, samples, |bytes| {
        let Ok(value) = parse(bytes) else { return Verdict::Refused };
        let body = typed::<T>(&value, "/here");
        if let Err(problem) = &body {
            check_problem(problem, &[Code::ValidationFailed]);
            for error in problem.errors() {
                let place = error.pointer.strip_prefix("/here").expect("it is below the body");
                // What is pointed at is there, or is a field that is missing or unknown.
                let parent = place.rsplit_once('/').map_or("", |(parent, _)| parent);
                assert!(value.pointer(parent).is_some(), "{error:?} in {value}");
            }
        }
        Verdict::of(&body)
    });
}

#[test]
fn fuzz_typed_bodies() {
    check_body::<OpenCart>("open_cart", &[OPEN, b"{}"]);
    check_body::<AddLine>("add_line", &[LINE]);
    check_body::<SetQuantity>("set_quantity", &[br#"{"quantity": 99999}"#]);
    let contact = br#"{"email": "ada@example.com", "phone": null}"#;
    check_body::<SetContact>("set_contact", &[contact]);
    check_body::<SetAddresses>("set_addresses", &[ADDRESSES]);
    check_body::<SetShippingMethod>("set_shipping_method", &[br#"{"id": "standard"}"#]);
    check_body::<Nothing>("nothing", &[b"{}"]);
    check_body::<Actions>("actions", &[ACTIONS]);
}

#[test]
fn fuzz_queries() {
    let sample = b"facet.color=red&facet.color=d%C3%A4mmer+grau&sort=-price&limit=7&in_stock=true";
    fuzz("queries", INPUTS, &[sample, b"cursor=AAAA&limit=100"], |bytes| {
        let Ok(query) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        let read = Params::parse(Some(query));
        let mut params = match read {
            Ok(params) => params,
            Err(problem) => {
                check_problem(&problem, &[Code::InvalidParameter]);
                return Verdict::Refused;
            }
        };
        match params.limit() {
            Ok(limit) => assert!((1..=PAGE_SIZE_MAX).contains(&limit)),
            Err(problem) => check_problem(&problem, &[Code::InvalidParameter]),
        }
        for (code, _) in params.with_prefix("facet.") {
            assert!(!code.starts_with("facet.") || query.contains("facet"));
        }
        if let Err(problem) = params.finish() {
            check_problem(&problem, &[Code::UnknownParameter]);
        }
        Verdict::Taken
    });
}

/// The head with this value, if it can be sent at all.
fn head(name: http::HeaderName, value: &[u8]) -> Option<HeaderMap> {
    let value = HeaderValue::from_bytes(value).ok()?;
    Some(HeaderMap::from_iter([(name, value)]))
}

#[test]
fn fuzz_idempotency_keys() {
    let name = http::HeaderName::from_static(idempotency::HEADER);
    fuzz("idempotency_keys", INPUTS, &[b"0f8fad5b-d9cb-469f-a165-70867728950e"], |bytes| {
        let Some(headers) = head(name.clone(), bytes) else { return Verdict::Refused };
        let key = ClientKey::from_headers(&headers);
        match &key {
            Ok(key) => {
                let key = key.as_ref().expect("there is one").as_bytes();
                assert_eq!(key, bytes);
                assert!((16..=255).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic));
            }
            Err(problem) => check_problem(problem, &[Code::IdempotencyKeyInvalid]),
        }
        Verdict::of(&key)
    });
}

#[test]
fn fuzz_conditions() {
    fuzz("if_match", INPUTS, &[b"\"5\", W/\"6\", 7", b"*"], |bytes| {
        let Some(headers) = head(header::IF_MATCH, bytes) else { return Verdict::Refused };
        let Precondition::OneOf(versions) = Precondition::from_headers(&headers) else {
            assert!(bytes.contains(&b'*'), "only a star is no condition");
            return Verdict::Taken;
        };
        assert!(versions.len() <= 16);
        for version in &versions {
            let headers = HeaderMap::from_iter([(header::IF_MATCH, etag(*version))]);
            let again = Precondition::from_headers(&headers);
            assert_eq!(again, Precondition::OneOf(vec![*version]));
        }
        (!versions.is_empty()).into()
    });
    let prefer = http::HeaderName::from_static("prefer");
    fuzz("prefer", INPUTS, &[b"respond-async, return=\"minimal\"; x=1"], |bytes| {
        let Some(headers) = head(prefer.clone(), bytes) else { return Verdict::Refused };
        prefers_minimal(&headers).into()
    });
}

#[test]
fn fuzz_names_of_requests() {
    let trace = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (target, name, sample) in
        [("request_ids", REQUEST_ID, &b"abc-123"[..]), ("traceparents", TRACEPARENT, &trace[..])]
    {
        fuzz(target, INPUTS, &[sample], |bytes| {
            let Some(headers) = head(name.clone(), bytes) else { return Verdict::Refused };
            let told = RequestContext::read(&headers, &Names::new(42));
            // Whatever came, what goes back is sound, and would be taken up again.
            let mut back = HeaderMap::new();
            back.insert(REQUEST_ID, told.request_id.clone());
            back.insert(TRACEPARENT, told.traceparent.clone());
            let again = RequestContext::read(&back, &Names::new(43));
            assert_eq!(again.request_id, told.request_id);
            assert_eq!(again.traceparent, told.traceparent);
            (told.request_id == bytes || told.traceparent == bytes).into()
        });
    }
}

#[test]
fn fuzz_addresses_of_clients() {
    let peer = "10.0.0.1".parse().unwrap();
    let trusted = ["10.0.0.0/8".parse().unwrap()];
    let name = http::HeaderName::from_static("x-forwarded-for");
    let samples: [&[u8]; 2] = [b"1.1.1.1, 198.51.100.1, 10.0.0.2", b"2001:db8::1, ::ffff:10.0.0.9"];
    fuzz("forwarded", INPUTS, &samples, |bytes| {
        let Some(headers) = head(name.clone(), bytes) else { return Verdict::Refused };
        let found = client_ip(peer, &headers, &trusted);
        assert_eq!(found, found.to_canonical());
        (found != peer).into()
    });
}

#[test]
fn fuzz_languages() {
    let shop = Shop::sample();
    let locales: BTreeSet<String> = shop
        .channels
        .iter()
        .flat_map(|channel| channel.locales.iter().map(ToString::to_string))
        .collect();
    fuzz("languages", INPUTS, &[b"fr;q=0.5, de;q=0.9, en-US;q=0.1, *;q=0"], |bytes| {
        let Some(headers) = head(header::ACCEPT_LANGUAGE, bytes) else { return Verdict::Refused };
        // Whatever a browser prefers, it is sold to, in a language of the shop.
        let selling = Selling::resolve(&shop, None, None, None, &headers).expect("a default");
        assert!(locales.contains(selling.locale.as_str()));
        let tag = String::from_utf8_lossy(bytes);
        if let Ok(selling) = Selling::resolve(&shop, None, None, Some(&tag), &headers) {
            assert!(locales.contains(selling.locale.as_str()));
        }
        Verdict::Taken
    });
}
