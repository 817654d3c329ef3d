//! Any sound catalog survives its export: read back it changes nothing, and in another shop it
//! is the same.

use std::collections::BTreeMap;

use barrow_engine::catalog::{
    AttributeValue, Oversell, ProductOption, SelectedOption, Seo, Sku, Slug,
};
use barrow_engine::money::{Currency, Money};
use barrow_engine::time::Timestamp;
use barrow_feeds::export::ExportFormat;
use barrow_feeds::import::import;
use barrow_feeds::record::{
    CollectionRef, Field, MapChange, PriceChange, PriceRecord, ProductRecord, Record, Row,
    SlugSource, TranslationRecord, VariantRecord,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::csv::exported;
use crate::shop::{Ignore, Shop, options};

/// Text that troubles tables: formulas, quotes, delimiters, escapes, line ends, other scripts.
fn prose() -> impl Strategy<Value = String> {
    "[=+@'\"|;,\\\\ aZ0ßé茶\n\r\t-]{0,12}"
}

/// The same without what a name may not hold.
fn label() -> impl Strategy<Value = String> {
    "[=+@'\"|;,\\\\:aZ0ßé茶-][=+@'\"|;,\\\\ :aZ0ßé茶-]{0,8}[aZ0ßé茶]"
}

fn attribute() -> impl Strategy<Value = AttributeValue> {
    prop_oneof![
        prose().prop_map(|value| AttributeValue::Text { value }),
        "(text:|number:|list:)x".prop_map(|value| AttributeValue::Text { value }),
        ("-?[0-9]{1,9}(\\.[0-9]{1,4})?", prop::option::of(label()))
            .prop_map(|(value, unit)| AttributeValue::Number { value, unit }),
        any::<bool>().prop_map(|value| AttributeValue::Boolean { value }),
        Just(AttributeValue::Date { value: "2026-11-22".into() }),
        label().prop_map(|value| AttributeValue::Choice { value }),
        prop::collection::vec(label(), 0..3).prop_map(|value| AttributeValue::List { value }),
    ]
}

fn prices(tiers: bool) -> impl Strategy<Value = Vec<PriceRecord>> {
    let codes = prop::sample::subsequence(vec!["EUR", "USD", "JPY", "KWD"], 0..=4);
    (codes, 0..10_000_000i64, any::<bool>()).prop_map(move |(codes, amount, compare)| {
        let mut prices = Vec::new();
        for code in codes {
            let currency = Currency::from_code(code).unwrap();
            let compare_at = compare.then(|| Money::new(amount + 1, currency));
            let plain = PriceRecord::plain(Money::new(amount, currency));
            prices.push(PriceRecord { compare_at, ..plain.clone() });
            if tiers {
                let valid_until = compare.then_some(Timestamp(1_900_000_000_000));
                prices.push(PriceRecord { min_quantity: 10, valid_until, ..plain });
            }
        }
        prices
    })
}

/// A product with `index` in its names; `full` has what a table cannot hold, too.
fn product(index: usize, full: bool) -> impl Strategy<Value = ProductRecord> {
    let texts = (label(), prose(), prop::option::of(label()), prop::option::of(label()));
    let maps = (
        prop::collection::btree_map(
            "[a-z]{1,3}",
            prop::collection::vec("[a|\\\\=z]{1,4}z", 1..3),
            0..3,
        ),
        prop::collection::btree_map("[a-z]{1,3}", attribute(), 0..4),
        prop::collection::btree_map("(de|pt-BR|fr)", (prop::option::of(label()), prose()), 0..3),
        prop::collection::vec("[a-c]{1,2}", 0..3),
    );
    let sizes = prop::collection::btree_set(label(), 0..4);
    let variants = prop::collection::vec((prices(full), prop::option::of(0..9u32), 0..3usize), 4);
    (texts, maps, sizes, variants, label()).prop_map(move |(texts, maps, sizes, variants, name)| {
        let slug = Slug::new(&format!("product-{index}")).unwrap();
        let mut record = ProductRecord::new(SlugSource::Given(slug));
        let (title, description, brand, external_id) = texts;
        record.title = Field::Set(title);
        record.description = Field::Set(description);
        record.brand = Field::Set(brand);
        record.external_id = external_id.map(|id| format!("{id}{index}"));
        let (mut facets, attributes, translations, collections) = maps;
        facets.values_mut().for_each(|values| values.dedup());
        record.facets = MapChange::all(facets);
        record.attributes = MapChange::all(attributes);
        let translations: BTreeMap<_, _> = translations
            .into_iter()
            .map(|(locale, (title, description))| {
                let description = (!description.is_empty()).then_some(description);
                let translated = TranslationRecord {
                    title: Field::Set(title),
                    description: Field::Set(description),
                    slug: Field::Keep,
                };
                (locale.parse().unwrap(), translated)
            })
            .collect();
        record.translations = MapChange::all(translations);
        let mut slugs: Vec<Slug> = collections.iter().map(|c| Slug::new(c).unwrap()).collect();
        slugs.sort();
        slugs.dedup();
        record.collections = Field::Set(slugs.into_iter().map(CollectionRef::of_slug).collect());
        if full {
            record.seo = Field::Set(Seo { title: Some(name.clone()), description: None });
            record.featured = Field::Set(Some(7));
        }
        let values: Vec<String> = sizes.into_iter().collect();
        record.options = Field::Set(match values.is_empty() {
            true => vec![],
            false => vec![ProductOption { name: name.clone(), values: values.clone() }],
        });
        let said = variants.into_iter().take(values.len().max(1)).enumerate();
        record.variants = said
            .map(|(place, said)| variant(index, place, said, &name, values.get(place), full))
            .collect();
        record
    })
}

fn variant(
    index: usize,
    place: usize,
    (prices, on_hand, oversell): (Vec<PriceRecord>, Option<u32>, usize),
    option: &str,
    value: Option<&String>,
    full: bool,
) -> VariantRecord {
    let sku = Sku::new(&format!("=SKU|{index}/{place}")).unwrap();
    let mut variant = VariantRecord::new(sku);
    variant.prices = PriceChange::All(prices);
    variant.on_hand = on_hand;
    let oversells = [Oversell::Deny, Oversell::Backorder, Oversell::Preorder];
    variant.stock.oversell = Field::Set(oversells[oversell]);
    let selected =
        value.map(|value| SelectedOption { name: option.to_owned(), value: value.clone() });
    variant.options = Field::Set(selected.into_iter().collect());
    if full {
        let value = AttributeValue::Boolean { value: true };
        variant.attributes = MapChange::all([("x".to_owned(), value)].into());
    }
    variant
}

/// A dozen products at once: what costs time is the shop, not the product.
fn catalog(full: bool) -> impl Strategy<Value = Vec<ProductRecord>> {
    (0..12).map(|index| product(index, full)).collect::<Vec<_>>()
}

async fn survives(records: Vec<ProductRecord>, format: ExportFormat, name: &str) {
    let shop = Shop::new().await;
    let made = "made".into();
    let rows: Vec<Row> = records
        .into_iter()
        .zip(1..)
        .map(|(record, number)| Row::made(&made, number, Record::Product(Box::new(record))))
        .collect();
    let count = rows.len() as u64;
    let mut ignore = Ignore;
    let made = import(rows.into_iter(), shop.stores.clone(), options(), &mut ignore).await.unwrap();
    assert_eq!(made.created, count);
    let before = shop.all().await;
    let (text, summary) = exported(&shop, format).await;
    let told = shop.import_text(name, &text).await;
    assert_eq!(told.errors, [], "{text}");
    assert_eq!((told.summary.created, told.summary.updated), (0, 0), "{text}");
    assert_eq!(shop.all().await, before);
    let other = Shop::new().await;
    assert_eq!(other.import_text(name, &text).await.errors, [], "{text}");
    let (again, _) = exported(&other, format).await;
    assert_eq!(again, text);
    if summary.left_out.is_empty() {
        let without_times = |mut all: Vec<barrow_engine::catalog::Product>| {
            all.iter_mut().for_each(|product| product.updated_at = product.created_at);
            all
        };
        let (ours, theirs) = (without_times(before), without_times(other.all().await));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            // A table tells prices by currency, not in the order they were made.
            let sorted = |product: &barrow_engine::catalog::Product| {
                let mut product = product.clone();
                for variant in &mut product.variants {
                    variant.prices.sort_by_key(|price| price.id);
                }
                product
            };
            assert_eq!(sorted(ours), sorted(theirs));
        }
    }
}

fn check(format: ExportFormat, full: bool, name: &'static str) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner =
        TestRunner::new(Config { cases: 6, failure_persistence: None, ..Config::default() });
    let run = |records| {
        runtime.block_on(survives(records, format, name));
        Ok(())
    };
    runner.run(&catalog(full), run).unwrap();
}

#[test]
fn any_catalog_survives_json_lines() {
    check(ExportFormat::JsonLines, true, "out.jsonl");
}

#[test]
fn what_a_table_holds_survives_it() {
    check(ExportFormat::Csv, false, "out.csv");
}

#[test]
fn what_a_table_cannot_hold_stays_as_it_is() {
    check(ExportFormat::Csv, true, "out.csv");
}
