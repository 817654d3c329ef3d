//! What a shopper's client sends and reads: requests and replies of the public API, as JSON.

use axum::body::Body;
use barrow_engine::ids::CartId;
use barrow_engine::time::Timestamp;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, header};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::Value;

use super::shelf::{UNIT, sku_index};

/// A request, but for the token.
#[derive(Debug, Clone)]
pub struct Ask {
    pub method: Method,
    pub path: String,
    pub body: Option<Value>,
    pub key: Option<String>,
    pub if_match: Option<u64>,
    pub minimal: bool,
}

impl Ask {
    pub fn get(path: impl Into<String>) -> Ask {
        Ask::new(Method::GET, path.into(), None)
    }

    pub fn post(path: impl Into<String>, body: Value) -> Ask {
        Ask::new(Method::POST, path.into(), Some(body))
    }

    pub fn delete(path: impl Into<String>) -> Ask {
        Ask::new(Method::DELETE, path.into(), None)
    }

    fn new(method: Method, path: String, body: Option<Value>) -> Ask {
        Ask { method, path, body, key: None, if_match: None, minimal: false }
    }

    pub fn to_request(&self, token: Option<&str>) -> Request<Body> {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(key) = &self.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(version) = self.if_match {
            request = request.header(header::IF_MATCH, format!("\"{version}\""));
        }
        if self.minimal {
            request = request.header("prefer", "return=minimal");
        }
        let body = match &self.body {
            None => Body::empty(),
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
        };
        request.body(body).expect("a client's request is well-formed")
    }
}

/// A reply that was read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub async fn read(response: Response<Body>) -> Option<Answer> {
        let (head, body) = response.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Of a refusal.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The version that a repeated command once made.
    pub fn replayed(&self) -> Option<u64> {
        self.headers.get("idempotent-version")?.to_str().ok()?.parse().ok()
    }

    pub fn describe(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(&self.body))
    }

    /// The cart in it.
    ///
    /// # Errors
    /// What is wrong with it, whatever the history was.
    pub fn cart(&self) -> Result<CartSeen, String> {
        let seen = CartSeen::read(&self.body)?;
        let tag = self.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
        if tag != Some(&format!("\"{}\"", seen.version)) {
            return Err(format!("version {} under the tag {tag:?}", seen.version));
        }
        Ok(seen)
    }
}

/// A cart as one reply showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CartSeen {
    pub id: CartId,
    pub version: u64,
    pub is_expired: bool,
    /// The SKUs in it; `None` where the short answer was asked for.
    pub items: Option<Vec<u32>>,
    pub created_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct CartBody {
    id: String,
    version: u64,
    status: Option<String>,
    lines: Option<Vec<LineBody>>,
    totals: Totals,
    created_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct LineBody {
    sku: String,
    quantity: i64,
    line_total: Money,
}

#[derive(Deserialize)]
struct Totals {
    subtotal: Money,
    total: Money,
}

#[derive(Deserialize)]
struct Money {
    amount: i64,
}

impl CartSeen {
    /// # Errors
    /// What no cart of these clients can ever be: each change of theirs adds one unit of a SKU
    /// of its own, so the version says how many lines there are, and what they cost.
    pub fn read(body: &[u8]) -> Result<CartSeen, String> {
        let cart: CartBody =
            serde_json::from_slice(body).map_err(|error| format!("not a cart: {error}"))?;
        let id = cart.id.parse().map_err(|_| format!("'{}' is no cart's id", cart.id))?;
        let is_expired = cart.status.as_deref() == Some("expired");
        let changes = cart.version - u64::from(is_expired);
        let subtotal = UNIT * (changes as i64 - 1);
        if (cart.totals.subtotal.amount, cart.totals.total.amount) != (subtotal, subtotal) {
            let (version, amount) = (cart.version, cart.totals.subtotal.amount);
            return Err(format!("at version {version} a cart costs {amount}, not {subtotal}"));
        }
        if let Some(line) = cart.lines.iter().flatten().find(|line| line.quantity != 1) {
            return Err(format!("{} took effect {} times", line.sku, line.quantity));
        }
        let items = match cart.lines {
            None => None,
            Some(lines) => {
                if lines.iter().any(|line| line.line_total.amount != UNIT) {
                    return Err("a unit has another price".to_owned());
                }
                let items: Option<Vec<u32>> =
                    lines.iter().map(|line| sku_index(&line.sku)).collect();
                Some(items.ok_or("a SKU that nobody added")?)
            }
        };
        let lines = items.as_ref().map(|items| items.len() as u64);
        if lines.is_some_and(|lines| lines + 1 != changes) {
            return Err(format!("version {} with {lines:?} lines", cart.version));
        }
        let created_at = cart.created_at;
        Ok(CartSeen { id, version: cart.version, is_expired, items, created_at })
    }
}
