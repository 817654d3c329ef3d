//! A shop that reserves what is in a cart: what its shoppers are told of that.

use barrow_tests::server::{Server, run};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::lines;
use crate::support::client::{list, number, text};
use crate::support::goods::{self, bulk_sku};
use crate::support::sse::Events;
use crate::support::{Cart, Client, small_shop, until};

/// The only one that there is little of.
const SCARCE: usize = 7;

/// A shop with five of it, where a hold lasts that long.
fn shop_of_holds(hold: &str) -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let launch = small_shop(folder.path());
    let level = json!({"type": "stock", "sku": bulk_sku(SCARCE), "on_hand": 5});
    std::fs::write(folder.path().join("stock.jsonl"), goods::lines(&[level])).unwrap();
    let ended = run(folder.path(), &["import", "--set-stock", "stock.jsonl"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let launch = launch.set("inventory.reserve_on=cart");
    (launch.set(&format!("inventory.hold={hold}")).start(), folder)
}

async fn cart(client: &Client) -> Cart {
    client.guest().await.cart().await
}

fn short(problems: &Value) -> Vec<(i64, i64)> {
    let is_short = |problem: &&Value| problem["code"] == "insufficient_stock";
    let short = list(problems).iter().filter(is_short);
    short.map(|it| (number(&it["requested"]), number(&it["available"]))).collect()
}

#[tokio::test]
async fn what_another_cart_has_cannot_be_added() {
    let (server, _folder) = shop_of_holds("10m");
    let client = Client::of(&server.url);
    let (first, second) = (cart(&client).await, cart(&client).await);
    let mut events = Events::open(second.client.get(&second.at("/events"))).await;
    let added = first.add(&bulk_sku(SCARCE), 4).ok().await;
    assert_eq!(short(&added["problems"]), []);
    let refused = second.add(&bulk_sku(SCARCE), 2).refused(409, "insufficient_stock").await;
    assert_eq!(short(&refused["problems"]), [(2, 1)]);
    assert_eq!(refused["problems"][0]["line_id"], Value::Null);
    assert_eq!(lines(&second.read().await), [], "nothing has changed");
    second.add(&bulk_sku(SCARCE), 1).ok().await;
    let line = second.at("/lines/line_1");
    let more = second.client.patch(&line, json!({"quantity": 3}));
    let refused = more.refused(409, "insufficient_stock").await;
    assert_eq!(
        (short(&refused["problems"]), &refused["problems"][0]["line_id"]),
        (vec![(3, 1)], &json!("line_1"))
    );
    let both = json!([
        {"type": "set_contact", "email": "ada@example.com"},
        {"type": "add_line", "sku": bulk_sku(SCARCE), "quantity": 1},
    ]);
    second.actions(both).refused(409, "insufficient_stock").await;
    assert_eq!(second.read().await["contact"], Value::Null, "all or nothing");
    // Its own units are no problem of a cart, though none is left for anybody.
    until("the catalog has heard of it", async || {
        let other = cart(&client).await;
        other.add(&bulk_sku(SCARCE), 1).send().await.status == 409
    })
    .await;
    for cart in [&first, &second] {
        assert_eq!(short(&cart.read().await["problems"]), []);
    }
    let told = events.wait_for("hold").await.json();
    assert_eq!(text(&told["state"]), "held");
    first.client.delete(&first.at("/lines/line_1")).ok().await;
    second.client.patch(&line, json!({"quantity": 5})).ok().await;
}

#[tokio::test]
async fn a_hold_is_counted_down_on_the_carts_stream() {
    let (server, _folder) = shop_of_holds("2s");
    let client = Client::of(&server.url);
    let (mine, other) = (cart(&client).await, cart(&client).await);
    mine.add(&bulk_sku(SCARCE), 5).ok().await;
    let mut events = Events::open(mine.client.get(&mine.at("/events"))).await;
    let mut stage = async || {
        let event = events.wait_for("hold").await;
        assert_eq!(event.id, None, "a hold is no version of the cart");
        let data = event.json();
        (text(&data["state"]).to_owned(), text(&data["expires_at"]).to_owned())
    };
    let (first, until_first) = stage().await;
    assert_eq!(first, "held", "told on connect");
    mine.contact("ada@example.com").ok().await;
    let mut next = stage().await;
    if next == ("expiring".to_owned(), until_first.clone()) {
        // On a slow machine that may have come before.
        next = stage().await;
    }
    let (state, held_until) = next;
    assert_eq!(state, "held", "each change renews it");
    assert!(held_until > until_first, "{held_until} after {until_first}");
    assert_eq!(stage().await, ("expiring".to_owned(), held_until.clone()));
    assert_eq!(stage().await, ("expired".to_owned(), held_until));
    until("the units are free", async || {
        other.add(&bulk_sku(SCARCE), 5).send().await.status == 200
    })
    .await;
    assert_eq!(lines(&mine.read().await), [(bulk_sku(SCARCE).as_str(), 5)], "the line stays");
    // The other cart's hold is as short: one that lasts shows what is missing.
    until("the cart says what is missing", async || {
        other.contact("bob@example.com").ok().await;
        short(&mine.read().await["problems"]) == [(5, 0)]
    })
    .await;
    until("the next change holds them again", async || {
        mine.contact("ada@example.com").ok().await;
        short(&mine.read().await["problems"]).is_empty()
    })
    .await;
    assert_eq!(stage().await.0, "held");
}
