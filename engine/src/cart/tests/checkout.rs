//! Freezing a cart to be bought, and what becomes of it.

use super::*;

/// A cart that nothing keeps from being bought: two units of one SKU.
pub(super) fn ready() -> Bench {
    let mut bench = Bench::new();
    bench.stock(1, |_| {});
    let add = bench.add(1, 2);
    bench.change(vec![add, contact("ada@example.com"), ship_to("DE", None)]).unwrap();
    bench.step(method("standard")).unwrap();
    bench
}

pub(super) fn total(bench: &Bench) -> Money {
    bench.cart.quote().totals().total
}

pub(super) fn freeze(bench: &mut Bench, total: Money) -> Result<usize, CartRejectionCode> {
    let action = CartAction::Freeze { expected_total: total };
    bench.give(By::Shopper(OWNER), action).map_err(|rejection| rejection.code)
}

fn by_system(bench: &mut Bench, action: CartAction) -> usize {
    bench.give(By::System, action).unwrap()
}

#[test]
fn a_cart_is_frozen_for_what_the_shopper_agreed_to() {
    let mut bench = ready();
    let agreed = total(&bench);
    let less = Money::new(agreed.amount - 1, agreed.currency);
    assert_eq!(freeze(&mut bench, less), Err(CartRejectionCode::TotalChanged));
    let dollars = Money::new(agreed.amount, Currency::from_code("USD").unwrap());
    assert_eq!(freeze(&mut bench, dollars), Err(CartRejectionCode::TotalChanged));
    bench.effects.clear();
    assert_eq!(freeze(&mut bench, agreed), Ok(1));
    assert_eq!(bench.cart.status(), CartStatus::CheckingOut);
    let news = &bench.effects[0];
    assert_eq!(news.target, EntityKey::new(EntityKind::Checkout, bench.cart.order_id().0));
    assert_eq!(CheckoutNews::decode(&news.body), Ok(CheckoutNews { freeze: 1 }));
    assert_eq!(freeze(&mut bench, agreed), Ok(0), "asked again it is frozen already");
    let in_progress = CartRejectionCode::Closed(CartStatus::CheckingOut);
    assert_eq!(freeze(&mut bench, less), Err(in_progress));
    assert_eq!(bench.step(set(1, 3)), Err(in_progress));
    assert_eq!(in_progress.code(), "checkout_in_progress");
}

#[test]
fn a_cart_with_problems_is_not_frozen() {
    let mut bench = ready();
    bench.stock(1, |sellable| sellable.units = Some(1));
    bench.freshen();
    let agreed = total(&bench);
    assert_eq!(freeze(&mut bench, agreed), Err(CartRejectionCode::NotReady));
    let mut empty = Bench::new();
    let nothing = total(&empty);
    assert_eq!(freeze(&mut empty, nothing), Err(CartRejectionCode::NotReady));
}

#[test]
fn only_the_try_that_was_given_up_is_unfrozen() {
    let mut bench = ready();
    let agreed = total(&bench);
    freeze(&mut bench, agreed).unwrap();
    assert_eq!(by_system(&mut bench, CartAction::Unfreeze { freeze: 1 }), 1);
    assert_eq!(by_system(&mut bench, CartAction::Unfreeze { freeze: 1 }), 0);
    assert_eq!(bench.step(set(1, 1)), Ok(1));
    let agreed = total(&bench);
    freeze(&mut bench, agreed).unwrap();
    assert_eq!(by_system(&mut bench, CartAction::Unfreeze { freeze: 1 }), 0);
    assert_eq!(bench.cart.status(), CartStatus::CheckingOut);
    assert_eq!(by_system(&mut bench, CartAction::Unfreeze { freeze: 2 }), 1);
}

#[test]
fn what_was_bought_stays_and_its_session_is_told() {
    let mut bench = ready();
    let agreed = total(&bench);
    freeze(&mut bench, agreed).unwrap();
    bench.effects.clear();
    assert_eq!(by_system(&mut bench, CartAction::MarkOrdered), 1);
    assert_eq!(bench.effects, Vec::from_iter(SessionNews::CartEnded.to(OWNER)));
    assert_eq!(by_system(&mut bench, CartAction::MarkOrdered), 0);
    assert_eq!(by_system(&mut bench, CartAction::Unfreeze { freeze: 1 }), 0);
    let ordered = CartRejectionCode::Closed(CartStatus::Ordered);
    assert_eq!(bench.step(set(1, 3)), Err(ordered));
    assert_eq!(freeze(&mut bench, agreed), Err(ordered));
    assert_eq!((ordered.code(), bench.cart.lines().len()), ("cart_ordered", 1));
}

#[test]
fn no_time_unfreezes_a_cart_or_ends_it() {
    let mut bench = ready();
    let agreed = total(&bench);
    freeze(&mut bench, agreed).unwrap();
    assert_eq!(CartEntity::due(&bench.cart), None);
    assert!(CartEntity::timer(&bench.cart, Timestamp::MAX).is_none());
    assert_eq!(CartEntity::expires(&bench.cart), None);
    bench.now = bench.now.plus(CART_TTL);
    assert_eq!(by_system(&mut bench, CartAction::Expire), 0);
}

#[test]
fn a_shopper_gives_none_of_the_houses_commands() {
    let mut bench = ready();
    for action in [CartAction::MarkOrdered, CartAction::Unfreeze { freeze: 1 }] {
        let refused = bench.give(By::Shopper(OWNER), action).map_err(|rejection| rejection.code);
        assert_eq!(refused, Err(CartRejectionCode::NotFound));
    }
    let expected_total = total(&bench);
    for by in [By::System, By::Shopper(STRANGER)] {
        let refused = bench.give(by, CartAction::Freeze { expected_total });
        assert_eq!(refused.map_err(|rejection| rejection.code), Err(CartRejectionCode::NotFound));
    }
}

#[test]
fn the_order_of_a_frozen_cart_costs_what_the_cart_costs() {
    for (channel, currency, country, way) in
        [("web", "EUR", "DE", "standard"), ("us", "USD", "US", "us-ground")]
    {
        let mut bench = Bench::in_channel(channel, currency);
        bench.stock(1, |_| {});
        bench.stock(2, |sellable| sellable.stock.track = false);
        let steps = vec![
            bench.add(1, 3),
            bench.add(2, 1),
            contact("ada@example.com"),
            ship_to(country, Some("NY")),
            method(way),
        ];
        bench.change(steps).unwrap();
        assert_eq!(bench.cart.to_order(7), None, "it is not frozen");
        let agreed = total(&bench);
        freeze(&mut bench, agreed).unwrap();
        let new = bench.cart.to_order(7).unwrap();
        assert_eq!((new.id, new.cart_version), (order_of(bench.cart.id()), 7));
        assert_eq!(new.lines.iter().map(|line| line.tracked).collect::<Vec<_>>(), [true, false]);
        let order = crate::orders::Order::draft(new, bench.now);
        let (ours, totals) = (order.totals(), bench.cart.quote().totals());
        assert_eq!(
            [ours.subtotal, ours.discount, ours.shipping, ours.tax, ours.total],
            [totals.subtotal, totals.discount, totals.shipping, totals.tax, totals.total]
                .map(|money| money.amount)
        );
    }
}

#[test]
fn a_price_that_changed_before_the_order_was_opened_is_not_charged() {
    let mut bench = ready();
    let agreed = total(&bench);
    freeze(&mut bench, agreed).unwrap();
    bench.stock(1, |sellable| sellable.prices.prices[0].amount.amount += 1);
    bench.freshen();
    assert_eq!(bench.cart.to_order(7), None);
}
