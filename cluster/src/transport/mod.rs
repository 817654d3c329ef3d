//! How nodes talk: a call and its reply, or a call and a stream of replies. Bytes and shards; what
//! the bytes mean is known to whoever hosts the shard.

pub mod grpc;
pub mod loopback;
mod newest;
mod runtime;
pub mod stream;
pub mod tls;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::Peer;

/// The longest payload of a call or a reply, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// What a node asks the owner of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub shard: u16,
    /// The version of the caller's view: an owner that knows an older one reads anew.
    pub view: u64,
    /// For how long the caller waits from now on.
    pub patience: Duration,
    pub payload: Bytes,
}

/// What a node answers in place of what it was asked for. Nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The shard is not here, as of this version of the view.
    Moved { view: u64 },
    /// Too much is under way here.
    Overloaded,
    /// It cannot be answered now.
    Unavailable,
    /// The call could not be read: it is of a later build.
    Unreadable,
}

/// Why a call has no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The peer answered that it did nothing.
    #[error("the peer refused: {0:?}")]
    Refused(Refusal),
    /// It did not leave this node, for certain: no connection, or no time.
    #[error("the call was not sent: {0}")]
    NotSent(String),
    /// Too much is under way to that peer already: it did not leave this node. A node that answers
    /// slowly holds up so much here, and no more.
    #[error("too much is under way to the peer: {0}")]
    Full(String),
    /// It was sent, and no answer came: it may or may not have been done.
    #[error("no answer came: {0}")]
    Unknown(String),
}

/// What follows the first reply of a call that opened a feed. Only the newest is kept: whoever
/// reads slowly skips what came between.
pub type Feed = mpsc::Receiver<Bytes>;

/// Reaches other nodes.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    async fn call(&self, to: &Peer, call: Call) -> Result<Bytes, CallError>;

    /// The feed ends when the peer ends it, or is not reached any more.
    async fn open(&self, to: &Peer, call: Call) -> Result<Feed, CallError>;
}

/// Answers other nodes. The future of a call is dropped when nobody waits for it any more: its
/// patience is over, or the connection has ended. What must not be left half done belongs into a
/// task of the service's own.
#[async_trait]
pub trait Service: Send + Sync + 'static {
    async fn call(&self, call: Call) -> Result<Bytes, Refusal>;

    /// The feed ends when either side drops its end.
    async fn open(&self, call: Call) -> Result<Feed, Refusal>;
}
