//! Returns that are exchanged for another order.

use std::time::Duration;

use barrow_actors::orders::{Executed, OrderDeskError, OrderTerms};
use barrow_engine::catalog::Sku;
use barrow_engine::orders::{
    ExchangeOf, OperationKind, OrderStatus, PaymentProgress, ReturnStatus, ReturnedLine,
};
use barrow_tests::simulation::shelf::{UNIT, sku};

use super::*;
use crate::checkout::fuse::Fuse;
use crate::support::until;

fn wanted(index: u32, quantity: u32) -> Vec<(Sku, u32)> {
    vec![(sku(index).parse().unwrap(), quantity)]
}

/// An order that was sent off and of which two units of SKU 1 came back, to be exchanged.
async fn came_back(process: &Process) -> Order {
    let (order, desk) = (place(process).await, process.desk());
    process.stock(3, 5).await;
    done(&desk, &order, fulfil(&[(1, 3), (2, 1)])).await;
    let id = done(&desk, &order, wish(1, 2)).await.returns[0].id;
    done(&desk, &order, OrderCommand::ApproveReturn { id }).await;
    let line = ReturnedLine { line: LineId(1), quantity: 2, restock: true, location: None };
    done(&desk, &order, OrderCommand::ReceiveReturn { id, lines: vec![line], for_exchange: true })
        .await
}

async fn exchange(
    desk: &Orders,
    order: &Order,
    wanted: &[(Sku, u32)],
    terms: OrderTerms,
) -> Result<Executed, OrderDeskError> {
    desk.exchange(order.id, order.returns[0].id, wanted, staff(), terms).await
}

#[tokio::test]
async fn what_came_back_pays_for_another_order_and_the_rest_is_paid_back() {
    let shop = Shop::new();
    let process = shop.start().await;
    let (order, desk) = (came_back(&process).await, process.desk());
    let terms = key("exchange-01234567", "");
    let other = exchange(&desk, &order, &wanted(3, 1), terms).await.unwrap().order;
    let of_return = order.returns[0].id;
    assert_eq!(other.exchange_of, Some(ExchangeOf { order: order.id, of_return }));
    assert_eq!((other.status, other.totals().total), (OrderStatus::Placed, UNIT));
    assert_eq!((other.owner, other.number.is_some()), (order.owner, true));
    assert_eq!(process.level(3).await.allocated, 1);
    let before = process.order(order.cart).await.unwrap();
    assert_eq!(before.returns[0].status, ReturnStatus::Refunded);
    assert_eq!((before.credited(), before.refunds[0].amount), (UNIT, UNIT));
    let taken = order.totals().total - UNIT;
    assert_eq!(shop.books.taken(order.id), taken);
    let again = exchange(&desk, &order, &wanted(3, 1), terms).await.unwrap();
    assert_eq!((again.order.id, again.replayed.is_some()), (other.id, true));
    let twice = exchange(&desk, &order, &wanted(3, 1), OrderTerms::default()).await;
    assert_eq!(twice.unwrap_err().code(), "order_state");

    // It is sent off, comes back, and is paid back from where the money lies.
    done(&desk, &other, fulfil(&[(1, 1)])).await;
    let id = done(&desk, &other, wish(1, 1)).await.returns[0].id;
    done(&desk, &other, OrderCommand::ApproveReturn { id }).await;
    let line = ReturnedLine { line: LineId(1), quantity: 1, restock: false, location: None };
    let came = OrderCommand::ReceiveReturn { id, lines: vec![line], for_exchange: false };
    let back = done(&desk, &other, came).await;
    assert_eq!(back.payment_progress(), PaymentProgress::Refunded);
    assert_eq!(back.returns[0].status, ReturnStatus::Refunded);
    assert_eq!(shop.books.taken(order.id), taken - UNIT);
    assert_eq!(shop.books.taken(other.id), 0, "no gateway has heard of it");
}

#[tokio::test]
async fn an_exchange_that_is_cancelled_pays_back() {
    let shop = Shop::new();
    let process = shop.start().await;
    let (order, desk) = (came_back(&process).await, process.desk());
    let other = exchange(&desk, &order, &wanted(3, 2), OrderTerms::default()).await.unwrap().order;
    assert_eq!(shop.books.taken(order.id), order.totals().total);
    let cancelled = done(&desk, &other, cancel()).await;
    assert_eq!(cancelled.payment_progress(), PaymentProgress::Voided);
    assert_eq!(shop.books.taken(order.id), order.totals().total - 2 * UNIT);
    assert_eq!(process.level(3).await.promised(), 0);
}

#[tokio::test]
async fn an_exchange_that_cannot_be_is_refused_and_may_be_tried_again() {
    let shop = Shop::new();
    let process = shop.start().await;
    let (order, desk) = (came_back(&process).await, process.desk());
    let terms = key("exchange-01234567", "");
    let dearer = exchange(&desk, &order, &wanted(3, 3), terms).await.unwrap_err();
    assert_eq!(dearer.code(), "capture_exceeds_authorized");
    let short = exchange(&desk, &order, &wanted(4, 1), terms).await.unwrap_err();
    assert_eq!(short.code(), "insufficient_stock");
    let before = process.order(order.cart).await.unwrap();
    assert_eq!(before.credited(), 0, "nothing is given for it yet");
    let other = exchange(&desk, &order, &wanted(3, 2), terms).await.unwrap().order;
    assert_eq!((other.status, other.lines.len()), (OrderStatus::Placed, 1));
    let (id, lines) = (order.returns[0].id, wanted(3, 1));
    let by_buyer = desk.exchange(order.id, id, &lines, buyer(), terms);
    assert_eq!(by_buyer.await.unwrap_err().code(), "forbidden");
}

/// Ends the process at one moment after the other in the middle of an exchange.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_in_an_exchange_keeps_every_cent() {
    let (mut moments, lines) = (0, wanted(3, 1));
    loop {
        assert!(moments < 60, "it comes to an end");
        let shop = Shop::new();
        let order = came_back(&shop.start().await).await;
        let fuse = Fuse::new(moments);
        let is_over = {
            let desk = shop.start_until(&fuse).await.desk();
            tokio::select! {
                done = exchange(&desk, &order, &lines, OrderTerms::default()) => {
                    done.unwrap();
                    true
                }
                () = fuse.blown() => false,
            }
        };
        let process = shop.start().await;
        let _desk = process.desk();
        let id = barrow_engine::ids::OrderId::derived(&format!("exchange/{}", order.returns[0].id));
        until("both are settled", async || {
            shop.wait(Duration::from_secs(61));
            let other = process.orders.get(id).await.unwrap();
            process.order(order.cart).await.unwrap().is_settled()
                && other.is_none_or(|other| other.is_settled())
        })
        .await;
        let before = process.order(order.cart).await.unwrap();
        let held = match process.orders.get(id).await.unwrap() {
            Some(other) if other.status == OrderStatus::Placed => UNIT,
            _ => 0,
        };
        assert_eq!(before.credited(), held, "{moments}");
        let back = shop.books.done(order.id, OperationKind::Refund).0;
        let is_given = !before.credits.is_empty();
        assert_eq!(back, if is_given { 2 * UNIT - held } else { 0 }, "{moments}");
        assert_eq!(process.level(3).await.allocated, u64::from(held > 0), "{moments}");
        if is_over {
            assert!(moments > 8, "{moments}");
            return;
        }
        moments += 1;
    }
}
