//! What becomes of a cart that somebody buys.

use std::time::Duration;

use barrow_actors::checkout::{CheckoutError, Progress};
use barrow_actors::runtime::CommandError;
use barrow_engine::cart::{CartRejectionCode, CartStep, LineId};
use barrow_engine::orders::{FulfilmentProgress, OrderStatus, PaymentProgress};
use barrow_engine::ports::CommerceError;

use super::fuse::Fuse;
use super::shop::{BUYER, Process, Shop, ask};
use crate::support::until;

async fn open_shop() -> (Shop, Process) {
    let shop = Shop::new();
    let process = shop.start().await;
    process.stock(1, 10).await;
    process.stock(2, 10).await;
    (shop, process)
}

fn levels(level: &barrow_engine::inventory::Level) -> (u64, u64, u64) {
    (level.on_hand, level.reserved, level.allocated)
}

#[tokio::test]
async fn a_cart_becomes_an_order_and_its_stock_is_allocated() {
    let (shop, process) = open_shop().await;
    let cart = process.full_cart(1, &[(1, 3), (2, 1)]).await;
    let progress = process.buy(cart, "ok").await.unwrap();
    let Progress::Placed { order, before: false } = progress else { panic!("{progress:?}") };
    assert_eq!(order.status, OrderStatus::Placed);
    assert_eq!(order.payment_progress(), PaymentProgress::Authorized);
    assert_eq!(order.fulfilment_progress(), FulfilmentProgress::Unfulfilled);
    assert_eq!(process.status(cart).await, "ordered");
    assert_eq!(levels(&process.level(1).await), (10, 0, 3));
    assert_eq!(levels(&process.level(2).await), (10, 0, 1));
    assert_eq!(shop.books.held(order.id), order.totals().total);
    let again = process.buy(cart, "declined").await.unwrap();
    assert_eq!(again, Progress::Placed { order, before: true }, "it was bought before");
}

/// A cart knows that it was never tried, which spares the database a question.
#[tokio::test]
async fn only_a_cart_that_was_tried_before_is_looked_for_among_orders() {
    let shop = Shop::new();
    let fuse = Fuse::new(usize::MAX);
    let process = shop.start_until(&fuse).await;
    process.stock(1, 10).await;
    let cart = process.full_cart(1, &[(1, 3)]).await;
    fuse.hide_orders();
    let progress = process.buy(cart, "ok").await;
    assert!(matches!(progress, Ok(Progress::Placed { before: false, .. })), "{progress:?}");
    let again = process.buy(cart, "ok").await;
    assert!(matches!(again, Err(CheckoutError::Store(CommerceError::Unavailable(_)))), "{again:?}");
}

#[tokio::test]
async fn who_is_declined_can_pay_otherwise() {
    let (shop, process) = open_shop().await;
    let cart = process.full_cart(1, &[(1, 3)]).await;
    let declined = process.buy(cart, "declined").await.unwrap();
    let Progress::Declined { order, code, before: false } = declined else {
        panic!("{declined:?}")
    };
    assert_eq!(code, "card_declined");
    assert_eq!(process.status(cart).await, "open");
    assert_eq!(levels(&process.level(1).await), (10, 0, 0), "what was reserved is released");
    process.change(cart, vec![CartStep::SetQuantity { line: LineId(1), quantity: 2 }]).await;
    let placed = process.buy(cart, "ok").await.unwrap();
    let Progress::Placed { order: placed, .. } = placed else { panic!("{placed:?}") };
    assert_eq!((placed.id, placed.lines[0].quantity), (order.id, 2), "one order for ever");
    assert_eq!(levels(&process.level(1).await), (10, 0, 2));
    assert_eq!(shop.books.held(order.id), placed.totals().total);
}

