//! Requests as the bytes that go out, made before the time runs.

use std::io::{BufWriter, Read, Write};
use std::path::Path;

use anyhow::Context;

/// As many as the largest key has.
pub const KEY_DIGITS: usize = 20;

/// A request; where it has a key, it is sent with another each time.
#[derive(Clone)]
pub struct Request {
    bytes: Vec<u8>,
    /// Where the digits of the key begin.
    key_at: Option<usize>,
}

impl Request {
    pub fn get(path: &str, headers: &str) -> Request {
        let text = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n{headers}\r\n");
        Request { bytes: text.into_bytes(), key_at: None }
    }

    pub fn post(path: &str, headers: &str, body: &str) -> Request {
        let text = format!(
            "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        Request { bytes: text.into_bytes(), key_at: None }
    }

    /// With a header for the key.
    pub fn keyed_post(path: &str, headers: &str, body: &str) -> Request {
        const NAME: &str = "idempotency-key: bench-";
        let headers = format!("{NAME}{}\r\n{headers}", "0".repeat(KEY_DIGITS));
        let Request { bytes, .. } = Request::post(path, &headers, body);
        let key_at = memchr::memmem::find(&bytes, NAME.as_bytes()).map(|at| at + NAME.len());
        Request { bytes, key_at }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Writes the key's digits over those that stand there.
pub fn put_key(mut key: u64, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (key % 10) as u8;
        key /= 10;
    }
}

/// Each request as its length, where its key is (or one past the end), and its bytes.
pub fn write(requests: &[Request], path: &Path) -> anyhow::Result<()> {
    let mut file = BufWriter::new(std::fs::File::create(path)?);
    for Request { bytes, key_at } in requests {
        let length = u32::try_from(bytes.len())?;
        let key_at = key_at.map_or(Ok(length), u32::try_from)?;
        file.write_all(&length.to_le_bytes())?;
        file.write_all(&key_at.to_le_bytes())?;
        file.write_all(bytes)?;
    }
    Ok(file.flush()?)
}

pub fn read(path: &Path) -> anyhow::Result<Vec<Request>> {
    let mut text = Vec::new();
    std::fs::File::open(path)?.read_to_end(&mut text)?;
    let mut rest = text.as_slice();
    let mut requests = Vec::new();
    while !rest.is_empty() {
        let (head, behind) = rest.split_at_checked(8).context("a request cut off")?;
        let number =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (length, key_at) = (number(0) as usize, number(4) as usize);
        let (bytes, behind) = behind.split_at_checked(length).context("a request cut off")?;
        let key_at = (key_at < length).then_some(key_at);
        requests.push(Request { bytes: bytes.to_vec(), key_at });
        rest = behind;
    }
    Ok(requests)
}

impl Request {
    /// The bytes under the next key.
    pub fn under_key(&mut self, next_key: &mut u64) -> &[u8] {
        if let Some(at) = self.key_at {
            put_key(*next_key, &mut self.bytes[at..at + KEY_DIGITS]);
            *next_key += 1;
        }
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_they_were_written() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let requests = [
            Request::get("/v1/carts/one", "a: b\r\n"),
            Request::keyed_post("/v1/carts/one/lines", "", "{}"),
        ];
        write(&requests, file.path()).unwrap();
        let again = read(file.path()).unwrap();
        let parts = |request: &Request| (request.bytes.clone(), request.key_at);
        assert_eq!(again.iter().map(parts).collect::<Vec<_>>(), requests.each_ref().map(parts));
    }

    #[test]
    fn a_request_goes_out_under_another_key_each_time() {
        let mut request = Request::keyed_post("/", "", "{}");
        let mut next_key = 41;
        for expected in ["key: bench-00000000000000000041\r\n", "0042\r\n"] {
            let text = String::from_utf8_lossy(request.under_key(&mut next_key)).into_owned();
            assert!(text.contains(expected), "{text}");
        }
        let mut plain = Request::post("/", "", "{}");
        plain.under_key(&mut next_key);
        assert_eq!(next_key, 43);
    }
}
