//! What carries bytes between two nodes, below TLS: TCP, or what a test puts in its place.

use std::io;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// A connection, whatever it is made of.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// A connection that is not asked what it is made of.
pub type BoxStream = Box<dyn Stream>;

/// Makes connections to other nodes.
#[async_trait]
pub trait Connect: Send + Sync + 'static {
    /// `address` is a host and a port, as in the row of the peer.
    async fn connect(&self, address: &str) -> io::Result<BoxStream>;
}

/// Takes connections from other nodes.
#[async_trait]
pub trait Accept: Send + Sync + 'static {
    /// Nothing is lost if the future is dropped.
    async fn accept(&self) -> io::Result<BoxStream>;
}

/// Over TCP.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpConnect;

#[async_trait]
impl Connect for TcpConnect {
    async fn connect(&self, address: &str) -> io::Result<BoxStream> {
        let stream = TcpStream::connect(address).await?;
        // Frames are batches already: whatever is written is meant to leave.
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }
}

#[async_trait]
impl Accept for TcpListener {
    async fn accept(&self) -> io::Result<BoxStream> {
        let (stream, _) = TcpListener::accept(self).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }
}
