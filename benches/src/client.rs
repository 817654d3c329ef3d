//! A client for what is not measured: filling a shop, looking at a reply.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::load::requests::Request;

/// A reply as it came.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    /// In their order.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// One keep-alive connection, with a request at a time.
pub struct Client {
    stream: TcpStream,
}

impl Client {
    pub async fn open(address: SocketAddr) -> anyhow::Result<Client> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Client { stream })
    }

    pub async fn send(&mut self, request: &Request) -> anyhow::Result<Reply> {
        self.stream.write_all(request.bytes()).await?;
        let mut text = Vec::with_capacity(16 << 10);
        let end = loop {
            if let Some(end) = memchr::memmem::find(&text, b"\r\n\r\n") {
                break end;
            }
            self.fill(&mut text).await?;
        };
        let head = std::str::from_utf8(&text[..end])?;
        let status = head.get(9..12).context("a status line")?.parse()?;
        let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers: Vec<(String, String)> =
            lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length: usize = length.context("a reply without a length")?.1.parse()?;
        let mut body = text.split_off(end + 4);
        while body.len() < length {
            self.fill(&mut body).await?;
        }
        Ok(Reply { status, headers, body })
    }

    /// The JSON of a reply that is a success.
    pub async fn json(&mut self, request: &Request) -> anyhow::Result<Value> {
        let reply = self.send(request).await?;
        let body = String::from_utf8_lossy(&reply.body);
        ensure!(reply.status < 300, "{}: {body}", reply.status);
        Ok(serde_json::from_str(&body)?)
    }

    async fn fill(&mut self, text: &mut Vec<u8>) -> anyhow::Result<()> {
        ensure!(self.stream.read_buf(text).await? > 0, "the server closed the connection");
        Ok(())
    }
}
