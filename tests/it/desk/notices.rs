//! What gateways tell on their own.

use std::time::Duration;

use barrow_engine::orders::{OperationKey, OperationKind, OrderCommand, PaymentOutcome};
use barrow_engine::ports::Notice;

use super::*;
use crate::support::until;

fn succeeded(key: OperationKey) -> Vec<Notice> {
    let outcome = PaymentOutcome::Succeeded { reference: Some("test/1".to_owned()) };
    vec![Notice { key, outcome }]
}

/// A cart whose buyer is on the gateway's page.
async fn elsewhere() -> (Shop, Process, Orders, Order) {
    let shop = Shop::new();
    let process = shop.start().await;
    process.stock(1, 10).await;
    let cart = process.full_cart(1, &[(1, 3)]).await;
    let progress = process.buy(cart, "redirect").await.unwrap();
    let Progress::Pending(order) = progress else { panic!("{progress:?}") };
    let desk = process.desk();
    (shop, process, desk, order)
}

fn authorization(order: &Order) -> OperationKey {
    OperationKey { order: order.id, attempt: 1, operation: 1 }
}

/// The buyer pays on the gateway's page; it tells so twice.
#[tokio::test]
async fn a_notice_places_the_order_and_told_twice_it_is_told_once() {
    let (shop, process, desk, order) = elsewhere().await;
    let key = authorization(&order);
    shop.books.record(key, OperationKind::Authorize, order.totals().total);
    desk.notice("test", succeeded(key)).await.unwrap();
    until("the order is placed", async || process.status(order.cart).await == "ordered").await;
    let placed = process.order(order.cart).await.unwrap();
    desk.notice("test", succeeded(key)).await.unwrap();
    desk.notice("test", [succeeded(key), succeeded(key)].concat()).await.unwrap();
    assert_eq!(process.order(order.cart).await.unwrap(), placed);
    assert_eq!(process.level(1).await.allocated, 3);
}

#[tokio::test]
async fn money_that_comes_after_giving_up_goes_back() {
    let (shop, process, desk, order) = elsewhere().await;
    process.checkouts.give_up(order.cart, BUYER).await.unwrap();
    assert_eq!(process.status(order.cart).await, "open");
    let key = authorization(&order);
    shop.books.record(key, OperationKind::Authorize, order.totals().total);
    assert!(shop.books.held(order.id) > 0);
    for _ in 0..2 {
        desk.notice("test", succeeded(key)).await.unwrap();
    }
    until("the money is let go", async || shop.books.held(order.id) == 0).await;
    until("nothing is reserved", async || process.level(1).await.promised() == 0).await;
    let (let_go, voids) = shop.books.done(order.id, OperationKind::Void);
    assert_eq!((let_go, voids), (order.totals().total, 2), "the page is closed, then the money");
}

/// The gateway's session has run out, and then it says that it was paid all the same.
#[tokio::test]
async fn money_that_comes_after_a_refusal_goes_back() {
    let (shop, process, desk, order) = elsewhere().await;
    shop.wait(Duration::from_secs(31 * 60));
    until("the cart is open", async || process.status(order.cart).await == "open").await;
    let key = authorization(&order);
    shop.books.record(key, OperationKind::Authorize, order.totals().total);
    desk.notice("test", succeeded(key)).await.unwrap();
    until("the money is let go", async || shop.books.held(order.id) == 0).await;
    // The gateway has let it go before it is written down.
    until("that is written down", async || {
        let order = process.order(order.cart).await.unwrap();
        order.live_payment().is_none() && order.is_settled()
    })
    .await;
}

#[tokio::test]
async fn nobody_is_believed_of_what_is_not_theirs() {
    let (_shop, process, desk, order) = elsewhere().await;
    let key = authorization(&order);
    desk.notice("manual", succeeded(key)).await.unwrap();
    for unknown in [
        OperationKey { operation: 9, ..key },
        OperationKey { attempt: 9, ..key },
        OperationKey { order: barrow_engine::ids::OrderId(404), ..key },
    ] {
        desk.notice("test", succeeded(unknown)).await.unwrap();
    }
    let after = process.order(order.cart).await.unwrap();
    assert_eq!((after.version, after.status), (order.version, order.status));
}

/// The answer to a capture was lost, and comes as a notice.
#[tokio::test]
async fn a_capture_may_be_told_of_later() {
    let (shop, process, desk, order) = sold().await;
    shop.books.lose(&[OperationKind::Capture]);
    let asked = done(&desk, &order, OrderCommand::Capture { amount: Some(500) }).await;
    let (key, ..) = asked.pending_operations().next().expect("nobody knows yet");
    desk.notice("test", succeeded(key)).await.unwrap();
    let told = process.order(order.cart).await.unwrap();
    assert_eq!((told.captured(), told.pending_operations().count()), (500, 0));
    assert_eq!(shop.books.done(order.id, OperationKind::Capture), (500, 1));
}
