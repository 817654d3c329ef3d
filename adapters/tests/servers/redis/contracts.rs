//! The contract suites, against a server and a cluster, alone and through each decorator.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use barrow_adapters::decorators::{Faulty, Measured};
use barrow_adapters::host::{SystemClock, TokioSleeper};
use barrow_adapters::redis::{
    RedisAnnouncements, RedisCache, RedisEntityOptions, RedisEntityStore, RedisServers,
};
use barrow_engine::entity::Shard;
use barrow_engine::ports::{
    Announcements, Cache, CasOutcome, EntityStore, Expected, Row, contract,
};
use barrow_engine::time::Timestamp;
use barrow_servers::{Redis, RedisCluster, or_skip};

use super::line::SlowLine;
use super::support::{
    check_entity_store, key, row, servers, servers_with_tls, slow, store, wait, write_new,
};

async fn check_cache(servers: &RedisServers) {
    let cache = RedisCache::new(servers, "cache").unwrap();
    cache.connected(Duration::from_secs(10)).await.unwrap();
    let cache: Arc<dyn Cache> = Arc::new(cache.patient(Duration::from_secs(10)));
    let (clock, sleeper) = (Arc::new(SystemClock), Arc::new(TokioSleeper));
    let measured = Measured::<dyn Cache>::new(Arc::clone(&cache), clock.clone());
    let faulty = Faulty::new(Arc::clone(&cache), clock, sleeper, 1, slow());
    futures::join!(
        contract::cache(&*cache, 1, &wait),
        contract::cache(&measured, 2, &wait),
        contract::cache(&faulty, 3, &wait),
    );
}

async fn check_announcements(servers: &RedisServers) {
    let here = RedisAnnouncements::new(servers, "shop").unwrap();
    let elsewhere = RedisAnnouncements::new(servers, "shop").unwrap();
    contract::announcements(&here, &elsewhere, 1, &wait).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_server() {
    let Some(redis) = or_skip("Redis", Redis::start()) else { return };
    check_entity_store(store(&redis.url(), 0).await).await;
    check_cache(&servers(&redis.url())).await;
    check_announcements(&servers(&redis.url())).await;
}

/// Each acknowledgement waits for a replica.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster() {
    let Some(cluster) = or_skip("Redis", RedisCluster::start()) else { return };
    check_entity_store(store(&cluster.url(), 1).await).await;
    check_cache(&servers(&cluster.url())).await;
    check_announcements(&servers(&cluster.url())).await;
}

/// The figure of that name, of what the server tells of itself.
fn figure(port: u16, section: &str, name: &str) -> u64 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(format!("INFO {section}\r\nQUIT\r\n").as_bytes()).unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).unwrap();
    let figure = told.split(name).nth(1).unwrap_or("0");
    figure.split(|it: char| !it.is_ascii_digit()).next().unwrap().parse().unwrap_or(0)
}

/// A node looks at all its shards each second: a question for each shard, in few round trips.
#[tokio::test]
async fn a_look_at_all_shards_is_a_few_round_trips() {
    let Some(redis) = or_skip("Redis", Redis::start()) else { return };
    let line = SlowLine::start(redis.port()).await;
    let store = store(&line.url(), 0).await;
    let questions = || figure(redis.port(), "commandstats", "cmdstat_zrangebyscore:calls=");
    let all: Vec<Shard> = Shard::all().collect();
    // Who waits for an answer before the next question waits for ever.
    line.answers_every(128);
    assert_eq!(store.due(&all, Timestamp(0), 1_000).await, Ok(vec![]));
    assert_eq!(questions(), 1_024);
    line.answers_every(1);

    // One shard has more than its share: it is asked again, for all.
    let shard = key(0).shard();
    for id in (0..).filter(|id| key(*id).shard() == shard).take(100) {
        let row = Row { due: Some(Timestamp(id as i64)), ..row(1, id) };
        assert_eq!(store.cas(key(id), Expected::Absent, row).await, Ok(CasOutcome::Written));
    }
    let found = store.due(&all, Timestamp::MAX, 1_000).await.unwrap();
    assert_eq!(found.len(), 100);
    assert!(found.is_sorted_by_key(|entity| entity.due));
    assert_eq!(questions(), 2 * 1_024 + 1);
    let first = store.due(&all, Timestamp::MAX, 50).await.unwrap();
    assert_eq!(first, found[..50]);
}

/// Several races at once, so that their writes meet in one batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn races_on_many_threads() {
    let Some(redis) = or_skip("Redis", Redis::start()) else { return };
    let store: Arc<dyn EntityStore> = store(&redis.url(), 0).await;
    let races =
        (0..8).map(|seed| tokio::spawn(contract::entity_store_race(Arc::clone(&store), seed)));
    for outcome in futures::future::join_all(races).await {
        outcome.expect("a race keeps the promises");
    }
}

#[tokio::test]
async fn with_a_password() {
    let started = Redis::start_with(&["--requirepass", "sesame"]);
    let Some(redis) = or_skip("Redis", started) else { return };
    let url = format!("redis://:sesame@127.0.0.1:{}", redis.port());
    write_new(&*store(&url, 0).await, 1).await;
    check_announcements(&servers(&url)).await;

    for wrong in ["redis://:wrong-word@127.0.0.1", "redis://127.0.0.1"] {
        let url = format!("{wrong}:{}", redis.port());
        let options = RedisEntityOptions::new("shop");
        let Err(error) = RedisEntityStore::connect(&servers(&url), options).await else {
            panic!("a wrong password does not open")
        };
        let text = format!("{error} {error:?}");
        assert!(!text.contains("wrong-word") && !text.contains("sesame"), "{text}");
    }
}

#[tokio::test]
async fn with_tls() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(file("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(file("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let started = Redis::start_tls(&file("cert.pem"), &file("key.pem"));
    let Some(redis) = or_skip("Redis", started) else { return };
    let url = format!("rediss://localhost:{}", redis.port());

    let trusted = servers_with_tls(&url, &file("cert.pem"));
    check_cache(&trusted).await;
    check_announcements(&trusted).await;
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(file("other.pem"), other.cert.pem()).unwrap();
    let strange = RedisCache::new(&servers_with_tls(&url, &file("other.pem")), "cache").unwrap();
    let refused = strange.connected(Duration::from_secs(1)).await.unwrap_err();
    assert!(refused.to_string().contains("Certificate"), "{refused}");
}

#[tokio::test]
async fn embedded_announcements() {
    let channel = Arc::new(barrow_adapters::embedded::EmbeddedAnnouncements::default());
    let both: &dyn Announcements = &*channel;
    contract::announcements(both, both, 1, &wait).await;
}
