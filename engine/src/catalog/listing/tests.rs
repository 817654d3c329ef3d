//! The index against the plainest reading of the contract: keep every entry, look at each,
//! sort, cut.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::catalog::{ChannelId, Rating};
use crate::ids::ProductId;
use crate::money::Currency;
use crate::time::Timestamp;

fn channel(text: &str) -> ChannelId {
    text.parse().unwrap()
}

fn currency(code: &str) -> Currency {
    Currency::from_code(code).unwrap()
}

#[derive(Debug, Clone)]
enum Step {
    Upsert(ListingEntry),
    Remove(ProductId),
}

fn entries() -> impl Strategy<Value = ListingEntry> {
    let names = (
        subsequence(vec!["web", "us"], 0..=2),
        subsequence(vec!["tables", "chairs", "sale"], 0..=3),
        subsequence(vec!["red", "blue", "green"], 0..=3),
        select(vec!["Acme", "Brix"]),
        select(vec!["Chair", "chair", "Chaír 2", "Table", "table top", "Zebra"]),
    );
    let numbers = (
        0..60u128,
        vec(prop::option::of(0..6i64), 3),
        any::<bool>(),
        prop::option::of((100..104u64, 1..4u64)),
        prop::option::of(0..3u32),
        0..4i64,
    );
    (names, numbers).prop_map(|(names, numbers)| {
        let (channels, collections, colours, brand, title) = names;
        let (id, prices, in_stock, rating, featured, created_at) = numbers;
        let places = [("web", "EUR"), ("web", "USD"), ("us", "USD")];
        let prices = places.into_iter().zip(prices).filter_map(|((in_channel, code), from)| {
            Some(ListingPrice {
                channel: channel(in_channel),
                currency: currency(code),
                from: from?,
            })
        });
        let mut facets = BTreeMap::from([("brand".to_owned(), vec![brand.to_owned()])]);
        facets.insert("colour".into(), colours.into_iter().map(str::to_owned).collect());
        ListingEntry {
            id: ProductId(id),
            channels: channels.into_iter().map(channel).collect(),
            collections: collections.iter().map(|slug| slug.parse().unwrap()).collect(),
            facets,
            prices: prices.collect(),
            in_stock,
            rating: rating.map(|(average, count)| Rating { average_hundredths: average, count }),
            featured,
            created_at: Timestamp(created_at),
            title: title.into(),
        }
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => entries().prop_map(Step::Upsert),
        1 => (0..60u128).prop_map(|id| Step::Remove(ProductId(id))),
    ];
    vec(step, 0..150)
}

fn queries() -> impl Strategy<Value = ListingQuery> {
    let facet = |values: &[&str]| {
        let values: Vec<String> = values.iter().map(|value| value.to_string()).collect();
        prop::option::weighted(0.3, subsequence(values, 1..=2))
    };
    let names = (
        select(vec!["web", "web", "us", "moon"]),
        select(vec!["EUR", "USD", "GBP"]),
        prop::option::of(subsequence(vec!["tables", "chairs", "attic"], 0..=3)),
        (facet(&["red", "blue", "pink"]), facet(&["Acme", "Brix"]), facet(&["old", "new"])),
    );
    let numbers = (
        prop::option::weighted(0.2, -1..6i64),
        prop::option::weighted(0.2, 0..6i64),
        any::<bool>(),
        select(vec!["featured", "newest", "price", "-price", "title", "rating"]),
        1..7usize,
    );
    (names, numbers).prop_map(|(names, numbers)| {
        let (in_channel, code, collections, (colour, brand, age)) = names;
        let (price_min, price_max, in_stock, sort, limit) = numbers;
        let facets = [("colour", colour), ("brand", brand), ("age", age)];
        let facets =
            facets.into_iter().filter_map(|(code, values)| Some((code.to_owned(), values?)));
        ListingQuery {
            collections: collections
                .map(|slugs| slugs.iter().map(|slug| slug.parse().unwrap()).collect()),
            facets: facets.collect(),
            price_min,
            price_max,
            in_stock,
            sort: sort.parse().unwrap(),
            ..ListingQuery::new(channel(in_channel), currency(code), limit)
        }
    })
}

fn price(entry: &ListingEntry, query: &ListingQuery) -> Option<i64> {
    let mut prices = entry.prices.iter();
    let own =
        prices.find(|price| price.channel == query.channel && price.currency == query.currency);
    own.map(|price| price.from)
}

/// Whether an entry passes all filters, leaving out that of one facet.
fn passes(entry: &ListingEntry, query: &ListingQuery, without: Option<&str>) -> bool {
    let in_collections = query
        .collections
        .as_ref()
        .is_none_or(|slugs| entry.collections.iter().any(|own| slugs.contains(own)));
    let has_facets = query.facets.iter().all(|(code, values)| {
        let own = entry.facets.get(code);
        without == Some(code)
            || own.is_some_and(|own| own.iter().any(|value| values.contains(value)))
    });
    let price = price(entry, query);
    let is_priced = (query.price_min.is_none() && query.price_max.is_none())
        || price.is_some_and(|price| {
            query.price_min.is_none_or(|min| min <= price)
                && query.price_max.is_none_or(|max| price <= max)
        });
    entry.channels.contains(&query.channel)
        && in_collections
        && has_facets
        && is_priced
        && (!query.in_stock || entry.in_stock)
}

fn compare(a: &ListingEntry, b: &ListingEntry, query: &ListingQuery) -> Ordering {
    let ids = a.id.cmp(&b.id);
    let last = |key: Option<u32>| key.unwrap_or(u32::MAX);
    match query.sort {
        Sort::Featured => last(a.featured).cmp(&last(b.featured)).then(ids),
        Sort::Newest => b.created_at.cmp(&a.created_at).then(ids),
        Sort::Title => title::title_key(&a.title).cmp(&title::title_key(&b.title)).then(ids),
        Sort::Rating => {
            let key = |entry: &ListingEntry| {
                let rating = entry.rating.map(|one| (one.average_hundredths, one.count));
                Reverse(rating.unwrap_or_default())
            };
            key(a).cmp(&key(b)).then(ids)
        }
        Sort::Price | Sort::PriceDesc => match (price(a, query), price(b, query)) {
            (None, None) => ids,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(one), Some(other)) if query.sort == Sort::Price => one.cmp(&other).then(ids),
            (Some(one), Some(other)) => one.cmp(&other).then(ids).reverse(),
        },
    }
}

