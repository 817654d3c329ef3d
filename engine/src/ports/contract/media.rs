//! The promises of a media store.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

use super::{Names, Wait};
use crate::ports::{MediaError, MediaStore, SIGNED_TTL_MAX, SignedRequest, Upload};

pub async fn media_store(store: &dyn MediaStore, seed: u64) {
    let names = Names { seed };
    let folder = names.text(1);
    let key = format!("{folder}/chair-1.v2_big.webp");

    assert_eq!(store.info(&key).await, Ok(None), "what was never put is not there");
    assert_eq!(store.get(&key, None).await, Ok(None), "what was never put is not there");
    assert_eq!(store.get(&key, Some(0..1)).await, Ok(None), "nor is a part of it");
    let content = Bytes::from((0..=255u8).cycle().take(70_000).collect::<Vec<_>>());
    assert_eq!(store.put(&key, content.clone()).await, Ok(()), "a file is taken");
    assert_eq!(store.get(&key, None).await, Ok(Some(content.clone())), "a file is kept whole");
    let info = store.info(&key).await.expect("it is known").expect("it is there");
    assert_eq!(info.bytes, 70_000, "its size is known");
    assert!(!info.etag.is_empty(), "it has an entity tag");
    assert_eq!(store.info(&key).await, Ok(Some(info.clone())), "the tag stays with the content");

    ranges(store, &key, &content).await;

    let other = Bytes::from_static(b"another picture");
    assert_eq!(store.put(&key, other.clone()).await, Ok(()), "a file can be replaced");
    assert_eq!(store.get(&key, None).await, Ok(Some(other)), "the newer file holds");
    let newer = store.info(&key).await.expect("it is known").expect("it is there");
    assert_ne!(newer.etag, info.etag, "the tag changes with the content");
    let empty = format!("{folder}/empty.txt");
    assert_eq!(store.put(&empty, Bytes::new()).await, Ok(()), "an empty file is a file");
    assert_eq!(store.get(&empty, None).await, Ok(Some(Bytes::new())), "an empty file is kept");

    for key in [&key, &empty] {
        assert_eq!(store.remove(key).await, Ok(()), "a file can be removed");
        assert_eq!(store.get(key, None).await, Ok(None), "what was removed is gone");
        assert_eq!(store.remove(key).await, Ok(()), "removing what is not there is no error");
    }
    bad_keys(store).await;
}

async fn ranges(store: &dyn MediaStore, key: &str, content: &Bytes) {
    for range in [0..1, 0..70_000, 100..165, 69_999..70_000, 5..5] {
        let part = content.slice(range.start as usize..range.end as usize);
        let found = store.get(key, Some(range.clone())).await;
        assert_eq!(found, Ok(Some(part)), "the bytes {range:?} of a file are those bytes");
    }
    let tail = store.get(key, Some(69_000..90_000)).await;
    assert_eq!(tail, Ok(Some(content.slice(69_000..))), "a range past the end ends with the file");
    let beyond = store.get(key, Some(70_000..70_010)).await;
    assert_eq!(beyond, Ok(Some(Bytes::new())), "a range behind the end is empty");
}

async fn bad_keys(store: &dyn MediaStore) {
    let long = "a".repeat(2_000);
    for key in [
        "", "/", "a/", "/a", "a//b", ".", "..", "a/../b", "a/./b", "../a", "A.png", "a b", "a\\b",
        "a\0b", "ä.png", "a%2fb", "c:d", "a?b", "a#b", &long,
    ] {
        let refused = Err(MediaError::InvalidKey(key.to_owned()));
        assert_eq!(store.put(key, Bytes::new()).await, refused, "a key has one safe form");
        assert_eq!(store.info(key).await.err(), refused.clone().err(), "also when asking");
        assert_eq!(store.get(key, None).await.err(), refused.clone().err(), "also when reading");
        assert_eq!(store.remove(key).await, refused, "also when removing");
        let signed = store.sign_download(key, Duration::from_secs(60)).await;
        assert_eq!(signed.err(), refused.err(), "also when signing");
    }
}

/// What came back for a signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: Bytes,
}

