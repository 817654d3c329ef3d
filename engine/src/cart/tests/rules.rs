//! The cart's rules, a case each.

use std::time::Duration;

use super::*;
use crate::cart::CartRejectionCode as Code;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn create(channel: &str, currency: &str) -> CartAction {
    CartAction::Create {
        currency: Currency::from_code(currency).unwrap(),
        channel: channel.parse().unwrap(),
        locale: "en".parse().unwrap(),
        shop: Arc::new(Shop::sample()),
    }
}

/// A cart with `SKU-1` to `SKU-3` on offer at 10.00 each.
fn bench() -> Bench {
    let mut bench = Bench::new();
    (1..=3).for_each(|n| bench.stock(n, |_| {}));
    bench
}

fn quantities(bench: &Bench) -> Vec<(u32, u32)> {
    bench.cart.lines().map(|line| (line.id().0, line.quantity().get())).collect()
}

#[test]
fn a_cart_is_created_once_and_tells_its_session() {
    let mut bench = Bench::new();
    let told = SessionNews::CartOpened { at: bench.now }.encode();
    let session = crate::session::key(SessionId(7));
    assert_eq!(bench.effects, [Effect { target: session, body: told }]);
    assert_eq!(bench.give(By::Shopper(OWNER), create("web", "EUR")), Ok(0));
    assert_eq!(bench.effects.len(), 1, "a repeat tells nobody anything");
    let again = |bench: &mut Bench, owner, channel: &str, currency: &str| {
        bench.give(By::Shopper(owner), create(channel, currency)).unwrap_err().code
    };
    assert_eq!(again(&mut bench, OWNER, "web", "USD"), Code::CreatedDifferently);
    assert_eq!(again(&mut bench, OWNER, "us", "EUR"), Code::CreatedDifferently);
    assert_eq!(again(&mut bench, STRANGER, "web", "EUR"), Code::NotFound);
}

#[test]
fn a_customers_cart_has_no_session_to_tell() {
    let owner = Owner::Customer(crate::ids::CustomerId(3));
    let command = CartCommand { by: By::Shopper(owner), action: create("web", "EUR") };
    let decision = CartEntity::decide(&CartEntity::initial(1), command, Timestamp(0)).unwrap();
    assert_eq!((decision.events.len(), decision.effects.len()), (1, 0));
}

#[test]
fn only_the_owner_finds_it() {
    let mut bench = bench();
    let steps = vec![bench.add(1, 1)];
    let refused = bench.give(By::Shopper(STRANGER), CartAction::Change(steps.clone()));
    assert_eq!(refused, Err(Code::NotFound.into()));
    let refused = bench.give(By::System, CartAction::Change(steps.clone()));
    assert_eq!(refused, Err(Code::NotFound.into()));
    let refused = bench.give(By::Shopper(OWNER), CartAction::Expire);
    assert_eq!(refused, Err(Code::NotFound.into()));
    assert!(bench.cart.belongs_to(OWNER) && !bench.cart.belongs_to(STRANGER));
    let absent = CartEntity::initial(2);
    assert!(!absent.exists() && !absent.belongs_to(OWNER));
    let command = CartCommand { by: By::Shopper(OWNER), action: CartAction::Change(steps) };
    let refused = CartEntity::decide(&absent, command, bench.now).map(|_| ());
    assert_eq!(refused, Err(Code::NotFound.into()));
}

#[test]
fn the_same_sku_sums_into_its_line_and_names_are_never_reused() {
    let mut bench = bench();
    let steps = vec![bench.add(1, 2), bench.add(2, 1), bench.add(1, 3)];
    assert_eq!(bench.change(steps), Ok(3));
    assert_eq!(quantities(&bench), [(1, 5), (2, 1)]);
    assert_eq!(bench.step(set(1, 0)), Ok(1));
    assert_eq!(bench.step(bench.add(1, 7)), Ok(1));
    assert_eq!(quantities(&bench), [(2, 1), (3, 7)]);
    let steps = vec![remove(3), bench.add(1, 1), bench.add(1, 1)];
    assert_eq!(bench.change(steps), Ok(3));
    assert_eq!(quantities(&bench), [(2, 1), (4, 2)]);
    assert_eq!(bench.cart.skus(), [sku(2), sku(1)]);
}

