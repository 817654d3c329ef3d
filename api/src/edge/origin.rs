//! Where a client reaches this server: what addresses that it is told begin with.

use axum::extract::FromRequestParts;
use http::Uri;
use http::request::Parts;
use http::uri::Authority;

/// `https://shop.example`, as the request says it; empty where it does not. It is told to the one
/// who said so, and kept nowhere.
#[derive(Debug, Clone)]
pub struct Origin(pub String);

impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Origin, Self::Rejection> {
        let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let host = text("host").or_else(|| parts.uri.authority().map(Authority::as_str));
        let is_safe = text("x-forwarded-proto").is_some_and(|it| it.eq_ignore_ascii_case("https"));
        let scheme = if is_safe { "https" } else { "http" };
        let origin = host.map(|host| format!("{scheme}://{host}"));
        let origin = origin.filter(|origin| origin.parse::<Uri>().is_ok());
        Ok(Origin(origin.unwrap_or_default()))
    }
}
