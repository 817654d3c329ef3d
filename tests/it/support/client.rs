//! A client that no reply can fool: each is held to the conventions that all replies keep, and
//! to what the API's own description promises of it.

use std::collections::HashSet;

use parking_lot::Mutex;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde_json::{Value, json};

use super::contract;

/// Somebody who asks a shop, with or without a token.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    pub url: String,
    pub token: Option<String>,
}

impl Client {
    pub fn of(url: &str) -> Client {
        barrow_adapters::s3::install_cryptography();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(barrow_tests::server::PATIENCE)
            .build()
            .unwrap();
        Client { http, url: url.to_owned(), token: None }
    }

    pub fn with_token(&self, token: &str) -> Client {
        Client { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same at another address.
    pub fn at(&self, url: &str) -> Client {
        Client { url: url.to_owned(), ..self.clone() }
    }

    /// Starts a session of its own.
    pub async fn guest(&self) -> Client {
        let anonymous = Client { token: None, ..self.clone() };
        let session = anonymous.post("/v1/sessions", json!({})).made().await;
        self.with_token(session["token"].as_str().unwrap())
    }

    /// Opens a cart with the shop's defaults.
    pub async fn cart(&self) -> Cart {
        self.cart_of(json!({})).await
    }

    /// Opens a cart in a currency, channel or language.
    pub async fn cart_of(&self, terms: Value) -> Cart {
        let cart = self.post("/v1/carts", terms).made().await;
        Cart { client: self.clone(), path: format!("/v1/carts/{}", text(&cart["id"])) }
    }

    pub fn call(&self, method: Method, path: &str) -> Call {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        Call { request, method, path: path.to_owned(), url: self.url.clone() }
    }

    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    pub fn post(&self, path: &str, body: Value) -> Call {
        self.call(Method::POST, path).json(&body)
    }

    pub fn put(&self, path: &str, body: Value) -> Call {
        self.call(Method::PUT, path).json(&body)
    }

    pub fn patch(&self, path: &str, body: Value) -> Call {
        self.call(Method::PATCH, path).json(&body)
    }

    /// 200, and its JSON.
    pub async fn read(&self, path: &str) -> Value {
        self.get(path).ok().await
    }
}

/// A cart and whose it is.
#[derive(Debug, Clone)]
pub struct Cart {
    pub client: Client,
    /// `/v1/carts/ID`.
    pub path: String,
}

impl Cart {
    /// An address below the cart's.
    pub fn at(&self, below: &str) -> String {
        format!("{}{below}", self.path)
    }

    pub async fn read(&self) -> Value {
        self.client.read(&self.path).await
    }

    pub fn add(&self, sku: &str, quantity: impl Into<Value>) -> Call {
        let body = json!({"sku": sku, "quantity": quantity.into()});
        self.client.post(&self.at("/lines"), body)
    }

    pub fn actions(&self, actions: Value) -> Call {
        self.client.post(&self.at("/actions"), json!({"actions": actions}))
    }

    pub fn contact(&self, email: &str) -> Call {
        self.client.put(&self.at("/contact"), json!({"email": email}))
    }

    /// Sets a German address, so that taxes and ways to ship are known.
    pub fn ship_to(&self, country: &str, region: Value) -> Call {
        let shipping = address(country, region);
        self.client.put(&self.at("/addresses"), json!({"shipping": shipping}))
    }
}

pub fn address(country: &str, region: Value) -> Value {
    json!({
        "first_name": "Ada", "last_name": "Lovelace", "line1": "Unter den Linden 1",
        "city": "Berlin", "region": region, "postal_code": "10117", "country": country,
    })
}

/// A request being made.
#[must_use]
pub struct Call {
    request: reqwest::RequestBuilder,
    method: Method,
    path: String,
    url: String,
}

impl Call {
    pub fn json(self, body: &Value) -> Call {
        self.body("application/json", body.to_string())
    }

    pub fn body(mut self, kind: &str, body: impl Into<reqwest::Body>) -> Call {
        self.request = self.request.header(CONTENT_TYPE, kind).body(body);
        self
    }

    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Call {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
        self.request = self.request.header(name, value);
        self
    }

    pub fn key(self, key: &str) -> Call {
        self.header("idempotency-key", key)
    }

    pub fn if_match(self, version: u64) -> Call {
        self.header("if-match", format!("\"{version}\""))
    }

    /// Sends it, and holds the reply to what all replies promise.
    #[track_caller]
    pub fn send(self) -> impl Future<Output = Reply> {
        let asked = format!("{} {}", self.method, self.path);
        async move {
            let (method, url) = (self.method.clone(), self.url.clone());
            let path = self.path.clone();
            let reply = self.send_unchecked().await;
            reply.keeps_the_conventions(&method, &url).await;
            contract::check(&url, &method, &path, &reply)
                .await
                .unwrap_or_else(|wrong| panic!("{asked}: {wrong}\n{reply:#?}"));
            reply
        }
    }

    pub async fn send_unchecked(self) -> Reply {
        let asked = format!("{} {}", self.method, self.path);
        let response = self.request.send().await.unwrap_or_else(|e| panic!("{asked}: {e:?}"));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.unwrap_or_else(|e| panic!("{asked}: {e:?}")).to_vec();
        Reply { asked, status, headers, body }
    }

    /// Sends it; `None` where the server is not there, or goes away before it answered.
    pub async fn try_send(self) -> Option<Reply> {
        let asked = format!("{} {}", self.method, self.path);
        let response = self.request.send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.ok()?.to_vec();
        Some(Reply { asked, status, headers, body })
    }

    /// The response with its body unread.
    pub async fn stream(self) -> reqwest::Response {
        self.request.send().await.unwrap()
    }

    /// Expects 200; answers the JSON.
    pub async fn ok(self) -> Value {
        self.send().await.is(200).json()
    }

    /// Expects 201; answers the JSON.
    pub async fn made(self) -> Value {
        self.send().await.is(201).json()
    }

    /// Expects a refusal; answers the problem.
    pub async fn refused(self, status: u16, code: &str) -> Value {
        let reply = self.send().await.is(status);
        let problem = reply.json();
        assert_eq!(problem["code"], code, "{reply:#?}");
        problem
    }

    /// Expects 422 `validation_failed` that points there.
    pub async fn invalid(self, pointer: &str, code: &str) {
        let problem = self.refused(422, "validation_failed").await;
        let error = &problem["errors"][0];
        assert_eq!((text(&error["pointer"]), text(&error["code"])), (pointer, code), "{problem:#}");
    }
}

/// A reply, read to its end.
#[derive(Clone)]
pub struct Reply {
    pub asked: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        let body: String = body.chars().take(3_000).collect();
        write!(f, "{} answered {}\n{:#?}\n{body}", self.asked, self.status, self.headers)
    }
}

impl Reply {
    #[track_caller]
    pub fn is(self, status: u16) -> Reply {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// `null` for a body that is no JSON.
    pub fn json_or_null(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// A header's value; empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The version that `ETag` names.
    #[track_caller]
    pub fn version(&self) -> u64 {
        let tag = self.header("etag").trim_matches('"');
        tag.parse().unwrap_or_else(|_| panic!("no version in {self:#?}"))
    }

    async fn keeps_the_conventions(&self, method: &Method, url: &str) {
        assert!(self.status < 500, "no input gives a 5xx: {self:#?}");
        let id = self.header("x-request-id");
        assert!((1..=128).contains(&id.len()), "{self:#?}");
        assert!(is_traceparent(self.header("traceparent")), "{self:#?}");
        assert_eq!(self.header("x-content-type-options"), "nosniff", "{self:#?}");
        let is_bare = *method == Method::HEAD || self.body.is_empty();
        if !is_bare {
            assert!(!self.header("content-type").is_empty(), "{self:#?}");
        }
        // A range that cannot be had is told by its header alone.
        if self.status < 400 || self.status == 416 {
            return;
        }
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:#?}");
        if *method != Method::HEAD {
            self.is_a_whole_problem(url).await;
        }
    }

    async fn is_a_whole_problem(&self, url: &str) {
        let problem = self.json();
        for field in ["type", "title", "detail", "code", "request_id"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{self:#?}");
        }
        assert_eq!(problem["status"], self.status, "{self:#?}");
        assert_eq!(problem["request_id"], self.header("x-request-id"), "{self:#?}");
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("{self:#?}"));
        for error in errors {
            for field in ["pointer", "code", "detail"] {
                assert!(error[field].is_string(), "{self:#?}");
            }
        }
        if self.status == 429 || self.status == 503 {
            let wait: u64 = self.header("retry-after").parse().unwrap();
            assert!(wait >= 1, "{self:#?}");
        }
        explained(url, text(&problem["type"]), text(&problem["code"])).await;
    }
}

/// The page of a problem's `type` is there and speaks of its code. Each is looked at once.
async fn explained(url: &str, page: &str, code: &str) {
    static SEEN: Mutex<Option<HashSet<String>>> = Mutex::new(None);

    if SEEN.lock().get_or_insert_default().contains(code) {
        return;
    }
    let address = Url::parse(url).unwrap().join(page).unwrap();
    let reply = reqwest::get(address.clone()).await.unwrap();
    assert_eq!(reply.status().as_u16(), 200, "{address}");
    assert!(reply.text().await.unwrap().contains(code), "{address} does not speak of {code}");
    SEEN.lock().get_or_insert_default().insert(code.to_owned());
}

fn is_traceparent(value: &str) -> bool {
    let parts: Vec<&str> = value.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [2, 32, 16, 2] && value.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

/// A JSON text.
#[track_caller]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// A JSON number.
#[track_caller]
pub fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("{value} is no whole number"))
}

/// A JSON list.
#[track_caller]
pub fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list"))
}