#[test]
fn a_refused_step_is_named_and_leaves_nothing_behind() {
    let mut bench = bench();
    bench.stock(9, archived);
    bench.step(bench.add(1, 1)).unwrap();
    let before = bench.row();
    let steps = vec![bench.add(2, 1), remove(1), set(1, 5)];
    assert_eq!(bench.change(steps), Err(Code::UnknownLine.at_step(2)));
    let steps = vec![contact("ada@example.com"), bench.add(2, 1), bench.add(9, 1)];
    assert_eq!(bench.change(steps), Err(Code::VariantUnavailable.at_step(2)));
    assert_eq!(bench.row(), before);
    assert_eq!(bench.step(set(77, 0)), Err(Code::UnknownLine));
    assert_eq!(bench.step(remove(77)), Err(Code::UnknownLine));
}

#[test]
fn what_cannot_be_sold_at_all_is_refused() {
    let mut bench = bench();
    let usd = Currency::from_code("USD").unwrap();
    bench.stock(4, |sellable| sellable.prices.prices[0].amount.currency = usd);
    bench.stock(5, |sellable| sellable.channels = vec!["us".parse().unwrap()]);
    bench.stock(6, |sellable| sellable.publish_at = Some(Timestamp::MAX));
    bench.stock(7, at_price(-1));
    bench.stock(8, |sellable| sellable.prices.prices[0].channel = "us".parse().ok());
    bench.stock(9, |sellable| sellable.prices.prices.clear());
    for (n, code) in [
        (4, Code::NoPrice),
        (5, Code::VariantUnavailable),
        (6, Code::VariantUnavailable),
        (7, Code::NoPrice),
        (8, Code::NoPrice),
        (9, Code::NoPrice),
    ] {
        assert_eq!(bench.step(bench.add(n, 1)), Err(code), "{n}");
    }
    bench.stock(1, at_price(0));
    assert_eq!(bench.step(bench.add(1, 1)), Ok(1), "what is free can be had");
}

#[test]
fn too_little_stock_is_a_problem_and_no_refusal() {
    let mut bench = bench();
    bench.stock(1, |sellable| sellable.units = Some(2));
    bench.stock(2, |sellable| sellable.stock.max_per_customer = Some(3));
    bench.change(vec![bench.add(1, 3), bench.add(2, 4)]).unwrap();
    let line = LineId(1);
    let expected = [
        Problem::InsufficientStock { line, requested: 3, available: 2 },
        Problem::QuantityLimit { line: LineId(2), maximum: 3 },
    ];
    assert_eq!(bench.line_problems(), expected);
    bench.change(vec![set(1, 2), set(2, 3)]).unwrap();
    assert_eq!(bench.line_problems(), []);
    bench.stock(1, |sellable| sellable.units = None);
    bench.freshen();
    let expected = [Problem::InsufficientStock { line, requested: 2, available: 0 }];
    assert_eq!(bench.line_problems(), expected, "what was never counted is not there");
}

#[test]
fn quantities_and_lines_have_their_limits() {
    let mut bench = bench();
    assert_eq!(bench.step(bench.add(1, 99_999)), Ok(1));
    assert_eq!(bench.step(bench.add(1, 1)), Err(Code::QuantityLimit));
    assert_eq!(bench.step(set(1, 100_000)), Err(Code::QuantityLimit));
    assert_eq!(bench.step(set(1, u32::MAX)), Err(Code::QuantityLimit));
    assert_eq!(bench.step(set(1, 99_999)), Ok(0));
    (4..=1_003).for_each(|n| bench.stock(n, |_| {}));
    let steps: Vec<_> = (4..=1_002).map(|n| bench.add(n, 1)).collect();
    assert_eq!(bench.change(steps), Ok(999));
    assert_eq!(bench.step(bench.add(1_003, 1)), Err(Code::LineLimit));
    assert_eq!(bench.step(bench.add(4, 1)), Ok(1), "a line that is there may grow");
    assert_eq!(bench.change(vec![remove(1), bench.add(1_003, 1)]), Ok(2));
    assert_eq!(bench.step(bench.add(1, 1)), Err(Code::LineLimit));
}

#[test]
fn when_the_names_of_lines_run_out_no_more_are_added() {
    let mut bench = bench();
    bench.cart.next_line = LineId(u32::MAX - 1);
    assert_eq!(
        bench.change(vec![bench.add(1, 1), bench.add(2, 1)]),
        Err(Code::LineLimit.at_step(1))
    );
    assert_eq!(bench.step(bench.add(1, 1)), Ok(1));
    assert_eq!(bench.step(bench.add(2, 1)), Err(Code::LineLimit));
    assert_eq!(bench.step(bench.add(1, 1)), Ok(1));
}

