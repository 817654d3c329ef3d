//! Proofs of the quote: the total is the sum of its parts to the minor unit (I8), whichever way
//! the cart came to be what it is.

use proptest::prelude::*;

use super::super::quote::{Adjustment, LINE_TOTAL_MAX, LINES_MAX, PricedLine, Quote};
use super::super::terms::Terms;
use super::*;
use crate::money::AMOUNT_MAX;
use crate::pricing::{ShippingMethod, ShippingRate, TaxRate, TaxTable, TaxZone};

#[test]
fn taxes_are_in_the_price_or_on_top() {
    let check = |channel: &str, currency: &str, country, region, method_id, expected: [i64; 5]| {
        let mut bench = Bench::in_channel(channel, currency);
        bench.stock(1, |_| {});
        bench.stock(2, |sellable| sellable.tax_category = "reduced".into());
        let steps =
            vec![bench.add(1, 2), bench.add(2, 1), ship_to(country, region), method(method_id)];
        bench.change(steps).unwrap();
        assert_eq!(bench.totals(), expected, "{channel} {country} {region:?}");
        let totals = bench.cart.quote().totals();
        assert_eq!((totals.due, totals.gift_cards.amount), (totals.total, 0));
    };
    // 319 of 2,000 at 19 %, 65 of 1,000 at 7 %, 78 of 490 at 19 %.
    check("web", "EUR", "DE", None, "standard", [3_000, 0, 490, 319 + 65 + 78, 3_490]);
    check("web", "EUR", "US", None, "overseas", [3_000, 0, 1_490, 0, 4_490]);
    // New York taxes shipping, California does not; neither knows a reduced rate.
    check("us", "USD", "US", Some("NY"), "us-ground", [3_000, 0, 699, 148, 3_847]);
    check("us", "USD", "US", Some("CA"), "us-ground", [3_000, 0, 699, 145 + 73, 3_917]);
    check("us", "USD", "US", None, "us-air", [3_000, 0, 1_899, 0, 4_899]);
}

#[test]
fn shipping_follows_the_subtotal_and_costs_nothing_for_nothing() {
    let mut bench = Bench::new();
    bench.stock(1, |_| {});
    bench.step(method("standard")).unwrap();
    assert_eq!(bench.totals(), [0; 5], "there is nothing to ship");
    bench.step(bench.add(1, 4)).unwrap();
    assert_eq!(bench.totals()[2], 490);
    bench.step(bench.add(1, 1)).unwrap();
    assert_eq!(bench.totals()[2], 0, "free from 50.00 on");
    bench.step(remove(1)).unwrap();
    assert_eq!(bench.totals(), [0; 5]);
}

#[test]
fn another_place_is_another_tax_on_every_line() {
    let mut bench = Bench::new();
    (1..=3).for_each(|n| bench.stock(n, |_| {}));
    bench.change((1..=3).map(|n| bench.add(n, 1)).collect()).unwrap();
    assert_eq!(bench.totals()[3], 3 * 160);
    bench.step(ship_to("FR", None)).unwrap();
    assert_eq!(bench.totals()[3], 3 * 167);
    bench.step(ship_to("US", None)).unwrap();
    assert_eq!(bench.totals()[3], 0);
}

/// Terms with one country, one shipping method, and taxes of these rates.
fn terms(rate_bp: u32, shipping_rate_bp: u32, shipping: i64, tax_included: bool) -> Terms {
    let mut shop = Shop::sample();
    let country = shop.channels[0].countries[0].clone();
    let currency = workload::currency();
    shop.channels[0].tax_included = tax_included;
    let rate = |category: &str, rate_bp| TaxRate { category: category.into(), rate_bp };
    shop.tax = TaxTable {
        zones: vec![TaxZone {
            id: "one".into(),
            countries: vec![country],
            regions: vec![],
            rates: vec![rate("standard", rate_bp), rate("shipping", shipping_rate_bp)],
        }],
    };
    shop.shipping_methods = vec![ShippingMethod {
        id: "any".into(),
        name: "Any".into(),
        estimate: String::new(),
        channels: vec![],
        countries: vec![],
        rates: vec![ShippingRate { price: Money::new(shipping, currency), min_subtotal: 0 }],
    }];
    let channel = shop.channels[0].id.clone();
    Terms::new(currency, channel, Some(Arc::new(shop)), None)
}

