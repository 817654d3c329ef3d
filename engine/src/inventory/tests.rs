//! Promises of stock, one by one and in whatever order.

use proptest::prelude::*;

use super::*;
use crate::catalog::{Location, Sku};
use crate::ids::{MovementId, OrderId};
use crate::orders::Order;
use crate::orders::StockChange;
use crate::orders::tests::{draft, line, new_order};
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// When reservations run out.
const SOON: Timestamp = Timestamp(NOW.0 + 60_000);

fn sku() -> Sku {
    "SKU-1".parse().unwrap()
}

fn at(location: &str) -> Location {
    location.parse().unwrap()
}

fn draft_of(id: u128, location: &str, quantity: i64) -> MovementDraft {
    MovementDraft {
        id: MovementId(id),
        sku: sku(),
        location: at(location),
        quantity,
        reason: "counted".into(),
        actor: "staff".into(),
        order: None,
        at: NOW,
    }
}

fn wish(order: u128, quantity: u32) -> Wish {
    Wish { order: OrderId(order), quantity, expires_at: SOON }
}

/// A ledger with so many units at each location.
fn stocked(levels: &[(&str, i64)]) -> Ledger {
    let mut ledger = Ledger::default();
    for (location, quantity) in levels {
        ledger.book(draft_of(1, location, *quantity)).unwrap();
    }
    ledger
}

fn level(ledger: &Ledger, location: &str) -> (u64, u64, u64) {
    let level = ledger.levels().find(|level| level.location == at(location)).unwrap();
    (level.on_hand, level.reserved, level.allocated)
}

/// An order of one line of that many units.
fn order(id: u128, quantity: u32) -> Order {
    Order { id: OrderId(id), lines: vec![line(1, quantity, 100, 0, 0)], ..draft() }
}

fn change(ledger: &mut Ledger, order: &Order, change: StockChange) -> Result<(), StockRefusal> {
    ledger.change(order, &[change], ("staff", NOW))
}

#[test]
fn units_are_promised_until_there_are_none() {
    let mut ledger = stocked(&[("default", 5)]);
    let held = ledger.reserve(&sku(), Some(0), &[wish(1, 3), wish(2, 3), wish(3, 2)]);
    assert_eq!(held, [Held::All, Held::Short { available: 2 }, Held::All]);
    assert_eq!(level(&ledger, "default"), (5, 5, 0));
}

#[test]
fn asking_again_is_one_reservation_and_fewer_or_more_replace_it() {
    let mut ledger = stocked(&[("default", 5)]);
    let mut check = |quantity, expected, reserved| {
        assert_eq!(ledger.reserve(&sku(), Some(0), &[wish(1, quantity)]), [expected]);
        assert_eq!(level(&ledger, "default").1, reserved);
    };
    check(3, Held::All, 3);
    check(3, Held::All, 3);
    check(5, Held::All, 5);
    check(6, Held::Short { available: 5 }, 5);
    check(1, Held::All, 1);
}

#[test]
fn units_of_several_locations_are_promised_the_default_one_first() {
    let mut ledger = stocked(&[("berlin", 2), ("default", 1), ("aachen", 4)]);
    assert_eq!(ledger.reserve(&sku(), Some(0), &[wish(1, 6)]), [Held::All]);
    let reserved = ["default", "aachen", "berlin"].map(|location| level(&ledger, location).1);
    assert_eq!(reserved, [1, 4, 1]);
    ledger.release(OrderId(1));
    assert_eq!(level(&ledger, "aachen"), (4, 0, 0));
}

#[test]
fn what_may_be_sold_before_it_comes_is_so_far() {
    let mut ledger = stocked(&[("default", 2)]);
    let held = ledger.reserve(&sku(), Some(3), &[wish(1, 4), wish(2, 2), wish(3, 1)]);
    assert_eq!(held, [Held::All, Held::Short { available: 1 }, Held::All]);
    assert_eq!(ledger.reserve(&sku(), None, &[wish(4, 99_999)]), [Held::All]);
    // A stricter policy takes nothing back.
    let held = ledger.reserve(&sku(), Some(0), &[wish(5, 1)]);
    assert_eq!(held, [Held::Short { available: 0 }]);
    assert!(ledger.levels().all(Level::is_sound));
}

