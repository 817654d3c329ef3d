//! Carts that hold what is in them, on the real carts and a real SQLite: with crashes at every
//! step, and with everybody wanting the last ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use barrow_actors::carts::{CartError, CartReply, CommandOptions, HoldState, Shape};
use barrow_actors::checkout::Progress;
use barrow_actors::runtime::{CommandError, IdempotencyKey};
use barrow_actors::stock::sweep;
use barrow_engine::cart::{
    By, CartAction, CartCommand, CartRejectionCode, CartStep, LineId, workload,
};
use barrow_engine::ids::CartId;
use barrow_engine::ports::Clock;
use barrow_engine::quantity::Quantity;
use barrow_tests::simulation::shelf::UNIT;
use proptest::prelude::*;

use super::crashes::runtime;
use super::fuse::Fuse;
use super::shop::{BUYER, Process, Shop};
use crate::support::until;

const TTL: Duration = Duration::from_secs(900);

/// More moments than a change has.
const MOMENTS_MAX: usize = 30;

fn add(index: u32, quantity: u32) -> CartStep {
    let quantity = Quantity::new(quantity).expect("a quantity");
    CartStep::AddLine { sellable: Arc::new(workload::sellable(index, UNIT)), quantity }
}

fn set(line: u32, quantity: u32) -> CartStep {
    CartStep::SetQuantity { line: LineId(line), quantity }
}

async fn shop_with(units: i64) -> (Shop, Process) {
    let shop = Shop::holding(TTL);
    let process = shop.start().await;
    process.stock(1, units).await;
    process.stock(2, units).await;
    (shop, process)
}

async fn send(
    process: &Process,
    cart: CartId,
    steps: Vec<CartStep>,
    key: Option<&str>,
) -> Result<CartReply, CartError> {
    let command = CartCommand { by: By::Shopper(BUYER), action: CartAction::Change(steps) };
    let key = key.map(|key| IdempotencyKey::new(key.as_bytes(), b"the same"));
    let options = CommandOptions { key, expected_version: None, shape: Shape::Minimal };
    process.carts.execute(cart, command, options).await
}

/// How many the cart could have had.
async fn refused(process: &Process, cart: CartId, steps: Vec<CartStep>) -> u64 {
    match send(process, cart, steps, None).await {
        Err(CommandError::Rejected(rejection)) => match rejection.code {
            CartRejectionCode::InsufficientStock { available, .. } => available,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?} is more than there is"),
    }
}

async fn reserved(process: &Process, index: u32) -> u64 {
    process.level(index).await.reserved
}

/// Units of a SKU in a cart, and whether it takes them for its own now.
async fn in_cart(shop: &Shop, process: &Process, cart: CartId) -> (u64, bool) {
    let seen = process.cart(cart).await;
    let lines = seen["lines"].as_array().expect("lines").iter();
    let units = lines.filter_map(|line| line["quantity"].as_u64()).sum();
    let state = process.carts.hold(cart, BUYER).await.expect("the cart is there");
    (units, matches!(state, HoldState::Until(until) if shop.clock.now() < until))
}

#[tokio::test]
async fn units_are_held_as_they_come_and_given_back_as_they_go() {
    let (_shop, process) = shop_with(10).await;
    let cart = process.full_cart(1, &[(1, 3), (2, 1)]).await;
    let levels = async || (reserved(&process, 1).await, reserved(&process, 2).await);
    assert_eq!(levels().await, (3, 1));
    process.change(cart, vec![add(1, 2)]).await;
    assert_eq!(levels().await, (5, 1), "what sums with its line is held with it");
    process.change(cart, vec![set(1, 4)]).await;
    assert_eq!(levels().await, (4, 1), "fewer give units back at once");
    assert_eq!(refused(&process, cart, vec![set(1, 11)]).await, 10);
    assert_eq!(refused(&process, cart, vec![set(1, 1), add(2, 10)]).await, 10);
    assert_eq!(levels().await, (4, 1), "what is refused changes nothing");
    process.change(cart, vec![set(1, 1), add(2, 9)]).await;
    assert_eq!(levels().await, (1, 10));
    process.change(cart, vec![CartStep::RemoveLine { line: LineId(2) }]).await;
    assert_eq!(levels().await, (1, 0));
    let unknown = send(&process, cart, vec![add(2, 5), set(77, 1)], None).await;
    assert!(matches!(unknown, Err(CommandError::Rejected(_))), "{unknown:?}");
    assert_eq!(levels().await, (1, 0), "reserved in vain it is let go");
    process.change(cart, vec![set(1, 0)]).await;
    assert_eq!(levels().await, (0, 0));
    assert_eq!(process.carts.hold(cart, BUYER).await.unwrap(), HoldState::None);
}