/// The tax as a person would work it out, rounded half up.
fn tax(amount: i128, rate_bp: u32, included: bool) -> i128 {
    let rate = i128::from(rate_bp);
    let whole = if included { 10_000 + rate } else { 10_000 };
    (2 * amount * rate + whole).div_euclid(2 * whole)
}

#[test]
fn the_largest_cart_of_all_can_be_added_up() {
    let terms = terms(10_000, 10_000, LINE_TOTAL_MAX, false);
    let mut quote = Quote::empty(terms.currency);
    let line = PricedLine::new(LINE_TOTAL_MAX, Quantity::ONE, vec![], 10_000, false);
    (0..LINES_MAX).for_each(|_| quote.add(&line));
    quote.settle(&terms, Some("any"));
    let expected = LINE_TOTAL_MAX * 2 * (LINES_MAX as i64 + 1);
    assert_eq!(quote.totals().total.amount, expected);
    assert!(expected <= AMOUNT_MAX);
}

#[test]
fn a_shipping_price_out_of_bounds_is_not_on_offer() {
    for price in [-1, LINE_TOTAL_MAX + 1, AMOUNT_MAX] {
        assert_eq!(terms(0, 0, price, true).shipping_options(0).count(), 0, "{price}");
    }
}

/// Unit price, quantity, discount in percent, and whether it stays in the cart.
type SomeLine = (i64, u32, i64, bool);

fn some_line() -> impl Strategy<Value = SomeLine> {
    let quantity = prop_oneof![1..20u32, Just(99_999u32)];
    quantity.prop_flat_map(|quantity| {
        let largest = LINE_TOTAL_MAX / i64::from(quantity);
        let unit = prop_oneof![0..100_000i64.min(largest), 0..=largest];
        (unit, Just(quantity), 0..=100i64, any::<bool>())
    })
}

proptest! {
    #[test]
    fn i8_the_total_is_the_sum_of_its_parts(
        lines in prop::collection::vec(some_line(), 0..40),
        rate_bp in 0..=10_000u32,
        shipping_rate_bp in 0..=10_000u32,
        shipping in prop::option::of(0..=LINE_TOTAL_MAX),
        included: bool,
    ) {
        let terms = terms(rate_bp, shipping_rate_bp, shipping.unwrap_or(0), included);
        let mut quote = Quote::empty(terms.currency);
        let (mut subtotal, mut discount, mut taxes) = (0i128, 0i128, 0i128);
        let mut stay = 0;
        let mut leaving = Vec::new();
        for (unit, quantity, percent, stays) in lines {
            let line_total = i128::from(unit) * i128::from(quantity);
            let off = line_total * i128::from(percent) / 100;
            let amount = Money::new(-(off as i64), terms.currency);
            let adjustments = vec![Adjustment { label: "off".into(), amount }];
            let quantity = Quantity::new(quantity).unwrap();
            let line = PricedLine::new(unit, quantity, adjustments, rate_bp, included);
            quote.add(&line);
            if stays {
                stay += 1;
                subtotal += line_total;
                discount += off;
                taxes += tax(line_total - off, rate_bp, included);
            } else {
                leaving.push(line);
            }
        }
        leaving.iter().for_each(|line| quote.take(line));
        quote.settle(&terms, shipping.map(|_| "any"));
        let shipping = if stay > 0 { i128::from(shipping.unwrap_or(0)) } else { 0 };
        taxes += tax(shipping, shipping_rate_bp, included);
        let total = subtotal - discount + shipping + if included { 0 } else { taxes };
        let totals = quote.totals();
        let found = [totals.subtotal, totals.discount, totals.shipping, totals.tax, totals.total];
        prop_assert_eq!(
            found.map(|money| i128::from(money.amount)),
            [subtotal, discount, shipping, taxes, total]
        );
        prop_assert!(total <= i128::from(AMOUNT_MAX));
        prop_assert_eq!(totals.due, totals.total);
    }
}
