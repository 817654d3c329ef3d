//! S3: its promises, over signed requests too, and what it says when it cannot be used.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use barrow_adapters::decorators::Measured;
use barrow_adapters::host::SystemClock;
use barrow_adapters::s3::{BucketState, S3MediaStore, S3Settings};
use barrow_engine::ports::contract::{Answer, SignedRules};
use barrow_engine::ports::{MediaError, MediaStore, SignedRequest, contract};
use barrow_servers::{ACCESS_KEY, MiniStack, REGION, S3, SECRET_KEY, or_skip};
use bytes::Bytes;

use crate::support::wait;

/// The server in this process compares a checksum only after the file is in its place, where it
/// then stays: it answers 400 as S3 does, but S3 itself keeps nothing of such an upload.
const S3S_FS: SignedRules = SignedRules { a_wrong_content_leaves_nothing: false };

fn store(url: &str, endpoint: &str, secret: &str) -> S3MediaStore {
    let vars = [
        ("AWS_ENDPOINT_URL_S3", endpoint),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", secret),
    ];
    let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings = S3Settings::new(url, vars).expect("the settings fit");
    S3MediaStore::new(settings, Arc::new(SystemClock)).expect("clients can be made")
}

fn send(request: SignedRequest, body: Bytes) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
    Box::pin(async move {
        let method = request.method.parse().unwrap();
        let mut call = reqwest::Client::new().request(method, request.url);
        for (name, value) in request.headers {
            call = call.header(name, value);
        }
        let reply = call.body(body).send().await.expect("the server answers");
        Answer { status: reply.status().as_u16(), body: reply.bytes().await.unwrap() }
    })
}

fn text(result: Result<impl std::fmt::Debug, MediaError>) -> String {
    match result {
        Err(MediaError::Unavailable(text)) => text,
        other => panic!("not unavailable: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_keeps_the_promises_of_its_port() {
    let server = S3::start().unwrap();
    let store = store("s3://shop-media", &server.endpoint(), SECRET_KEY);
    let plan = store.plan().await.unwrap();
    assert_eq!(plan.state, BucketState::Missing);
    let step = plan.step().expect("there is something to do");
    assert_eq!(step, format!("create the bucket shop-media in {REGION}"));
    assert_eq!(store.create().await.unwrap().state, BucketState::Missing);
    let again = store.create().await.unwrap();
    assert_eq!((again.state, again.step()), (BucketState::Ours, None), "made once");
    assert_eq!(store.check().await, Ok(()));
    contract::media_store(&store, 1).await;
    contract::signed_media(&store, 2, &send, &wait, S3S_FS).await;
    let measured = Measured::<dyn MediaStore>::new(Arc::new(store), Arc::new(SystemClock));
    contract::media_store(&measured, 3).await;
    contract::signed_media(&measured, 4, &send, &wait, S3S_FS).await;
}

/// A second make of server, which keeps nothing of what it refuses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_another_content_than_was_signed_nothing_stays() {
    let Some(server) = or_skip("MiniStack", MiniStack::start()) else { return };
    let store = store("s3://shop-media", &server.endpoint(), SECRET_KEY);
    store.create().await.unwrap();
    contract::media_store(&store, 1).await;
    let strict = SignedRules { a_wrong_content_leaves_nothing: true };
    contract::signed_media(&store, 2, &send, &wait, strict).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shops_share_a_bucket_each_below_its_prefix() {
    let server = S3::start().unwrap();
    let [whole, one, two] = ["s3://shops", "s3://shops/one", "s3://shops/two/deep"]
        .map(|url| store(url, &server.endpoint(), SECRET_KEY));
    whole.create().await.unwrap();
    contract::media_store(&one, 1).await;
    contract::signed_media(&two, 1, &send, &wait, S3S_FS).await;
    let content = Bytes::from_static(b"a picture");
    assert_eq!(one.put("a.png", content.clone()).await, Ok(()));
    assert_eq!(two.info("a.png").await, Ok(None));
    assert_eq!(whole.get("one/a.png", None).await, Ok(Some(content)));
}

/// What a browser is told by S3 itself, or by what stands before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_has_the_type_of_its_ending() {
    let server = S3::start().unwrap();
    let store = store("s3://shop-media", &server.endpoint(), SECRET_KEY);
    store.create().await.unwrap();
    for (key, mime) in [("a.png", "image/png"), ("b.html", "application/octet-stream")] {
        store.put(key, Bytes::from_static(b"<script>")).await.unwrap();
        let address = store.sign_download(key, Duration::from_secs(60)).await.unwrap();
        let reply = reqwest::get(address).await.unwrap();
        assert_eq!(reply.headers()["content-type"], mime, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_are_told_without_the_secret() {
    let server = S3::start().unwrap();
    let ours = store("s3://shop-media", &server.endpoint(), SECRET_KEY);
    ours.create().await.unwrap();
    ours.put("a.png", Bytes::from_static(b"a picture")).await.unwrap();
    let wrong = "not-the-secret-at-all";
    let wrong_store = store("s3://shop-media", &server.endpoint(), wrong);
    let told = [
        text(wrong_store.check().await),
        text(wrong_store.plan().await),
        text(wrong_store.put("b.png", Bytes::new()).await),
        text(wrong_store.get("a.png", None).await),
        text(wrong_store.info("a.png").await),
        text(wrong_store.remove("a.png").await),
    ];
    for told in &told {
        assert!(told.contains("'shop-media'"), "{told}");
        assert!(!told.contains(wrong) && !told.contains("X-Amz") && told.len() < 300, "{told}");
    }
    assert!(told[0].contains("credentials"), "{told:?}");
    assert!(told[2].contains("credentials (SignatureDoesNotMatch)"), "{told:?}");
    assert_eq!(ours.info("b.png").await, Ok(None));
    assert!(ours.info("a.png").await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_bucket_is_named_and_is_no_missing_file() {
    let server = S3::start().unwrap();
    let store = store("s3://never-made", &server.endpoint(), SECRET_KEY);
    // Not by `put`: this server makes the bucket then, where S3 answers that there is none.
    for told in [
        text(store.check().await),
        text(store.info("a.png").await),
        text(store.get("a.png", None).await),
        text(store.get("a.png", Some(3..3)).await),
    ] {
        assert_eq!(told, "the bucket 'never-made' does not exist");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_gone_is_told_in_time() {
    let server = S3::start().unwrap();
    let gone = store("s3://shop-media", &server.endpoint(), SECRET_KEY);
    gone.create().await.unwrap();
    gone.put("a.png", Bytes::from_static(b"a picture")).await.unwrap();
    drop(server);
    let began = Instant::now();
    for told in [
        text(gone.check().await),
        text(gone.put("a.png", Bytes::new()).await),
        text(gone.info("a.png").await),
        text(gone.get("a.png", Some(0..3)).await),
        text(gone.remove("a.png").await),
    ] {
        assert!(told.contains("'shop-media'") && !told.contains("X-Amz"), "{told}");
    }
    // Each is tried again a few times, with fractions of a second between.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    // To sign, nobody has to be there.
    assert!(gone.sign_download("a.png", Duration::from_secs(60)).await.is_ok());

    // One that takes connections and never answers: the request's time is all it costs.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", mute.local_addr().unwrap());
    let hung = store("s3://shop-media", &endpoint, SECRET_KEY);
    let began = Instant::now();
    let (info, check) = tokio::join!(hung.info("a.png"), hung.check());
    text(info);
    text(check);
    assert!(began.elapsed() < Duration::from_secs(21), "{:?}", began.elapsed());
}
