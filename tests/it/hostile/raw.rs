//! Bytes that are hardly HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{shop, visitor};

/// Sends bytes, says no more, and reads what comes until the server ends the connection.
fn send(bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(shop().address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // The server may end it before all is sent.
    let _ = stream.write_all(bytes).and_then(|()| stream.flush());
    let mut reply = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => reply.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("the server does not end the connection: {error}"),
        }
    }
    String::from_utf8_lossy(&reply).into_owned()
}

/// The status of the first reply; 0 where there is none.
fn status(reply: &str) -> u16 {
    let Some(rest) = reply.strip_prefix("HTTP/1.") else { return 0 };
    rest.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

fn check(bytes: impl AsRef<[u8]>, allowed: &[u16]) {
    let reply = send(bytes.as_ref());
    let shown = String::from_utf8_lossy(&bytes.as_ref()[..bytes.as_ref().len().min(200)]);
    assert!(allowed.contains(&status(&reply)), "{shown:?} is answered with {reply:?}");
}

#[tokio::test]
async fn garbage_is_refused_or_ends_the_connection() {
    tokio::task::spawn_blocking(|| {
        check("\r\n\r\n\r\n", &[0, 400, 408]);
        check("GET\r\n\r\n", &[0, 400]);
        check("GET /healthz\r\n\r\n", &[0, 400]);
        check("GET /healthz HTTP/9.9\r\nhost: x\r\n\r\n", &[0, 400, 505]);
        check("GET /healthz HTTP/1.1\r\nno colon here\r\n\r\n", &[0, 400]);
        check("GET /healthz HTTP/1.1\r\nhost: x\r\nx: a\0b\r\n\r\n", &[0, 400]);
        check(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", &[0, 400, 408]);
        check("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[0, 400, 505]);
        check(vec![0u8; 100_000], &[0, 400]);
        check([0xff; 5_000], &[0, 400]);
        check("POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", &[0, 400]);
        check("POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n", &[0, 400]);
    })
    .await
    .unwrap();
    visitor().read("/healthz").await;
}

#[tokio::test]
async fn random_bytes_never_hang_or_break_the_server() {
    tokio::task::spawn_blocking(|| {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        std::thread::scope(|scope| {
            for _ in 0..24 {
                let length = (random() % 2_000) as usize;
                let mut bytes: Vec<u8> = (0..length).map(|_| random() as u8).collect();
                if random() % 2 == 0 {
                    bytes.splice(..0, b"POST /v1/sessions HTTP/1.1\r\n".iter().copied());
                    bytes.extend_from_slice(b"\r\n\r\n");
                }
                scope.spawn(move || check(&bytes, &[0, 400, 408, 431]));
            }
        });
    })
    .await
    .unwrap();
    visitor().read("/healthz").await;
}

#[tokio::test]
async fn two_lengths_are_not_one_request_in_another() {
    tokio::task::spawn_blocking(|| {
        let smuggled = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
        let both = format!(
            "POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
             content-length: {}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}",
            5 + smuggled.len()
        );
        // Chunked wins, as the RFC says, and then the connection may go on or end; or it is
        // refused. What must not be is a length that wins.
        let reply = send(both.as_bytes());
        assert!([0, 201, 400].contains(&status(&reply)), "{reply}");
        let twice = "POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\
                     content-length: 40\r\n\r\n{}";
        check(twice, &[0, 400]);
        let odd = "POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                   transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n";
        check(odd, &[0, 400]);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn endless_heads_are_cut_off() {
    tokio::task::spawn_blocking(|| {
        let long_path = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(200_000));
        check(long_path, &[0, 400, 414, 431]);
        let long_value =
            format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(200_000));
        check(long_value, &[0, 431]);
        let many: String = (0..5_000).map(|n| format!("x-{n}: 1\r\n")).collect();
        check(format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{many}\r\n"), &[0, 431]);
    })
    .await
    .unwrap();
    visitor().read("/healthz").await;
}

#[tokio::test]
async fn a_reply_to_an_unread_body_says_that_the_connection_ends() {
    tokio::task::spawn_blocking(|| {
        let post = |path: &str, kind: &str, body: &str| {
            let length = body.len().max(5_000_000);
            let reply = send(
                format!(
                    "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\n\
                     content-length: {length}\r\n\r\n{body}"
                )
                .as_bytes(),
            );
            let head = reply.split("\r\n\r\n").next().unwrap().to_lowercase();
            (status(&reply), head.contains("connection: close"))
        };
        assert_eq!(post("/v1/sessions", "application/json", "{"), (413, true));
        assert_eq!(post("/v1/carts", "application/json", "{"), (401, true));
        assert_eq!(post("/v1/nothing", "application/json", "{"), (404, true));
        assert_eq!(post("/v1/products", "application/json", "{"), (405, true));
        // One that was read leaves the connection open, whatever was in it.
        let read = "POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                    content-length: 2\r\n\r\n";
        let both = send(format!("{read}{{]{read}{{}}").as_bytes());
        assert!(both.starts_with("HTTP/1.1 400") && both.contains("HTTP/1.1 201"), "{both}");
    })
    .await
    .unwrap();
}
