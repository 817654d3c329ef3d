//! The promises of a media store.

use bytes::Bytes;

use super::Names;
use crate::ports::{MediaError, MediaStore};

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
    }
}
