//! `GET /media/{key}`: pictures, manuals and videos, whole or in part. What a file may do in a
//! browser is decided here and not by the file: its type by its key's ending, never guessed,
//! and no scripts. A private file is there for those alone who hold a signed address.

use std::ops::Range;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::response::{IntoResponse, Response};
use barrow_engine::ports::{MediaError, MediaInfo, is_private_media, media_type};
use bytes::Bytes;
use futures::stream;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::range::{Wanted, wanted};
use super::reply;
use super::uploads::{MaybeSealed, gate, refused};
use crate::app::SharedApp;
use crate::edge::{Code, Problem};

/// How much of a file is in memory at once while it is sent: a picture whole, a video in parts.
const CHUNK_BYTES: u64 = 256 * 1024;

/// A day without asking: a file that replaces another under its key shows within that. Most
/// keys name their content and never change.
const KEEP: HeaderValue = HeaderValue::from_static("public, max-age=86400");
/// What was fetched by a signed address ends with it.
const FORGET: HeaderValue = HeaderValue::from_static("private, no-store");

/// Nothing in a file may load, run or reach anything; styles within a drawing may style it.
const HARMLESS: HeaderValue =
    HeaderValue::from_static("sandbox; default-src 'none'; style-src 'unsafe-inline'");
/// The same without a sandbox, in which browsers refuse to show a PDF at all.
const HARMLESS_PDF: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; object-src 'self'");

const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

/// The key of a file: the rest of the address.
pub struct Key(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Key, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(key)| Key(key)).map_err(|_| nothing())
    }
}

fn nothing() -> Problem {
    Problem::not_found("there is no such file")
}

pub async fn file(
    State(app): State<SharedApp>,
    Key(key): Key,
    MaybeSealed(seal): MaybeSealed,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let keep = match seal {
        Some(seal) => {
            gate(&app)?.admit_download(&key, &seal).map_err(refused)?;
            FORGET
        }
        None if is_private_media(&key) => return Err(nothing()),
        None => KEEP,
    };
    let info = app.media.info(&key).await.map_err(problem)?.ok_or_else(nothing)?;
    let etag = etag(&info);
    let mut response = if reply::matches(&headers, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match wanted(range_header(&headers, &etag), info.bytes) {
            Wanted::Whole => content(&app, &key, 0..info.bytes).await?,
            Wanted::Part(range) => part(&app, &key, range, &info).await?,
            Wanted::Nothing => unsatisfiable(&info),
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, HeaderValue::try_from(etag).expect("it was made of ASCII"));
    headers.insert(header::CACHE_CONTROL, keep);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if !response.status().is_success() {
        return Ok(response);
    }
    let mime = media_type(&key);
    let policy = if mime == "application/pdf" { HARMLESS_PDF } else { HARMLESS };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(mime));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// The `ETag` of a file.
pub fn etag(info: &MediaInfo) -> String {
    format!("\"{}\"", info.etag.replace(|c: char| !c.is_ascii_alphanumeric(), ""))
}

/// `Range`, unless `If-Range` names another state of the file.
fn range_header<'a>(headers: &'a HeaderMap, etag: &str) -> Option<&'a str> {
    let range = headers.get(header::RANGE)?.to_str().ok()?;
    match headers.get(header::IF_RANGE) {
        Some(known) if known != etag => None,
        _ => Some(range),
    }
}

async fn part(
    app: &SharedApp,
    key: &str,
    range: Range<u64>,
    info: &MediaInfo,
) -> Result<Response, Problem> {
    let place = format!("bytes {}-{}/{}", range.start, range.end - 1, info.bytes);
    let mut response = content(app, key, range).await?;
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let place = HeaderValue::try_from(place).expect("digits are visible ASCII");
    response.headers_mut().insert(header::CONTENT_RANGE, place);
    Ok(response)
}

fn unsatisfiable(info: &MediaInfo) -> Response {
    let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
    let length = HeaderValue::try_from(format!("bytes */{}", info.bytes));
    let length = length.expect("digits are visible ASCII");
    response.headers_mut().insert(header::CONTENT_RANGE, length);
    response
}

/// The bytes of the range. The first part is read before anything is sent, so that a file that
/// cannot be read is a problem and not a reply that breaks off.
async fn content(app: &SharedApp, key: &str, range: Range<u64>) -> Result<Response, Problem> {
    let length = HeaderValue::from(range.end - range.start);
    let body = if range.is_empty() {
        Body::empty()
    } else {
        let first_end = range.end.min(range.start + CHUNK_BYTES);
        let first = read(app, key, range.start..first_end).await.map_err(problem)?;
        let first = first.ok_or_else(nothing)?;
        if first_end == range.end {
            Body::from(first)
        } else {
            in_parts(app, key, first, first_end..range.end)
        }
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_LENGTH, length);
    Ok(response)
}

fn in_parts(app: &SharedApp, key: &str, first: Bytes, rest: Range<u64>) -> Body {
    let start = (SharedApp::clone(app), key.to_owned(), Some(first), rest);
    let parts = stream::try_unfold(start, |(app, key, first, rest)| async move {
        if let Some(first) = first {
            return Ok(Some((first, (app, key, None, rest))));
        }
        if rest.is_empty() {
            return Ok(None);
        }
        let end = rest.end.min(rest.start + CHUNK_BYTES);
        let next = read(&app, &key, rest.start..end).await.map_err(std::io::Error::other)?;
        let gone = || std::io::Error::other("the file was removed while it was sent");
        let next = next.ok_or_else(gone)?;
        Ok::<_, std::io::Error>(Some((next, (app, key, None, end..rest.end))))
    });
    Body::from_stream(parts)
}

async fn read(app: &SharedApp, key: &str, range: Range<u64>) -> Result<Option<Bytes>, MediaError> {
    app.media.get(key, Some(range)).await
}

pub fn problem(error: MediaError) -> Problem {
    match error {
        MediaError::InvalidKey(_) => nothing(),
        MediaError::TooLarge { .. } => Problem::new(Code::BodyTooLarge, error.to_string()),
        MediaError::WrongType { .. } => Problem::new(Code::UploadMismatch, error.to_string()),
        MediaError::Unavailable(_) => {
            tracing::error!(%error, "a media file could not be read");
            Problem::unavailable("the media store cannot be read now", RETRY_AFTER)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_another_state_is_not_served() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_static("bytes=0-1"));
        assert_eq!(range_header(&headers, "\"a\""), Some("bytes=0-1"));
        headers.insert(header::IF_RANGE, HeaderValue::from_static("\"a\""));
        assert_eq!(range_header(&headers, "\"a\""), Some("bytes=0-1"));
        headers.insert(header::IF_RANGE, HeaderValue::from_static("\"b\""));
        assert_eq!(range_header(&headers, "\"a\""), None);
    }
}