/// How the suite makes a signed request: by the host's own HTTP client, with that body.
pub type SendSigned<'a> =
    &'a (dyn Fn(SignedRequest, Bytes) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Sync);

/// Where the server under test is known to be weaker than the real one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedRules {
    /// Whether of a file with another content than was signed nothing stays.
    pub a_wrong_content_leaves_nothing: bool,
}

/// Two contents of one size, and the digest of the first.
const CONTENT: &[u8] = b"the picture that was announced";
const OTHER: &[u8] = b"a picture that nobody expected";
const SHA256: [u8; 32] = [
    0xe7, 0x59, 0x5c, 0xdf, 0x2a, 0x65, 0xc8, 0x82, 0x88, 0xe5, 0xb3, 0x11, 0x02, 0xf2, 0x28, 0xfe,
    0x5c, 0x61, 0xb6, 0xf3, 0x15, 0xda, 0x36, 0x5c, 0x68, 0xc1, 0x26, 0x6d, 0xaa, 0x8e, 0xb3, 0x7a,
];

const LONG: Duration = Duration::from_secs(600);

/// The promises of signed requests, made over HTTP.
pub async fn signed_media(
    store: &dyn MediaStore,
    seed: u64,
    send: SendSigned<'_>,
    wait: Wait<'_>,
    rules: SignedRules,
) {
    let names = Names { seed };
    let (content, other) = (Bytes::from_static(CONTENT), Bytes::from_static(OTHER));
    for folder in [names.text(1), format!("private/{}", names.text(2))] {
        let upload = announced(&folder, "one");
        let signed = store.sign_upload(&upload, LONG).await.expect("an upload can be signed");
        assert_eq!(store.info(&upload.key).await, Ok(None), "signing puts nothing");
        for _ in 0..2 {
            let answer = send(signed.clone(), content.clone()).await;
            assert!(is_good(&answer), "what was announced is taken, and again: {answer:?}");
        }
        let found = store.get(&upload.key, None).await;
        assert_eq!(found, Ok(Some(content.clone())), "what was sent is there");
        let address = store.sign_download(&upload.key, LONG).await.expect("it can be signed");
        let answer = send(download(address), Bytes::new()).await;
        assert_eq!(answer, Answer { status: 200, body: content.clone() }, "it can be fetched");
        let gone = format!("{folder}/gone.png");
        let address = store.sign_download(&gone, LONG).await.expect("it can be signed");
        let answer = send(download(address), Bytes::new()).await;
        assert_eq!(answer.status, 404, "a file that is not there is not there");
        let again = send(signed, other.clone()).await;
        assert!((400..500).contains(&again.status), "no other content: {again:?}");
        if rules.a_wrong_content_leaves_nothing {
            let found = store.get(&upload.key, None).await;
            assert_eq!(found, Ok(Some(content.clone())), "what was there stays");
        }
        assert_eq!(store.remove(&upload.key).await, Ok(()));
        refusals(store, &folder, send, rules).await;
        expiry(store, &folder, send, wait).await;
    }
    unsigned(store, &names.text(3)).await;
}

fn announced(folder: &str, name: &str) -> Upload {
    Upload {
        key: format!("{folder}/{name}.png"),
        content_type: "image/png".to_owned(),
        bytes: CONTENT.len() as u64,
        sha256: SHA256,
    }
}

fn download(url: String) -> SignedRequest {
    SignedRequest {
        method: "GET",
        url,
        headers: Vec::new(),
        expires_at: crate::time::Timestamp::MAX,
    }
}

fn is_good(answer: &Answer) -> bool {
    (200..300).contains(&answer.status)
}

/// Replaces the last character by another of the same kind.
fn changed(text: &str) -> String {
    let last = if text.ends_with('0') { '1' } else { '0' };
    let mut changed = text.to_owned();
    changed.pop();
    changed.push(last);
    changed
}

