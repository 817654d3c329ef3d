//! The outbox in Postgres: its promises, writers that commit in another order than they began in,
//! effects in the same database, and a server that is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use barrow_adapters::Handled;
use barrow_adapters::postgres::{
    Postgres, PostgresOptions, PostgresOrderStore, PostgresOutbox, PostgresStockLedger,
};
use barrow_engine::catalog::Sku;
use barrow_engine::events::Event;
use barrow_engine::ids::MovementId;
use barrow_engine::inventory::MovementDraft;
use barrow_engine::ports::{
    ClaimAsk, ClaimToken, Lane, Outbox, Settled, StockLedger, Then, contract,
};
use barrow_engine::time::Timestamp;
use barrow_servers::{Sync, or_skip};
use sqlx::postgres::PgConnection;
use tokio_util::sync::CancellationToken;

use crate::support::{eventually, wait};

type Server = barrow_servers::Postgres;

/// So long for whatever is under way.
const WITHIN: Duration = Duration::from_secs(60);

const LONG: Duration = Duration::from_secs(600);

struct Stores {
    ledger: PostgresStockLedger,
    outbox: PostgresOutbox,
    next: AtomicU64,
}

async fn connect(server: &Server) -> Arc<Stores> {
    let options = PostgresOptions::default();
    let postgres = Postgres::connect(&server.url(), options).await.expect("Postgres lets us in");
    Arc::new(Stores {
        ledger: PostgresStockLedger::new(&postgres),
        outbox: PostgresOutbox::new(&postgres),
        next: AtomicU64::new(1),
    })
}

