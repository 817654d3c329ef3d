//! Postgres: its promises, and what happens when its primary goes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use barrow_adapters::postgres::{
    ConnectError, Postgres, PostgresControlTable, PostgresEntityStore, PostgresOptions,
    PostgresProductStore,
};
use barrow_cluster::contract::control_table;
use barrow_engine::entity::Shard;
use barrow_engine::ports::{CasOutcome, EntityStore, Expected, Row, StoreError, contract};
use barrow_engine::time::Timestamp;
use barrow_servers::{PostgresPair, Sync, or_skip};

use crate::support::{check_entity_store, eventually, key, present, row};

type Server = barrow_servers::Postgres;

async fn connect(url: &str) -> Postgres {
    Postgres::connect(url, PostgresOptions::default()).await.expect("Postgres lets us in")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_the_promises_of_its_ports() {
    let Some(server) = or_skip("Postgres", Server::start(Sync::Memory)) else { return };
    let postgres = connect(&server.url()).await;
    check_entity_store(Arc::new(PostgresEntityStore::start(&postgres))).await;
    contract::product_store(&PostgresProductStore::new(&postgres), 1).await;
    control_table(&PostgresControlTable::new(&postgres), "suite").await;

    // A second process finds the tables as they are, and what was written.
    let again = connect(&server.url()).await;
    contract::entity_store_race(Arc::new(PostgresEntityStore::start(&again)), 9).await;
}

/// Many writes come to few statements: that is what the queue is for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_come_together_share_a_commit() {
    let Some(server) = or_skip("Postgres", Server::start(Sync::Memory)) else { return };
    let postgres = connect(&server.url()).await;
    let store = Arc::new(PostgresEntityStore::start(&postgres));
    let commits = || -> u64 {
        let commits = "SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'";
        server.sql(commits).unwrap().trim().parse().unwrap()
    };
    let before = commits();
    let writes = (0..2_000u128).map(|id| {
        let store = Arc::clone(&store);
        async move { store.cas(key(id), Expected::Absent, row(1, id)).await }
    });
    let outcomes = futures::future::join_all(writes).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Ok(CasOutcome::Written)));
    let took = commits() - before;
    assert!(took < 200, "2,000 writes took {took} transactions");
    // Half of them stale, in the same statements as the others.
    let writes = (0..2_000u128).map(|id| {
        let store = Arc::clone(&store);
        let stale = row(1, if id % 2 == 0 { id } else { id + 1 });
        async move { store.cas(key(id), present(&stale), row(2, 10_000 + id)).await }
    });
    for (id, outcome) in (0..).zip(futures::future::join_all(writes).await) {
        let found = row(1, id);
        let expected =
            if id % 2 == 0 { CasOutcome::Written } else { CasOutcome::Conflict(Some(found)) };
        assert_eq!(outcome, Ok(expected), "each stands under its own condition");
    }
}

/// A node looks at all its shards each second: a statement, which reads what is due by the index.
#[tokio::test]
async fn a_look_at_all_shards_is_one_statement() {
    const LOOKS: u64 = 300;
    let Some(server) = or_skip("Postgres", Server::start(Sync::Memory)) else { return };
    let postgres = connect(&server.url()).await;
    let store = PostgresEntityStore::start(&postgres);
    let all: Vec<Shard> = Shard::all().collect();
    for id in 0..500 {
        let row = Row { due: Some(Timestamp(1_000 + id as i64)), ..row(1, id) };
        assert_eq!(store.cas(key(id), Expected::Absent, row).await, Ok(CasOutcome::Written));
    }
    let figure = |sql: &str| -> u64 { server.sql(sql).unwrap().trim().parse().unwrap() };
    let commits = "SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'";
    let scans = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'entity_due'";
    server.sql("ANALYZE entity").unwrap();
    // What was counted late of the writes counts as a look; there is room for it below.
    let (commits_before, scans_before) = (figure(commits), figure(scans));
    for _ in 0..LOOKS {
        assert_eq!(store.due(&all, Timestamp(999), 1_000).await, Ok(vec![]));
    }
    assert_eq!(store.due(&all, Timestamp(1_009), 7).await.unwrap().len(), 7);
    eventually(Duration::from_secs(10), "the looks are counted", || async {
        figure(commits) >= commits_before + LOOKS && figure(scans) >= scans_before + LOOKS
    })
    .await;
    let (took, read) = (figure(commits) - commits_before, figure(scans) - scans_before);
    // `figure` is a transaction too, and so is what watches the primary.
    assert!(took < 5 * LOOKS, "{LOOKS} looks took {took} transactions");
    assert!(read < 2 * LOOKS, "{LOOKS} looks searched the index {read} times");
}

