//! The fetcher of pictures against a real web server: what it brings home, and what it refuses.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::slice::from_ref;
use std::sync::Arc;

use barrow_feeds::import::{HttpFetcher, ImageFetcher, ImportOptions, PICTURE_BYTES_MAX};

use crate::shop::{Shop, options};
use crate::web::{Page, Web};

/// A GIF of 3 x 2 pixels.
const PICTURE: &[u8] = b"GIF89a\x03\x00\x02\x00\x80\x00\x00";

const OK: &str = "HTTP/1.1 200 OK\r\n";

/// Why the page is refused, as a person reads it.
async fn refused(web: &Web, path: &str) -> String {
    let fetched = web.fetcher().fetch(&web.url(path)).await;
    // Their number is enough: all the bytes would bury what went wrong.
    fetched.map(|bytes| bytes.len()).expect_err("a shop does not show this")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_fetched_and_kept_and_one_that_is_not_there_is_told() {
    let shop = Shop::new().await;
    let web = Web::serve([("/lamp", Page::chunked(PICTURE)), ("/text", Page::ok(b"<html>"))]);
    let (lamp, gone, text) = (web.url("/lamp"), web.url("/gone"), web.url("/text"));
    let line = format!(
        r#"{{"type":"product","slug":"a","title":"A","media":[{{"key":"{lamp}"}},
        {{"key":"{gone}"}},{{"key":"{text}"}}]}}"#
    );
    let path = shop.file("a.jsonl", line.replace('\n', ""));
    let fetching = ImportOptions { fetcher: Some(Arc::new(web.fetcher())), ..options() };
    let told = shop.import_warned(from_ref(&path), fetching.clone()).await;
    assert_eq!(told.errors(), []);
    assert_eq!(told.counts(), [1, 0, 0, 0], "a product is taken without its pictures");
    let warnings: Vec<_> = told.warnings.iter().map(|w| (w.row, w.code, &*w.detail)).collect();
    let not_there = format!("{gone} was not fetched: http status: 404");
    let no_picture = format!("{text} is no picture that a shop can show");
    assert_eq!(warnings, [(1, "not_fetched", &*not_there), (1, "not_fetched", &*no_picture)]);

    let media = shop.product("a").await.media;
    assert_eq!((media[0].width, media[0].height), (Some(3), Some(2)));
    assert_eq!((media[0].mime.as_str(), media[0].bytes), ("image/gif", 13));
    let stored = shop.stores.media.get(&media[0].key, None).await.unwrap();
    assert_eq!(stored.as_deref(), Some(PICTURE));
    assert_eq!((&media[1].key, &media[2].key), (&gone, &text), "the addresses are kept");

    let told = shop.import_warned(from_ref(&path), fetching).await;
    assert_eq!((told.counts(), told.warnings.len()), ([0, 0, 1, 0], 2));
    let mut asked = web.asked();
    asked.sort();
    assert_eq!(asked, ["/gone", "/gone", "/lamp", "/text", "/text"], "what is kept is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_many_products_share_is_asked_once() {
    const PRODUCTS: usize = 40;
    let shop = Shop::new().await;
    let web = Web::serve([("/lamp", Page::ok(PICTURE)), ("/text", Page::ok(b"<html>"))]);
    let (lamp, gone, text) = (web.url("/lamp"), web.url("/gone"), web.url("/text"));
    let media = format!(r#"[{{"key":"{lamp}"}},{{"key":"{gone}"}},{{"key":"{text}"}}]"#);
    let mut lines = String::new();
    for n in 0..PRODUCTS {
        lines += &format!(r#"{{"type":"product","slug":"{n}","title":"P","media":{media}}}"#);
        lines += "\n";
        if n % 20 == 19 {
            // Stock ends the batch: what its products found, those of the next one know.
            lines += &format!("{{\"type\":\"stock\",\"sku\":\"{n}\",\"on_hand\":1}}\n");
        }
    }
    let path = shop.file("a.jsonl", lines);
    let fetching = ImportOptions { fetcher: Some(Arc::new(web.fetcher())), ..options() };
    let told = shop.import_warned(from_ref(&path), fetching).await;
    assert_eq!(told.warnings.len(), 2 * PRODUCTS, "each row is told what it lacks");
    for product in shop.all().await {
        assert_eq!((product.media[0].width, product.media[0].bytes), (Some(3), 13));
        assert_eq!((&product.media[1].key, &product.media[2].key), (&gone, &text));
    }
    let mut asked = web.asked();
    asked.sort();
    assert_eq!(asked, ["/gone", "/lamp", "/text"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_address_is_refused_and_nobody_is_asked() {
    let shop = Shop::new().await;
    let web = Web::serve([("/lamp", Page::ok(PICTURE))]);
    for fetcher in [None, Some(web.fetcher())] {
        let fetcher = fetcher.map(|it| Arc::new(it) as Arc<dyn ImageFetcher>);
        for url in [web.url("/a lamp"), web.url("/<lamp>"), "https://".into()] {
            let media = format!(r#"[{{"key":"{url}"}}]"#);
            let line = format!(r#"{{"type":"product","slug":"a","title":"A","media":{media}}}"#);
            let path = shop.file("a.jsonl", line);
            let options = ImportOptions { fetcher: fetcher.clone(), ..options() };
            let told = shop.import_with(from_ref(&path), options).await;
            assert_eq!(told.errors(), [(1, "/media/0/key", "invalid")], "{url}");
            let why = &told.errors[0].detail;
            assert!(why.starts_with(&format!("'{url}' is no address: ")), "{why}");
        }
    }
    assert_eq!(web.asked(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_may_be_so_large_and_no_larger() {
    let largest = vec![7; usize::try_from(PICTURE_BYTES_MAX).unwrap()];
    let larger = [&largest[..], b"7"].concat();
    let web = Web::serve([
        ("/largest", Page::ok(&largest)),
        ("/untold", Page::chunked(&larger)),
        // Not one byte of it comes: it is refused for what it says of itself.
        ("/larger", Page::Cut(format!("{OK}Content-Length: {}\r\n\r\n", larger.len()).into())),
    ]);
    let fetched = web.fetcher().fetch(&web.url("/largest")).await;
    assert!(fetched.as_ref() == Ok(&largest), "{:?}", fetched.map(|bytes| bytes.len()));
    assert_eq!(refused(&web, "/larger").await, format!("larger than {PICTURE_BYTES_MAX} bytes"));
    let limit = format!("larger than request limit: {PICTURE_BYTES_MAX}");
    let why = refused(&web, "/untold").await;
    assert!(why.contains(&limit), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_picture_is_none() {
    let promised = |head: &str| [OK.as_bytes(), head.as_bytes(), b"\r\n", PICTURE].concat();
    let web = Web::serve([
        ("/short", Page::Cut(promised("Content-Length: 100\r\n"))),
        ("/unchunked", Page::Cut(promised("Transfer-Encoding: chunked\r\n\r\n64"))),
        ("/unended", Page::Cut(promised("Connection: close\r\n"))),
    ]);
    assert_eq!(refused(&web, "/short").await, "io: Peer disconnected");
    assert_eq!(refused(&web, "/unchunked").await, "io: Peer disconnected");
    let why = refused(&web, "/unended").await;
    assert_eq!(why, "the server does not tell where the picture ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_redirects_are_followed_and_no_fourth() {
    let web = Web::serve([
        ("/4", Page::moved("/3")),
        ("/3", Page::moved("/2")),
        ("/2", Page::moved("/1")),
        ("/1", Page::moved("/lamp")),
        ("/lamp", Page::ok(PICTURE)),
    ]);
    assert_eq!(web.fetcher().fetch(&web.url("/3")).await.as_deref(), Ok(PICTURE));
    assert_eq!(refused(&web, "/4").await, "too many redirects");
    assert_eq!(web.asked(), ["/3", "/2", "/1", "/lamp", "/4", "/3", "/2", "/1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_in_the_clear() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let plain = format!("http://{}/lamp", listener.local_addr().unwrap());
    let web = Web::serve([("/plain", Page::moved(&plain))]);
    for why in [refused(&web, "/plain").await, web.fetcher().fetch(&plain).await.unwrap_err()] {
        assert_eq!(why, format!("configured for https only: {plain}"));
    }
    listener.set_nonblocking(true).unwrap();
    let asked = listener.accept().map_err(|error| error.kind());
    assert_eq!(asked.unwrap_err(), ErrorKind::WouldBlock, "nobody came");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_nobody_vouches_for_is_not_asked() {
    let page = || [("/lamp", Page::ok(PICTURE))];
    let web = Web::serve(page());
    let stranger = Web::serve(page());
    let renamed = Web::serve_as("pictures.example", page());
    let url = web.url("/lamp");
    for (who, fetcher, url) in [
        ("whom another vouches for", stranger.fetcher(), &url),
        ("whom none may vouch for", HttpFetcher::trusting(&[]), &url),
        ("of another name", renamed.fetcher(), &renamed.url("/lamp")),
    ] {
        let why = fetcher.fetch(url).await.expect_err(who);
        assert!(why.contains("invalid peer certificate"), "{who}: {why}");
    }
    // The words are not certain here: the environment may name a proxy.
    HttpFetcher::default().fetch(&url).await.expect_err("whom the world does not know");
    let asked = [web.asked(), stranger.asked(), renamed.asked()].concat();
    assert_eq!(asked, [""; 0], "not even the path is told to them");
    assert_eq!(web.fetcher().fetch(&url).await.as_deref(), Ok(PICTURE));
}
