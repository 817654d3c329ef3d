//! A connection as the generator keeps it: a request goes out in one write, a reply is read for
//! its status and its length, and no more.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use memchr::memmem;
use mio::net::TcpStream;

/// Where a reply begins to be read; it grows for larger ones.
const BUFFER_BYTES: usize = 16 << 10;
/// A reply is never larger.
const REPLY_BYTES_MAX: usize = 1 << 20;

pub struct Wire {
    pub stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
    /// Of head and body, once the head is here.
    reply_bytes: Option<usize>,
}

impl Wire {
    pub fn open(address: SocketAddr) -> anyhow::Result<Wire> {
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let stream = TcpStream::from_std(stream);
        Ok(Wire { stream, buffer: vec![0; BUFFER_BYTES], filled: 0, reply_bytes: None })
    }

    pub fn send(&mut self, request: &[u8]) -> anyhow::Result<()> {
        // The connection is idle, so a request always fits into the socket's buffer.
        let written = self.stream.write(request)?;
        ensure!(written == request.len(), "a request did not go out in one piece");
        Ok(())
    }

    /// Reads what is there; true once the reply is whole.
    pub fn receive(&mut self) -> anyhow::Result<bool> {
        loop {
            match self.stream.read(&mut self.buffer[self.filled..]) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            }
            if self.is_whole()? {
                (self.filled, self.reply_bytes) = (0, None);
                return Ok(true);
            }
            if self.filled == self.buffer.len() {
                ensure!(self.filled < REPLY_BYTES_MAX, "a reply that is too large");
                self.buffer.resize(self.filled * 2, 0);
            }
        }
    }

    fn is_whole(&mut self) -> anyhow::Result<bool> {
        let reply_bytes = match self.reply_bytes {
            Some(bytes) => bytes,
            None => {
                let text = &self.buffer[..self.filled];
                let Some(end) = memmem::find(text, b"\r\n\r\n") else { return Ok(false) };
                ensure!(text[9] == b'2', "a reply: {}", String::from_utf8_lossy(text));
                let bytes = end + 4 + content_length(&text[..end])?;
                *self.reply_bytes.insert(bytes)
            }
        };
        ensure!(self.filled <= reply_bytes, "more than was asked for");
        Ok(self.filled == reply_bytes)
    }
}

fn content_length(head: &[u8]) -> anyhow::Result<usize> {
    const NAME: &[u8] = b"\r\ncontent-length: ";
    let at = memmem::find(head, NAME).context("a reply without a length")? + NAME.len();
    let digits = head[at..].iter().take_while(|byte| byte.is_ascii_digit());
    Ok(digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}
