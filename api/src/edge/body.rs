//! Request bodies, bounded in size and time: a client that sends too much or too slowly gets
//! an answer, and never holds memory or a task for long.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use bytes::Bytes;
use http::header;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Frame, SizeHint};

use super::settings::EdgeSettings;
use super::{Code, Problem};

/// Reads the whole body, within the limits of the settings.
pub async fn read_body(request: Request, settings: &EdgeSettings) -> Result<Bytes, Problem> {
    let limit = settings.body_bytes_max;
    let announced = announced_bytes(&request);
    if announced.is_some_and(|bytes| bytes > limit as u64) {
        return Err(too_large(limit));
    }
    let mut reading = pin!(Limited::new(request.into_body(), limit).collect());
    // Nearly always all of it has come with the head: then no clock needs to be set.
    let read = match futures::poll!(reading.as_mut()) {
        Poll::Ready(read) => Ok(read),
        Poll::Pending => Box::pin(tokio::time::timeout(settings.body_timeout, reading)).await,
    };
    match read {
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

fn announced_bytes(request: &Request) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What of a body came together with its head is in memory already; more is not waited for long.
const DISCARD_BYTES_MAX: u64 = 16 << 10;
const DISCARD_PATIENCE: Duration = Duration::from_millis(5);

/// Reads the small body of a request that is refused for load, so that its connection can be
/// kept: who is refused comes again soon, and would have to connect anew.
pub async fn discard_what_came(request: Request) {
    // Whoever waits to be told to go on is not to send a body for nothing.
    let is_held_back = request.headers().contains_key(header::EXPECT);
    if is_held_back || announced_bytes(&request).is_none_or(|bytes| bytes > DISCARD_BYTES_MAX) {
        return;
    }
    let reading = request.into_body().collect();
    // Where it does not come, the connection ends with the reply.
    let _ = tokio::time::timeout(DISCARD_PATIENCE, reading).await;
}

fn too_large(limit: usize) -> Problem {
    Problem::new(Code::BodyTooLarge, format!("the body has more than {limit} bytes"))
}

/// Whether a request's body was read to its end. A connection on which it was not ends with the
/// reply, and the client has to be told so, or its next request is lost.
#[derive(Debug)]
pub struct ReadToEnd {
    /// `None` where there is no body.
    ended: Option<Arc<AtomicBool>>,
}

impl ReadToEnd {
    /// Watches the body of a request from now on.
    pub fn watch<B>(request: http::Request<B>) -> (Request, ReadToEnd)
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<axum::BoxError>,
    {
        if request.body().is_end_stream() {
            return (request.map(|_| Body::empty()), ReadToEnd { ended: None });
        }
        let ended = Arc::<AtomicBool>::default();
        let watched = Some(Arc::clone(&ended));
        (request.map(|body| Body::new(Watched { body, ended })), ReadToEnd { ended: watched })
    }

    pub fn is_so(&self) -> bool {
        self.ended.as_ref().is_none_or(|ended| ended.load(Ordering::Relaxed))
    }
}

struct Watched<B> {
    body: B,
    ended: Arc<AtomicBool>,
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Watched<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.ended.store(true, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