#[test]
fn reservations_run_out_and_allocations_do_not() {
    let mut ledger = stocked(&[("default", 5)]);
    ledger.reserve(&sku(), Some(0), &[wish(1, 2), wish(2, 3)]);
    change(&mut ledger, &order(1, 2), StockChange::Allocate).unwrap();
    ledger.expire(Timestamp(SOON.0 - 1));
    assert_eq!(level(&ledger, "default"), (5, 3, 2));
    ledger.expire(SOON);
    assert_eq!(level(&ledger, "default"), (5, 0, 2));
    let gone = StockRefusal::ReservationGone { sku: sku() };
    assert_eq!(change(&mut ledger, &order(2, 3), StockChange::Allocate), Err(gone.clone()));
    assert_eq!(change(&mut ledger, &order(1, 3), StockChange::Allocate), Err(gone));
    ledger.release(OrderId(1));
    assert_eq!(ledger.reserve(&sku(), Some(0), &[wish(1, 1)]), [Held::All]);
    assert_eq!(level(&ledger, "default"), (5, 0, 2), "what is allocated stays");
}

#[test]
fn what_has_run_out_is_not_allocated_even_while_it_stands_there() {
    let mut ledger = stocked(&[("default", 5)]);
    ledger.reserve(&sku(), Some(0), &[wish(1, 2)]);
    let mut at = |now| {
        let mut tried = ledger.clone();
        let outcome = tried.change(&order(1, 2), &[StockChange::Allocate], ("system", now));
        outcome.map(|()| ledger = tried)
    };
    assert_eq!(at(SOON), Err(StockRefusal::ReservationGone { sku: sku() }));
    assert_eq!(at(Timestamp(SOON.0 - 1)), Ok(()));
    assert_eq!(at(SOON), Ok(()), "what is the order's own does not run out");
    assert_eq!(level(&ledger, "default"), (5, 0, 2));
}

#[test]
fn what_is_kept_lasts_longer_and_the_rest_is_let_go() {
    let other = || "SKU-2".parse::<Sku>().unwrap();
    let mut ledger = stocked(&[("default", 2), ("shop", 3)]);
    ledger.book(MovementDraft { sku: other(), ..draft_of(2, "default", 4) }).unwrap();
    ledger.reserve(&sku(), Some(0), &[wish(1, 4), wish(2, 1)]);
    ledger.reserve(&other(), Some(0), &[wish(1, 1)]);
    let later = Timestamp(SOON.0 + 1);
    let keep = [(sku(), 3), ("SKU-3".parse().unwrap(), 9)].into();
    let kept = ledger.keep(OrderId(1), &keep, later);
    assert_eq!(kept, Kept { held: [(sku(), 3)].into(), freed: [sku(), other()].into() });
    ledger.expire(SOON);
    assert_eq!((level(&ledger, "default"), level(&ledger, "shop")), ((2, 2, 0), (3, 1, 0)));
    // Renewed alone: no level is written.
    let before = ledger.into_changes();
    let mut again = Ledger::new(before.levels, before.claims);
    assert_eq!(again.keep(OrderId(1), &keep, SOON).freed, [].into());
    let changes = again.into_changes();
    assert_eq!((changes.levels.len(), changes.claims.len(), changes.released.len()), (0, 2, 0));
    assert!(changes.claims.iter().all(|claim| claim.expires_at == Some(SOON)));
}

#[test]
fn what_is_allocated_is_not_kept_for_a_while() {
    let mut ledger = stocked(&[("default", 5)]);
    ledger.reserve(&sku(), Some(0), &[wish(1, 2)]);
    change(&mut ledger, &order(1, 2), StockChange::Allocate).unwrap();
    assert_eq!(ledger.keep(OrderId(1), &[].into(), SOON), Kept::default());
    ledger.expire(SOON);
    assert_eq!(level(&ledger, "default"), (5, 0, 2));
}