fn naive_ids(model: &BTreeMap<ProductId, ListingEntry>, query: &ListingQuery) -> Vec<ProductId> {
    let mut found: Vec<_> = model.values().filter(|one| passes(one, query, None)).collect();
    found.sort_by(|a, b| compare(a, b, query));
    found.into_iter().map(|entry| entry.id).collect()
}

/// Values with their counts and whether they are chosen, by code.
type Facets = BTreeMap<String, Vec<(String, u64, bool)>>;

fn naive_facets(model: &BTreeMap<ProductId, ListingEntry>, query: &ListingQuery) -> Facets {
    let listed = || model.values().filter(|entry| !entry.channels.is_empty());
    let known: BTreeSet<(&String, &String)> = listed()
        .flat_map(|entry| &entry.facets)
        .flat_map(|(code, values)| values.iter().map(move |value| (code, value)))
        .collect();
    let mut facets = Facets::new();
    for (code, value) in known {
        let has = |entry: &&ListingEntry| entry.facets[code].contains(value);
        let all = listed().filter(|entry| passes(entry, query, Some(code)));
        let count = all.filter(has).count() as u64;
        let selected = query.facets.get(code).is_some_and(|values| values.contains(value));
        if count > 0 || selected {
            facets.entry(code.clone()).or_default().push((value.clone(), count, selected));
        }
    }
    for values in facets.values_mut() {
        values.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
    }
    facets
}

fn shown_facets(page: &ListingPage) -> Facets {
    let facets = page.facets.as_ref().expect("the first page has them").iter();
    let values = |facet: &FacetCounts| {
        facet.values.iter().map(|one| (one.value.clone(), one.count, one.selected)).collect()
    };
    facets.map(|facet| (facet.code.clone(), values(facet))).collect()
}

/// Reads all pages, as a client does that keeps nothing but the cursor.
fn read_all(index: &ListingIndex, query: &ListingQuery) -> Vec<ProductId> {
    let mut query = query.clone();
    let mut ids = Vec::new();
    loop {
        let page = index.query(&query);
        assert!(page.ids.len() <= query.limit);
        assert_eq!(page.total.is_some(), query.after.is_none());
        assert_eq!(page.facets.is_some(), query.after.is_none());
        ids.extend(page.ids);
        let Some(next) = page.next else { return ids };
        let cursor = serde_json::to_string(&next).unwrap();
        query.after = Some(serde_json::from_str(&cursor).unwrap());
        assert_eq!(query.after, Some(next));
    }
}

fn check(index: &ListingIndex, model: &BTreeMap<ProductId, ListingEntry>, query: &ListingQuery) {
    let expected = naive_ids(model, query);
    assert_eq!(read_all(index, query), expected, "{query:?}");
    let first = index.query(query);
    let total = Total { count: expected.len() as u64, exact: true };
    assert_eq!(first.total, Some(total));
    assert_eq!(shown_facets(&first), naive_facets(model, query), "{query:?}");
}

