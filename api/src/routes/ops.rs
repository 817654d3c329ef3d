//! What operators and balancers ask: whether the process lives, whether it may take traffic,
//! and its figures.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use barrow_engine::ids::SessionId;
use http::{HeaderValue, header};

use crate::app::{App, SharedApp};
use crate::edge::Problem;
use crate::edge::metrics::Exposition;

/// A balancer asks again by itself; this is for people.
const RETRY: Duration = Duration::from_secs(1);

/// Whether the process lives and may take traffic.
pub fn health() -> Router<SharedApp> {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready))
}

/// The figures; on a port of their own where the settings say so.
pub fn metrics() -> Router<SharedApp> {
    Router::new().route("/metrics", get(figures))
}

async fn alive() -> Response {
    status("alive")
}

async fn ready(State(app): State<SharedApp>) -> Result<Response, Problem> {
    match obstacle(&app) {
        None => Ok(status("ready")),
        Some(why) => Err(Problem::unavailable(why, RETRY)),
    }
}

fn obstacle(app: &App) -> Option<&'static str> {
    if app.leaving.load(Ordering::Acquire) || app.draining.is_cancelled() {
        return Some("the process is ending");
    }
    if !app.lease.is_valid(app.clock.uptime()) {
        return Some("the right to serve has run out: the control table does not answer");
    }
    // The revocations are read from the entity store each second, so whether they are fresh
    // tells whether the store answers. No session has the id 0.
    match app.sessions.check(SessionId(0)) {
        Err(barrow_actors::sessions::SessionCheckError::Stale) => {
            Some("the entity store has not answered lately")
        }
        _ => None,
    }
}

fn status(status: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, format!(r#"{{"status":"{status}"}}"#)).into_response()
}

async fn figures(State(app): State<SharedApp>) -> Response {
    let content_type = HeaderValue::from_static(Exposition::CONTENT_TYPE);
    ([(header::CONTENT_TYPE, content_type)], app.metrics.render()).into_response()
}