#[test]
fn a_count_of_nothing_makes_a_level_and_no_line() {
    let mut ledger = stocked(&[]);
    let counted = draft_of(1, "default", 0);
    assert_eq!(ledger.book(counted.clone()), Ok(Movement { draft: counted, level: 0 }));
    let changes = ledger.into_changes();
    assert_eq!(changes.levels, [Level::empty(sku(), at("default"))]);
    assert_eq!(changes.movements, []);
}

#[test]
fn an_orders_units_leave_come_back_and_are_let_go() {
    let mut ledger = stocked(&[("default", 3), ("shop", 2)]);
    let order = order(1, 4);
    ledger.reserve(&sku(), Some(0), &[wish(1, 4)]);
    change(&mut ledger, &order, StockChange::Allocate).unwrap();
    let mut check = |step, default, shop| {
        change(&mut ledger, &order, step).unwrap();
        assert_eq!((level(&ledger, "default"), level(&ledger, "shop")), (default, shop));
    };
    let quantity = |quantity| (sku(), quantity);
    let (sku_3, three) = quantity(3);
    check(StockChange::Ship { sku: sku_3, quantity: three }, (0, 0, 0), (2, 0, 1));
    check(StockChange::Unship { sku: sku(), quantity: 2 }, (2, 0, 2), (2, 0, 1));
    check(StockChange::Release { sku: sku(), quantity: 3 }, (2, 0, 0), (2, 0, 0));
    let location = Some(at("shop"));
    check(StockChange::Restock { sku: sku(), location, quantity: 1 }, (2, 0, 0), (3, 0, 0));
    let refused = change(&mut ledger, &order, StockChange::Ship { sku: sku(), quantity: 1 });
    assert_eq!(refused, Err(StockRefusal::NotAllocated { sku: sku(), allocated: 0 }));
    let moved: i64 =
        ledger.into_changes().movements.iter().map(|movement| movement.draft.quantity).sum();
    assert_eq!(moved, 5, "the ledger sums to what is on hand");
}

#[test]
fn nothing_goes_that_is_promised_or_not_there() {
    let mut ledger = stocked(&[("default", 5)]);
    ledger.reserve(&sku(), Some(0), &[wish(1, 4)]);
    let below =
        |available| Err(StockRefusal::BelowZero { sku: sku(), location: at("default"), available });
    assert_eq!(ledger.book(draft_of(2, "default", -2)), below(1));
    let draft = draft_of(2, "default", -1);
    assert_eq!(ledger.book(draft.clone()), Ok(Movement { draft, level: 4 }));
    assert_eq!(ledger.book(draft_of(3, "default", i64::MIN)), below(0));
    let full = StockRefusal::TooMany { sku: sku(), location: at("default") };
    assert_eq!(ledger.book(draft_of(4, "default", i64::MAX)), Err(full));
}

#[test]
fn what_is_written_is_what_has_changed() {
    let mut ledger = stocked(&[("default", 5), ("shop", 1)]);
    ledger.reserve(&sku(), Some(0), &[wish(1, 2), wish(2, 1)]);
    let written = ledger.into_changes();
    let mut again = Ledger::new(written.levels.clone(), written.claims.clone());
    again.release(OrderId(1));
    let changes = again.into_changes();
    assert_eq!(changes.levels.len(), 1);
    assert_eq!((changes.levels[0].reserved, changes.claims.len()), (1, 0));
    assert_eq!(changes.released, [(OrderId(1), sku(), at("default"))]);
}

