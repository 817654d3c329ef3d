//! `GET /v1/carts/{id}/events`: a cart as it changes.

use std::time::{Duration, Instant};

use serde_json::json;

use super::lines;
use crate::support::sse::Events;
use crate::support::{Client, guest, small_shop};

#[tokio::test]
async fn the_cart_comes_first_and_then_its_changes() {
    let cart = guest().await.cart().await;
    cart.add("RED-LAMP", 1).ok().await;
    let mut events = Events::open(cart.client.get(&cart.at("/events"))).await;
    assert_eq!(events.next().await.unwrap().retry, "1000");
    let first = events.next().await.unwrap();
    assert_eq!((first.event.as_str(), first.id.as_deref()), ("cart", Some("2")));
    assert_eq!(first.json(), cart.read().await);
    let changed = cart.add("PINE-CHAIR", 2).ok().await;
    let next = events.wait_for("cart").await;
    assert_eq!((next.id.as_deref(), next.json()), (Some("3"), changed));
}

#[tokio::test]
async fn a_reader_that_has_the_version_is_not_told_again() {
    let cart = guest().await.cart().await;
    cart.add("RED-LAMP", 1).ok().await;
    let call = cart.client.get(&cart.at("/events")).header("last-event-id", "2");
    let mut resumed = Events::open(call).await;
    assert_eq!(resumed.next().await.unwrap().retry, "1000");
    cart.add("RED-LAMP", 1).ok().await;
    let next = resumed.next().await.unwrap();
    assert_eq!((next.event.as_str(), next.id.as_deref()), ("cart", Some("3")));
    // One that missed some gets the newest alone; one with nonsense the cart.
    for last in ["1", "99", "abc", "-1", ""] {
        let call = cart.client.get(&cart.at("/events")).header("last-event-id", last);
        let first = Events::open(call).await.wait_for("cart").await;
        assert_eq!(first.id.as_deref(), Some("3"), "{last}");
    }
}

#[tokio::test]
async fn a_reader_sees_versions_rise_and_ends_with_the_newest() {
    let cart = guest().await.cart().await;
    let mut events = Events::open(cart.client.get(&cart.at("/events"))).await;
    let changes = async {
        for flight in 0..5 {
            let adds = (0..20).map(|_| cart.add("RED-LAMP", 1).ok());
            futures::future::join_all(adds).await;
            assert_eq!(lines(&cart.read().await), [("RED-LAMP", (flight + 1) * 20)]);
        }
    };
    let reading = async {
        let mut last = 0;
        loop {
            let event = events.wait_for("cart").await;
            let version: u64 = event.id.as_ref().unwrap().parse().unwrap();
            assert!(version > last, "{version} after {last}");
            last = version;
            let cart = event.json();
            assert_eq!(cart["version"], version);
            if lines(&cart) == [("RED-LAMP", 100)] {
                return;
            }
        }
    };
    tokio::join!(changes, reading);
}

#[tokio::test]
async fn a_cart_has_eight_streams_and_each_end_makes_room() {
    let guest = guest().await;
    let cart = guest.cart().await;
    let mut open = Vec::new();
    for _ in 0..8 {
        let mut events = Events::open(guest.get(&cart.at("/events"))).await;
        events.wait_for("cart").await;
        open.push(events);
    }
    guest.get(&cart.at("/events")).refused(429, "overloaded").await;
    // Other carts are not concerned.
    let other = guest.cart().await;
    Events::open(guest.get(&other.at("/events"))).await.wait_for("cart").await;
    drop(open.pop());
    crate::support::until("there is room again", async || {
        let response = guest.get(&cart.at("/events")).stream().await;
        response.status().as_u16() == 200
    })
    .await;
}

#[tokio::test]
async fn a_quiet_stream_says_that_it_lives() {
    let cart = guest().await.cart().await;
    let mut events = Events::open(cart.client.get(&cart.at("/events"))).await;
    events.wait_for("cart").await;
    let quiet_since = Instant::now();
    let ping = events.next().await.unwrap();
    assert_eq!(ping.comment, "ping");
    let silence = quiet_since.elapsed();
    assert!((14..18).contains(&silence.as_secs()), "{silence:?}");
}

#[tokio::test]
async fn an_ended_session_ends_its_streams() {
    let guest = guest().await;
    let cart = guest.cart().await;
    let mut events = Events::open(guest.get(&cart.at("/events"))).await;
    events.wait_for("cart").await;
    guest.delete("/v1/sessions/current").send().await.is(204);
    let end = events.wait_for("end").await;
    assert_eq!(
        end.json(),
        json!({"reason": "unauthorized", "order_id": null, "next_cart_id": null})
    );
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_server_that_ends_says_goodbye() {
    let folder = tempfile::tempdir().unwrap();
    let server = small_shop(folder.path()).start();
    let cart = Client::of(&server.url).guest().await.cart().await;
    let mut events = Events::open(cart.client.get(&cart.at("/events"))).await;
    events.wait_for("cart").await;
    let told = Instant::now();
    let ending = tokio::task::spawn_blocking(move || server.stop());
    assert_eq!(events.wait_for("end").await.json()["reason"], "moved");
    assert_eq!(events.next().await, None);
    let ended = ending.await.unwrap();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(told.elapsed() < Duration::from_secs(25), "{:?}", told.elapsed());
}

#[tokio::test]
async fn streams_take_no_parameters_and_want_a_token() {
    let guest = guest().await;
    let cart = guest.cart().await;
    guest.get(&cart.at("/events?x=1")).refused(400, "unknown_parameter").await;
    let visitor = crate::support::visitor();
    visitor.get(&cart.at("/events")).refused(401, "unauthenticated").await;
}
