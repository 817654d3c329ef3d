//! What is left by others is brought to an end.

use std::time::Duration;

use barrow_engine::orders::{OperationKind, OrderStatus, PaymentProgress};

use super::*;
use crate::support::until;

/// The order once a reconciler is done with it; time passes meanwhile.
async fn settled(shop: &Shop, process: &Process, order: &Order) -> Order {
    until("the order is settled", async || {
        shop.wait(Duration::from_secs(61));
        process.order(order.cart).await.unwrap().is_settled()
    })
    .await;
    process.order(order.cart).await.unwrap()
}

#[tokio::test]
async fn a_capture_of_unknown_outcome_is_made_once() {
    let (shop, process, desk, order) = sold().await;
    shop.books.lose(&[OperationKind::Capture]);
    let asked = done(&desk, &order, capture()).await;
    assert_eq!(asked.pending_operations().count(), 1, "nobody knows yet");
    assert_eq!(
        tell(&desk, &order, capture()).await.unwrap_err().code(),
        "capture_exceeds_authorized"
    );
    shop.books.lose(&[]);
    let order = settled(&shop, &process, &order).await;
    assert_eq!(order.captured(), order.totals().total);
    assert_eq!(shop.books.done(order.id, OperationKind::Capture), (order.totals().total, 1));
}

/// Nothing is sent again under a key that the gateway may have forgotten.
#[tokio::test]
async fn beyond_the_gateways_memory_it_is_looked_up() {
    let (shop, process, desk, order) = sold().await;
    shop.books.lose(&[OperationKind::Capture]);
    let asked = done(&desk, &order, capture()).await;
    let (key, ..) = asked.pending_operations().next().unwrap();
    shop.books.forget_keys_after(Duration::from_secs(60));
    shop.wait(Duration::from_secs(61));
    let times = shop.books.times_asked(key);
    let order = settled(&shop, &process, &order).await;
    assert_eq!(order.captured(), order.totals().total);
    assert_eq!(shop.books.times_asked(key), times, "it is not asked again");
}

#[tokio::test]
async fn money_that_a_gateway_kept_is_given_back_again() {
    let (shop, process, desk, order) = sold().await;
    shop.books.refuse(&[OperationKind::Void]);
    let cancelled = done(&desk, &order, cancel()).await;
    assert_eq!(cancelled.status, OrderStatus::Cancelled);
    assert!(!cancelled.is_settled() && shop.books.held(order.id) > 0);
    shop.books.refuse(&[]);
    let order = settled(&shop, &process, &order).await;
    assert_eq!(order.payment_progress(), PaymentProgress::Voided);
    assert_eq!(shop.books.held(order.id), 0);
}

#[tokio::test]
async fn many_reconcilers_do_nothing_twice() {
    let (shop, process, desk, order) = sold().await;
    let _others = [process.desk(), process.desk(), process.desk()];
    let captured = done(&desk, &order, capture()).await.captured();
    shop.books.lose(&[OperationKind::Refund]);
    done(&desk, &order, refund(captured)).await;
    shop.books.lose(&[]);
    let order = settled(&shop, &process, &order).await;
    assert_eq!(order.payment_progress(), PaymentProgress::Refunded);
    assert_eq!(shop.books.done(order.id, OperationKind::Refund), (captured, 1));
}
