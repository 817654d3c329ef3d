//! A keep-alive connection that costs the machine little: the clients share its cores.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// A reply is never larger.
const REPLY_BYTES_MAX: usize = 4 << 20;

/// A reply, as far as clients under overload look at it.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// Seconds.
    pub retry_after: Option<u64>,
    pub body: Vec<u8>,
    /// The server ends the connection.
    pub is_last: bool,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The code of a refusal, found without reading all of it: there are very many.
    pub fn code(&self) -> &str {
        let body = std::str::from_utf8(&self.body).unwrap_or_default();
        let code = body.split_once(r#""code":""#).and_then(|(_, rest)| rest.split_once('"'));
        code.map_or("", |(code, _)| code)
    }
}

/// One connection, with a request at a time.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: Vec::with_capacity(4 << 10) })
    }

    pub async fn send(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.fill().await?;
        };
        let head = std::str::from_utf8(&self.buffer[..end])?;
        let number = |name| header(head, name).and_then(|value| value.parse::<usize>().ok());
        let length = number("content-length").context("a reply without a length")?;
        let answer = Answer {
            status: head.get(9..12).context("a status")?.parse()?,
            retry_after: number("retry-after").map(|seconds| seconds as u64),
            is_last: header(head, "connection").is_some_and(|value| value == "close"),
            body: Vec::new(),
        };
        while self.buffer.len() < end + length {
            self.fill().await?;
        }
        Ok(Answer { body: self.buffer[end..end + length].to_vec(), ..answer })
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        let read = self.stream.read_buf(&mut self.buffer).await?;
        ensure!(read > 0, "the server closed the connection");
        ensure!(self.buffer.len() <= REPLY_BYTES_MAX, "a reply that is too large");
        Ok(())
    }
}

/// Asks for a stream, of which nothing is ever read: what the server sends stays in its hands as
/// soon as this small buffer is full.
pub async fn stall(address: SocketAddr, request: &[u8]) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4 << 10)?;
    let mut stream = socket.connect(address).await?;
    stream.write_all(request).await?;
    Ok(stream)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// A request of somebody with a token, or of nobody.
pub fn request(method: &str, path: &str, token: &str, headers: &str, body: &str) -> Vec<u8> {
    let token = match token {
        "" => String::new(),
        token => format!("authorization: Bearer {token}\r\n"),
    };
    let body = match body {
        "" => "\r\n".to_owned(),
        body => format!(
            "content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ),
    };
    format!("{method} {path} HTTP/1.1\r\nhost: shop\r\n{token}{headers}{body}").into_bytes()
}
