//! Idempotency keys: what a client names its request, so that it takes effect once however
//! often it is sent. The payload that a key stands for is the method, the path and the body
//! as parsed: the order of an object's fields and the spaces between them mean nothing.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, Method};
use serde_json::Value;

use super::{Code, Problem};

/// The header that carries the key.
pub const HEADER: &str = "idempotency-key";
/// Shorter keys collide by accident; longer ones are not keys.
const LENGTH_MIN: usize = 16;
const LENGTH_MAX: usize = 255;

/// A key as the client sent it, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientKey(Box<str>);

impl ClientKey {
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The key, or `None` where the request has none.
    pub fn from_headers(headers: &HeaderMap) -> Result<Option<ClientKey>, Problem> {
        let mut values = headers.get_all(HEADER).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let invalid = |why| Err(Problem::new(Code::IdempotencyKeyInvalid, why));
        if values.next().is_some() {
            return invalid("there is more than one idempotency key");
        }
        let key = value.as_bytes();
        if !(LENGTH_MIN..=LENGTH_MAX).contains(&key.len()) || !key.iter().all(u8::is_ascii_graphic)
        {
            return invalid("an idempotency key is 16 to 255 visible ASCII characters");
        }
        let key = std::str::from_utf8(key).expect("visible ASCII is UTF-8");
        Ok(Some(ClientKey(key.into())))
    }
}

/// The key of a request, if it has one.
#[derive(Debug)]
pub struct MaybeKey(pub Option<ClientKey>);

impl<S: Sync> FromRequestParts<S> for MaybeKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<MaybeKey, Problem> {
        ClientKey::from_headers(&parts.headers).map(MaybeKey)
    }
}

/// The bytes that stand for a request: equal for equal requests, and only for those.
pub fn payload(method: &Method, path: &str, body: Option<&Value>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(path.as_bytes());
    out.push(b'\n');
    if let Some(body) = body {
        canonical(body, &mut out);
    }
    out
}

/// JSON with the keys of each object in order.
fn canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(key, _)| *key);
            out.push(b'{');
            for (key, value) in fields {
                text(key, out);
                out.push(b':');
                canonical(value, out);
                out.push(b',');
            }
            out.push(b'}');
        }
        Value::Array(values) => {
            out.push(b'[');
            for value in values {
                canonical(value, out);
                out.push(b',');
            }
            out.push(b']');
        }
        Value::String(value) => text(value, out),
        plain => out.extend_from_slice(plain.to_string().as_bytes()),
    }
}

fn text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("writing to memory cannot fail");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_16_to_255_visible_ascii() {
        for (key, good) in [
            ("a".repeat(15), false),
            ("a".repeat(16), true),
            ("a".repeat(255), true),
            ("a".repeat(256), false),
            ("with a space in it".to_owned(), false),
            ("ümlaute-are-not-ascii".to_owned(), false),
            ("0f8fad5b-d9cb-469f-a165-70867728950e".to_owned(), true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, http::HeaderValue::from_bytes(key.as_bytes()).unwrap());
            match ClientKey::from_headers(&headers) {
                Ok(found) => assert!(good && found.unwrap().as_bytes() == key.as_bytes()),
                Err(problem) => {
                    assert!(!good, "{key}");
                    assert_eq!(problem.code(), Code::IdempotencyKeyInvalid);
                }
            }
        }
        assert_eq!(ClientKey::from_headers(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn two_keys_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(HEADER, "a".repeat(16).parse().unwrap());
        headers.append(HEADER, "b".repeat(16).parse().unwrap());
        assert!(ClientKey::from_headers(&headers).is_err());
    }

    #[test]
    fn the_payload_is_the_request_as_parsed() {
        let of = |method: Method, path: &str, body: Value| payload(&method, path, Some(&body));
        let one = of(Method::POST, "/a", json!({"sku": "A", "quantity": 1}));
        assert_eq!(one, of(Method::POST, "/a", json!({"quantity": 1, "sku": "A"})));
        assert_eq!(one, b"POST /a\n{\"quantity\":1,\"sku\":\"A\",}");
        for other in [
            of(Method::PUT, "/a", json!({"sku": "A", "quantity": 1})),
            of(Method::POST, "/b", json!({"sku": "A", "quantity": 1})),
            of(Method::POST, "/a", json!({"sku": "A", "quantity": 2})),
            of(Method::POST, "/a", json!({"sku": "A", "quantity": "1"})),
            of(Method::POST, "/a", json!([{"sku": "A", "quantity": 1}])),
            payload(&Method::POST, "/a", None),
        ] {
            assert_ne!(one, other);
        }
    }
}
