//! Contact, addresses and the way to ship.

use serde_json::{Value, json};

use super::{adds_up, problem, problems, total};
use crate::support::client::{address, list, text};
use crate::support::{Cart, guest};

#[tokio::test]
async fn the_contact_is_kept_as_it_was_given() {
    let cart = guest().await.cart().await;
    let set = cart.contact("ada@example.com").ok().await;
    assert_eq!(set["contact"], json!({"email": "ada@example.com", "phone": null}));
    assert!(!problems(&set).contains(&"contact_missing"));
    let body = json!({"email": " grace@example.com ", "phone": "+1 555 0100"});
    let again = cart.client.put(&cart.at("/contact"), body).ok().await;
    assert_eq!(again["contact"], json!({"email": "grace@example.com", "phone": "+1 555 0100"}));
}

#[tokio::test]
async fn a_contact_that_reaches_nobody_is_refused() {
    let cart = guest().await.cart().await;
    let check = async |body: Value, pointer, code| {
        cart.client.put(&cart.at("/contact"), body).invalid(pointer, code).await;
    };
    check(json!({}), "/email", "required").await;
    check(json!({"email": ""}), "/email", "required").await;
    check(json!({"email": "nobody"}), "/email", "invalid_format").await;
    check(json!({"email": "a@b@c"}), "/email", "invalid_format").await;
    check(json!({"email": "a\nb@example.com"}), "/email", "invalid_format").await;
    check(json!({"email": format!("{}@example.com", "a".repeat(400))}), "/email", "out_of_range")
        .await;
    check(json!({"email": 1}), "/email", "wrong_type").await;
    check(json!({"email": "a@example.com", "fax": "1"}), "/fax", "unknown_field").await;
}

#[tokio::test]
async fn addresses_are_kept_and_every_mistake_is_told_at_once() {
    let cart = guest().await.cart().await;
    let both = json!({
        "shipping": address("DE", Value::Null),
        "billing": address("AT", json!("Tirol")),
    });
    let set = cart.client.put(&cart.at("/addresses"), both).ok().await;
    assert_eq!(set["addresses"]["shipping"]["country"], "DE");
    assert_eq!(set["addresses"]["billing"]["region"], "Tirol");
    assert_eq!(set["addresses"]["shipping"]["company"], Value::Null, "every field is there");
    let bad = json!({"shipping": {"first_name": " ", "country": "Germany", "city": "x\ny"}});
    let refused = cart.client.put(&cart.at("/addresses"), bad);
    let refused = refused.refused(422, "validation_failed").await;
    let mut wrong: Vec<&str> =
        list(&refused["errors"]).iter().map(|error| text(&error["pointer"])).collect();
    wrong.sort_unstable();
    let expected = ["city", "country", "first_name", "last_name", "line1", "postal_code"];
    assert_eq!(wrong, expected.map(|field| format!("/shipping/{field}")));
    let check = async |body: Value, pointer, code| {
        cart.client.put(&cart.at("/addresses"), body).invalid(pointer, code).await;
    };
    check(json!({}), "/shipping", "required").await;
    check(json!({"shipping": []}), "/shipping", "wrong_type").await;
    check(json!({"shipping": address("XX", Value::Null)}), "/shipping/country", "unknown_country")
        .await;
    // It exists, but the channel does not go there.
    check(json!({"shipping": address("JP", Value::Null)}), "/shipping/country", "unknown_country")
        .await;
    let mut zip = address("DE", Value::Null);
    zip["zip"] = json!("1");
    check(json!({"shipping": zip}), "/shipping/zip", "unknown_field").await;
}

async fn methods(cart: &Cart) -> Vec<(String, i64)> {
    let all = cart.client.read(&cart.at("/shipping_methods")).await;
    let methods = list(&all["items"]).iter();
    methods.map(|m| (text(&m["id"]).to_owned(), m["price"]["amount"].as_i64().unwrap())).collect()
}

#[tokio::test]
async fn ways_to_ship_follow_place_and_subtotal() {
    let cart = guest().await.cart().await;
    cart.add("RED-LAMP", 1).ok().await;
    cart.ship_to("DE", Value::Null).ok().await;
    let pair = |id: &str, price| (id.to_owned(), price);
    assert_eq!(methods(&cart).await, [pair("standard", 490), pair("express", 1_290)]);
    cart.add("PINE-CHAIR", 1).ok().await;
    assert_eq!(methods(&cart).await[0], pair("standard", 0), "free from 50.00 on");
    cart.ship_to("US", json!("CA")).ok().await;
    assert_eq!(methods(&cart).await, [pair("overseas", 1_490)]);
    let paged = cart.client.read(&cart.at("/shipping_methods?limit=1")).await;
    assert_eq!(paged["next_cursor"], Value::Null);
}

#[tokio::test]
async fn the_chosen_way_is_priced_and_may_become_impossible() {
    let cart = guest().await.cart().await;
    cart.add("RED-LAMP", 1).ok().await;
    cart.ship_to("DE", Value::Null).ok().await;
    let choose = |id: &str| cart.client.put(&cart.at("/shipping_method"), json!({"id": id}));
    choose("teleport").invalid("/id", "unknown_shipping_method").await;
    choose("overseas").invalid("/id", "unknown_shipping_method").await;
    let chosen = choose("standard").ok().await;
    assert_eq!(chosen["shipping_method"]["price"]["amount"], 490);
    assert_eq!(total(&chosen, "shipping"), 490);
    adds_up(&chosen);
    // It becomes free, and is so at once.
    let more = cart.add("PINE-CHAIR", 1).ok().await;
    assert_eq!(
        (total(&more, "shipping"), &more["shipping_method"]["price"]["amount"]),
        (0, &json!(0))
    );
    // It does not go overseas: a problem, and nothing is charged for it.
    let moved = cart.ship_to("US", json!("CA")).ok().await;
    assert!(!problem(&moved, "shipping_method_unavailable").is_null(), "{moved:#}");
    assert_eq!(total(&moved, "shipping"), 0);
    adds_up(&moved);
    let mended = choose("overseas").ok().await;
    assert!(problem(&mended, "shipping_method_unavailable").is_null());
    choose("").invalid("/id", "unknown_shipping_method").await;
}

#[tokio::test]
async fn ways_to_ship_are_paged() {
    let cart = guest().await.cart().await;
    cart.ship_to("DE", Value::Null).ok().await;
    let first = cart.client.read(&cart.at("/shipping_methods?limit=1")).await;
    let cursor = text(&first["next_cursor"]);
    let second = cart.at(&format!("/shipping_methods?limit=1&cursor={cursor}"));
    let second = cart.client.read(&second).await;
    assert_eq!(
        (&first["items"][0]["id"], &second["items"][0]["id"]),
        (&json!("standard"), &json!("express"))
    );
    assert_eq!(second["next_cursor"], Value::Null);
    cart.client.get(&cart.at("/shipping_methods?cursor=x")).refused(400, "invalid_cursor").await;
    cart.client.get(&cart.at("/shipping_methods?limit=0")).refused(400, "invalid_parameter").await;
}