#[derive(Debug, Clone)]
enum Step {
    Book(&'static str, i64),
    Reserve { order: u128, quantity: u32, allowance: Option<u64>, ttl: i64 },
    Release(u128),
    Keep { order: u128, quantity: u64, ttl: i64 },
    Expire(i64),
    Allocate { order: u128, quantity: u32 },
    Change(u128, StockChange),
}

fn step() -> impl Strategy<Value = Step> {
    let order = || 0_u128..4;
    let allowance = prop_oneof![Just(Some(0)), Just(Some(3)), Just(None)];
    let location = || prop_oneof![Just("default"), Just("shop")];
    let units = || 1_u32..5;
    let of_order = prop_oneof![
        units().prop_map(|quantity| StockChange::Ship { sku: sku(), quantity }),
        units().prop_map(|quantity| StockChange::Unship { sku: sku(), quantity }),
        units().prop_map(|quantity| StockChange::Release { sku: sku(), quantity }),
        (location(), units()).prop_map(|(location, quantity)| {
            StockChange::Restock { sku: sku(), location: Some(at(location)), quantity }
        }),
    ];
    prop_oneof![
        2 => (location(), -5_i64..8).prop_map(|(location, units)| Step::Book(location, units)),
        5 => (order(), units(), allowance, 0_i64..10).prop_map(
            |(order, quantity, allowance, ttl)| Step::Reserve { order, quantity, allowance, ttl }
        ),
        1 => order().prop_map(Step::Release),
        2 => (order(), 0_u64..6, 0_i64..10)
            .prop_map(|(order, quantity, ttl)| Step::Keep { order, quantity, ttl }),
        1 => (0_i64..10).prop_map(Step::Expire),
        3 => (order(), units()).prop_map(|(order, quantity)| Step::Allocate { order, quantity }),
        4 => (order(), of_order).prop_map(|(order, change)| Step::Change(order, change)),
    ]
}

fn run(ledger: &mut Ledger, step: Step) -> Result<(), StockRefusal> {
    match step {
        Step::Book(location, quantity) => ledger.book(draft_of(9, location, quantity)).map(drop),
        Step::Reserve { order, quantity, allowance, ttl } => {
            let wish = Wish { expires_at: Timestamp(NOW.0 + ttl), ..wish(order, quantity) };
            ledger.reserve(&sku(), allowance, &[wish]);
            Ok(())
        }
        Step::Release(order) => {
            ledger.release(OrderId(order));
            Ok(())
        }
        Step::Keep { order, quantity, ttl } => {
            let keep = [(sku(), quantity)].into();
            ledger.keep(OrderId(order), &keep, Timestamp(NOW.0 + ttl));
            Ok(())
        }
        Step::Expire(now) => {
            ledger.expire(Timestamp(NOW.0 + now));
            Ok(())
        }
        Step::Allocate { order: id, quantity } => {
            change(ledger, &order(id, quantity), StockChange::Allocate)
        }
        Step::Change(id, of_order) => change(ledger, &order(id, 1), of_order),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn i7_no_more_is_promised_than_there_is_and_movements_sum_to_the_level(
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut ledger = Ledger::default();
        for step in steps {
            // A transaction that is refused leaves nothing behind.
            let mut tried = ledger.clone();
            if run(&mut tried, step).is_ok() {
                ledger = tried;
            }
            prop_assert!(ledger.levels().all(Level::is_sound), "{:?}", ledger);
            let changes = ledger.clone().into_changes();
            for level in ledger.levels() {
                let here = changes.claims.iter().filter(|one| one.location == level.location);
                let (allocated, reserved): (Vec<_>, Vec<_>) =
                    here.partition(|claim| claim.is_allocated());
                let sum = |claims: Vec<&Claim>| -> u64 {
                    claims.iter().map(|claim| claim.quantity).sum()
                };
                prop_assert_eq!(level.reserved, sum(reserved));
                prop_assert_eq!(level.allocated, sum(allocated));
                let moved = changes.movements.iter().filter(|movement| {
                    movement.draft.location == level.location
                });
                let on_hand: i64 = moved.map(|movement| movement.draft.quantity).sum();
                prop_assert_eq!(level.on_hand as i64, on_hand);
            }
            let empty = changes.claims.iter().find(|claim| claim.quantity == 0);
            prop_assert_eq!(empty, None);
        }
    }
}

#[test]
fn of_an_order_only_what_stock_is_kept_of_is_allocated() {
    let untracked = crate::orders::OrderLine { tracked: false, ..line(1, 2, 100, 0, 0) };
    let order = Order::draft(new_order(vec![untracked], 0, true), NOW);
    assert_eq!(change(&mut Ledger::default(), &order, StockChange::Allocate), Ok(()));
}