fn play(steps: Vec<Step>) -> (ListingIndex, BTreeMap<ProductId, ListingEntry>) {
    let mut index = ListingIndex::new();
    let mut model = BTreeMap::new();
    for step in steps {
        match step {
            Step::Upsert(entry) => {
                model.insert(entry.id, entry.clone());
                index.upsert(entry);
            }
            Step::Remove(id) => {
                model.remove(&id);
                index.remove(id);
            }
        }
    }
    (index, model)
}

proptest! {
    #[test]
    fn every_page_is_what_looking_at_each_product_finds(
        steps in steps(),
        queries in vec(queries(), 1..8),
    ) {
        let (index, model) = play(steps);
        let listed = model.values().filter(|entry| !entry.channels.is_empty()).count();
        prop_assert_eq!(index.len(), listed);
        for query in &queries {
            check(&index, &model, query);
        }
    }

    #[test]
    fn an_index_built_at_once_answers_like_one_built_step_by_step(
        entries in vec(entries(), 0..150),
        queries in vec(queries(), 1..8),
    ) {
        let mut builder = ListingBuilder::new();
        entries.iter().for_each(|entry| builder.add(entry.clone()));
        let mut built = builder.finish();
        // What no channel sells is not added, so an earlier form of it would stay.
        let sold = entries.into_iter().filter(|entry| !entry.channels.is_empty());
        let (index, model) = play(sold.map(Step::Upsert).collect());
        prop_assert_eq!(built.len(), index.len());
        for query in &queries {
            check(&built, &model, query);
        }
        model.keys().for_each(|id| built.remove(*id));
        prop_assert!(built.is_empty());
    }

    #[test]
    fn what_stays_is_visited_once_whatever_else_changes_between_the_pages(
        steps in steps(),
        others in vec(entries(), 1..60),
        query in queries(),
    ) {
        let (mut index, mut model) = play(steps);
        let changed: BTreeSet<ProductId> = others.iter().map(|entry| entry.id).collect();
        let stays: Vec<ProductId> =
            naive_ids(&model, &query).into_iter().filter(|id| !changed.contains(id)).collect();
        let mut others = others.into_iter();
        let mut query = query;
        let mut seen = Vec::new();
        loop {
            let page = index.query(&query);
            seen.extend(page.ids.into_iter().filter(|id| !changed.contains(id)));
            let Some(next) = page.next else { break };
            query.after = Some(next);
            for entry in others.by_ref().take(3) {
                model.insert(entry.id, entry.clone());
                index.upsert(entry);
            }
        }
        prop_assert_eq!(seen, stays);
    }
}

fn entry(id: u128) -> ListingEntry {
    ListingEntry {
        id: ProductId(id),
        channels: vec![channel("web")],
        collections: vec!["tables".parse().unwrap()],
        facets: BTreeMap::new(),
        prices: Vec::new(),
        in_stock: true,
        rating: None,
        featured: None,
        created_at: Timestamp(0),
        title: "Table".into(),
    }
}

fn query(limit: usize) -> ListingQuery {
    ListingQuery::new(channel("web"), currency("EUR"), limit)
}

#[test]
fn totals_are_exact_up_to_ten_thousand() {
    let mut builder = ListingBuilder::new();
    (0..10_000).for_each(|id| builder.add(entry(id)));
    let mut index = builder.finish();
    let total = |index: &ListingIndex| index.query(&query(1)).total.unwrap();
    assert_eq!(total(&index), Total { count: 10_000, exact: true });
    index.upsert(entry(10_000));
    assert_eq!(total(&index), Total { count: 10_000, exact: false });
    let slugs = ["tables".parse().unwrap(), "attic".parse().unwrap()];
    assert_eq!(index.count(&channel("web"), &slugs), 10_001);
    assert_eq!(index.count(&channel("us"), &slugs), 0);
}

#[test]
fn of_many_values_the_frequent_and_the_chosen_are_told() {
    let mut index = ListingIndex::new();
    for id in 0..300u128 {
        let mut entry = entry(id);
        // Value 000 has one product, value 299 all of them.
        let values = (id..300).map(|value| format!("{value:03}"));
        entry.facets.insert("size".into(), values.collect());
        index.upsert(entry);
    }
    let mut query = query(1);
    query.facets.insert("size".into(), vec!["000".into()]);
    let page = index.query(&query);
    let facets = page.facets.unwrap();
    assert_eq!(facets[0].label, "Size");
    let values = &facets[0].values;
    assert_eq!(values.len(), FACET_VALUES_SHOWN_MAX + 1);
    assert_eq!((values[0].value.as_str(), values[0].count), ("299", 300));
    assert_eq!((values[99].value.as_str(), values[99].count), ("200", 201));
    let last = values.last().unwrap();
    assert_eq!((last.value.as_str(), last.selected), ("000", true));
}

