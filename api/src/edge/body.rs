//! Request bodies, bounded in size and time: a client that sends too much or too slowly gets
//! an answer, and never holds memory or a task for long.

use axum::extract::Request;
use bytes::Bytes;
use http::header;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::settings::EdgeSettings;
use super::{Code, Problem};

/// Reads the whole body, within the limits of the settings.
pub async fn read_body(request: Request, settings: &EdgeSettings) -> Result<Bytes, Problem> {
    let limit = settings.body_bytes_max;
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > limit as u64) {
        return Err(too_large(limit));
    }
    let reading = Limited::new(request.into_body(), limit).collect();
    match tokio::time::timeout(settings.body_timeout, reading).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limit)),
        Ok(Err(_)) => Err(Problem::new(Code::MalformedJson, "the body ended before its time")),
        Err(_) => {
            let seconds = settings.body_timeout.as_secs();
            let detail = format!("the body did not arrive within {seconds} s");
            Err(Problem::new(Code::MalformedJson, detail))
        }
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(Code::BodyTooLarge, format!("the body has more than {limit} bytes"))
}