#[tokio::test]
async fn without_a_primary_the_start_says_so() {
    let options =
        PostgresOptions { start_max: Duration::from_millis(300), ..PostgresOptions::default() };
    let url = "postgres://shop:secret@127.0.0.1:1,127.0.0.1:2/store";
    let Err(error) = Postgres::connect(url, options).await else { panic!("nobody is there") };
    assert!(matches!(error, ConnectError::NoPrimary { .. }), "{error}");
    let error = error.to_string();
    assert!(error.contains("127.0.0.1:1, 127.0.0.1:2") && !error.contains("secret"), "{error}");
}

/// Writes until told; answers what was acknowledged last for each entity.
async fn write_on(
    store: Arc<PostgresEntityStore>,
    id: u128,
    stop: tokio_util::sync::CancellationToken,
) -> (u64, Duration) {
    let mut acknowledged = 0;
    let mut expected = Expected::Absent;
    let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
    while !stop.is_cancelled() {
        let next = row(acknowledged + 1, id * 1_000_000 + u128::from(acknowledged) + 1);
        // R2: the same write again, until its outcome is known.
        loop {
            match store.cas(key(id), expected, next.clone()).await {
                Ok(CasOutcome::Written) => break,
                Ok(CasOutcome::Conflict(Some(found))) if found == next => break,
                Ok(CasOutcome::Conflict(found)) => panic!("{id} lost its row: {found:?}"),
                Err(StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_)) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
        longest = longest.max(last.elapsed());
        last = Instant::now();
        acknowledged += 1;
        expected = present(&next);
    }
    (acknowledged, longest)
}

/// How many of 64 statements fail after a restart that left dead connections behind.
async fn failures_after_a_restart(mut server: Server, rest_max: Duration) -> usize {
    let options = PostgresOptions { rest_max, ..PostgresOptions::default() };
    let postgres = Postgres::connect(&server.url(), options).await.expect("Postgres lets us in");
    let store = PostgresEntityStore::start(&postgres);
    let loads = (0..64).map(|id| store.load(key(id)));
    assert!(futures::future::join_all(loads).await.iter().all(Result::is_ok));
    let connections = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'";
    let connections: u64 = server.sql(connections).unwrap().trim().parse().unwrap();
    assert!(connections > 2, "{connections}, of which one is that of the question");
    let restarted = tokio::task::spawn_blocking(move || {
        server.kill();
        server.restart(Sync::Memory).map(|()| server)
    });
    let _server = restarted.await.unwrap().expect("it starts again");
    let mut failures = 0;
    for id in 0..64 {
        failures += usize::from(store.load(key(id)).await.is_err());
    }
    failures
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_at_rest_is_not_noticed() {
    let Some(server) = or_skip("Postgres", Server::start(Sync::Memory)) else { return };
    assert_eq!(failures_after_a_restart(server, Duration::ZERO).await, 0);
}

/// The one that meets it makes all other connections doubtful.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_is_noticed_by_one_statement() {
    let Some(server) = or_skip("Postgres", Server::start(Sync::Memory)) else { return };
    assert_eq!(failures_after_a_restart(server, Duration::MAX).await, 1);
}

/// The primary is stopped under load and the standby promoted: writing goes on within ten seconds,
/// without a restart, and nothing that was acknowledged is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_standby_is_followed_and_nothing_is_lost() {
    let Some(mut pair) = or_skip("Postgres with a standby", PostgresPair::start(Sync::Memory))
    else {
        return;
    };
    let postgres = connect(&pair.url()).await;
    assert!(postgres.durability().contains("synchronous standby has it"));
    let before = postgres.primary();
    let store = Arc::new(PostgresEntityStore::start(&postgres));
    let stop = tokio_util::sync::CancellationToken::new();
    let writers: Vec<_> =
        (1..=16).map(|id| tokio::spawn(write_on(Arc::clone(&store), id, stop.clone()))).collect();
    let wrote = async |at_least: u64| {
        // Each writer is to have written so often: the row's version says it.
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            let mut fewest = u64::MAX;
            for id in 1..=16 {
                let version = store.load(key(id)).await.ok().flatten().map_or(0, |r| r.version);
                fewest = fewest.min(version);
            }
            if fewest >= at_least {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the writers do not get to {at_least}");
    };
    wrote(20).await;
    let pair = tokio::task::spawn_blocking(move || {
        pair.primary.kill();
        pair.promote().map(|()| pair)
    });
    let _pair = pair.await.unwrap().expect("the standby is promoted");
    let version = store.load(key(1)).await.ok().flatten().map_or(0, |row| row.version);
    wrote(version + 20).await;
    stop.cancel();
    for (id, writer) in (1..).zip(writers) {
        let (acknowledged, longest) = writer.await.unwrap();
        let found = store.load(key(id)).await.unwrap().expect("it was written");
        assert_eq!(found.version, acknowledged, "what was acknowledged is there, and no more");
        assert!(longest < Duration::from_secs(10), "writing stood still for {longest:?}");
        println!("{id}: {acknowledged} writes, at rest for {longest:?} at most");
    }
    assert_ne!(postgres.primary(), before);
}