impl Stores {
    /// Repeated until it is known to have happened, once.
    async fn book(&self, movement: u128, sku: &str, quantity: i64) {
        let draft = MovementDraft {
            id: MovementId(movement),
            sku: Sku::new(sku).unwrap(),
            location: "default".parse().unwrap(),
            quantity,
            reason: "counted".into(),
            actor: "staff".into(),
            order: None,
            at: Timestamp(1),
        };
        loop {
            match self.ledger.book(vec![draft.clone()]).await {
                Ok(outcomes) => {
                    outcomes[0].as_ref().unwrap();
                    return;
                }
                Err(error) if error.is_retryable() => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn token(&self) -> ClaimToken {
        ClaimToken(u128::from(self.next.fetch_add(1, Ordering::Relaxed)))
    }

    async fn claim(&self, consumer: &str, token: ClaimToken, lease: Duration) -> Vec<Lane> {
        let ask = ClaimAsk { consumer, token, lease, lanes: 4, events: 3 };
        self.outbox.claim(&ask).await.unwrap_or_default()
    }

    /// Handles what there is, over and over, and says what it saw.
    async fn consume(&self, consumer: &str, stop: CancellationToken, mut saw: impl FnMut(&Event)) {
        while !stop.is_cancelled() {
            let token = self.token();
            let lanes = self.claim(consumer, token, Duration::from_secs(2)).await;
            if lanes.is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            lanes.iter().flat_map(|lane| &lane.events).for_each(&mut saw);
            let settled: Vec<Settled> = lanes.iter().map(handled).collect();
            // Without an answer the lease runs out, and all comes again.
            drop(self.outbox.settle(consumer, token, &settled).await);
        }
    }
}

fn handled(lane: &Lane) -> Settled {
    let handled = lane.events.last().map(|event| event.position);
    Settled { aggregate: lane.aggregate.clone(), handled, then: Then::Next }
}

/// The versions of each SKU, in the order in which they were seen. Only one that was seen before
/// may come out of its order, where the same may come twice.
#[derive(Default)]
struct Seen(BTreeMap<String, Vec<u64>>);

impl Seen {
    fn note(&mut self, event: &Event) {
        let versions = self.0.entry(event.aggregate.id.clone()).or_default();
        let version = event.position.version();
        let last = versions.last().copied().unwrap_or(0);
        if version > last {
            assert_eq!(version, last + 1, "{}: none is left out", event.aggregate);
            versions.push(version);
        }
    }

    fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}

fn count(server: &Server, table: &str) -> u64 {
    server.sql(&format!("SELECT count(*) FROM {table}")).unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_the_promises_of_the_outbox() {
    let Some(server) = or_skip("Postgres", Server::start(Sync::Memory)) else { return };
    let options = PostgresOptions::default();
    let postgres = Postgres::connect(&server.url(), options).await.unwrap();
    let (ledger, orders) =
        (PostgresStockLedger::new(&postgres), PostgresOrderStore::new(&postgres));
    let outbox = PostgresOutbox::new(&postgres);
    for seed in [1, 2] {
        contract::outbox(&outbox, &orders, &ledger, &wait, seed).await;
    }
    // Each run leaves those that it has listed.
    assert_eq!(outbox.dead_letters_at_all().await, Ok(10));
}

/// A deferred trigger holds a commit back, so that who began first commits last.
const HOLD: &str = "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON event DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.aggregate = 'sku/slow') EXECUTE FUNCTION hold()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_begins_first_and_commits_last_is_told_all_the_same() {
    let Some(server) = or_skip("Postgres", Server::start(Sync::Memory)) else { return };
    let stores = connect(&server).await;
    stores.outbox.register(&["a", "b"]).await.unwrap();
    server.sql(HOLD).unwrap();
    let server = Arc::new(server);
    let holder = {
        let server = Arc::clone(&server);
        let hold = "SELECT pg_advisory_lock(7); SELECT pg_sleep(300)";
        tokio::task::spawn_blocking(move || server.sql(hold))
    };
    let waits = |what: &'static str| {
        let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE wait_event = '{what}'");
        let server = Arc::clone(&server);
        move || std::future::ready(server.sql(&sql).unwrap().trim() == "1")
    };
    eventually(WITHIN, "the lock is held", waits("PgSleep")).await;
    let slow = tokio::spawn({
        let stores = Arc::clone(&stores);
        async move { stores.book(1, "slow", 1).await }
    });
    eventually(WITHIN, "the first one is at its commit", waits("advisory")).await;
    for n in 0..10 {
        stores.book(100 + n, "quick", if n % 2 == 0 { 1 } else { -1 }).await;
    }
    let mut seen = Seen::default();
    for _ in 0..4 {
        let token = stores.token();
        for lane in stores.claim("a", token, LONG).await {
            lane.events.iter().for_each(|event| seen.note(event));
            stores.outbox.settle("a", token, &[handled(&lane)]).await.unwrap();
        }
    }
    assert_eq!(seen.0.keys().collect::<Vec<_>>(), ["quick"], "the others do not wait for it");
    assert_eq!(seen.count(), 10);
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    server.sql(end).unwrap();
    assert!(holder.await.unwrap().is_err(), "it was ended");
    slow.await.unwrap();
    let lanes = stores.claim("a", stores.token(), LONG).await;
    assert_eq!(lanes.len(), 1, "what came late comes");
    assert_eq!((lanes[0].aggregate.id.as_str(), lanes[0].events.len()), ("slow", 1));
}

/// Commits take any time, in any order; two handle for each of two consumers.
const DAWDLE: &str = "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_sleep(random() * random() * 0.03); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON event DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION dawdle()";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_whatever_order_writers_commit_none_is_left_out() {
    const WRITERS: u128 = 8;
    const WRITES: u128 = 60;
    let Some(server) = or_skip("Postgres", Server::start(Sync::Memory)) else { return };
    let (one, two) = tokio::join!(connect(&server), connect(&server));
    two.next.store(1 << 32, Ordering::Relaxed);
    one.outbox.register(&["a", "b"]).await.unwrap();
    server.sql(DAWDLE).unwrap();
    let seen: Arc<BTreeMap<&str, parking_lot::Mutex<Seen>>> =
        Arc::new(["a", "b"].map(|name| (name, Default::default())).into());
    let stop = CancellationToken::new();
    let mut handlers = Vec::new();
    for (stores, consumer) in [(&one, "a"), (&two, "a"), (&one, "b"), (&two, "b")] {
        let (stores, seen, stop) = (Arc::clone(stores), Arc::clone(&seen), stop.clone());
        handlers.push(tokio::spawn(async move {
            stores.consume(consumer, stop, |event| seen[consumer].lock().note(event)).await;
        }));
    }
    let writers = (0..WRITERS).map(|writer| {
        let stores = Arc::clone(if writer % 2 == 0 { &one } else { &two });
        tokio::spawn(async move {
            for n in 0..WRITES {
                // Each writer has a SKU of its own, and all share one that several want at once.
                let sku = format!("SKU-{}", writer);
                stores.book(writer << 64 | n, &sku, if n % 2 == 0 { 1 } else { -1 }).await;
                if n % 2 == 0 {
                    stores.book(1 << 100 | writer << 64 | n, "shared", 1).await;
                    stores.book(1 << 101 | writer << 64 | n, "shared", -1).await;
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let written: usize =
        server.sql("SELECT sum(version) FROM stock_news").unwrap().trim().parse().unwrap();
    assert!(written >= (WRITERS * WRITES) as usize, "{written} were written");
    let seen_by = |name: &str| seen[name].lock().count();
    eventually(WITHIN, "all were seen", || async {
        seen_by("a") == written && seen_by("b") == written
    })
    .await;
    stop.cancel();
    for handler in handlers {
        handler.await.unwrap();
    }
    assert_eq!((count(&server, "event"), count(&server, "event_lane")), (0, 0), "nothing is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_effect_in_the_same_database_is_had_once() {
    let Some(server) = or_skip("Postgres", Server::start(Sync::Memory)) else { return };
    let stores = connect(&server).await;
    server.sql("CREATE TABLE mail (event text NOT NULL)").unwrap();
    stores.outbox.register(&["mail"]).await.unwrap();
    stores.book(1, "SKU-1", 1).await;
    stores.book(2, "SKU-1", -1).await;
    let effect = async |connection: &mut PgConnection| {
        let query = sqlx::query("INSERT INTO mail SELECT 'sent'");
        query.execute(connection).await.map(drop)
    };
    let broken = async |connection: &mut PgConnection| {
        sqlx::query("INSERT INTO mail SELECT 'half'").execute(&mut *connection).await?;
        sqlx::query("SELECT 1 / 0").execute(connection).await.map(drop)
    };
    // The first one has its effect and dies before it settles, holding its lease.
    let lanes = stores.claim("mail", stores.token(), Duration::from_millis(50)).await;
    let event = &lanes[0].events[0];
    assert!(stores.outbox.handle_once("mail", event, broken).await.is_err());
    assert_eq!(count(&server, "mail"), 0, "what fails leaves nothing behind");
    let once = || stores.outbox.handle_once("mail", event, effect);
    assert_eq!(once().await, Ok(Handled::Now));
    assert_eq!(once().await, Ok(Handled::Before));
    // Another one takes over.
    let token = stores.token();
    let mut again = Vec::new();
    while again.is_empty() {
        again = stores.claim("mail", token, LONG).await;
    }
    assert_eq!(again[0].events, lanes[0].events[1..], "it goes on behind it");
    assert_eq!(stores.outbox.settle("mail", token, &[handled(&again[0])]).await.unwrap().len(), 1);
    assert_eq!(once().await, Ok(Handled::Before), "also when all is settled");
    assert_eq!(count(&server, "mail"), 1);
    assert_eq!((count(&server, "event"), count(&server, "event_lane")), (0, 0), "nothing is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_come_back_is_forgotten() {
    let Some(server) = or_skip("Postgres", Server::start(Sync::Memory)) else { return };
    let stores = connect(&server).await;
    stores.outbox.register(&["stays", "goes"]).await.unwrap();
    stores.book(1, "SKU-1", 1).await;
    let token = stores.token();
    let lanes = stores.claim("stays", token, LONG).await;
    stores.outbox.settle("stays", token, &[handled(&lanes[0])]).await.unwrap();
    stores.outbox.sweep(LONG).await.unwrap();
    assert_eq!((count(&server, "event"), count(&server, "event_lane")), (1, 1), "one is owed");
    server.sql("UPDATE event_consumer SET seen_at = 0 WHERE name = 'goes'").unwrap();
    stores.outbox.sweep(LONG).await.unwrap();
    assert_eq!(count(&server, "event_consumer"), 1);
    assert_eq!((count(&server, "event"), count(&server, "event_lane")), (0, 0), "nothing is left");
    // With nobody to tell, nothing is written.
    server.sql("DELETE FROM event_consumer").unwrap();
    stores.book(2, "SKU-1", -1).await;
    assert_eq!((count(&server, "event"), count(&server, "event_lane")), (0, 0));
}

/// The server is killed under load, twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_no_event() {
    let Some(mut server) = or_skip("Postgres", Server::start(Sync::Memory)) else { return };
    let stores = connect(&server).await;
    stores.outbox.register(&["a"]).await.unwrap();
    let (stop, done) = (CancellationToken::new(), CancellationToken::new());
    let seen = Arc::new(parking_lot::Mutex::new(Seen::default()));
    let handlers = [0, 1].map(|_| {
        let (stores, seen, done) = (Arc::clone(&stores), Arc::clone(&seen), done.clone());
        tokio::spawn(async move { stores.consume("a", done, |it| seen.lock().note(it)).await })
    });
    let writers: Vec<_> = (0..6_u128)
        .map(|writer| {
            let (stores, stop) = (Arc::clone(&stores), stop.clone());
            tokio::spawn(async move {
                let mut written = 0;
                while !stop.is_cancelled() {
                    let quantity = if written % 2 == 0 { 1 } else { -1 };
                    let movement = writer << 64 | u128::from(written);
                    stores.book(movement, &format!("SKU-{writer}"), quantity).await;
                    written += 1;
                }
                (format!("SKU-{writer}"), written)
            })
        })
        .collect();
    for _ in 0..2 {
        let before = seen.lock().count();
        eventually(WITHIN, "events come", || async { seen.lock().count() > before + 50 }).await;
        let restart = move || server.restart(Sync::Memory).map(|()| server);
        server = tokio::task::spawn_blocking(restart).await.unwrap().expect("it starts again");
    }
    stop.cancel();
    let mut expected = BTreeMap::new();
    for writer in writers {
        let (sku, written): (String, u64) = writer.await.unwrap();
        expected.insert(sku, (1..=written).collect::<Vec<u64>>());
    }
    eventually(WITHIN, "each was told of all", || async { seen.lock().0 == expected }).await;
    done.cancel();
    for handler in handlers {
        handler.await.unwrap();
    }
    let skus: BTreeSet<&String> = expected.keys().collect();
    assert_eq!(skus.len(), 6, "each writer wrote");
}