#[test]
fn a_line_worth_too_much_is_refused_before_a_sum_can_overflow() {
    let mut bench = bench();
    bench.stock(1, at_price(LINE_TOTAL_MAX));
    bench.stock(2, at_price(crate::money::AMOUNT_MAX));
    assert_eq!(bench.step(bench.add(1, 2)), Err(Code::QuantityLimit));
    assert_eq!(bench.step(bench.add(2, 1)), Err(Code::QuantityLimit));
    assert_eq!(bench.step(bench.add(1, 1)), Ok(1));
    assert_eq!(bench.step(set(1, 2)), Err(Code::QuantityLimit));
}

#[test]
fn a_price_that_rises_beyond_all_sums_is_a_problem_and_is_not_charged() {
    let mut bench = bench();
    bench.step(bench.add(1, 1_000)).unwrap();
    bench.stock(1, at_price(LINE_TOTAL_MAX / 500));
    bench.freshen();
    let expected = [Problem::QuantityLimit { line: LineId(1), maximum: 500 }];
    assert_eq!(bench.line_problems(), expected);
    assert_eq!(bench.totals()[0], 1_000 * 1_000);
    assert_eq!(bench.step(CartStep::AcceptPrices), Ok(0));
    assert_eq!(bench.step(set(1, 1_001)), Err(Code::QuantityLimit));
    assert_eq!(bench.step(set(1, 900)), Ok(1), "fewer are welcome");
    bench.stock(1, |sellable| {
        at_price(LINE_TOTAL_MAX / 500)(sellable);
        sellable.stock.max_per_customer = Some(750);
    });
    bench.freshen();
    assert_eq!(bench.line_problems(), expected, "the smaller of two maxima");
    assert_eq!(bench.step(set(1, 500)), Ok(1));
    assert!(matches!(bench.line_problems()[..], [Problem::PriceChanged { .. }]));
}

#[test]
fn a_changed_price_is_shown_and_asked_about_until_accepted() {
    let mut bench = bench();
    bench.change(vec![bench.add(1, 2), bench.add(2, 1)]).unwrap();
    bench.stock(1, at_price(1_100));
    bench.freshen();
    let money = |amount| Money::new(amount, bench.cart.currency());
    let (old_price, new_price) = (money(1_000), money(1_100));
    let changed = Problem::PriceChanged { line: LineId(1), old_price, new_price };
    assert_eq!(bench.line_problems(), [changed]);
    assert_eq!(bench.totals()[0], 2 * 1_100 + 1_000);
    bench.step(set(1, 5)).unwrap();
    assert_eq!(bench.line_problems(), [changed], "another quantity is no consent");
    bench.step(bench.add(1, 1)).unwrap();
    assert_eq!(bench.line_problems(), [changed], "nor are more units");
    assert_eq!(bench.step(CartStep::AcceptPrices), Ok(1));
    assert_eq!(bench.line_problems(), []);
    assert_eq!(bench.step(CartStep::AcceptPrices), Ok(0));
    bench.stock(1, at_price(900));
    bench.freshen();
    assert_eq!(bench.problem_codes()[0], "price_changed");
    bench.stock(1, at_price(1_100));
    bench.freshen();
    assert_eq!(bench.line_problems(), [], "it came back by itself");
}

#[test]
fn a_newer_snapshot_that_comes_with_an_add_is_no_consent_either() {
    let mut bench = bench();
    bench.step(bench.add(1, 2)).unwrap();
    let mut newer = (*bench.catalog[&sku(1)]).clone();
    at_price(1_100)(&mut newer);
    // It reaches the cart with the command, before the cart was priced anew.
    let (shop, generation) = (bench.shop.clone(), bench.generation);
    let sellables = vec![bench.catalog[&sku(1)].clone().into()];
    bench.cart.refresh(shop, generation, sellables, bench.now);
    bench.catalog.insert(sku(1), Arc::new(newer));
    bench.step(bench.add(1, 1)).unwrap();
    assert_eq!(bench.problem_codes()[0], "price_changed");
    assert_eq!(bench.totals()[0], 3 * 1_100);
}

#[test]
fn the_tiers_of_the_newer_snapshot_count() {
    let mut bench = bench();
    bench.stock(1, |sellable| tier(sellable, 3, 900));
    bench.step(bench.add(1, 2)).unwrap();
    let mut newer = (*bench.catalog[&sku(1)]).clone();
    newer.prices.prices.truncate(1);
    bench.catalog.insert(sku(1), Arc::new(newer));
    bench.step(bench.add(1, 1)).unwrap();
    assert_eq!((bench.totals()[0], bench.line_problems()), (3_000, vec![]));
}

