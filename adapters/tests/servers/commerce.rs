//! Stock and orders in Postgres: their promises, what placing an order costs, and what becomes of
//! calls while the server is busy or gone.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use barrow_adapters::postgres::{
    Postgres, PostgresApiKeys, PostgresOptions, PostgresOrderStore, PostgresStockLedger,
};
use barrow_engine::catalog::Sku;
use barrow_engine::ids::{MovementId, OrderId};
use barrow_engine::inventory::{Held, MovementDraft, Wish};
use barrow_engine::orders::sample::{line, new_order, start_payment};
use barrow_engine::orders::{
    Actor, CapturePolicy, Order, OrderCommand, PaymentOutcome, StockChange, decide,
};
use barrow_engine::ports::{
    CommerceError, Opened, OrderChange, OrderStore, Saved, StockLedger, contract,
};
use barrow_engine::time::Timestamp;
use barrow_servers::{Sync, or_skip};

use crate::support::eventually;

type Server = barrow_servers::Postgres;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

async fn connect(server: &Server, options: PostgresOptions) -> Postgres {
    Postgres::connect(&server.url(), options).await.expect("Postgres lets us in")
}

fn units(id: u128, sku: &str, quantity: i64) -> MovementDraft {
    MovementDraft {
        id: MovementId(id),
        sku: Sku::new(sku).unwrap(),
        location: "default".parse().unwrap(),
        quantity,
        reason: "counted".into(),
        actor: "staff".into(),
        order: None,
        at: NOW,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_the_promises_of_stock_and_orders() {
    let Some(server) = or_skip("Postgres", Server::start(Sync::Memory)) else { return };
    let postgres = connect(&server, PostgresOptions::default()).await;
    let ledger = PostgresStockLedger::new(&postgres);
    contract::stock_ledger(&ledger, 1).await;
    contract::order_store(&PostgresOrderStore::new(&postgres), &ledger, 2).await;
    // Again, on what is there already.
    contract::stock_ledger(&ledger, 3).await;
    contract::order_store(&PostgresOrderStore::new(&postgres), &ledger, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_the_promises_of_api_keys() {
    let Some(server) = or_skip("Postgres", Server::start(Sync::Memory)) else { return };
    let keys = PostgresApiKeys::new(&connect(&server, PostgresOptions::default()).await);
    contract::api_keys(&keys, 1).await;
    contract::api_keys(&keys, 2).await;
    crate::shared::keys_are_bounded_in_number(&keys).await;
}

/// Threads and two processes at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_sell_at_once_and_nothing_is_oversold() {
    const UNITS: i64 = 100;
    let Some(server) = or_skip("Postgres", Server::start(Sync::Memory)) else { return };
    let (one, two) = tokio::join!(
        connect(&server, PostgresOptions::default()),
        connect(&server, PostgresOptions::default()),
    );
    let ledgers = [one, two].map(|it| Arc::new(PostgresStockLedger::new(&it)));
    let skus = ["rare 1", "rare 2", "rare 3"].map(|sku| Sku::new(sku).unwrap());
    for (id, sku) in (1..).zip(&skus) {
        ledgers[0].book(vec![units(id, sku.as_str(), UNITS)]).await.unwrap()[0].as_ref().unwrap();
    }
    let buyers = (0..16_u128).map(|buyer| {
        let (ledger, skus) = (Arc::clone(&ledgers[buyer as usize % 2]), skus.clone());
        tokio::spawn(async move {
            let mut sold = 0;
            for n in 0..40_u128 {
                let order = OrderId(buyer << 64 | n);
                let sku = &skus[(buyer + n) as usize % 3];
                let wish = Wish { order, quantity: 1, expires_at: Timestamp::MAX };
                let held = ledger.reserve(sku, Some(0), &[wish]).await.unwrap();
                if n % 8 == 0 {
                    ledger.release(order).await.unwrap();
                } else if held == [Held::All] {
                    sold += 1;
                }
            }
            sold
        })
    });
    let mut sold = 0;
    for buyer in buyers.collect::<Vec<_>>() {
        sold += buyer.await.unwrap();
    }
    let levels = ledgers[0].levels(&skus).await.unwrap();
    let reserved: u64 = levels.iter().map(|level| level.reserved).sum();
    assert!(levels.iter().all(|level| level.is_sound()), "I7: {levels:?}");
    assert_eq!(reserved, sold, "what was promised is reserved");
    assert!(reserved > 250, "most is sold: {reserved}");
}

/// An order of so many SKUs that is paid for, with what places it.
async fn paid(
    orders: &PostgresOrderStore,
    ledger: &PostgresStockLedger,
    lines: u32,
) -> OrderChange {
    let lines: Vec<_> = (1..=lines).map(|id| line(id, 1, 1_000, 0, 160)).collect();
    let mut order = Order::draft(new_order(lines, 490, true), NOW);
    assert_eq!(orders.open(&order).await, Ok(Opened::New));
    for (id, line) in (1..).zip(&order.lines) {
        let booked = ledger.book(vec![units(id, line.sku.as_str(), 1)]).await.unwrap();
        booked[0].as_ref().unwrap();
        let wish = Wish { order: order.id, quantity: 1, expires_at: Timestamp::MAX };
        assert_eq!(ledger.reserve(&line.sku, Some(0), &[wish]).await, Ok(vec![Held::All]));
    }
    let number = orders.next_number().await.unwrap();
    let pay = start_payment();
    let mut commands = vec![OrderCommand::Place { number }, pay];
    loop {
        let command = match order.pending_operations().next() {
            Some((key, ..)) => OrderCommand::RecordOutcome {
                key,
                outcome: PaymentOutcome::Succeeded { reference: None },
            },
            None => commands.pop().expect("placing ends it"),
        };
        let decided = decide(&order, command, Actor::System, NOW, CapturePolicy::AtOnce).unwrap();
        let (known, stock, actor) = (order.timeline.len(), decided.stock, "system".into());
        let change = OrderChange { order: decided.order, known, stock, actor, at: NOW };
        if change.stock.contains(&StockChange::Allocate) {
            return change;
        }
        assert_eq!(orders.save(&change).await, Ok(Saved::Done));
        order = change.order;
    }
}

#[tokio::test]
async fn an_order_is_placed_by_eight_statements() {
    let Some(server) = or_skip("Postgres", Server::start(Sync::Memory)) else { return };
    let postgres = connect(&server, PostgresOptions::default()).await;
    let orders = PostgresOrderStore::new(&postgres);
    let place = paid(&orders, &PostgresStockLedger::new(&postgres), 40).await;
    let data = server.sql("SHOW data_directory").unwrap();
    let log = Path::new(data.trim()).parent().expect("the server's folder").join("log");
    let told = || std::fs::read_to_string(&log).unwrap();
    server.sql("ALTER SYSTEM SET log_statement = 'all'").unwrap();
    server.sql("SELECT pg_reload_conf()").unwrap();
    // Connections that are there take it up at their next statement.
    eventually(Duration::from_secs(10), "statements are told", || async {
        orders.get(place.order.id).await.unwrap();
        told().contains("FROM customer_order WHERE id")
    })
    .await;
    let before = told().len();
    assert_eq!(orders.save(&place).await, Ok(Saved::Done));
    let told = told().split_off(before);
    // Who looks which server is the primary is no part of it.
    let statements: Vec<&str> = told
        .lines()
        .filter(|line| line.contains("LOG:  statement: ") || line.contains("LOG:  execute "))
        .filter(|line| !line.contains("pg_is_in_recovery"))
        .collect();
    assert!(told.contains("UPDATE customer_order"), "the order is written");
    assert!(statements.len() <= 8, "{} statements: {statements:#?}", statements.len());
    println!("an order of 40 SKUs is placed by {} statements", statements.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waited_in_vain_has_done_nothing() {
    let Some(server) = or_skip("Postgres", Server::start(Sync::Memory)) else { return };
    let statement_max = Duration::from_millis(500);
    let options = PostgresOptions { statement_max, ..PostgresOptions::default() };
    let ledger = PostgresStockLedger::new(&connect(&server, options).await);
    ledger.book(vec![units(1, "SKU-1", 5)]).await.unwrap()[0].as_ref().unwrap();
    let server = Arc::new(server);
    let holder = {
        let server = Arc::clone(&server);
        let hold = "BEGIN; SELECT 1 FROM stock_level FOR UPDATE; SELECT pg_sleep(300); COMMIT";
        tokio::task::spawn_blocking(move || server.sql(hold))
    };
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    eventually(Duration::from_secs(10), "the level is locked", || async {
        server.sql(sleeping).unwrap().trim() == "1"
    })
    .await;
    let wish = Wish { order: OrderId(1), quantity: 2, expires_at: Timestamp::MAX };
    let sku = Sku::new("SKU-1").unwrap();
    let refused = ledger.reserve(&sku, Some(0), &[wish]).await;
    assert!(matches!(refused, Err(CommerceError::Unavailable(_))), "{refused:?}");
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    server.sql(end).unwrap();
    assert!(holder.await.unwrap().is_err(), "it was ended");
    eventually(Duration::from_secs(10), "the level is free", || async {
        ledger.reserve(&sku, Some(0), &[wish]).await == Ok(vec![Held::All])
    })
    .await;
    assert_eq!(ledger.levels(&[sku]).await.unwrap()[0].reserved, 2);
}

/// The server is killed under load and started again: who repeats until there is an answer has
/// done it once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_are_repeated_over_a_crash_have_one_effect() {
    let Some(mut server) = or_skip("Postgres", Server::start(Sync::Memory)) else { return };
    let postgres = connect(&server, PostgresOptions::default()).await;
    let ledger = Arc::new(PostgresStockLedger::new(&postgres));
    let stop = tokio_util::sync::CancellationToken::new();
    let writers = (1..=8_u128).map(|writer| {
        let (ledger, stop) = (Arc::clone(&ledger), stop.clone());
        tokio::spawn(async move {
            let mut booked = 0;
            while !stop.is_cancelled() {
                let draft = units(writer << 64 | u128::from(booked), "SKU-1", 1);
                match ledger.book(vec![draft]).await {
                    Ok(outcomes) => {
                        outcomes[0].as_ref().unwrap();
                        booked += 1;
                    }
                    Err(error) if error.is_retryable() => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            booked
        })
    });
    let writers: Vec<_> = writers.collect();
    let sku = [Sku::new("SKU-1").unwrap()];
    let on_hand = async || match ledger.levels(&sku).await {
        Ok(levels) => levels.first().map_or(0, |level| level.on_hand),
        Err(_) => 0,
    };
    let within = Duration::from_secs(30);
    eventually(within, "units come", || async { on_hand().await >= 100 }).await;
    let before = on_hand().await;
    let server = tokio::task::spawn_blocking(move || server.restart(Sync::Memory).map(|()| server));
    let _server = server.await.unwrap().expect("it starts again");
    eventually(within, "more units come", || async { on_hand().await >= before + 100 }).await;
    stop.cancel();
    let mut booked: u64 = 0;
    for writer in writers {
        booked += writer.await.unwrap();
    }
    assert_eq!(on_hand().await, booked, "each was booked once");
}

/// What one number per SKU was before stock had a ledger.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn former_stock_becomes_levels_with_a_movement_each() {
    let Some(server) = or_skip("Postgres", Server::start(Sync::Memory)) else { return };
    drop(connect(&server, PostgresOptions::default()).await);
    // As it was before that migration.
    server
        .sql(
            "CREATE TABLE stock (sku text COLLATE \"C\" PRIMARY KEY, on_hand bigint NOT NULL);
            INSERT INTO stock VALUES ('CHAIR', 7), ('Łódź 1', 4294967295), ('SOLD-OUT', 0);
            DELETE FROM _sqlx_migrations WHERE version = 5",
        )
        .unwrap();
    let ledger = PostgresStockLedger::new(&connect(&server, PostgresOptions::default()).await);
    let levels = ledger.scan(None, 10).await.unwrap();
    let found: Vec<_> = levels.iter().map(|it| (it.sku.as_str(), it.on_hand)).collect();
    assert_eq!(found, [("CHAIR", 7), ("SOLD-OUT", 0), ("Łódź 1", 4_294_967_295)]);
    for level in levels {
        assert_eq!((level.location.as_str(), level.promised()), ("default", 0));
        let moved = ledger.movements(&level.sku, None, 10).await.unwrap();
        let sum: i64 = moved.iter().map(|it| it.draft.quantity).sum();
        assert_eq!(sum, level.on_hand as i64, "I7: movements sum to the level");
        assert!(moved.iter().all(|it| it.level == level.on_hand), "{moved:?}");
    }
    let gone = server.sql("SELECT count(*) FROM pg_tables WHERE tablename = 'stock'");
    assert_eq!(gone.unwrap().trim(), "0");
}
