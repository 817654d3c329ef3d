//! What the adapters answer while Redis is away, silent, full, emptied or wrongly set up.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use barrow_adapters::redis::{RedisCache, RedisEntityOptions, RedisEntityStore, RedisError};
use barrow_engine::ports::{Cache, CasOutcome, EntityStore, Expected, Row, StoreError};
use barrow_engine::time::Timestamp;
use barrow_servers::{Redis, or_skip};
use bytes::Bytes;
use futures::future::join_all;
use rustix::process::Signal;

use super::support::{eventually, key, present, row, servers, store, write_new};

const SOON: Duration = Duration::from_secs(5);

/// Says something to a server directly; its answer's first bytes.
fn say(port: u16, command: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
    let mut answer = [0; 256];
    let length = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test]
async fn a_server_that_may_drop_carts_is_refused() {
    let started = Redis::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    let Some(redis) = or_skip("Redis", started) else { return };
    let options = RedisEntityOptions::new("shop");
    let Err(error) = RedisEntityStore::connect(&servers(&redis.url()), options).await else {
        panic!("it would drop carts")
    };
    assert!(matches!(error, RedisError::Evicts { .. }), "{error}");
    assert!(error.to_string().contains("noeviction"), "{error}");
}

/// R1, where the store has forgotten everything.
#[tokio::test]
async fn a_stale_owner_does_not_write_to_an_emptied_server() {
    let Some(mut redis) = or_skip("Redis", Redis::start()) else { return };
    let store = store(&redis.url(), 0).await;
    let mine = write_new(&*store, 1).await;
    redis.restart().unwrap();
    eventually(SOON, "it is read again", || async { store.load(key(1)).await.is_ok() }).await;
    assert_eq!(store.load(key(1)).await, Ok(None), "the row is gone");
    let next = row(2, 2);
    let mut outcome = store.cas(key(1), present(&mine), next.clone()).await;
    eventually(SOON, "the writer is connected again", || async {
        store.cas(key(2), Expected::Absent, row(1, 9)).await.is_ok()
    })
    .await;
    if outcome.is_err() {
        outcome = store.cas(key(1), present(&mine), next).await;
    }
    assert_eq!(outcome, Ok(CasOutcome::Conflict(None)), "and nobody may go on from it");
    write_new(&*store, 1).await;
}

#[tokio::test]
async fn a_script_that_is_lost_is_sent_again() {
    let Some(redis) = or_skip("Redis", Redis::start()) else { return };
    let store = store(&redis.url(), 0).await;
    for id in 1..4 {
        assert!(say(redis.port(), "SCRIPT FLUSH").contains("OK"));
        let first = write_new(&*store, id).await;
        let again = store.cas(key(id), Expected::Absent, row(1, 99)).await;
        assert_eq!(again, Ok(CasOutcome::Conflict(Some(first))));
    }
}

#[tokio::test]
async fn a_full_server_refuses_and_keeps_what_it_has() {
    let Some(redis) = or_skip("Redis", Redis::start_with(&["--maxmemory", "4mb"])) else { return };
    let store = store(&redis.url(), 0).await;
    let large = |id: u128| {
        let (due, blob) = (Some(Timestamp(1)), Bytes::from(vec![7; 100_000]));
        Row { due, blob, ..row(1, id) }
    };
    let mut kept = 0;
    let refused = loop {
        match store.cas(key(kept), Expected::Absent, large(kept)).await {
            Ok(outcome) => assert_eq!(outcome, CasOutcome::Written),
            Err(error) => break error,
        }
        kept += 1;
        assert!(kept < 100, "it takes more than it may");
    };
    assert_eq!(refused, StoreError::Throttled, "nothing was written");
    assert_eq!(store.load(key(kept)).await, Ok(None));
    let due = store.due(&[key(kept).shard()], Timestamp(1), 100).await.unwrap();
    assert!(due.iter().all(|entity| entity.key != key(kept)), "not even its due");
    for id in 0..kept {
        assert_eq!(store.load(key(id)).await, Ok(Some(large(id))), "what it took is there");
    }
}

#[tokio::test]
async fn who_asks_a_server_that_is_away_does_not_wait() {
    let Some(mut redis) = or_skip("Redis", Redis::start()) else { return };
    let store = store(&redis.url(), 0).await;
    let cache = RedisCache::new(&servers(&redis.url()), "cache").unwrap();
    cache.connected(SOON).await.unwrap();
    redis.kill();
    eventually(SOON, "the loss is noticed", || async {
        cache.get("any", None).await.is_err()
            && store.load(key(1)).await.is_err()
            && store.cas(key(1), Expected::Absent, row(1, 1)).await.is_err()
    })
    .await;
    let began = Instant::now();
    let calls = (0..1_000).map(|id| {
        let (cache, store) = (&cache, &store);
        async move {
            assert!(cache.get("any", None).await.is_err());
            let written = store.cas(key(id), Expected::Absent, row(1, id)).await;
            assert!(matches!(written, Err(StoreError::Unavailable(_))), "{written:?}");
            let loaded = store.load(key(id)).await;
            assert!(matches!(loaded, Err(StoreError::Unavailable(_))), "{loaded:?}");
        }
    });
    join_all(calls).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());

    redis.restart().unwrap();
    eventually(SOON, "all go on", || async {
        cache.put("any", Bytes::new(), SOON).await.is_ok()
            && store.load(key(1)).await.is_ok()
            && store.cas(key(1), Expected::Absent, row(1, 1)).await.is_ok()
    })
    .await;
}