#[test]
fn tiers_follow_the_quantity_without_a_question() {
    let mut bench = bench();
    bench.stock(1, |sellable| tier(sellable, 10, 800));
    bench.step(bench.add(1, 9)).unwrap();
    bench.step(bench.add(1, 1)).unwrap();
    assert_eq!((bench.totals()[0], bench.line_problems()), (8_000, vec![]));
    bench.step(set(1, 9)).unwrap();
    assert_eq!((bench.totals()[0], bench.line_problems()), (9_000, vec![]));
}

#[test]
fn prices_are_accepted_within_a_change_too() {
    let mut bench = bench();
    bench.change(vec![bench.add(1, 1), bench.add(2, 1), bench.add(3, 1)]).unwrap();
    (1..=3).for_each(|n| bench.stock(n, at_price(1_500)));
    let steps = vec![set(1, 2), remove(2), CartStep::AcceptPrices, CartStep::AcceptPrices];
    assert_eq!(bench.change(steps), Ok(3));
    assert_eq!(bench.line_problems(), []);
    assert_eq!(quantities(&bench), [(1, 2), (3, 1)]);
}

#[test]
fn a_price_that_starts_or_ends_makes_the_cart_stale() {
    let mut bench = bench();
    let ends = bench.now.plus(DAY);
    bench.stock(1, |sellable| sellable.prices.prices[0].valid_until = Some(ends));
    bench.step(bench.add(1, 1)).unwrap();
    assert!(bench.cart.is_fresh(bench.generation, ends.minus(Duration::from_millis(1))));
    assert!(!bench.cart.is_fresh(bench.generation, ends));
    assert!(!bench.cart.is_fresh(bench.generation + 1, bench.now));
    bench.now = ends;
    bench.freshen();
    assert_eq!(bench.line_problems(), [Problem::VariantUnavailable { line: LineId(1) }]);
    assert_eq!(bench.totals()[0], 1_000, "the last price agreed to still stands there");
}

#[test]
fn what_has_gone_from_the_catalog_stays_in_the_cart_as_a_problem() {
    let mut bench = bench();
    bench.change(vec![bench.add(1, 2), bench.add(2, 1)]).unwrap();
    bench.catalog.remove(&sku(1));
    bench.generation += 1;
    bench.freshen();
    assert_eq!(bench.line_problems(), [Problem::VariantUnavailable { line: LineId(1) }]);
    assert_eq!(bench.totals()[0], 3_000);
    bench.step(set(1, 1)).unwrap();
    assert_eq!(bench.totals()[0], 2_000);
    bench.step(remove(1)).unwrap();
    assert_eq!(bench.line_problems(), []);
}

#[test]
fn what_is_missing_for_a_checkout_is_named() {
    let mut bench = bench();
    let none = "cart_empty contact_missing shipping_address_missing shipping_method_missing";
    assert_eq!(bench.problem_codes().join(" "), none);
    bench.change(vec![bench.add(1, 1), contact("ada@example.com")]).unwrap();
    assert_eq!(bench.problem_codes(), ["shipping_address_missing", "shipping_method_missing"]);
    bench.change(vec![ship_to("DE", None), method("standard")]).unwrap();
    assert_eq!(bench.problem_codes(), [""; 0]);
    assert_eq!(
        bench.cart.shipping_method().map(|it| (it.id, it.price.amount)),
        Some(("standard", 490))
    );
    bench.step(ship_to("US", Some("NY"))).unwrap();
    assert_eq!(bench.problem_codes(), ["shipping_method_unavailable"]);
    assert_eq!((bench.cart.shipping_method(), bench.totals()[2]), (None, 0));
    bench.step(method("overseas")).unwrap();
    assert_eq!(bench.problem_codes(), [""; 0]);
}

#[test]
fn shipping_is_offered_where_it_reaches() {
    let mut bench = bench();
    let ids = |bench: &Bench| -> Vec<String> {
        bench.cart.shipping_options().iter().map(|option| option.id.to_owned()).collect()
    };
    assert_eq!(ids(&bench), ["standard", "express"], "the channel's default country");
    assert_eq!(bench.step(method("overseas")), Err(Code::UnknownShippingMethod));
    assert_eq!(bench.step(method("us-air")), Err(Code::UnknownShippingMethod));
    assert_eq!(bench.step(method("balloon")), Err(Code::UnknownShippingMethod));
    assert_eq!(bench.step(ship_to("JP", None)), Err(Code::UnknownCountry));
    bench.change(vec![ship_to("US", None), method("overseas")]).unwrap();
    assert_eq!(ids(&bench), ["overseas"]);
    let steps = vec![ship_to("DE", None), method("overseas")];
    assert_eq!(bench.change(steps), Err(Code::UnknownShippingMethod.at_step(1)));
    let elsewhere = Addresses::new(&address_form("DE", None), Some(&address_form("JP", None)));
    assert_eq!(bench.step(CartStep::SetAddresses(elsewhere.unwrap())), Ok(1), "bills go anywhere");
}

