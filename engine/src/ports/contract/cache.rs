//! The promises of a cache. It may forget anything at any time, so a suite can only run where
//! nothing else presses on the cache's memory.

use std::time::Duration;

use bytes::Bytes;

use super::{Names, Wait, eventually};
use crate::ports::Cache;

const LONG: Duration = Duration::from_secs(600);

/// Long enough that a slow machine still reads the value before it ends.
const SHORT: Duration = Duration::from_secs(2);

pub async fn cache(cache: &dyn Cache, seed: u64, wait: Wait<'_>) {
    let names = Names { seed };
    let get = async |key: &str| cache.get(key, None).await.expect("the cache answers");
    let put = async |key: &str, value: &'static str, ttl: Duration| {
        cache.put(key, Bytes::from_static(value.as_bytes()), ttl).await.expect("it takes a value");
    };
    let (one, two) = (names.text(1), names.text(2));

    assert_eq!(get(&one).await, None, "what was never put is not there");
    put(&one, "first", LONG).await;
    assert_eq!(get(&one).await.as_deref(), Some(&b"first"[..]), "a value is kept");
    put(&one, "second", LONG).await;
    assert_eq!(get(&one).await.as_deref(), Some(&b"second"[..]), "a newer value replaces it");
    assert_eq!(get(&two).await, None, "each key has its own value");
    put(&two, "", LONG).await;
    assert_eq!(get(&two).await.as_deref(), Some(&b""[..]), "an empty value is a value");
    cache.remove(&one).await.expect("it removes a value");
    assert_eq!(get(&one).await, None, "what was removed is gone");
    cache.remove(&one).await.expect("removing what is not there is no error");

    values_end(cache, names, wait).await;
    a_touch_starts_the_time_anew(cache, names, wait).await;
}

async fn values_end(cache: &dyn Cache, names: Names, wait: Wait<'_>) {
    let key = &names.text(10);
    cache.put(key, Bytes::from_static(b"brief"), SHORT).await.expect("it takes a value");
    eventually(wait, "a value ends with its time to live", || async {
        cache.get(key, None).await.expect("the cache answers").is_none()
    })
    .await;
    cache.put(key, Bytes::from_static(b"brief"), LONG).await.expect("it takes a value");
    let shorter = cache.put(key, Bytes::from_static(b"briefer"), SHORT).await;
    shorter.expect("it takes a value");
    eventually(wait, "a replaced value has its own time to live", || async {
        cache.get(key, None).await.expect("the cache answers").is_none()
    })
    .await;
}

async fn a_touch_starts_the_time_anew(cache: &dyn Cache, names: Names, wait: Wait<'_>) {
    let (touched, left) = (&names.text(20), &names.text(21));
    for key in [touched, left] {
        cache.put(key, Bytes::from_static(b"here"), SHORT).await.expect("it takes a value");
    }
    let value = cache.get(touched, Some(LONG)).await.expect("the cache answers");
    assert_eq!(value.as_deref(), Some(&b"here"[..]), "a touch answers the value");
    eventually(wait, "what nobody touches ends", || async {
        cache.get(left, None).await.expect("the cache answers").is_none()
    })
    .await;
    let value = cache.get(touched, None).await.expect("the cache answers");
    assert_eq!(value.as_deref(), Some(&b"here"[..]), "a touch starts the time to live anew");
    let gone = cache.get(left, Some(LONG)).await.expect("the cache answers");
    assert_eq!(gone, None, "a touch does not bring back what has ended");
}
