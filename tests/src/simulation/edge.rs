//! The way from a client to whatever answers it: one node, or any node of a cluster.

use async_trait::async_trait;
use axum::body::Body;
use http::Request;

use super::http::Answer;

/// Takes requests.
#[async_trait]
pub trait Edge: Send + Sync + 'static {
    /// The whole answer; `None` where none came, and none will.
    async fn answer(&self, request: Request<Body>) -> Option<Answer>;

    /// The events of a stream, if it was opened.
    async fn follow(&self, request: Request<Body>) -> Option<Box<dyn EventSource>>;
}

/// Events as the server sends them, read as slowly as their reader likes.
#[async_trait]
pub trait EventSource: Send {
    /// The data of the next event that shows the cart; `None` once the stream has ended.
    async fn next(&mut self) -> Option<String>;
}
