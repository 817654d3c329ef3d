//! `/media` where it was signed for: files that were announced are taken, and no others; private
//! ones are read by signed addresses alone.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use barrow_adapters::embedded::{EmbeddedMediaStore, MediaSigning};
use barrow_adapters::host::SystemClock;
use barrow_engine::ports::contract::{self, Answer, SignedRules};
use barrow_engine::ports::{MediaStore, SignedRequest, Upload};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::support::{Client, small_shop, until};

const TTL: Duration = Duration::from_secs(600);

/// The files of a running shop, as the shop itself opens them.
fn files(folder: &Path) -> EmbeddedMediaStore {
    let data = folder.join("data");
    let signing = MediaSigning::load(&data.join("media.key"), Arc::new(SystemClock)).unwrap();
    EmbeddedMediaStore::open(&data.join("media"), signing).unwrap()
}

fn announce(key: &str, content_type: &str, content: &[u8]) -> Upload {
    Upload {
        key: key.to_owned(),
        content_type: content_type.to_owned(),
        bytes: content.len() as u64,
        sha256: Sha256::digest(content).into(),
    }
}

async fn send(client: Client, request: SignedRequest, body: Bytes) -> Answer {
    let mut call = client.call(request.method.parse().unwrap(), &request.url);
    for (name, value) in request.headers {
        call = match name == "content-type" {
            true => call.body(&value, body.clone()),
            false => call.header(&name, value),
        };
    }
    let reply = call.send().await;
    Answer { status: reply.status, body: reply.body.into() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shop_keeps_what_its_store_has_signed() {
    let folder = tempfile::tempdir().unwrap();
    let server = small_shop(folder.path()).start();
    let client = Client::of(&server.url);
    let store = files(folder.path());
    let send = |request, body| -> std::pin::Pin<Box<dyn Future<Output = Answer> + Send>> {
        Box::pin(send(client.clone(), request, body))
    };
    let wait = |time| -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(time))
    };
    let rules = SignedRules { a_wrong_content_leaves_nothing: true };
    contract::signed_media(&store, 1, &send, &wait, rules).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let server = small_shop(folder.path()).start();
    let client = Client::of(&server.url);
    let store = files(folder.path());
    let content = b"a chair, seen from the side".as_slice();
    let upload = announce("chairs/side.png", "image/png", content);
    let signed = store.sign_upload(&upload, TTL).await.unwrap();
    let put = |url: &str, kind: &str, body: &'static [u8]| {
        client.call(reqwest::Method::PUT, url).body(kind, body)
    };
    for (kind, body, detail) in [
        ("image/gif", content, "the content type has to be 'image/png'"),
        ("image/png", &content[1..], "the file has to have 27 bytes"),
        ("image/png", &[7; 27], "the content has another SHA-256 than was announced"),
    ] {
        let problem = put(&signed.url, kind, body).refused(422, "upload_mismatch").await;
        assert_eq!(problem["detail"], detail);
    }
    // Without a length: what came is counted.
    for (parts, detail) in [
        (vec![content, b"!"], "more bytes came than were announced"),
        (vec![&content[..9]], "fewer bytes came than were announced"),
    ] {
        let parts = parts.into_iter().map(Ok::<_, std::io::Error>);
        let body = reqwest::Body::wrap_stream(futures::stream::iter(parts));
        let call = client.call(reqwest::Method::PUT, &signed.url).body("image/png", body);
        assert_eq!(call.refused(422, "upload_mismatch").await["detail"], detail);
    }
    let bare = signed.url.split('?').next().unwrap();
    let unsigned = signed.url.split("&signature").next().unwrap();
    let other = signed.url.replace("bytes=27", "bytes=28");
    let odd = signed.url.replace("bytes=27", "bytes=many");
    for url in [bare, unsigned, &other, &odd] {
        put(url, "image/png", content).refused(403, "signature_invalid").await;
    }
    let more = format!("{}&more=1", signed.url);
    put(&more, "image/png", content).refused(400, "unknown_parameter").await;
    client.get(&format!("{bare}?expires=1&signature=0")).refused(403, "signature_invalid").await;
    client.get(&format!("{bare}?expires=1")).refused(403, "signature_invalid").await;
    client.get(bare).refused(404, "not_found").await;

    let reply = put(&signed.url, "image/png", content).send().await.is(200);
    let published = client.get(bare).send().await.is(200);
    assert_eq!((published.header("etag"), &*published.body), (reply.header("etag"), content));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_file_is_read_by_a_signed_address_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = small_shop(folder.path()).start();
    let client = Client::of(&server.url);
    let store = files(folder.path());
    let content = b"{\"type\": \"stock\"}\n".as_slice();
    let upload = announce("private/imports/one.jsonl", "application/jsonl", content);
    let signed = store.sign_upload(&upload, TTL).await.unwrap();
    let put = client.call(reqwest::Method::PUT, &signed.url);
    put.body("application/jsonl", content).send().await.is(200);
    let plain = format!("/media/{}", upload.key);
    client.get(&plain).refused(404, "not_found").await;
    client.call(reqwest::Method::HEAD, &plain).send().await.is(404);
    let address = store.sign_download(&upload.key, TTL).await.unwrap();
    let reply = client.get(&address).send().await.is(200);
    assert_eq!(reply.body, content);
    assert_eq!(reply.header("content-type"), "application/jsonl");
    assert_eq!(reply.header("cache-control"), "private, no-store");
    let part = client.get(&address).header("range", "bytes=2-5").send().await.is(206);
    assert_eq!(part.body, b"type");
    // It is of that file only, and of reading only.
    let other = address.replace("one.jsonl", "two.jsonl");
    client.get(&other).refused(403, "signature_invalid").await;
    let put = client.call(reqwest::Method::PUT, &address).body("application/jsonl", content);
    put.refused(403, "signature_invalid").await;
}