#[tokio::test]
async fn an_answer_that_was_lost_is_found_out_by_the_cart_itself() {
    let (shop, process) = open_shop().await;
    let cart = process.full_cart(1, &[(1, 3)]).await;
    let pending = process.buy(cart, "ambiguous").await.unwrap();
    let Progress::Pending(order) = pending else { panic!("{pending:?}") };
    assert_eq!(process.status(cart).await, "checking_out");
    assert_eq!(levels(&process.level(1).await), (10, 3, 0));
    shop.wait(Duration::from_secs(2));
    until("the order is placed", async || process.status(cart).await == "ordered").await;
    assert_eq!(levels(&process.level(1).await), (10, 0, 3));
    assert_eq!(shop.books.authorizations(order.id), 1);
    assert_eq!(shop.books.held(order.id), order.totals().total);
}

#[tokio::test]
async fn a_buyer_who_is_elsewhere_keeps_the_stock_and_may_come_back_or_not() {
    let (shop, process) = open_shop().await;
    let cart = process.full_cart(1, &[(1, 3)]).await;
    let pending = process.buy(cart, "redirect").await.unwrap();
    let Progress::Pending(order) = pending else { panic!("{pending:?}") };
    let url = order.payments[0].redirect.clone().unwrap();
    assert!(url.starts_with("http://shop/pay/ord_"), "{url}");
    assert_eq!(levels(&process.level(1).await), (10, 3, 0));
    shop.wait(Duration::from_secs(30 * 60));
    until("the cart is open again", async || process.status(cart).await == "open").await;
    until("nothing is reserved", async || process.level(1).await.reserved == 0).await;
    assert_eq!(shop.books.held(order.id), 0);
}

#[tokio::test]
async fn a_checkout_that_is_given_up_opens_the_cart() {
    let (shop, process) = open_shop().await;
    let cart = process.full_cart(1, &[(1, 3)]).await;
    let pending = process.buy(cart, "ambiguous").await.unwrap();
    let Progress::Pending(order) = pending else { panic!("{pending:?}") };
    process.checkouts.give_up(cart, BUYER).await.unwrap();
    assert_eq!(process.status(cart).await, "open");
    let kept = process.level(1).await.reserved;
    assert_eq!(kept, 3, "what may turn out to be paid is kept");
    let busy = process.buy(cart, "ok").await.unwrap_err();
    assert!(matches!(busy, CheckoutError::Order(_)), "{busy:?}");
    assert_eq!(process.status(cart).await, "open");
    shop.wait(Duration::from_secs(2));
    until("the money has gone back", async || shop.books.held(order.id) == 0).await;
    until("nothing is reserved", async || process.level(1).await.reserved == 0).await;
    let placed = process.buy(cart, "ok").await.unwrap();
    assert!(matches!(placed, Progress::Placed { before: false, .. }), "{placed:?}");
    assert_eq!(shop.books.held(order.id), order.totals().total);
}

#[tokio::test]
async fn too_little_stock_is_told_and_nothing_is_kept() {
    let (shop, process) = open_shop().await;
    let cart = process.full_cart(1, &[(1, 11), (2, 1)]).await;
    let short = process.buy(cart, "ok").await.unwrap();
    let Progress::Short(shortages) = short else { panic!("{short:?}") };
    assert_eq!((shortages.len(), shortages[0].requested, shortages[0].available), (1, 11, 10));
    assert_eq!(process.status(cart).await, "open");
    assert_eq!(levels(&process.level(2).await), (10, 0, 0));
    assert_eq!(shop.books.authorizations(process.order(cart).await.unwrap().id), 0);
}

/// As clicks on a button that is slow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_that_meets_a_shortage_is_told_of_it() {
    let (_shop, process) = open_shop().await;
    let mut carts = Vec::new();
    for id in 1..=12 {
        carts.push(process.full_cart(id, &[(1, 3)]).await);
    }
    // Some have an order of an earlier try.
    for cart in &carts[..6] {
        let declined = process.buy(*cart, "declined").await.unwrap();
        assert!(matches!(declined, Progress::Declined { .. }), "{declined:?}");
    }
    for cart in &carts {
        process.change(*cart, vec![CartStep::SetQuantity { line: LineId(1), quantity: 11 }]).await;
    }
    for _ in 0..3 {
        let clicks = carts.iter().flat_map(|cart| std::iter::repeat_n(cart, 4));
        let clicks = clicks.map(|cart| process.buy(*cart, "ok"));
        for told in futures::future::join_all(clicks).await {
            let told = told.unwrap();
            let Progress::Short(shortages) = told else { panic!("{told:?}") };
            let missing = shortages.iter().map(|one| (one.line, one.requested, one.available));
            assert_eq!(missing.collect::<Vec<_>>(), [(LineId(1), 11, 10)]);
        }
    }
    assert_eq!(levels(&process.level(1).await), (10, 0, 0));
}

