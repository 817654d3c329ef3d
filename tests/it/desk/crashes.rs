//! A process that ends at any step of a command: the next one brings it to an end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use barrow_engine::cart::LineId;
use barrow_engine::ids::OrderId;
use barrow_engine::orders::{OperationKind, OrderCommand, OrderStatus, ReturnedLine};

use super::*;
use crate::checkout::fuse::Fuse;
use crate::support::until;

/// More moments than any command has.
const MOMENTS_MAX: usize = 40;

/// How many crash at a time: most of it is waiting.
const LANES: usize = 8;

/// What is asked when the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Cancel,
    CancelCaptured,
    Capture,
    Refund,
    ReceiveReturn,
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().expect("a runtime")
}

/// Brings an order to where the command is asked.
async fn prepared(process: &Process, asked: Asked) -> Order {
    let (order, desk) = (place(process).await, process.desk());
    match asked {
        Asked::Cancel | Asked::Capture => order,
        Asked::CancelCaptured | Asked::Refund => done(&desk, &order, capture()).await,
        Asked::ReceiveReturn => {
            done(&desk, &order, fulfil(&[(1, 3), (2, 1)])).await;
            let wished = done(&desk, &order, wish(1, 2)).await;
            let id = wished.returns[0].id;
            done(&desk, &order, OrderCommand::ApproveReturn { id }).await
        }
    }
}

fn command(order: &Order, asked: Asked) -> OrderCommand {
    match asked {
        Asked::Cancel | Asked::CancelCaptured => cancel(),
        Asked::Capture => capture(),
        Asked::Refund => refund(300),
        Asked::ReceiveReturn => {
            let line = ReturnedLine { line: LineId(1), quantity: 2, restock: true, location: None };
            OrderCommand::ReceiveReturn {
                id: order.returns[0].id,
                lines: vec![line],
                for_exchange: false,
            }
        }
    }
}

/// Sends the command in a process that ends at that moment, and again, under its key, in the next
/// one, as its client would; whether the first had come to an end.
fn crash_at(moment: usize, asked: Asked) -> bool {
    let shop = Shop::new();
    let order = runtime().block_on(async { prepared(&shop.start().await, asked).await });
    let send = async |desk: &Orders| {
        let terms = key("crash-0123456789", "");
        desk.execute(order.id, command(&order, asked), staff(), terms).await
    };
    let first = runtime();
    let is_over = first.block_on(async {
        let fuse = Fuse::new(moment);
        let desk = shop.start_until(&fuse).await.desk();
        tokio::select! {
            done = send(&desk) => done.is_ok_and(|done| done.order.is_settled()),
            () = fuse.blown() => false,
        }
    });
    first.shutdown_background();
    runtime().block_on(async {
        let process = shop.start().await;
        let desk = process.desk();
        send(&desk).await.expect("it is allowed, or was done");
        until("the order is settled", async || {
            shop.wait(Duration::from_secs(61));
            process.order(order.cart).await.unwrap().is_settled()
        })
        .await;
        check(&shop, &process, &order, asked).await;
    });
    is_over
}

/// It was done once, and the books say the same as the order.
async fn check(shop: &Shop, process: &Process, before: &Order, asked: Asked) {
    let order = process.order(before.cart).await.unwrap();
    let (books, id, total) = (&shop.books, order.id, order.totals().total);
    let done = |kind| books.done(id, kind);
    let level = process.level(1).await;
    let units = (level.on_hand, level.reserved, level.allocated);
    match asked {
        Asked::Cancel => {
            assert_eq!((order.status, books.held(id)), (OrderStatus::Cancelled, 0));
            assert_eq!((done(OperationKind::Void), units), ((total, 1), (10, 0, 0)));
        }
        Asked::CancelCaptured => {
            assert_eq!((order.status, books.taken(id)), (OrderStatus::Cancelled, 0));
            assert_eq!((done(OperationKind::Refund), units), ((total, 1), (10, 0, 0)));
        }
        Asked::Capture => {
            assert_eq!((done(OperationKind::Capture), units), ((total, 1), (10, 0, 3)));
        }
        Asked::Refund => {
            assert_eq!((done(OperationKind::Refund), order.refunds.len()), ((300, 1), 1));
        }
        Asked::ReceiveReturn => {
            let back = order.refunds[0].amount;
            assert_eq!((done(OperationKind::Refund), order.refunds.len()), ((back, 1), 1));
            assert_eq!(units, (9, 0, 0));
        }
    }
    check_books(shop, id, &order);
}

fn check_books(shop: &Shop, id: OrderId, order: &Order) {
    let refunded: i64 = order.payments.iter().map(|payment| payment.refunded()).sum();
    assert_eq!(shop.books.taken(id), order.captured() - refunded);
    assert_eq!(shop.books.authorizations(id), 1);
}

/// Crashes at one moment after the other, until there are no more.
fn crash_everywhere(asked: Asked) -> usize {
    let (next, over) = (AtomicUsize::new(0), AtomicUsize::new(MOMENTS_MAX));
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                loop {
                    let moment = next.fetch_add(1, Ordering::SeqCst);
                    if moment >= over.load(Ordering::SeqCst) {
                        return;
                    }
                    if crash_at(moment, asked) {
                        over.fetch_min(moment, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    over.into_inner()
}

fn check_everywhere(asked: Asked) {
    // The write of the command, the gateway, the write of its answer: two moments each.
    let moments = crash_everywhere(asked);
    assert!((6..MOMENTS_MAX).contains(&moments), "{asked:?}: {moments}");
}

#[test]
fn a_crash_anywhere_in_a_cancellation_leaves_nothing_held() {
    check_everywhere(Asked::Cancel);
    check_everywhere(Asked::CancelCaptured);
}

#[test]
fn a_crash_anywhere_in_a_capture_takes_once() {
    check_everywhere(Asked::Capture);
}

#[test]
fn a_crash_anywhere_in_a_refund_pays_back_once() {
    check_everywhere(Asked::Refund);
}

#[test]
fn a_crash_anywhere_in_a_return_books_and_pays_back_once() {
    check_everywhere(Asked::ReceiveReturn);
}
