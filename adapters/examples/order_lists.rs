//! How long lists of orders take in a shop that has many, in SQLite and in Postgres:
//! `cargo run --release -p barrow-adapters --features postgres --example order_lists [ORDERS]`.
//!
//! Each list is asked for 200 times, each time with another place to begin, text or day.

use std::time::{Duration, Instant};

use barrow_adapters::postgres::{Postgres, PostgresOptions, PostgresOrderStore};
use barrow_adapters::sqlite::{Sqlite, SqliteOptions, SqliteOrderStore};
use barrow_engine::ids::OrderId;
use barrow_engine::orders::sample::{line, new_order};
use barrow_engine::orders::{FulfilmentProgress, Order, OrderStatus, PaymentProgress};
use barrow_engine::ports::{OrderQuery, OrderSort, OrderStore};
use barrow_engine::time::Timestamp;
use barrow_servers::Sync;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

const LISTS: i64 = 200;
const PAGE: usize = 25;

/// When the first order was opened; one came each minute since.
const BEGIN: i64 = 1_700_000_000_000;
const MINUTE: i64 = 60_000;

#[tokio::main]
async fn main() {
    let orders: i64 = std::env::args().nth(1).map_or(1_000_000, |it| it.parse().expect("a number"));
    let draft = Order::draft(new_order(vec![line(1, 1, 100, 0, 16); 8], 490, true), Timestamp(1));
    let document = serde_json::to_string(&draft).expect("an order is JSON");
    println!("{orders} orders of {} bytes", document.len());

    let dir = tempfile::tempdir().expect("a folder to work in");
    let file = dir.path().join("commerce.db");
    let sqlite = Sqlite::open(&file, SqliteOptions::default()).await.expect("a file");
    let options = SqliteConnectOptions::new().filename(&file);
    let mut connection = SqliteConnection::connect_with(&options).await.expect("the file");
    let began = Instant::now();
    let fill = sqlx::query(FILL_SQLITE).bind(orders).bind(&document);
    fill.execute(&mut connection).await.expect("orders are written");
    println!("\nSQLite, filled in {:?}", began.elapsed());
    lists(&SqliteOrderStore::new(&sqlite), orders).await;

    let server = barrow_servers::Postgres::start(Sync::Memory).expect("Postgres");
    let options = PostgresOptions::default();
    let postgres = Postgres::connect(&server.url(), options).await.expect("Postgres");
    let began = Instant::now();
    let document = document.replace('\'', "''");
    let fill = FILL_POSTGRES.replace("$1", &orders.to_string());
    server.sql(&fill.replace("$2", &format!("'{document}'"))).expect("orders are written");
    server.sql("VACUUM ANALYZE customer_order").expect("what there is, is counted");
    println!("\nPostgres, filled in {:?}", began.elapsed());
    lists(&PostgresOrderStore::new(&postgres), orders).await;
}

/// A thousandth of the payments failed, one in fifty is a Smith.
const FILL_SQLITE: &str = "WITH RECURSIVE counted (i) AS (
        SELECT 0 UNION ALL SELECT i + 1 FROM counted WHERE i + 1 < ?1
    ) INSERT INTO customer_order
    SELECT randomblob(16), 1, randomblob(16), CASE WHEN i % 100 < 93 THEN 'n' || i END,
        CASE WHEN i % 100 < 77 THEN 'completed' WHEN i % 100 < 90 THEN 'placed'
            WHEN i % 100 < 93 THEN 'cancelled' WHEN i % 100 < 98 THEN 'abandoned'
            ELSE 'draft' END,
        CASE WHEN i % 1000 = 999 THEN 'failed' WHEN i % 100 < 80 THEN 'captured'
            WHEN i % 100 < 90 THEN 'authorized' ELSE 'pending' END,
        CASE WHEN i % 2000 = 500 THEN 'partially_fulfilled' WHEN i % 100 < 77 THEN 'fulfilled'
            ELSE 'unfulfilled' END,
        substr('abcdefghijklmnopqrstuvwxyz', i * 7 % 26 + 1, 1) || i || '@example.com',
        CASE WHEN i % 50 = 7 THEN 'smith' ELSE 'name' || (i * 7919 % 50000) END,
        1700000000000 + i * 60000,
        CASE WHEN i % 100 < 93 THEN 1700000000000 + i * 60000 + 45000 END,
        1700000000000 + i * 60000, i % 100 < 98, 1, ?2,
        'owner' || (i % 300000)
    FROM counted";

const FILL_POSTGRES: &str = "INSERT INTO customer_order
    SELECT decode(md5('o' || i), 'hex'), 1, decode(md5('c' || i), 'hex'),
        CASE WHEN i % 100 < 93 THEN 'n' || i END,
        CASE WHEN i % 100 < 77 THEN 'completed' WHEN i % 100 < 90 THEN 'placed'
            WHEN i % 100 < 93 THEN 'cancelled' WHEN i % 100 < 98 THEN 'abandoned'
            ELSE 'draft' END,
        CASE WHEN i % 1000 = 999 THEN 'failed' WHEN i % 100 < 80 THEN 'captured'
            WHEN i % 100 < 90 THEN 'authorized' ELSE 'pending' END,
        CASE WHEN i % 2000 = 500 THEN 'partially_fulfilled' WHEN i % 100 < 77 THEN 'fulfilled'
            ELSE 'unfulfilled' END,
        substr('abcdefghijklmnopqrstuvwxyz', (i * 7 % 26 + 1)::int, 1) || i || '@example.com',
        CASE WHEN i % 50 = 7 THEN 'smith' ELSE 'name' || (i * 7919 % 50000) END,
        1700000000000 + i * 60000,
        CASE WHEN i % 100 < 93 THEN 1700000000000 + i * 60000 + 45000 END,
        1700000000000 + i * 60000, i % 100 < 98, 1, $2,
        'owner' || (i % 300000)
    FROM generate_series(0::int8, $1 - 1) AS counted (i)";

