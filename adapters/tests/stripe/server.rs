//! A server that answers as Stripe's public OpenAPI specification and documentation say, as far
//! as a payment by card needs it. It keeps idempotency keys as Stripe does: the first answer for
//! ever, and an error for another request under the same key.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use barrow_adapters::gateways::STRIPE_VERSION;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::objects::{Objects, Refusal, fields};

pub const SECRET_KEY: &str = "sk_test_barrow";

/// What goes wrong with the next request that is to have an effect.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It has its effect, and the answer never arrives.
    LostAnswer,
    /// Nothing is done, and nothing remembered.
    Turned(u16, Value),
    /// Nothing is done; a repeat is answered the same.
    Remembered(u16, Value),
    /// Not Stripe's words, but somebody's between.
    Foreign(u16, &'static str),
}

#[derive(Default)]
pub struct State {
    pub objects: Objects,
    pub faults: VecDeque<Fault>,
    /// The paths that were asked for an effect, each time.
    pub posted: Vec<String>,
    keys: BTreeMap<String, (String, u16, Value)>,
}

#[derive(Clone)]
pub struct Stripe {
    pub url: String,
    pub state: Arc<Mutex<State>>,
}

impl Stripe {
    pub async fn start() -> Stripe {
        let state = Arc::new(Mutex::new(State::default()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::clone(&state);
        let answer = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let shared = Arc::clone(&shared);
            async move { shared.lock().answer(&method, &uri, &headers, &body) }
        };
        let router = Router::new().fallback(answer);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Stripe { url, state }
    }

    pub fn with<T>(&self, change: impl FnOnce(&mut Objects) -> T) -> T {
        change(&mut self.state.lock().objects)
    }

    pub fn fail_next(&self, fault: Fault) {
        self.state.lock().faults.push_back(fault);
    }

    /// The paths that were asked for an effect.
    pub fn posted(&self) -> Vec<String> {
        self.state.lock().posted.clone()
    }
}

impl State {
    fn answer(
        &mut self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Response<Body> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if header("authorization") != Some("Bearer sk_test_barrow") {
            let refusal = Refusal::new("invalid_request_error", "api_key_invalid");
            return respond(401, &refusal.body(), false);
        }
        assert_eq!(header("stripe-version"), Some(STRIPE_VERSION));
        if method == Method::GET {
            let query = fields(uri.query().unwrap_or_default());
            return match self.objects.get(uri.path(), &query) {
                Ok(value) => respond(200, &value, false),
                Err(refusal) => respond(refusal.status, &refusal.body(), false),
            };
        }
        let form = header("content-type") == Some("application/x-www-form-urlencoded");
        assert!(form && method == Method::POST, "{method} {uri}");
        let key = header("idempotency-key").expect("every effect is asked for under a key");
        assert!(key.len() <= 255);
        self.post(uri.path(), key, std::str::from_utf8(body).unwrap())
    }

    fn post(&mut self, path: &str, key: &str, body: &str) -> Response<Body> {
        self.posted.push(path.to_owned());
        let fault = self.faults.pop_front();
        match &fault {
            Some(Fault::Turned(status, value)) => return respond(*status, value, false),
            Some(Fault::Foreign(status, text)) => return text_response(*status, text),
            _ => {}
        }
        let request = format!("{path}?{body}");
        if let Some((before, status, value)) = self.keys.get(key) {
            if *before != request {
                let refusal = Refusal::new("idempotency_error", "");
                return respond(400, &refusal.body(), false);
            }
            return respond(*status, value, true);
        }
        let (status, value) = match &fault {
            Some(Fault::Remembered(status, value)) => (*status, value.clone()),
            _ => match self.objects.post(path, &fields(body)) {
                Ok(value) => (200, value),
                Err(refusal) => (refusal.status, refusal.body()),
            },
        };
        self.keys.insert(key.to_owned(), (request, status, value.clone()));
        match fault {
            Some(Fault::LostAnswer) => lost(),
            _ => respond(status, &value, false),
        }
    }
}

fn respond(status: u16, value: &Value, is_replay: bool) -> Response<Body> {
    let mut response =
        Response::builder().status(status).header("content-type", "application/json");
    if is_replay {
        response = response.header("idempotent-replayed", "true");
    }
    response.body(Body::from(value.to_string())).unwrap()
}

fn text_response(status: u16, text: &'static str) -> Response<Body> {
    Response::builder().status(status).body(Body::from(text)).unwrap()
}

/// The connection ends in the middle of the answer.
fn lost() -> Response<Body> {
    let parts = [Ok(Bytes::from_static(b"{\"id\":")), Err(std::io::Error::other("gone"))];
    let body = Body::from_stream(futures::stream::iter(parts));
    Response::builder().status(StatusCode::OK).body(body).unwrap()
}

/// An error as Stripe writes it.
pub fn error(kind: &str, code: &str) -> Value {
    json!({"error": {"type": kind, "code": code, "message": "as asked by the test"}})
}
