//! `PUT /media/{key}`: takes in the one file that the address was signed for. It goes to the disk
//! as it comes, and nobody reads it before all of it came and is what was announced.

use axum::body::BodyDataStream;
use axum::extract::{FromRequestParts, Request, State};
use axum::response::{IntoResponse, Response};
use barrow_engine::ports::{GateError, Incoming, MediaGate, Seal, Upload};
use bytes::Bytes;
use futures::StreamExt;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::media::{Key, etag, problem};
use crate::app::{App, SharedApp};
use crate::edge::{Code, Params, Problem};

const EXPIRES: &str = "expires";
const SIGNATURE: &str = "signature";

/// What makes the address of a request a signed one, if it is said to be one. No other parameters
/// are left.
pub struct MaybeSealed(pub Option<Seal>);

impl<S: Send + Sync> FromRequestParts<S> for MaybeSealed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<MaybeSealed, Problem> {
        let mut params = Params::parse(parts.uri.query())?;
        let said = (params.one(EXPIRES)?, params.one(SIGNATURE)?);
        params.finish()?;
        match said {
            (None, None) => Ok(MaybeSealed(None)),
            (expires, signature) => seal(expires, signature).map(|seal| MaybeSealed(Some(seal))),
        }
    }
}

fn seal(expires: Option<String>, signature: Option<String>) -> Result<Seal, Problem> {
    let expires = expires.and_then(|text| text.parse().ok()).ok_or_else(not_signed)?;
    Ok(Seal { expires, signature: signature.ok_or_else(not_signed)? })
}

/// What the address says it was signed for.
pub struct Announced {
    content_type: String,
    bytes: u64,
    sha256: [u8; 32],
    seal: Seal,
}

impl<S: Send + Sync> FromRequestParts<S> for Announced {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Announced, Problem> {
        let mut params = Params::parse(parts.uri.query())?;
        let content_type = params.one("content_type")?;
        let bytes = params.one("bytes")?;
        let sha256 = params.one("sha256")?;
        let said = (params.one(EXPIRES)?, params.one(SIGNATURE)?);
        params.finish()?;
        let seal = seal(said.0, said.1)?;
        // What is missing or odd was not signed like that.
        let read = || {
            Some(Announced {
                content_type: content_type?,
                bytes: bytes?.parse().ok()?,
                sha256: digest(&sha256?)?,
                seal,
            })
        };
        read().ok_or_else(not_signed)
    }
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    blake3::Hash::from_hex(hex).ok().map(|hash| *hash.as_bytes())
}

/// The gate, where signed requests are made to this server.
pub fn gate(app: &App) -> Result<&dyn MediaGate, Problem> {
    app.media_gate.as_deref().ok_or_else(not_signed)
}

pub async fn upload(
    State(app): State<SharedApp>,
    Key(key): Key,
    announced: Announced,
    request: Request,
) -> Result<Response, Problem> {
    let Announced { content_type, bytes, sha256, seal } = announced;
    let upload = Upload { key, content_type, bytes, sha256 };
    let incoming = gate(&app)?.admit_upload(&upload, &seal).await.map_err(refused)?;
    check_headers(request.headers(), &upload)?;
    take_in(&app, incoming, request.into_body().into_data_stream()).await?;
    let info = app.media.info(&upload.key).await.map_err(problem)?;
    let mut response = StatusCode::OK.into_response();
    // Where it was removed at once, it was there for a moment.
    if let Some(info) = info {
        let etag = HeaderValue::try_from(etag(&info)).expect("it was made of ASCII");
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}

/// What can be told before the body comes.
fn check_headers(headers: &HeaderMap, upload: &Upload) -> Result<(), Problem> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if text(header::CONTENT_TYPE) != Some(upload.content_type.as_str()) {
        let detail = format!("the content type has to be '{}'", upload.content_type);
        return Err(Problem::new(Code::UploadMismatch, detail));
    }
    let announced = text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
    if announced.is_some_and(|bytes: u64| bytes != upload.bytes) {
        let detail = format!("the file has to have {} bytes", upload.bytes);
        return Err(Problem::new(Code::UploadMismatch, detail));
    }
    Ok(())
}

/// A file may take as long as it takes, as long as it goes on: the next part has to come within
/// the time that is given to a whole body elsewhere.
async fn take_in(
    app: &App,
    mut incoming: Box<dyn Incoming>,
    mut body: BodyDataStream,
) -> Result<(), Problem> {
    let patience = app.settings.body_timeout;
    loop {
        let next = tokio::time::timeout(patience, body.next()).await;
        let next: Option<Result<Bytes, _>> = next.map_err(|_| {
            let detail = format!("nothing more came for {} s", patience.as_secs());
            Problem::new(Code::UploadMismatch, detail)
        })?;
        let Some(part) = next else { break };
        let cut_off = |_| Problem::new(Code::UploadMismatch, "the body ended before its time");
        incoming.write(part.map_err(cut_off)?).await.map_err(refused)?;
    }
    incoming.finish().await.map_err(refused)
}

fn not_signed() -> Problem {
    Problem::new(Code::SignatureInvalid, GateError::NotSigned.to_string())
}

/// Why a signed request is not served, as a client sees it.
pub fn refused(error: GateError) -> Problem {
    match error {
        GateError::NotSigned => not_signed(),
        GateError::Expired => Problem::new(Code::SignatureExpired, error.to_string()),
        GateError::Mismatch(what) => Problem::new(Code::UploadMismatch, what),
        GateError::Media(error) => problem(error),
    }
}