/// R2: what a silent server was sent may be carried out long after it was given up. The repeat
/// tells, and nothing counts twice.
#[tokio::test]
async fn writes_to_a_silent_server_end_and_their_repeats_tell() {
    let Some(redis) = or_skip("Redis", Redis::start()) else { return };
    let store = store(&redis.url(), 0).await;
    let ids: Vec<u128> = (1..=100).collect();
    for id in &ids {
        write_new(&*store, *id).await;
    }
    redis.process().signal(Signal::STOP).unwrap();
    let began = Instant::now();
    let second = |id: u128| store.cas(key(id), present(&row(1, id)), row(2, 1_000 + id));
    let outcomes = join_all(ids.iter().map(|id| second(*id))).await;
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    let unknown = |outcome: &&Result<CasOutcome, StoreError>| {
        matches!(outcome, Err(StoreError::OutcomeUnknown(_)))
    };
    assert!(outcomes.iter().all(|outcome| outcome.is_err()), "nobody could acknowledge them");
    assert!(outcomes.iter().filter(unknown).count() > 0, "some were sent");

    redis.process().signal(Signal::CONT).unwrap();
    for id in ids {
        eventually(SOON, "a repeat tells", || async {
            matches!(second(id).await, Ok(CasOutcome::Written))
        })
        .await;
        assert_eq!(store.load(key(id)).await, Ok(Some(row(2, 1_000 + id))));
        let third = store.cas(key(id), present(&row(2, 1_000 + id)), row(3, 2_000 + id)).await;
        assert_eq!(third, Ok(CasOutcome::Written), "nothing came in between");
    }
}

#[tokio::test]
async fn a_silent_cache_is_soon_not_waited_for() {
    let Some(redis) = or_skip("Redis", Redis::start()) else { return };
    let cache = RedisCache::new(&servers(&redis.url()), "cache").unwrap();
    cache.connected(SOON).await.unwrap();
    cache.put("here", Bytes::from_static(b"value"), SOON * 10).await.unwrap();
    redis.process().signal(Signal::STOP).unwrap();
    let began = Instant::now();
    assert!(cache.get("here", None).await.is_err());
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    eventually(SOON, "it is given up", || async {
        let began = Instant::now();
        assert!(cache.get("here", None).await.is_err());
        began.elapsed() < Duration::from_millis(20)
    })
    .await;
    redis.process().signal(Signal::CONT).unwrap();
    eventually(SOON, "it is used again", || async {
        cache.get("here", None).await.is_ok_and(|value| value.is_some())
    })
    .await;
}

/// The first attempt was applied, but no replica had it. Its repeat is written again, so that
/// there is something for the replica to acknowledge.
#[tokio::test]
async fn too_few_replicas_leave_the_outcome_open() {
    let Some(redis) = or_skip("Redis", Redis::start()) else { return };
    let replicas_wait_max = Duration::from_millis(200);
    let options =
        RedisEntityOptions { replicas: 1, replicas_wait_max, ..RedisEntityOptions::new("shop") };
    let store = RedisEntityStore::connect(&servers(&redis.url()), options).await.unwrap();
    let store = Arc::new(store);
    let first = row(1, 1);
    for _ in 0..2 {
        let outcome = store.cas(key(1), Expected::Absent, first.clone()).await;
        assert!(matches!(outcome, Err(StoreError::OutcomeUnknown(_))), "{outcome:?}");
        assert_eq!(store.load(key(1)).await, Ok(Some(first.clone())), "yet it was applied");
    }
    let other = store.cas(key(1), Expected::Absent, row(1, 2)).await;
    assert_eq!(other, Ok(CasOutcome::Conflict(Some(first.clone()))), "a refusal is certain");

    let port = redis.port().to_string();
    let replica = Redis::start_with(&["--replicaof", "127.0.0.1", &port]).unwrap();
    eventually(SOON * 3, "the repeat is acknowledged with the replica", || async {
        store.cas(key(1), Expected::Absent, first.clone()).await == Ok(CasOutcome::Written)
    })
    .await;
    assert!(say(replica.port(), "DBSIZE").starts_with(":1"), "which has the row");

    // The connection that wrote is gone. The repeat on another waits for the replica all the same.
    replica.process().signal(Signal::STOP).unwrap();
    let second = || store.cas(key(1), present(&first), row(2, 3));
    let outcome = second().await;
    assert!(matches!(outcome, Err(StoreError::OutcomeUnknown(_))), "{outcome:?}");
    assert!(say(redis.port(), "CLIENT KILL TYPE normal").starts_with(':'));
    eventually(SOON, "it is connected anew", || async {
        store.cas(key(1), Expected::Absent, row(1, 2)).await.is_ok()
    })
    .await;
    let repeated = second().await;
    assert!(matches!(repeated, Err(StoreError::OutcomeUnknown(_))), "{repeated:?}");
    replica.process().signal(Signal::CONT).unwrap();
    eventually(SOON, "the replica goes on", || async { second().await == Ok(CasOutcome::Written) })
        .await;
}
