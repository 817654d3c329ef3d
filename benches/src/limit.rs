//! The limit: bare axum handlers that answer what the shop would, out of nothing. No store, no
//! token, no price: what the HTTP stack and the JSON alone cost.
//!
//! A reply has the headers of the shop's reply and its body, which is serialised anew for each
//! request, from the tree that it was parsed into: that costs 0.1 us more than from structs. A
//! body that is sent is parsed into a struct. Requests are the same bytes that the shop gets.

use std::sync::Arc;

use anyhow::Context;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::routing::get;
use axum::serve::ListenerExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client;
use crate::role;
use crate::server::Server;

/// Where the replies stand that are to be answered.
const REPLIES: &str = "BENCH_REPLIES";

/// Replies of the shop, as samples.
#[derive(Serialize, Deserialize)]
pub struct Replies {
    pub add: Sample,
    pub get: Sample,
    pub page: Sample,
}

#[derive(Serialize, Deserialize)]
pub struct Sample {
    headers: Vec<(String, String)>,
    body: Value,
}

impl Sample {
    pub fn of(reply: &client::Reply) -> anyhow::Result<Sample> {
        // The server writes these itself.
        let own = ["content-length", "content-type", "date"];
        let headers = reply.headers.iter().filter(|(name, _)| !own.contains(&name.as_str()));
        Ok(Sample {
            headers: headers.cloned().collect(),
            body: serde_json::from_slice(&reply.body)?,
        })
    }
}

/// Starts the limit as a process of its own.
pub fn start(replies: &Replies) -> anyhow::Result<Server> {
    let file = tempfile::NamedTempFile::new()?;
    serde_json::to_writer(&file, replies)?;
    let mut command = role("limit")?;
    command.env(REPLIES, file.path());
    Server::start(command)
}

pub fn run() -> anyhow::Result<()> {
    let path = std::env::var_os(REPLIES).context("it is told what to answer")?;
    let replies = serde_json::from_slice(&std::fs::read(path)?)?;
    tokio::runtime::Runtime::new()?.block_on(serve(replies))
}

async fn serve(replies: Replies) -> anyhow::Result<()> {
    let app = axum::Router::new()
        .route(
            "/v1/carts/{id}/lines",
            axum::routing::post(add).with_state(Answer::of(replies.add)?),
        )
        .route("/v1/carts/{id}", get(answer).with_state(Answer::of(replies.get)?))
        .route("/v1/products/{name}", get(answer).with_state(Answer::of(replies.page)?));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, app).await?)
}

/// The body of an add.
#[derive(Deserialize)]
#[expect(dead_code, reason = "what is parsed is not looked at")]
struct AddLine {
    sku: String,
    quantity: u32,
}

async fn add(answer: State<Answer>, Json(_): Json<AddLine>) -> (HeaderMap, Json<Arc<Value>>) {
    self::answer(answer).await
}

async fn answer(State(answer): State<Answer>) -> (HeaderMap, Json<Arc<Value>>) {
    (answer.headers.as_ref().clone(), Json(answer.body))
}

#[derive(Clone)]
struct Answer {
    headers: Arc<HeaderMap>,
    body: Arc<Value>,
}

impl Answer {
    fn of(sample: Sample) -> anyhow::Result<Answer> {
        let mut headers = HeaderMap::new();
        for (name, value) in sample.headers {
            // It serves until it is killed; a static value is cloned for nothing.
            let value: &'static str = value.leak();
            headers.append(HeaderName::try_from(name)?, HeaderValue::from_static(value));
        }
        Ok(Answer { headers: Arc::new(headers), body: Arc::new(sample.body) })
    }
}
