//! What every reply has in common, whatever route answers: an id and a trace, refusals as
//! problems, figures; and what every request passes before its route: admission, the token, and
//! a net below it, so that a handler that breaks is a 503 and a line in the log, not a hang-up.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, Predicate, SizeAbove};

use super::body::ReadToEnd;
use super::context::{Peer, REQUEST_ID, RequestContext, TRACEPARENT};
use super::metrics::Gauged;
use super::{Code, Problem, client_ip};
use crate::app::{App, SharedApp};
use crate::auth::identify;

/// What a refused client should wait: long enough to matter, short enough to be back soon.
const SHED_RETRY: Duration = Duration::from_secs(1);

/// The outer layer: names the request, writes problems, counts.
pub async fn stamp(State(app): State<SharedApp>, request: Request, next: Next) -> Response {
    let (request, body) = ReadToEnd::watch(request);
    let started = Instant::now();
    let client = client_of(&app, &request);
    let context = RequestContext::read(request.headers(), &app.names);
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let mut response = next.run(request).await;
    if method == Method::OPTIONS && response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response = options(response);
    }
    let RequestContext { request_id, traceparent } = context;
    let mut response = Problem::render(response, as_text(&request_id));
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, request_id.clone());
    headers.insert(TRACEPARENT, traceparent);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !body.is_so() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let took = started.elapsed();
    app.metrics.request(&method, route, response.status(), took);
    let client = client.map(tracing::field::display);
    tracing::debug!(
        target: "barrow::access",
        {
            request.id = as_text(&request_id),
            http.method = method.as_str(),
            http.route = route,
            http.status = response.status().as_u16(),
            client.ip = client,
            took_us = took.as_micros() as u64,
        },
        "request answered"
    );
    response
}

fn as_text(request_id: &HeaderValue) -> &str {
    request_id.to_str().expect("ids are checked or made to be visible ASCII")
}

fn client_of(app: &App, request: &Request) -> Option<IpAddr> {
    let peer = request.extensions().get::<Peer>()?;
    Some(client_ip::client_ip(peer.0.ip(), request.headers(), &app.settings.trusted_proxies))
}

/// The methods of a route, asked for by `OPTIONS`.
fn options(refused: Response) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(allowed) = refused.headers().get(header::ALLOW) {
        response.headers_mut().insert(header::ALLOW, allowed.clone());
    }
    response
}

/// The inner layer, around the routes of the API: admits, reads the token, catches panics.
pub async fn guard(State(app): State<SharedApp>, mut request: Request, next: Next) -> Response {
    let in_flight = Gauged::hold(&app.metrics, |metrics| &metrics.in_flight);
    let busy = app.metrics.in_flight.load(Ordering::Relaxed);
    if busy > app.settings.requests_in_flight_max as i64 {
        app.metrics.shed.fetch_add(1, Ordering::Relaxed);
        return Problem::new(Code::Overloaded, "too many requests are being answered now")
            .retry_after(SHED_RETRY)
            .into_response();
    }
    let identity = match identify(&app, request.headers()) {
        Ok(identity) => identity,
        Err(problem) => return problem.into_response(),
    };
    request.extensions_mut().insert(identity);
    let response = catch(&app, next.run(request)).await;
    drop(in_flight);
    response
}

/// The same net for routes that are open to operators and never refused for load.
pub async fn net(State(app): State<SharedApp>, request: Request, next: Next) -> Response {
    catch(&app, next.run(request)).await
}

async fn catch(app: &App, answer: impl Future<Output = Response>) -> Response {
    match AssertUnwindSafe(answer).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            app.metrics.panics.fetch_add(1, Ordering::Relaxed);
            let said = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            tracing::error!(panic.message = said, "a request handler broke");
            Problem::unavailable("the request could not be answered", SHED_RETRY).into_response()
        }
    }
}

/// 404 for what no route matches.
pub async fn unrouted() -> Problem {
    Problem::not_found("there is nothing at this address")
}

/// 405; the router adds which methods are allowed.
pub async fn wrong_method(method: Method) -> Problem {
    Problem::new(Code::MethodNotAllowed, format!("{method} is not allowed here"))
}

/// What a page of another origin may send and read, where the settings name its origin.
pub fn cors(origins: &[String]) -> Option<tower_http::cors::CorsLayer> {
    use tower_http::cors::{AllowOrigin, CorsLayer};

    if origins.is_empty() {
        return None;
    }
    let names = |names: &[&'static str]| -> Vec<HeaderName> {
        names.iter().map(|name| HeaderName::from_static(name)).collect()
    };
    let allowed = match origins.iter().any(|origin| origin == "*") {
        true => AllowOrigin::any(),
        false => AllowOrigin::list(origins.iter().filter_map(|origin| origin.parse().ok())),
    };
    let layer = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers(names(&[
            "accept-language",
            "authorization",
            "content-type",
            "idempotency-key",
            "if-match",
            "if-none-match",
            "last-event-id",
            "prefer",
            "traceparent",
            "tracestate",
            "x-request-id",
        ]))
        .expose_headers(names(&[
            "etag",
            "idempotent-replayed",
            "idempotent-version",
            "location",
            "preference-applied",
            "retry-after",
            "traceparent",
            "x-degraded",
            "x-request-id",
        ]))
        // An hour: what may be sent changes with a release, not with a click.
        .max_age(Duration::from_secs(3600));
    Some(layer)
}

/// Compression when asked, for what is worth it: not for small replies, pictures and streams.
pub fn compression() -> CompressionLayer<And<SizeAbove, WorthCompressing>> {
    // Below that the headers outweigh what is saved.
    const BYTES_MIN: u64 = 1_024;

    CompressionLayer::new()
        .gzip(true)
        .br(true)
        .quality(tower_http::CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(BYTES_MIN).and(worth_compressing as WorthCompressing))
}

type WorthCompressing = fn(StatusCode, http::Version, &HeaderMap, &http::Extensions) -> bool;

fn worth_compressing(
    _: StatusCode,
    _: http::Version,
    headers: &HeaderMap,
    _: &http::Extensions,
) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| {
        kind.starts_with("application/json")
            || kind.starts_with("image/svg")
            || kind.starts_with("text/") && !kind.starts_with("text/event-stream")
    })
}
