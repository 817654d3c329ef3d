//! What the made-up catalog promises.

use std::collections::HashSet;

use super::*;
use crate::sample::picture::shape_names;

fn products(count: u64) -> impl Iterator<Item = ProductRecord> {
    records(count).filter_map(|record| match record {
        Record::Product(product) => Some(*product),
        _ => None,
    })
}

#[test]
fn there_are_as_many_as_asked_for() {
    assert_eq!(products(0).count(), 0);
    assert_eq!(products(1_234).count(), 1_234);
    assert_eq!(records(1_234).count(), 1_234 + COLLECTIONS.len());
}

#[test]
fn no_two_share_a_slug_or_a_sku() {
    let (mut slugs, mut skus) = (HashSet::new(), HashSet::new());
    for product in products(50_000) {
        assert!(slugs.insert(product.slug.slug().clone()), "{}", product.slug.slug());
        assert!((1..=4).contains(&product.variants.len()));
        for variant in product.variants {
            assert!(skus.insert(variant.sku.clone()), "{}", variant.sku);
        }
    }
}

#[test]
fn a_product_depends_on_its_number_alone() {
    let few: Vec<String> = products(500).map(|one| format!("{one:?}")).collect();
    let many = products(5_000).map(|one| format!("{one:?}"));
    assert!(few.iter().zip(many).all(|(a, b)| *a == b));
    assert_eq!(few.iter().collect::<HashSet<_>>().len(), few.len());
}

#[test]
fn variants_differ_in_what_they_offer() {
    for product in products(3_000) {
        let choices: HashSet<String> =
            product.variants.iter().map(|one| format!("{:?}", one.options)).collect();
        assert_eq!(choices.len(), product.variants.len(), "{}", product.slug.slug());
        for variant in &product.variants {
            let PriceChange::All(prices) = &variant.prices else { panic!("all are said") };
            assert_eq!(prices.len(), 3);
            assert!(prices.iter().all(|price| price.amount.amount > 0));
        }
    }
}

#[test]
fn names_are_many() {
    let titles: HashSet<String> =
        products(20_000).filter_map(|one| one.title.as_set().cloned()).collect();
    assert!(titles.len() > 18_000, "{} of 20,000", titles.len());
}

#[test]
fn the_first_products_bring_all_pictures_and_the_others_use_them() {
    let brought: HashSet<String> = media().map(|one| one.key).collect();
    assert_eq!(brought.len(), KINDS.len());
    let mut made = HashSet::new();
    for product in products(1_000) {
        for medium in product.media.as_set().expect("each has a picture") {
            assert!(brought.contains(&medium.key));
            match medium.content {
                MediaContent::Made(_) => assert!(made.insert(medium.key.clone())),
                _ => assert!(made.contains(&medium.key), "{} is not there yet", medium.key),
            }
        }
    }
    assert_eq!(made, brought);
    let shapes: HashSet<&str> = shape_names().collect();
    for kind in KINDS {
        let shape = kind.draw.split(' ').next().expect("a shape");
        assert!(shapes.contains(shape), "{shape}");
    }
}

#[test]
fn every_collection_is_named_once_and_after_its_parent() {
    let mut known = HashSet::new();
    for record in records(0) {
        let Record::Collection(collection) = record else { panic!("there are no products") };
        if let Some(Some(parent)) = collection.parent.as_set() {
            assert!(known.contains(parent));
        }
        assert!(known.insert(collection.slug));
    }
    assert!((20..=28).contains(&known.len()));
}
