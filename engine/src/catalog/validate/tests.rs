//! Each rule, by a sound product with one thing spoilt.

use super::*;
use crate::catalog::AttributeValue;
use crate::catalog::testing::{eur, price, product, variant};
use crate::money::{Currency, Money};
use crate::pricing::Price;

fn check(spoil: impl FnOnce(&mut Product), expected: &[(&str, &str)]) {
    let mut product = product();
    spoil(&mut product);
    let problems = product.validate();
    let found: Vec<_> = problems.iter().map(|one| (one.path.as_str(), one.code)).collect();
    assert_eq!(found, expected, "{problems:?}");
}

#[test]
fn a_sound_product_has_no_problems() {
    check(|_| (), &[]);
}

#[test]
fn texts_have_their_lengths_and_no_control_characters() {
    check(|p| p.title = " ".into(), &[("/title", "required")]);
    check(|p| p.title = "x".repeat(256), &[("/title", "too_long")]);
    check(|p| p.title = "ß".repeat(255), &[]);
    check(|p| p.title = "a\u{0}b".into(), &[("/title", "invalid")]);
    check(|p| p.description = "\u{7}".into(), &[("/description", "invalid")]);
    check(|p| p.description = "x".repeat(65_537), &[("/description", "too_long")]);
    check(|p| p.brand = Some(String::new()), &[("/brand", "required")]);
    check(|p| p.external_id = Some(String::new()), &[("/external_id", "required")]);
    check(|p| p.external_id = Some("x".repeat(256)), &[("/external_id", "too_long")]);
    check(|p| p.external_id = Some("a\nb".into()), &[("/external_id", "invalid")]);
    check(|p| p.media[0].alt = "x".repeat(256), &[("/media/0/alt", "too_long")]);
    let spoil = |p: &mut Product| {
        p.translations.values_mut().next().unwrap().title = Some("x".repeat(256));
    };
    check(spoil, &[("/translations/de/title", "too_long")]);
}

#[test]
fn lists_have_their_lengths_and_no_repeats() {
    let web = || "web".parse().unwrap();
    check(|p| p.channels.push(web()), &[("/channels/1", "duplicate")]);
    let clothes = || "clothes".parse().unwrap();
    check(|p| p.collections.push(clothes()), &[("/collections/1", "duplicate")]);
    let colours = |p: &mut Product| p.facets.get_mut("colour").unwrap().push("blue".into());
    check(colours, &[("/facets/colour/2", "duplicate")]);
    let many = |p: &mut Product| {
        p.facets.insert("many".into(), (0..51).map(|n| n.to_string()).collect());
    };
    check(many, &[("/facets/many", "too_many")]);
    let codes = |p: &mut Product| drop(p.facets.insert("a/b".into(), vec!["x".into()]));
    check(codes, &[("/facets/a~1b", "invalid")]);
    check(
        |p| p.media.push(p.media[0].clone()),
        &[("/media/1", "duplicate"), ("/media/1", "duplicate")],
    );
}

#[test]
fn media_lie_in_the_store_or_at_an_address() {
    let at = |key: &'static str| {
        move |p: &mut Product| {
            p.media[0].key = key.into();
            p.variants.iter_mut().for_each(|variant| variant.media.clear());
        }
    };
    check(at("https://example.com/a.png?x=1"), &[]);
    for key in ["", "../a.png", "javascript:alert(1)", "https://", "https://a b", "/etc/passwd"] {
        check(at(key), &[("/media/0/key", "invalid")]);
    }
    let unknown = |p: &mut Product| p.variants[1].media = vec!["back.png".into()];
    check(unknown, &[("/variants/1/media/0", "unknown_reference")]);
}

#[test]
fn variants_are_told_apart_by_sku_and_by_options() {
    let sku = |p: &mut Product| p.variants[1].sku = p.variants[0].sku.clone();
    check(sku, &[("/variants/1/sku", "duplicate")]);
    let id = |p: &mut Product| p.variants[1].id = p.variants[0].id;
    check(id, &[("/variants/1/id", "duplicate")]);
    let options = |p: &mut Product| p.variants[1].options = p.variants[0].options.clone();
    check(options, &[("/variants/1/options", "duplicate")]);
    let value = |p: &mut Product| p.variants[1].options[0].value = "XXL".into();
    check(value, &[("/variants/1/options/0/value", "unknown_reference")]);
    let none = |p: &mut Product| p.variants[1].options.clear();
    check(none, &[("/variants/1/options", "invalid")]);
    let none_each = |p: &mut Product| p.variants[1].stock.max_per_customer = Some(0);
    check(none_each, &[("/variants/1/stock/max_per_customer", "out_of_range")]);
    let other = |p: &mut Product| p.variants[1].options[0].name = "Colour".into();
    check(other, &[("/variants/1/options", "invalid")]);
}

#[test]
fn prices_are_in_range_and_agree_with_themselves() {
    type Spoil = fn(&mut Price);
    let cases: [(Spoil, &str, &str); 7] = [
        (|price| price.amount = eur(-1), "amount", "out_of_range"),
        (|price| price.amount = eur(1 << 53), "amount", "out_of_range"),
        (|price| price.compare_at = Some(eur(-1)), "compare_at", "out_of_range"),
        (|price| price.min_quantity = 0, "min_quantity", "out_of_range"),
        (|price| price.min_quantity = 100_000, "min_quantity", "out_of_range"),
        (|price| price.valid_until = price.valid_from, "valid_until", "out_of_range"),
        (|price| price.customer_group = Some("".into()), "customer_group", "required"),
    ];
    for (spoil, field, code) in cases {
        let path = format!("/variants/0/prices/0/{field}");
        check(|p| spoil(&mut p.variants[0].prices[0]), &[(&path, code)]);
    }
    let usd = Money::new(1, Currency::from_code("USD").unwrap());
    let mixed = |p: &mut Product| p.variants[0].prices[0].compare_at = Some(usd);
    check(mixed, &[("/variants/0/prices/0/compare_at", "invalid")]);
    let twice = |p: &mut Product| p.variants[0].prices.push(price());
    check(twice, &[("/variants/0/prices/1", "duplicate")]);
}

#[test]
fn attributes_are_what_their_types_say() {
    let with = |value: AttributeValue| {
        move |p: &mut Product| drop(p.attributes.insert("since".into(), value))
    };
    let number = |text: &str| AttributeValue::Number { value: text.into(), unit: None };
    for text in ["0", "-12.50", "007"] {
        check(with(number(text)), &[]);
    }
    for text in ["", "1,5", "1e3", ".5", "5.", "--1", "NaN"] {
        check(with(number(text)), &[("/attributes/since", "invalid")]);
    }
    for day in ["2023-02-29", "2024-2-9", "29.02.2024", "2024-02-29T00:00", ""] {
        let value = AttributeValue::Date { value: day.into() };
        check(with(value), &[("/attributes/since", "invalid")]);
    }
    let text = |text: &str| AttributeValue::Text { value: text.into() };
    check(with(text("Oak,\n\toiled")), &[]);
    check(with(text("a\u{0}b")), &[("/attributes/since", "invalid")]);
    let long = AttributeValue::Choice { value: "ß".repeat(4_001) };
    check(with(long), &[("/attributes/since", "too_long")]);
    let list = AttributeValue::List { value: vec![String::new(); 201] };
    check(with(list), &[("/attributes/since", "too_many")]);
}

#[test]
fn a_product_of_problems_is_told_of_so_many_and_no_more() {
    let mut product = product();
    product.variants = (0..1_000).map(|_| variant(1, "XXL")).collect();
    assert_eq!(product.validate().len(), PROBLEMS_MAX);
}
