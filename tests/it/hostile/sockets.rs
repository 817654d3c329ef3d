//! Clients that are slow, go away, or come in crowds: each is dropped in bounded time, and
//! nothing of it stays.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use barrow_tests::server::Server;
use serde_json::json;

use super::{TIMEOUT_MS, guest, impatient, shop};
use crate::support::goods::bulk_sku;
use crate::support::{Client, small_shop, until};

/// What the server may take beyond its time-out: reading on for a moment, and a slow machine.
const GRACE: Duration = Duration::from_secs(6);

/// Writes the first part, then a byte each 100 ms; answers what came back and when it ended.
fn drip(first: &str, then: u8) -> (String, Duration) {
    let mut stream = TcpStream::connect(shop().address()).unwrap();
    let began = Instant::now();
    stream.write_all(first.as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut reply = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => reply.extend_from_slice(&buffer[..read]),
            Err(error) => match error.kind() {
                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {}
                _ => break,
            },
        }
        assert!(began.elapsed() < Duration::from_secs(60), "the server holds a slow client");
        // Once it was told off, its bytes may not be taken any more.
        let _ = stream.write_all(&[then]);
    }
    (String::from_utf8_lossy(&reply).into_owned(), began.elapsed())
}

fn in_time(took: Duration) {
    let allowed = Duration::from_millis(TIMEOUT_MS);
    assert!(took >= allowed.mul_f32(0.9), "it had its time: {took:?}");
    assert!(took < allowed + GRACE, "it took {took:?}");
}

#[tokio::test]
async fn a_head_that_drips_in_is_ended() {
    let (reply, took) =
        tokio::task::spawn_blocking(|| drip("GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: ", b'a'))
            .await
            .unwrap();
    assert!(reply.starts_with("HTTP/1.1 408"), "{reply}");
    in_time(took);
}

#[tokio::test]
async fn a_body_that_drips_in_is_refused() {
    let head = "POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 100000\r\n\r\n";
    let (reply, took) = tokio::task::spawn_blocking(|| drip(head, b' ')).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 400"), "{reply}");
    assert!(reply.contains("malformed_json"), "{reply}");
    in_time(took);
}

#[tokio::test]
async fn a_client_that_says_nothing_is_dropped() {
    tokio::task::spawn_blocking(|| {
        let mut silent = TcpStream::connect(shop().address()).unwrap();
        let began = Instant::now();
        silent.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut reply = Vec::new();
        silent.read_to_end(&mut reply).unwrap();
        in_time(began.elapsed());
        assert!(reply.is_empty(), "{:?}", String::from_utf8_lossy(&reply));
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_reply_that_is_not_read_costs_nobody_else() {
    let guest = guest().await;
    let cart = guest.cart().await;
    cart.add(&bulk_sku(0), 1).ok().await;
    let token = guest.token.clone().unwrap();
    // Asks for much and reads nothing, many times over.
    let mut greedy = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(shop().address()).unwrap();
        let ask = format!(
            "GET {} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n",
            cart.path
        );
        stream.set_nonblocking(true).unwrap();
        for _ in 0..200 {
            if stream.write_all(ask.as_bytes()).is_err() {
                break;
            }
        }
        greedy.push(stream);
    }
    for _ in 0..20 {
        let began = Instant::now();
        cart.add(&bulk_sku(0), 1).ok().await;
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}

/// Open event streams, by the server's own count.
async fn open_streams(client: &Client) -> String {
    let metrics = client.get("/metrics").send().await;
    let line = metrics.text().lines().find(|line| line.starts_with("barrow_event_streams "));
    line.unwrap_or_else(|| panic!("{metrics:?}")).to_owned()
}

/// More than a quiet server differs in open files from one moment to the next.
const FILES_SLACK: usize = 20;
/// Less than 1,200 clients would leave, if each left as little as a buffer.
const MEMORY_SLACK: u64 = 96 << 20;

#[tokio::test]
async fn crowds_that_come_and_go_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let server = impatient(small_shop(folder.path())).start();
    let guest = Client::of(&server.url).guest().await;
    let cart = guest.cart().await;
    cart.add(&bulk_sku(0), 1).ok().await;
    let token = guest.token.clone().unwrap();
    let files = server.open_files();
    // The first crowd makes the server's own tables grow.
    crowd(&server, &token, &cart.path, 300).await;
    let memory = server.resident_bytes();
    for _ in 0..4 {
        crowd(&server, &token, &cart.path, 300).await;
    }
    let bound = files + FILES_SLACK;
    until("the crowd's sockets are closed", async || server.open_files() <= bound).await;
    until("its streams are, too", async || open_streams(&guest).await.ends_with(" 0")).await;
    let grown = server.resident_bytes().saturating_sub(memory);
    assert!(grown < MEMORY_SLACK, "{} MiB more than before", grown >> 20);
    guest.post("/v1/carts", json!({})).made().await;
}

/// Clients of all bad kinds at once, all of which go away in the middle.
async fn crowd(server: &Server, token: &str, path: &str, count: usize) {
    let (token, path, address) = (token.to_owned(), path.to_owned(), server.address().to_owned());
    let crowd = move || {
        let head = |method: &str, rest: &str| {
            format!("{method} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{rest}")
        };
        let json = "content-type: application/json\r\ncontent-length: 500\r\n\r\n{";
        let openings = [
            head("GET /healthz", ""),
            head("POST /v1/carts", json),
            head(&format!("GET {path}/events"), "\r\n"),
            head(&format!("GET {path}"), "\r\n"),
            "garbage".to_owned(),
            String::new(),
        ];
        let mut open = Vec::new();
        for n in 0..count {
            let Ok(mut stream) = TcpStream::connect(&address) else { continue };
            let _ = stream.write_all(openings[n % openings.len()].as_bytes());
            open.push(stream);
            // Some stay a while, so that many are open at once.
            if open.len() > 100 {
                open.drain(..50);
            }
        }
    };
    tokio::task::spawn_blocking(crowd).await.unwrap();
}

/// How the figures tell that eight requests are being answered.
const ALL_TAKEN: &str = "\nbarrow_http_requests_in_flight 8\n";

#[tokio::test]
async fn a_full_server_refuses_early_and_still_tells_how_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let server = small_shop(folder.path()).set("limits.requests=8").start();
    let client = Client::of(&server.url);
    let head = "POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 100\r\n\r\n";
    let mut slow: Vec<TcpStream> = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        slow.push(stream);
    }
    // Seen from beside: a request that asks for a place would itself take one.
    let taken = async || client.get("/metrics").send().await.text().contains(ALL_TAKEN);
    until("all places are taken", taken).await;
    let began = Instant::now();
    client.get("/v1/shop").refused(429, "overloaded").await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    client.read("/healthz").await;
    client.read("/readyz").await;
    let metrics = client.get("/metrics").send().await.is(200);
    assert!(metrics.text().contains("barrow_http_requests_shed_total "), "{metrics:?}");
    // The slow ones are answered as ever, and make room.
    for stream in &mut slow {
        stream.write_all(format!("{{}}{}", " ".repeat(98)).as_bytes()).unwrap();
        let mut reply = [0; 12];
        stream.read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"HTTP/1.1 201");
    }
    client.read("/v1/shop").await;
}
