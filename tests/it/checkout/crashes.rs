//! A process that ends at any step of a checkout: the next one brings it to an end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use barrow_engine::cart::order_of;
use barrow_engine::orders::OrderStatus;

use super::fuse::Fuse;
use super::shop::Shop;
use crate::support::until;

/// More moments than any checkout has.
const MOMENTS_MAX: usize = 60;

/// How many crash at a time: most of it is waiting.
const LANES: usize = 8;

pub fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().expect("a runtime")
}

/// Buys a cart in a process that ends at that moment, and looks at what the next one makes of it;
/// whether the checkout had come to an end before.
fn crash_at(moment: usize, method: &'static str) -> bool {
    let shop = Shop::new();
    let first = runtime();
    let (cart, is_over) = first.block_on(async {
        let fuse = Fuse::new(moment);
        let process = shop.start_until(&fuse).await;
        process.stock(1, 10).await;
        let cart = process.full_cart(1, &[(1, 3)]).await;
        let is_over = tokio::select! {
            _ = process.buy(cart, method) => true,
            () = fuse.blown() => false,
        };
        (cart, is_over)
    });
    first.shutdown_background();
    runtime().block_on(async {
        let process = shop.start().await;
        // Whoever bought it has gone; so has whoever might have come back from elsewhere.
        until("the checkout has come to an end", async || {
            shop.wait(Duration::from_secs(31));
            process.status(cart).await != "checking_out"
        })
        .await;
        let status = process.status(cart).await;
        let order = process.order(cart).await;
        let total = order.as_ref().map_or(0, |order| order.totals().total);
        match status.as_str() {
            "ordered" => {
                let order = order.expect("it was ordered");
                assert_eq!(order.status, OrderStatus::Placed, "{moment} {method}");
                assert_eq!(shop.books.held(order.id), total, "{moment} {method}");
                let level = process.level(1).await;
                assert_eq!((level.reserved, level.allocated), (0, 3), "{moment} {method}");
            }
            "open" => {
                until("nothing is held or reserved", async || {
                    shop.wait(Duration::from_secs(31));
                    shop.books.held(order_of(cart)) == 0 && process.level(1).await.promised() == 0
                })
                .await;
            }
            other => panic!("{moment} {method}: {other}"),
        }
        assert!(shop.books.authorizations(order_of(cart)) <= 1, "{moment} {method}");
    });
    is_over
}

/// Crashes at one moment after the other, until there are no more.
fn crash_everywhere(method: &'static str) -> usize {
    let (next, over) = (AtomicUsize::new(0), AtomicUsize::new(MOMENTS_MAX));
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                loop {
                    let moment = next.fetch_add(1, Ordering::SeqCst);
                    if moment >= over.load(Ordering::SeqCst) {
                        return;
                    }
                    if crash_at(moment, method) {
                        over.fetch_min(moment, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    over.into_inner()
}

#[test]
fn a_crash_anywhere_in_a_checkout_ends_in_an_order_or_an_open_cart() {
    for (method, moments_min) in [("ok", 10), ("declined", 10), ("ambiguous", 8)] {
        let moments = crash_everywhere(method);
        assert!((moments_min..MOMENTS_MAX).contains(&moments), "{method}: {moments}");
    }
}
