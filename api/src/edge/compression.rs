//! Compression when asked, for what is worth it: not for small replies, pictures and streams.

use std::convert::Infallible;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use tower::{Layer, ServiceExt};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, Predicate, SizeAbove};

/// Below that the headers outweigh what is saved.
const BYTES_MIN: u64 = 1_024;

type Worth = And<SizeAbove, fn(StatusCode, http::Version, &HeaderMap, &http::Extensions) -> bool>;

/// Compresses a response as the client accepts it. It is asked for each response and not laid
/// around the routes, so that who does not ask for it does not pay for it.
pub async fn compress(response: Response, accepted: HeaderValue) -> Response {
    let layer = CompressionLayer::new()
        .gzip(true)
        .br(true)
        .quality(tower_http::CompressionLevel::Fastest)
        .compress_when(worth());
    let mut asked = Request::new(Body::empty());
    asked.headers_mut().insert(header::ACCEPT_ENCODING, accepted);
    let mut ready = Some(response);
    let ready = tower::service_fn(move |_| {
        let response = ready.take().unwrap_or_default();
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let Ok(compressed) = layer.layer(ready).oneshot(asked).await;
    compressed.map(Body::new)
}

/// For a client that accepts none: caches are told that others might.
pub fn uncompressed(mut response: Response) -> Response {
    if worth().should_compress(&response) {
        let vary = HeaderValue::from_static("accept-encoding");
        response.headers_mut().append(header::VARY, vary);
    }
    response
}

fn worth() -> Worth {
    SizeAbove::new(BYTES_MIN).and(worth_compressing as fn(_, _, &_, &_) -> _)
}

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