#[tokio::test]
async fn every_change_renews_a_hold_and_the_next_one_takes_it_up_again() {
    let (shop, process) = shop_with(3).await;
    sweep(&process.ledger, shop.clock.clone());
    let cart = process.full_cart(1, &[(1, 2), (2, 3)]).await;
    for _ in 0..3 {
        shop.wait(TTL - Duration::from_secs(1));
        let renewed = shop.clock.now().plus(TTL);
        process.change(cart, vec![CartStep::AcceptPrices]).await;
        assert_eq!((reserved(&process, 1).await, reserved(&process, 2).await), (2, 3));
        let state = process.carts.hold(cart, BUYER).await.unwrap();
        assert!(matches!(state, HoldState::Until(until) if until >= renewed), "{state:?}");
    }
    shop.wait(TTL);
    until("both have run out", async || {
        (reserved(&process, 1).await, reserved(&process, 2).await) == (0, 0)
    })
    .await;
    assert!(!in_cart(&shop, &process, cart).await.1);
    let other = process.full_cart(2, &[(1, 2)]).await;
    // The first keeps its lines, and holds what it can: all of one SKU, none of the other.
    process.change(cart, vec![CartStep::AcceptPrices]).await;
    assert_eq!((reserved(&process, 1).await, reserved(&process, 2).await), (2, 3));
    assert_eq!(refused(&process, cart, vec![add(1, 1)]).await, 1);
    process.change(other, vec![set(1, 0)]).await;
    process.change(cart, vec![add(1, 1)]).await;
    assert_eq!((reserved(&process, 1).await, reserved(&process, 2).await), (3, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_customers_who_want_the_last_unit_one_has_it_to_the_end() {
    for round in 0..10_u128 {
        let (_shop, process) = shop_with(1).await;
        let carts = [process.full_cart(round + 1, &[]).await, process.full_cart(99, &[]).await];
        let wants = carts.map(|cart| send(&process, cart, vec![add(1, 1)], None));
        let had = futures::future::join_all(wants).await;
        let winners: Vec<CartId> =
            carts.into_iter().zip(&had).filter(|(_, had)| had.is_ok()).map(|it| it.0).collect();
        assert_eq!(winners.len(), 1, "{had:?}");
        let loser = carts.into_iter().find(|cart| *cart != winners[0]).expect("two carts");
        let (bought, ()) = tokio::join!(process.buy(winners[0], "ok"), async {
            for _ in 0..20 {
                refused(&process, loser, vec![add(1, 1)]).await;
            }
        });
        assert!(matches!(bought, Ok(Progress::Placed { .. })), "{bought:?}");
        let level = process.level(1).await;
        assert_eq!((level.on_hand, level.reserved, level.allocated), (1, 0, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_clicks_at_once_as_many_count_as_there_are_units() {
    let (shop, process) = shop_with(5).await;
    let cart = process.full_cart(1, &[]).await;
    let clicks = (0..20).map(|_| send(&process, cart, vec![add(1, 1)], None));
    let counted = futures::future::join_all(clicks).await.iter().filter(|it| it.is_ok()).count();
    assert_eq!(counted, 5);
    assert_eq!(in_cart(&shop, &process, cart).await, (5, true));
    assert_eq!(reserved(&process, 1).await, 5);
}

#[tokio::test]
async fn a_repeat_of_the_click_for_the_last_unit_is_no_refusal() {
    let (shop, process) = shop_with(1).await;
    let cart = process.full_cart(1, &[]).await;
    let key = Some("the-last-one-of-all");
    let first = send(&process, cart, vec![add(1, 1)], key).await.unwrap();
    assert_eq!(first.replayed, None);
    let again = send(&process, cart, vec![add(1, 1)], key).await.unwrap();
    assert_eq!(again.replayed, Some(first.version));
    assert_eq!((in_cart(&shop, &process, cart).await, reserved(&process, 1).await), ((1, true), 1));
    // Of something that there is more of, it holds no more for having been asked twice.
    let (key, more) = (Some("one-of-three-of-these"), Shop::holding(TTL));
    let process = more.start().await;
    process.stock(1, 3).await;
    let cart = process.full_cart(1, &[]).await;
    for _ in 0..3 {
        send(&process, cart, vec![add(1, 1)], key).await.unwrap();
        assert_eq!(reserved(&process, 1).await, 1);
    }
}

#[tokio::test]
async fn a_hold_that_runs_out_while_it_is_bought_is_the_orders_by_then() {
    let (shop, process) = shop_with(3).await;
    sweep(&process.ledger, shop.clock.clone());
    let cart = process.full_cart(1, &[(1, 3)]).await;
    shop.wait(TTL - Duration::from_secs(1));
    let pending = process.buy(cart, "redirect").await.unwrap();
    assert!(matches!(pending, Progress::Pending(_)), "{pending:?}");
    assert_eq!(process.carts.hold(cart, BUYER).await.unwrap(), HoldState::CheckingOut);
    shop.wait(Duration::from_secs(2));
    let other = process.full_cart(2, &[]).await;
    for _ in 0..5 {
        assert_eq!(refused(&process, other, vec![add(1, 1)]).await, 0);
    }
    process.checkouts.give_up(cart, BUYER).await.unwrap();
    assert_eq!(process.status(cart).await, "open");
    assert_eq!(process.carts.hold(cart, BUYER).await.unwrap(), HoldState::None);
    until("all is let go", async || reserved(&process, 1).await == 0).await;
    process.change(other, vec![add(1, 1)]).await;
    assert_eq!(refused(&process, cart, vec![set(1, 4)]).await, 2);
}

#[tokio::test]
async fn who_is_declined_and_goes_on_at_once_keeps_the_new_hold() {
    let (shop, process) = shop_with(3).await;
    let cart = process.full_cart(1, &[(1, 3)]).await;
    let pending = process.buy(cart, "ambiguous").await.unwrap();
    assert!(matches!(pending, Progress::Pending(_)), "{pending:?}");
    process.checkouts.give_up(cart, BUYER).await.unwrap();
    // The payment may still turn out to be made, and is let go when that is known.
    process.change(cart, vec![set(1, 2)]).await;
    assert_eq!(reserved(&process, 1).await, 2);
    let desk = process.desk();
    shop.wait(Duration::from_secs(31));
    until("the payment is let go", async || {
        shop.wait(Duration::from_secs(1));
        shop.books.held(barrow_engine::cart::order_of(cart)) == 0
    })
    .await;
    assert_eq!((in_cart(&shop, &process, cart).await, reserved(&process, 1).await), ((2, true), 2));
    drop(desk);
    let bought = process.buy(cart, "ok").await.unwrap();
    assert!(matches!(bought, Progress::Placed { .. }), "{bought:?}");
    assert_eq!(process.level(1).await.allocated, 2);
}

#[tokio::test]
async fn what_has_run_out_is_held_again_by_the_checkout_if_it_is_there() {
    let (shop, process) = shop_with(3).await;
    sweep(&process.ledger, shop.clock.clone());
    let cart = process.full_cart(1, &[(1, 3)]).await;
    shop.wait(TTL);
    until("it has run out", async || reserved(&process, 1).await == 0).await;
    let other = process.full_cart(2, &[(1, 1)]).await;
    let short = process.buy(cart, "ok").await;
    // This shelf has no end: that there is too little, the ledger alone knows.
    let Ok(Progress::Short(shortages)) = short else { panic!("{short:?}") };
    assert_eq!((shortages[0].requested, shortages[0].available), (3, 2));
    process.change(other, vec![set(1, 0)]).await;
    let bought = process.buy(cart, "ok").await.unwrap();
    assert!(matches!(bought, Progress::Placed { .. }), "{bought:?}");
}

/// Changes a cart in a process that ends at that moment, and looks at what the next one finds;
/// whether the change had come to an end before.
fn crash_at(moment: usize) -> bool {
    let shop = Shop::holding(TTL);
    let cart = CartId(1);
    let before = runtime();
    before.block_on(async {
        let process = shop.start().await;
        process.stock(1, 6).await;
        process.stock(2, 6).await;
        process.full_cart(cart.0, &[(1, 2)]).await;
    });
    before.shutdown_background();
    let first = runtime();
    let is_over = first.block_on(async {
        let fuse = Fuse::new(moment);
        let process = shop.start_until(&fuse).await;
        let steps = vec![vec![add(2, 3)], vec![add(1, 2)], vec![set(1, 1)], vec![set(2, 0)]];
        tokio::select! {
            () = async { for step in steps { process.change(cart, step).await; } } => true,
            () = fuse.blown() => false,
        }
    });
    first.shutdown_background();
    runtime().block_on(async {
        let process = shop.start().await;
        let (units, is_held) = in_cart(&shop, &process, cart).await;
        let all = async || reserved(&process, 1).await + reserved(&process, 2).await;
        assert!(is_held && all().await >= units, "{moment}: {} of {units}", all().await);
        process.change(cart, vec![CartStep::AcceptPrices]).await;
        assert_eq!(all().await, units, "{moment}: the next change puts it right");
        sweep(&process.ledger, shop.clock.clone());
        shop.wait(TTL);
        until("all of it runs out", async || all().await == 0).await;
        assert_eq!(in_cart(&shop, &process, cart).await, (units, false), "{moment}");
    });
    is_over
}

#[test]
fn a_crash_between_hold_and_command_leaves_nothing_that_does_not_run_out() {
    let next = AtomicUsize::new(0);
    let over = AtomicUsize::new(MOMENTS_MAX);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let moment = next.fetch_add(1, Ordering::SeqCst);
                    if moment >= over.load(Ordering::SeqCst) {
                        return;
                    }
                    if crash_at(moment) {
                        over.fetch_min(moment, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let moments = over.into_inner();
    assert!((8..MOMENTS_MAX).contains(&moments), "{moments}");
}

#[derive(Debug, Clone)]
enum Turn {
    Add { cart: u128, index: u32, quantity: u32 },
    Set { cart: u128, line: u32, quantity: u32 },
    Buy(u128),
    Wait(u64),
}

fn turn() -> impl Strategy<Value = Turn> {
    let cart = || 1..4_u128;
    prop_oneof![
        4 => (cart(), 1..3_u32, 1..4_u32)
            .prop_map(|(cart, index, quantity)| Turn::Add { cart, index, quantity }),
        4 => (cart(), 1..4_u32, 0..4_u32)
            .prop_map(|(cart, line, quantity)| Turn::Set { cart, line, quantity }),
        1 => cart().prop_map(Turn::Buy),
        2 => (0..1_000_u64).prop_map(Turn::Wait),
    ]
}

async fn take(shop: &Shop, process: &Process, turn: Turn) {
    match turn {
        Turn::Add { cart, index, quantity } => {
            drop(send(process, CartId(cart), vec![add(index, quantity)], None).await);
        }
        Turn::Set { cart, line, quantity } => {
            drop(send(process, CartId(cart), vec![set(line, quantity)], None).await);
        }
        Turn::Buy(cart) => drop(process.buy(CartId(cart), "declined").await),
        Turn::Wait(seconds) => {
            shop.wait(Duration::from_secs(seconds));
            let now = shop.clock.now();
            while !process.ledger.expire(now, 100).await.expect("they run out").is_empty() {}
        }
    }
}

/// What all carts hold is what is reserved, to the unit.
async fn check(shop: &Shop, process: &Process) {
    let mut held = [0, 0];
    for cart in 1..4 {
        let holdable = process.carts.held(CartId(cart), BUYER).await.expect("it is there");
        held[0] += holdable.get(&super::shop::sku_of(1)).copied().unwrap_or(0);
        held[1] += holdable.get(&super::shop::sku_of(2)).copied().unwrap_or(0);
    }
    let reserved = [reserved(process, 1).await, reserved(process, 2).await];
    assert_eq!(reserved, held, "at {:?}", shop.clock.now());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::support::times(24, 500) as u32))]

    #[test]
    fn whatever_is_clicked_what_carts_hold_is_reserved_and_no_more(
        turns in prop::collection::vec(turn(), 1..25),
    ) {
        runtime().block_on(async {
            let shop = Shop::holding(TTL);
            let process = shop.start().await;
            process.stock(1, 5).await;
            process.stock(2, 5).await;
            for cart in 1..4 {
                process.full_cart(cart, &[]).await;
            }
            for turn in turns {
                take(&shop, &process, turn).await;
                check(&shop, &process).await;
            }
        });
    }
}
