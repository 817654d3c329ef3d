//! Replies of the catalog: JSON that caches may keep if they ask each time whether it still
//! holds, which costs them no body when it does.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use barrow_actors::catalog::{CatalogError, Viewpoint};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::edge::Problem;

/// When to come again while a store does not answer.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

/// Whatever asks again is told at once when something changed; nothing is ever out of date.
const ASK_EACH_TIME: HeaderValue = HeaderValue::from_static("no-cache");

/// A body that is the same for all who stand at the same viewpoint.
pub fn cacheable(body: &impl Serialize, request: &HeaderMap) -> Response {
    let body = serde_json::to_vec(body).expect("replies have text keys and finite numbers");
    cacheable_bytes(body.into(), request)
}

/// The same for JSON that is written already.
pub fn cacheable_bytes(body: Bytes, request: &HeaderMap) -> Response {
    let hash = blake3::hash(&body);
    // Weak, since a proxy may compress it. 80 bits are plenty: nobody gains by a collision.
    let tag = format!("W/\"{}\"", &hash.to_hex()[..20]);
    let unchanged = matches(request, &tag);
    let mut response = match unchanged {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => json_bytes(body),
    };
    let tag = HeaderValue::try_from(tag).expect("hexadecimal digits are visible ASCII");
    response.headers_mut().insert(header::ETAG, tag);
    response.headers_mut().insert(header::CACHE_CONTROL, ASK_EACH_TIME);
    response
}

/// JSON that is written already; who answers it says how it may be kept.
pub fn json_bytes(body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Says in which language it is, and what the choice hung on.
pub fn in_language(mut response: Response, view: &Viewpoint) -> Response {
    let language = HeaderValue::try_from(view.locale.as_str()).expect("locales are ASCII");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LANGUAGE, language);
    headers.append(header::VARY, HeaderValue::from_static("accept-language"));
    response
}

/// Says that the answer lacks something that it has on better days.
pub fn degraded(mut response: Response, what: &'static str) -> Response {
    let name = HeaderName::from_static("x-degraded");
    response.headers_mut().append(name, HeaderValue::from_static(what));
    response
}

/// Whether `If-None-Match` names the tag; compared weakly, as the RFC says for it.
pub fn matches(request: &HeaderMap, tag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let wanted = bare(tag);
    request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim() == "*" || bare(known) == wanted)
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Problem {
        tracing::error!(%error, "the catalog could not be read");
        Problem::unavailable("the catalog cannot be read now", RETRY_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(tags: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for tag in tags {
            headers.append(header::IF_NONE_MATCH, tag.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_known_tag_saves_the_body() {
        let first = cacheable(&"hello", &HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        let again = cacheable(&"hello", &asking(&[&tag]));
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(again.headers()[header::ETAG], *tag);
        assert!(!again.headers().contains_key(header::CONTENT_TYPE));
        assert_eq!(cacheable(&"other", &asking(&[&tag])).status(), StatusCode::OK);
    }

    #[test]
    fn tags_are_compared_weakly() {
        for (known, expected) in [
            (&["W/\"a\""][..], true),
            (&["\"a\""], true),
            (&["\"b\", W/\"a\""], true),
            (&["\"b\"", "\"a\""], true),
            (&["*"], true),
            (&["\"b\""], false),
            (&["a"], false),
            (&[], false),
        ] {
            assert_eq!(matches(&asking(known), "W/\"a\""), expected, "{known:?}");
        }
    }
}