/// A film passes through a server that has no room for it: while it comes, most of it is on the
/// disk already, under a name that nobody can ask for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_goes_to_the_disk_as_it_comes() {
    const PARTS: usize = 64;
    let folder = tempfile::tempdir().unwrap();
    let server = small_shop(folder.path()).start();
    let client = Client::of(&server.url);
    let store = files(folder.path());
    let part = Bytes::from((0..1 << 20).map(|n: u32| (n % 251) as u8).collect::<Vec<_>>());
    let film = part.repeat(PARTS);
    let upload = announce("films/chair.mp4", "video/mp4", &film);
    let signed = store.sign_upload(&upload, TTL).await.unwrap();
    let before = resident(&client).await;

    let (parts, body) = tokio::sync::mpsc::channel(1);
    let body = futures::stream::unfold(body, |mut body: Receiver| async move {
        body.recv().await.map(|part| (Ok::<_, std::io::Error>(part), body))
    });
    let body = reqwest::Body::wrap_stream(body);
    let put = client.call(reqwest::Method::PUT, &signed.url).body("video/mp4", body);
    let sent = tokio::spawn(put.send());
    for _ in 0..PARTS - 1 {
        parts.send(part.clone()).await.unwrap();
    }
    let coming = folder.path().join("data/media/films/chair.mp4#1");
    until("most of it is on the disk", async || {
        std::fs::metadata(&coming).is_ok_and(|file| file.len() > 60 << 20)
    })
    .await;
    let more = resident(&client).await.saturating_sub(before);
    assert!(more < 32 << 20, "the server holds {more} bytes of it");
    client.get("/media/films/chair.mp4").refused(404, "not_found").await;
    parts.send(part).await.unwrap();
    drop(parts);
    sent.await.unwrap().is(200);
    let back = client.get("/media/films/chair.mp4").send().await.is(200);
    assert!(back.body == film, "it is the same film");
    assert!(!coming.exists());
}

type Receiver = tokio::sync::mpsc::Receiver<Bytes>;

/// The memory that the server has, in bytes.
async fn resident(client: &Client) -> u64 {
    let metrics = String::from_utf8(client.get("/metrics").send().await.is(200).body).unwrap();
    let line = metrics.lines().find_map(|l| l.strip_prefix("process_resident_memory_bytes "));
    line.expect("it is told").parse().unwrap()
}
