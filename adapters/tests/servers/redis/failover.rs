//! A cluster that loses a primary under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use barrow_adapters::redis::{RedisAnnouncements, RedisCache, RedisEntityStore};
use barrow_engine::ports::{
    Announcement, Announcements, Cache, CasOutcome, EntityStore, Expected, Heard,
};
use barrow_servers::{BlackHole, Each, Fault, FaultProxy, Redis, RedisCluster, or_skip};
use bytes::Bytes;
use futures::future::join_all;
use tokio::task::JoinHandle;

use super::support::{eventually, key, present, row, servers, store};

/// The servers take two seconds to agree on a successor.
const GOES_ON: Duration = Duration::from_secs(5);

const WRITERS: u64 = 48;

/// The owner of one entity, which writes on and on and repeats what is not certain (R2).
struct Owner {
    id: u128,
    acknowledged: AtomicU64,
    /// Answers that were no acknowledgement.
    repeated: AtomicU64,
}

impl Owner {
    fn new(id: u128) -> Owner {
        Owner { id, acknowledged: AtomicU64::new(0), repeated: AtomicU64::new(0) }
    }

    fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    async fn write_until(&self, store: &RedisEntityStore, stop: &AtomicBool) {
        let write_id = |version: u64| self.id << 64 | u128::from(version);
        let mut expected = Expected::Absent;
        for version in 1.. {
            let next = row(version, write_id(version));
            loop {
                match store.cas(key(self.id), expected, next.clone()).await {
                    Ok(CasOutcome::Written) => break,
                    Ok(CasOutcome::Conflict(Some(found))) if found == next => break,
                    Ok(CasOutcome::Conflict(found)) => {
                        panic!("{} had {}, and found {found:?}", self.id, version - 1)
                    }
                    Err(_) => {
                        self.repeated.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            }
            self.acknowledged.store(version, Ordering::SeqCst);
            expected = present(&next);
            if stop.load(Ordering::SeqCst) {
                return;
            }
        }
    }
}

type Running = (Vec<Arc<Owner>>, Arc<AtomicBool>, Vec<JoinHandle<()>>);

fn start_owners(store: &Arc<RedisEntityStore>) -> Running {
    let owners: Vec<_> = (0..WRITERS).map(|id| Arc::new(Owner::new(id.into()))).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let start = |owner: &Arc<Owner>| {
        let (owner, store, stop) = (Arc::clone(owner), Arc::clone(store), Arc::clone(&stop));
        tokio::spawn(async move { owner.write_until(&store, &stop).await })
    };
    let tasks = owners.iter().map(start).collect();
    (owners, stop, tasks)
}

/// Waits until all have had so many more writes acknowledged.
async fn all_write_on(owners: &[Arc<Owner>], more: u64) {
    let before: Vec<u64> = owners.iter().map(|owner| owner.acknowledged()).collect();
    let went_on = |(owner, before): (&Arc<Owner>, &u64)| owner.acknowledged() >= before + more;
    eventually(GOES_ON, "all write on", || async { owners.iter().zip(&before).all(went_on) }).await;
}

/// Ends them, and compares what was acknowledged with what is there.
async fn end_and_compare(store: &RedisEntityStore, (owners, stop, tasks): Running) {
    stop.store(true, Ordering::SeqCst);
    for task in tasks {
        task.await.expect("an owner found its row as it left it");
    }
    let repeated = owners.iter().filter(|o| o.repeated.load(Ordering::SeqCst) > 0).count();
    assert!(repeated > 0, "what went wrong was felt by some");
    for owner in owners {
        let found = store.load(key(owner.id)).await.unwrap().expect("its row is there");
        assert_eq!(found.version, owner.acknowledged(), "each write counted once");
    }
}

/// Requests and replies are cut off anywhere, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_network_loses_and_doubles_nothing() {
    let Some(redis) = or_skip("Redis", Redis::start()) else { return };
    let proxy = FaultProxy::start(([127, 0, 0, 1], redis.port()).into());
    let store = store(&format!("redis://{}", proxy.address()), 0).await;
    let running = start_owners(&store);
    all_write_on(&running.0, 5).await;
    let latency = Duration::from_millis(5);
    for fault in [
        Fault::ResetAfter { bytes: 100_000 },
        Fault::HalfFail { each: Each::Chunk, seed: 3 },
        Fault::Cut,
        Fault::BlackHole(BlackHole::Replies),
        Fault::SlowClose(latency),
        Fault::Latency { each: latency, jitter: latency },
        Fault::BlackHole(BlackHole::All),
    ] {
        println!("{fault:?}");
        let accepted = proxy.accepted();
        proxy.set(fault);
        match fault {
            // Bad, and yet some comes through.
            Fault::ResetAfter { .. } | Fault::SlowClose(_) | Fault::Latency { .. } => {
                all_write_on(&running.0, 20).await;
            }
            _ => {
                eventually(GOES_ON, "a connection is made anew", || async {
                    proxy.accepted() > accepted
                })
                .await;
            }
        }
        proxy.set(Fault::None);
        all_write_on(&running.0, 5).await;
    }
    end_and_compare(&store, running).await;
}

/// With two replicas each, one of them has every acknowledged write, and the other is left to
/// wait for when it takes over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_write_is_lost_with_a_primary() {
    let started = RedisCluster::start_with_replicas(2);
    let Some(mut cluster) = or_skip("Redis", started) else { return };
    let store = store(&cluster.url(), 1).await;
    let running = start_owners(&store);
    all_write_on(&running.0, 5).await;
    let primary = cluster.primaries()[0];
    cluster.kill(primary);
    let began = Instant::now();
    // One write may have been on its way; the second began after the loss.
    all_write_on(&running.0, 2).await;
    println!("all wrote on after {:?}", began.elapsed());
    end_and_compare(&store, running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cache_and_the_announcements_go_on() {
    let Some(mut cluster) = or_skip("Redis", RedisCluster::start()) else { return };
    let servers = servers(&cluster.url());
    let cache = RedisCache::new(&servers, "cache").unwrap();
    let (here, elsewhere) = (
        RedisAnnouncements::new(&servers, "shop").unwrap(),
        RedisAnnouncements::new(&servers, "shop").unwrap(),
    );
    cache.connected(GOES_ON).await.unwrap();
    let mut listener = elsewhere.listen();
    assert_eq!(listener.next().await, Some(Heard::Missed));
    let answers = || async {
        let puts = (0..64).map(|index| {
            let (cache, key) = (&cache, format!("key{index}"));
            async move { cache.put(&key, Bytes::from_static(b"value"), GOES_ON * 10).await }
        });
        join_all(puts).await.iter().filter(|put| put.is_ok()).count()
    };
    assert_eq!(answers().await, 64);

    let primary = cluster.primaries()[0];
    cluster.kill(primary);
    let heard = async {
        for version in 0.. {
            let news = Announcement { key: "after".to_owned(), version };
            let announced = here.announce(news.clone()).await;
            let next = tokio::time::timeout(Duration::from_millis(100), listener.next()).await;
            if announced.is_ok() && next == Ok(Some(Heard::Announced(news))) {
                return;
            }
        }
    };
    tokio::time::timeout(GOES_ON, heard).await.expect("news are heard again");
    eventually(GOES_ON, "all keys answer", || async { answers().await == 64 }).await;
}