async fn lists(store: &dyn OrderStore, orders: i64) {
    // Spread over all there are, and each another one.
    let nth = move |n: i64| n * 7919 % LISTS * (orders / LISTS);
    let time = move |n: i64| Timestamp(BEGIN + nth(n) * MINUTE);
    let status = |status| OrderQuery { statuses: vec![status], ..OrderQuery::default() };
    let payment = |payment| OrderQuery { payment: Some(payment), ..OrderQuery::default() };
    let none = OrderQuery::default;
    run(store, "newest", |_| none()).await;
    run(store, "a page somewhere", |n| OrderQuery { after: Some((time(n), OrderId(0))), ..none() })
        .await;
    run(store, "oldest", |_| OrderQuery { sort: OrderSort::Oldest, ..none() }).await;
    run(store, "oldest from somewhere on", |n| OrderQuery {
        after: Some((time(n), OrderId(0))),
        sort: OrderSort::Oldest,
        ..none()
    })
    .await;
    run(store, "placed or cancelled, somewhere", |n| OrderQuery {
        statuses: vec![OrderStatus::Placed, OrderStatus::Cancelled],
        after: Some((time(n), OrderId(0))),
        ..none()
    })
    .await;
    run(store, "placed", |_| status(OrderStatus::Placed)).await;
    run(store, "cancelled, somewhere", |n| OrderQuery {
        after: Some((time(n), OrderId(0))),
        ..status(OrderStatus::Cancelled)
    })
    .await;
    run(store, "failed payments", |_| payment(PaymentProgress::Failed)).await;
    run(store, "refunded, of which there are none", |_| payment(PaymentProgress::Refunded)).await;
    run(store, "placed, and partially fulfilled", |_| OrderQuery {
        fulfilment: Some(FulfilmentProgress::PartiallyFulfilled),
        ..status(OrderStatus::Placed)
    })
    .await;
    run(store, "placed and captured", |_| OrderQuery {
        payment: Some(PaymentProgress::Captured),
        ..status(OrderStatus::Placed)
    })
    .await;
    run(store, "cancelled and fulfilled: none of many", |_| OrderQuery {
        fulfilment: Some(FulfilmentProgress::Fulfilled),
        ..status(OrderStatus::Cancelled)
    })
    .await;
    lists_of_texts(store, nth).await;
    lists_of_days(store, time).await;
}

async fn lists_of_texts(store: &dyn OrderStore, nth: impl Fn(i64) -> i64) {
    let text = |text: String| OrderQuery { text: Some(text), ..OrderQuery::default() };
    run(store, "an address", |n| {
        let n = nth(n);
        let letter = char::from(b'a' + u8::try_from(n * 7 % 26).expect("a letter"));
        text(format!("{letter}{n}@example"))
    })
    .await;
    run(store, "a name", |n| text(format!("name{}", nth(n) * 7919 % 50_000))).await;
    run(store, "a common name", |_| text("smith".into())).await;
    run(store, "one letter", |n| {
        text("abcdefghijklmnopqrstuvwxyz"[(n % 26) as usize..][..1].into())
    })
    .await;
    run(store, "a name, cancelled", |n| OrderQuery {
        statuses: vec![OrderStatus::Cancelled],
        ..text(format!("name{}", nth(n) * 7919 % 50_000))
    })
    .await;
    run(store, "a common name, failed payments", |_| OrderQuery {
        payment: Some(PaymentProgress::Failed),
        ..text("smith".into())
    })
    .await;
}

async fn lists_of_days(store: &dyn OrderStore, time: impl Fn(i64) -> Timestamp) {
    let none = OrderQuery::default;
    let day = |n| {
        let (from, to) = (time(n), time(n).plus(Duration::from_secs(86_400)));
        OrderQuery { placed_after: Some(from), placed_before: Some(to), ..none() }
    };
    run(store, "a day", day).await;
    run(store, "cancelled of a day", |n| OrderQuery {
        statuses: vec![OrderStatus::Cancelled],
        ..day(n)
    })
    .await;
    run(store, "until a day", |n| OrderQuery { placed_after: None, ..day(n) }).await;
    run(store, "cancelled from a day on", |n| OrderQuery {
        statuses: vec![OrderStatus::Cancelled],
        placed_before: None,
        ..day(n)
    })
    .await;
}

async fn run(store: &dyn OrderStore, name: &str, query: impl Fn(i64) -> OrderQuery) {
    let mut took = Vec::new();
    let mut found = 0;
    for n in 0..LISTS {
        let query = OrderQuery { limit: PAGE, ..query(n) };
        let began = Instant::now();
        found += store.list(&query).await.expect("orders are listed").len();
        took.push(began.elapsed());
    }
    took.sort_unstable();
    let millis = |nth: usize| took[nth * (took.len() - 1) / 100].as_secs_f64() * 1_000.0;
    println!(
        "{name:40} p50 {:7.2} ms  p95 {:7.2} ms  max {:7.2} ms, {found} orders",
        millis(50),
        millis(95),
        millis(100),
    );
}
