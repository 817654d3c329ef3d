//! What a page of another origin may send and read.

use std::time::Duration;

use http::{HeaderName, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// What a page of another origin may send and read, where the settings name its origin.
pub fn cors(origins: &[String]) -> Option<CorsLayer> {
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