#[test]
fn what_changes_nothing_leads_to_no_event() {
    let mut bench = bench();
    let all = |bench: &Bench| {
        vec![contact("ada@example.com"), ship_to("DE", None), method("express"), {
            let quantity = bench.cart.lines().map(|line| line.quantity().get()).sum();
            set(1, quantity)
        }]
    };
    bench.step(bench.add(1, 3)).unwrap();
    assert_eq!(bench.change(all(&bench)), Ok(3));
    bench.now = bench.now.plus(DAY);
    let updated_at = bench.cart.updated_at();
    assert_eq!(bench.change(all(&bench)), Ok(0));
    assert_eq!(bench.change(Vec::new()), Ok(0));
    assert_eq!(bench.cart.updated_at(), updated_at);
    let twice = vec![contact("b@example.com"), contact("b@example.com"), method("express")];
    assert_eq!(bench.change(twice), Ok(1));
    let back = vec![contact("c@example.com"), contact("b@example.com")];
    assert_eq!(bench.change(back), Ok(2));
}

#[test]
fn an_idle_cart_expires_and_then_takes_no_more_changes() {
    let mut bench = bench();
    bench.step(bench.add(1, 1)).unwrap();
    bench.effects.clear();
    let first_due = CartEntity::due(&bench.cart).unwrap();
    assert_eq!(first_due, bench.now.plus(CART_TTL));
    assert_eq!(CartEntity::expires(&bench.cart), None, "an open cart never goes by itself");
    bench.now = bench.now.plus(DAY);
    bench.step(bench.add(1, 1)).unwrap();
    bench.now = first_due;
    assert!(CartEntity::timer(&bench.cart, bench.now).is_none(), "it was touched since");
    assert_eq!(bench.give(By::System, CartAction::Expire), Ok(0));
    bench.now = CartEntity::due(&bench.cart).unwrap();
    let command = CartEntity::timer(&bench.cart, bench.now).unwrap();
    assert_eq!(bench.give(command.by, command.action), Ok(1));
    assert_eq!(bench.cart.status(), CartStatus::Expired);
    let session = crate::session::key(SessionId(7));
    assert_eq!(bench.effects, [Effect { target: session, body: SessionNews::CartEnded.encode() }]);
    assert_eq!(bench.step(bench.add(1, 1)), Err(Code::Closed(CartStatus::Expired)));
    assert_eq!(CartEntity::due(&bench.cart), None);
    let expires = CartEntity::expires(&bench.cart);
    assert_eq!(expires, Some(bench.now.plus(30 * DAY)), "counted from when it expired");
    assert_eq!(bench.give(By::System, CartAction::Expire), Ok(0));
    assert_eq!(bench.give(By::Shopper(OWNER), create("web", "EUR")), Ok(0));
}

#[test]
fn a_cart_that_was_never_created_wants_nothing() {
    let absent = CartEntity::initial(5);
    assert_eq!(CartEntity::due(&absent), None);
    assert_eq!(CartEntity::expires(&absent), None);
    assert!(CartEntity::timer(&absent, Timestamp::MAX).is_none());
    let expire = CartCommand { by: By::System, action: CartAction::Expire };
    let refused = CartEntity::decide(&absent, expire, Timestamp::MAX).map(|_| ());
    assert_eq!(refused, Err(Code::NotFound.into()));
    assert!(CartEntity::receive(key(crate::ids::CartId(1)), &[1, 2]).is_err());
}

#[test]
fn every_refusal_has_a_stable_code() {
    let codes = [
        (Code::NotFound, "not_found"),
        (Code::UnknownLine, "not_found"),
        (Code::NoPrice, "no_price"),
        (Code::VariantUnavailable, "variant_unavailable"),
        (Code::QuantityLimit, "quantity_limit"),
        (Code::LineLimit, "line_limit"),
        (Code::UnknownShippingMethod, "unknown_shipping_method"),
        (Code::UnknownCountry, "unknown_country"),
        (Code::Closed(CartStatus::Expired), "cart_expired"),
        (Code::CreatedDifferently, "idempotency_key_reused"),
    ];
    for (code, text) in codes {
        assert_eq!(code.code(), text);
        assert!(!code.detail().is_empty());
    }
}