#[tokio::test]
async fn nobody_pays_another_total_or_at_an_unknown_gateway() {
    let (_shop, process) = open_shop().await;
    let cart = process.full_cart(1, &[(1, 1)]).await;
    let refused = process.checkouts.checkout(cart, BUYER, ask("ok", 1)).await.unwrap_err();
    let CheckoutError::Cart(CommandError::Rejected(why)) = refused else { panic!("{refused:?}") };
    assert_eq!(why.code, CartRejectionCode::TotalChanged);
    let unknown = process.buy(cart, "gold").await.unwrap_err();
    assert!(matches!(unknown, CheckoutError::UnknownPayment));
    assert_eq!(process.status(cart).await, "open");
    assert_eq!(process.order(cart).await, None);
}

/// As clicks on a button that is slow: one order, one payment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i9_checkouts_sent_many_times_at_once_are_one_order_each() {
    let (shop, process) = open_shop().await;
    process.stock(3, 100).await;
    let mut carts = Vec::new();
    for id in 1..=12 {
        carts.push(process.full_cart(id, &[(3, 2)]).await);
    }
    let clicks = carts.iter().enumerate().flat_map(|(place, cart)| {
        let process = &process;
        (0..1 + place % 5).map(move |_| process.buy(*cart, "ok"))
    });
    for progress in futures::future::join_all(clicks).await {
        let progress = progress.unwrap();
        assert!(matches!(progress, Progress::Placed { .. }), "{progress:?}");
    }
    let mut numbers = std::collections::BTreeSet::new();
    for cart in &carts {
        let order = process.order(*cart).await.unwrap();
        assert_eq!(shop.books.authorizations(order.id), 1);
        assert_eq!(shop.books.held(order.id), order.totals().total);
        numbers.insert(order.number.unwrap());
    }
    assert_eq!(numbers.len(), carts.len());
    assert_eq!(levels(&process.level(3).await), (100, 0, 24));
}

/// A flash sale: whoever comes too late is told at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i7_the_last_units_are_sold_once() {
    let (shop, process) = open_shop().await;
    process.stock(4, 5).await;
    let mut carts = Vec::new();
    for id in 1..=20 {
        carts.push(process.full_cart(id, &[(4, 1)]).await);
    }
    let all = futures::future::join_all(carts.iter().map(|cart| process.buy(*cart, "ok"))).await;
    let placed = all.iter().filter(|one| matches!(one, Ok(Progress::Placed { .. }))).count();
    let short = all.iter().filter(|one| matches!(one, Ok(Progress::Short(_)))).count();
    assert_eq!((placed, short), (5, 15), "{all:?}");
    assert_eq!(levels(&process.level(4).await), (5, 0, 5));
    let mut held = 0;
    for cart in &carts {
        held += shop.books.held(barrow_engine::cart::order_of(*cart));
    }
    let order = all.iter().find_map(|one| match one {
        Ok(Progress::Placed { order, .. }) => Some(order.totals().total),
        _ => None,
    });
    assert_eq!(held, 5 * order.unwrap());
}

/// What is let go late, of a try that has ended, is not what the next try has reserved.
#[tokio::test]
async fn the_end_of_one_try_takes_nothing_from_the_next() {
    let (_shop, process) = open_shop().await;
    let cart = process.full_cart(1, &[(1, 3)]).await;
    let declined = process.buy(cart, "declined").await.unwrap();
    let Progress::Declined { order, .. } = declined else { panic!("{declined:?}") };
    let pending = process.buy(cart, "redirect").await.unwrap();
    assert!(matches!(pending, Progress::Pending(_)), "{pending:?}");
    // Somebody who saw the first try end, and was held up.
    process.ledger.release(order.id).await.unwrap();
    assert_eq!(process.level(1).await.reserved, 3, "it is the next try's");
}
