//! `/media`: files, whole and in part.

use crate::support::goods;
use crate::support::visitor;

const PDF: &str = "/media/goods/oak-chair.pdf";
const SVG: &str = "/media/goods/oak-chair.svg";

fn file(path: &str) -> Vec<u8> {
    let key = path.strip_prefix("/media/").unwrap();
    goods::media().into_iter().find(|(name, _)| *name == key).unwrap().1
}

#[tokio::test]
async fn a_file_comes_whole() {
    let visitor = visitor();
    for (path, kind) in [(PDF, "application/pdf"), (SVG, "image/svg+xml")] {
        let reply = visitor.get(path).send().await.is(200);
        assert_eq!((reply.header("content-type"), &reply.body), (kind, &file(path)));
        assert_eq!(reply.header("accept-ranges"), "bytes");
        assert!(reply.header("cache-control").contains("max-age="), "{reply:?}");
        assert!(reply.header("content-security-policy").contains("default-src 'none'"));
        let head = visitor.call(reqwest::Method::HEAD, path).send().await.is(200);
        assert_eq!(head.header("content-length"), file(path).len().to_string());
    }
}

#[tokio::test]
async fn a_known_file_is_not_sent_again() {
    let visitor = visitor();
    let tag = visitor.get(PDF).send().await.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.len() > 4, "{tag}");
    let known = visitor.get(PDF).header("if-none-match", &tag).send().await.is(304);
    assert!(known.body.is_empty());
    visitor.get(PDF).header("if-none-match", "\"other\"").send().await.is(200);
}

#[tokio::test]
async fn a_part_is_a_part() {
    let visitor = visitor();
    let whole = file(PDF);
    let length = whole.len();
    for (range, start, end) in [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=262100-262200", 262_100, 262_201),
        ("bytes=100000-700000", 100_000, 700_001),
        ("bytes=-17", length - 17, length),
        ("bytes=5-", 5, length),
        ("bytes=5-99999999", 5, length),
    ] {
        let reply = visitor.get(PDF).header("range", range).send().await.is(206);
        let place = format!("bytes {start}-{}/{length}", end - 1);
        assert_eq!(reply.header("content-range"), place, "{range}");
        assert!(reply.body == whole[start..end], "{range}");
    }
    let behind = visitor.get(PDF).header("range", "bytes=99999999-").send().await.is(416);
    assert_eq!(behind.header("content-range"), format!("bytes */{length}"));
    for odd in ["bytes=5-4", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6"] {
        assert_eq!(visitor.get(PDF).header("range", odd).send().await.is(200).body.len(), length);
    }
}

#[tokio::test]
async fn a_part_of_another_state_is_the_whole() {
    let visitor = visitor();
    let tag = visitor.get(PDF).send().await.header("etag").to_owned();
    let call = |tag: &str| visitor.get(PDF).header("range", "bytes=0-9").header("if-range", tag);
    assert_eq!(call(&tag).send().await.is(206).body.len(), 10);
    assert_eq!(call("\"other\"").send().await.is(200).body.len(), file(PDF).len());
}

#[tokio::test]
async fn nothing_outside_the_store_is_served() {
    let visitor = visitor();
    for path in [
        "/media/goods/none.png",
        "/media/goods",
        "/media/",
        "/media/..%2f..%2fbarrow.lock",
        "/media/%2e%2e/%2e%2e/barrow.lock",
        "/media/goods/..%2f..%2f..%2fbarrow.lock",
        "/media/%2fetc%2fpasswd",
        "/media//etc/passwd",
        "/media/goods%00.svg",
        "/media/goods/oak-chair.svg%00",
        "/media/goods/oak-chair.svg/",
        "/media/.",
    ] {
        visitor.get(path).refused(404, "not_found").await;
    }
    visitor.get(&format!("{SVG}?size=9")).refused(400, "unknown_parameter").await;
}
