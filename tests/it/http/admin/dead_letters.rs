//! `/admin/v1/dead_letters`: seen, told again, given up.

use std::path::Path;
use std::time::Duration;

use barrow_adapters::sqlite::{Sqlite, SqliteOptions, SqliteOutbox};
use barrow_engine::events::AggregateKind;
use barrow_engine::ids::DeadLetterId;
use barrow_engine::ports::{ClaimAsk, ClaimToken, Lane, Outbox, Settled, Then};
use reqwest::Method;
use serde_json::{Value, json};

use super::staff;
use crate::http::checkout::{buy, fill};
use crate::support::client::{list, number, text};
use crate::support::{Client, small_shop};

const LETTERS: &str = "/admin/v1/dead_letters";

/// A consumer of a process beside the shop, on the shop's own database, which is told of orders
/// only when a test claims for it.
struct Beside {
    outbox: SqliteOutbox,
}

impl Beside {
    const NAME: &str = "books";

    async fn register(folder: &Path) -> Beside {
        let file = folder.join("data/commerce/commerce.sqlite");
        let sqlite = Sqlite::open(&file, SqliteOptions::default()).await.unwrap();
        let outbox = SqliteOutbox::new(&sqlite);
        outbox.register(&[Self::NAME]).await.unwrap();
        Beside { outbox }
    }

    /// What it is to be told of orders now.
    async fn claim(&self, token: ClaimToken) -> Vec<Lane> {
        let lease = Duration::from_secs(600);
        let ask = ClaimAsk { consumer: Self::NAME, token, lease, lanes: 100, events: 100 };
        let mut lanes = self.outbox.claim(&ask).await.unwrap();
        lanes.retain(|lane| lane.aggregate.kind == AggregateKind::Order);
        lanes
    }

    /// It takes nothing; the orders that it was to be told of.
    async fn refuse_all(&self, number: u128) -> Vec<String> {
        let token = ClaimToken(number);
        let mut orders = Vec::new();
        for (lane, place) in self.claim(token).await.into_iter().zip(1..) {
            orders.push(lane.aggregate.id.clone());
            let id = DeadLetterId(number * 100 + place);
            let then = Then::Bury { id, error: "410 Gone".into() };
            let settled = Settled { aggregate: lane.aggregate, handled: None, then };
            let done = self.outbox.settle(Self::NAME, token, &[settled]).await.unwrap();
            assert_eq!(done.len(), 1);
        }
        orders
    }
}

async fn letters(house: &Client, query: &str) -> Vec<Value> {
    list(&house.read(&format!("{LETTERS}{query}")).await["items"]).to_vec()
}

#[tokio::test]
async fn what_nobody_could_be_told_is_seen_told_again_or_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let server = small_shop(folder.path()).start();
    let house = staff(folder.path(), &server.url, &["ops:write"]);
    let beside = Beside::register(folder.path()).await;
    let visitor = Client::of(&server.url);
    for order in 0..2 {
        let cart = fill(&visitor.guest().await, &[(order, 1)]).await;
        buy(&cart, "ok", &format!("an-order-to-be-told-{order}")).await.made().await;
    }
    assert_eq!(letters(&house, "").await, Vec::<Value>::new(), "the shop's own are told");
    let orders = beside.refuse_all(1).await;
    assert_eq!(orders.len(), 2);

    let all = letters(&house, "").await;
    assert_eq!(all.len(), 2);
    for letter in &all {
        assert_eq!((text(&letter["consumer"]), text(&letter["error"])), ("books", "410 Gone"));
        assert_eq!(number(&letter["attempts"]), 1);
        let event = &letter["event"];
        assert!(text(&event["id"]).starts_with("evt_"), "{letter}");
        assert_eq!(event["aggregate"]["type"], "order");
        assert!(orders.iter().any(|id| event["aggregate"]["id"] == *id), "{letter}");
        assert_eq!(number(&letter["waiting"]), 1, "of payment and placing one waits: {letter}");
    }
    assert_eq!(letters(&house, "?consumer=books").await, all);
    assert_eq!(letters(&house, "?consumer=others").await, Vec::<Value>::new());
    let first = house.read(&format!("{LETTERS}?limit=1")).await;
    let cursor = text(&first["next_cursor"]);
    let second = house.read(&format!("{LETTERS}?limit=1&cursor={cursor}")).await;
    assert_eq!([&first["items"][0], &second["items"][0]], [&all[0], &all[1]]);
    assert_eq!(second["next_cursor"], Value::Null);
    let elsewhere = format!("{LETTERS}?consumer=books&cursor={cursor}");
    house.get(&elsewhere).refused(400, "invalid_cursor").await;
    let long = format!("{LETTERS}?consumer={}", "x".repeat(65));
    house.get(&long).refused(400, "invalid_parameter").await;

    let at = |letter: &Value| format!("{LETTERS}/{}", text(&letter["id"]));
    let replay = |letter: &Value| house.call(Method::POST, &format!("{}/replay", at(letter)));
    replay(&all[0]).send().await.is(204);
    replay(&all[0]).refused(404, "not_found").await;
    house.delete(&at(&all[1])).send().await.is(204);
    house.delete(&at(&all[1])).refused(404, "not_found").await;
    assert_eq!(letters(&house, "").await, Vec::<Value>::new());
    let mut lanes = beside.claim(ClaimToken(2)).await;
    assert_eq!(lanes.len(), 2);
    let mut told = |letter: &Value| -> Vec<String> {
        let id = text(&letter["event"]["aggregate"]["id"]);
        let place = lanes.iter().position(|lane| lane.aggregate.id == id).unwrap();
        lanes.remove(place).events.iter().map(|event| event.id().to_string()).collect()
    };
    let (again, without) = (told(&all[0]), told(&all[1]));
    assert_eq!(again[0], text(&all[0]["event"]["id"]), "it is told again, before what waited");
    assert_eq!(again.len(), 2);
    assert_eq!(without.len(), 1, "what was given up is never told");
    assert_ne!(without[0], text(&all[1]["event"]["id"]));
}

#[tokio::test]
async fn who_may_look_may_not_give_up() {
    let folder = tempfile::tempdir().unwrap();
    let server = small_shop(folder.path()).start();
    let house = staff(folder.path(), &server.url, &["ops:read", "orders:write"]);
    assert_eq!(house.read(LETTERS).await, json!({"items": [], "next_cursor": null}));
    let letter = format!("{LETTERS}/dead_0tpg4j1rg8jb145zt13dgk2bkn");
    house.delete(&letter).refused(403, "forbidden").await;
    house.call(Method::POST, &format!("{letter}/replay")).refused(403, "forbidden").await;
    let operator = staff(folder.path(), &server.url, &["ops:write"]);
    operator.delete(&letter).refused(404, "not_found").await;
    operator.delete(&format!("{LETTERS}/x")).refused(404, "not_found").await;
}