async fn refusals(store: &dyn MediaStore, folder: &str, send: SendSigned<'_>, rules: SignedRules) {
    let content = Bytes::from_static(CONTENT);
    type Change = fn(&mut SignedRequest, &mut Bytes);
    let cases: [(&str, Change); 7] = [
        ("another content", |_, body| *body = Bytes::from_static(OTHER)),
        ("a longer content", |_, body| *body = [body, &b"!"[..]].concat().into()),
        ("a shorter content", |_, body| body.truncate(CONTENT.len() - 1)),
        ("nothing", |_, body| body.clear()),
        ("another content type", |request, _| {
            for (name, value) in &mut request.headers {
                if name.eq_ignore_ascii_case("content-type") {
                    *value = "text/html".to_owned();
                }
            }
        }),
        ("another signature", |request, _| request.url = changed(&request.url)),
        ("another key", |request, _| request.url = request.url.replacen("/case", "/other", 1)),
    ];
    for (number, (what, change)) in (0..).zip(cases) {
        let upload = announced(folder, &format!("case{number}"));
        let mut signed = store.sign_upload(&upload, LONG).await.expect("it can be signed");
        let mut body = content.clone();
        change(&mut signed, &mut body);
        let answer = send(signed, body).await;
        assert!((400..500).contains(&answer.status), "{what} is refused: {answer:?}");
        if number > 0 || rules.a_wrong_content_leaves_nothing {
            assert_eq!(store.info(&upload.key).await, Ok(None), "of {what} nothing stays");
        }
        let other = upload.key.replacen("/case", "/other", 1);
        assert_eq!(store.info(&other).await, Ok(None), "{what} puts nothing elsewhere");
    }
    let upload = announced(folder, "read");
    assert_eq!(store.put(&upload.key, content).await, Ok(()));
    let address = store.sign_download(&upload.key, LONG).await.expect("it can be signed");
    let answer = send(download(changed(&address)), Bytes::new()).await;
    assert_eq!(answer.status, 403, "another signature does not read");
    assert_eq!(store.remove(&upload.key).await, Ok(()));
}

async fn expiry(store: &dyn MediaStore, folder: &str, send: SendSigned<'_>, wait: Wait<'_>) {
    let (content, ttl) = (Bytes::from_static(CONTENT), Duration::from_secs(1));
    let upload = announced(folder, "late");
    assert_eq!(store.put(&upload.key, content.clone()).await, Ok(()));
    let unsent = announced(folder, "unsent");
    let signed = store.sign_upload(&unsent, ttl).await.expect("it can be signed");
    let address = store.sign_download(&upload.key, ttl).await.expect("it can be signed");
    // A second for the time, one for what a server rounds, and some for its clock.
    wait(Duration::from_millis(2_500)).await;
    let answer = send(signed, content).await;
    assert!((400..500).contains(&answer.status), "an upload expires: {answer:?}");
    assert_eq!(store.info(&unsent.key).await, Ok(None), "of what came too late nothing stays");
    let answer = send(download(address), Bytes::new()).await;
    assert_eq!(answer.status, 403, "an address expires");
    assert_eq!(store.remove(&upload.key).await, Ok(()));
}

/// What is refused before anything is signed.
async fn unsigned(store: &dyn MediaStore, folder: &str) {
    let good = announced(folder, "good");
    let large = Upload { bytes: u64::MAX, ..good.clone() };
    let refused = store.sign_upload(&large, LONG).await;
    assert!(matches!(refused, Err(MediaError::TooLarge { .. })), "too large: {refused:?}");
    let html = Upload { content_type: "text/html".to_owned(), ..good.clone() };
    let refused = store.sign_upload(&html, LONG).await;
    assert!(matches!(refused, Err(MediaError::WrongType { .. })), "a wrong type: {refused:?}");
    let outside = Upload { key: "../a.png".to_owned(), ..good.clone() };
    let refused = store.sign_upload(&outside, LONG).await;
    assert_eq!(refused, Err(MediaError::InvalidKey("../a.png".to_owned())));
    let first = store.sign_upload(&good, SIGNED_TTL_MAX).await.expect("it can be signed");
    let longer = store.sign_upload(&good, SIGNED_TTL_MAX * 9).await.expect("it can be signed");
    let drift = longer.expires_at.since(first.expires_at);
    assert!(drift < Duration::from_secs(60), "nothing is signed for longer than a week");
}