#[test]
fn of_many_facets_those_of_most_products_and_the_chosen_are_told() {
    let mut index = ListingIndex::new();
    for id in 0..40u128 {
        let mut entry = entry(id);
        // Facet f00 is of one product, f39 of all of them.
        let codes = (id..40).map(|code| (format!("f{code:02}"), vec!["yes".to_owned()]));
        entry.facets = codes.collect();
        index.upsert(entry);
    }
    let codes = |query: &ListingQuery| -> Vec<String> {
        index.query(query).facets.unwrap().into_iter().map(|facet| facet.code).collect()
    };
    let of = |first: usize| -> Vec<String> { (first..40).map(|n| format!("f{n:02}")).collect() };
    assert_eq!(codes(&query(1)), of(40 - FACETS_SHOWN_MAX));
    let mut chosen = query(1);
    chosen.facets.insert("f00".into(), vec!["yes".into()]);
    let shown = codes(&chosen);
    assert_eq!((shown.len(), shown[0].as_str()), (FACETS_SHOWN_MAX, "f00"));
}

#[test]
fn a_sort_has_the_name_it_is_asked_by() {
    for name in ["featured", "newest", "price", "-price", "title", "rating"] {
        assert_eq!(name.parse::<Sort>().unwrap().to_string(), name);
    }
    assert_eq!("price_desc".parse::<Sort>(), Err(UnknownSort));
}

#[test]
fn few_matches_far_behind_are_found_like_many_near_by() {
    let mut builder = ListingBuilder::new();
    for id in 0..20_000u128 {
        let mut entry = entry(id);
        entry.created_at = Timestamp(20_000 - id as i64);
        // Two thousand matches, all at the end of the order.
        entry.in_stock = id >= 18_000;
        builder.add(entry);
    }
    let index = builder.finish();
    let query = ListingQuery { in_stock: true, sort: Sort::Newest, ..query(100) };
    let expected: Vec<ProductId> = (18_000..20_000).map(ProductId).collect();
    assert_eq!(read_all(&index, &query), expected);
}

#[test]
fn a_position_of_another_sort_leads_nowhere() {
    let (index, _) = play((0..9).map(|id| Step::Upsert(entry(id))).collect());
    let next = index.query(&query(3)).next;
    let misplaced = ListingQuery { after: next, sort: Sort::Title, ..query(3) };
    let page = index.query(&misplaced);
    assert_eq!((page.ids, page.next), (vec![], None));
}

/// Large enough that facets are counted and prices filtered in each of the ways there are.
fn large() -> (ListingIndex, BTreeMap<ProductId, ListingEntry>) {
    let made = (0..3_000u32).map(|n| {
        let mut entry = entry(u128::from(n * 7919 % 3_000));
        let colour = ["red", "blue", "green"][n as usize % 3];
        let brand = if n % 100 < 4 { "Rare" } else { "Common" };
        entry.facets.insert("colour".into(), vec![colour.into()]);
        entry.facets.insert("brand".into(), vec![brand.into()]);
        if n % 90 < 2 {
            entry.collections.push("nook".parse().unwrap());
        }
        entry.in_stock = n % 4 != 0;
        entry.created_at = Timestamp(i64::from(n));
        entry.title = format!("Table {}", n % 700);
        let from = i64::from(n % 50);
        let price = ListingPrice { channel: channel("web"), currency: currency("EUR"), from };
        entry.prices = if n % 60 == 0 { vec![] } else { vec![price] };
        Step::Upsert(entry)
    });
    let removed = (0..3_000u128).step_by(7).map(|id| Step::Remove(ProductId(id)));
    play(made.chain(removed).collect())
}

#[test]
fn a_large_catalog_is_counted_like_a_small_one() {
    let (index, model) = large();
    let chosen =
        |code: &str, value: &str| BTreeMap::from([(code.to_owned(), vec![value.to_owned()])]);
    let filters = [
        query(100),
        ListingQuery { in_stock: true, ..query(100) },
        ListingQuery { facets: chosen("colour", "red"), ..query(100) },
        ListingQuery { facets: chosen("brand", "Rare"), ..query(100) },
        ListingQuery { price_min: Some(40), ..query(100) },
        ListingQuery { price_max: Some(44), in_stock: true, ..query(100) },
        ListingQuery { price_min: Some(45), price_max: Some(3), ..query(100) },
        ListingQuery {
            price_min: Some(2),
            price_max: Some(3),
            facets: chosen("brand", "Rare"),
            ..query(100)
        },
        ListingQuery {
            price_min: Some(-9),
            price_max: Some(25),
            collections: Some(vec!["nook".parse().unwrap()]),
            ..query(100)
        },
    ];
    for filter in filters {
        for sort in ["featured", "newest", "price", "-price", "title"] {
            let sort = sort.parse().unwrap();
            check(&index, &model, &ListingQuery { sort, ..filter.clone() });
        }
    }
}
