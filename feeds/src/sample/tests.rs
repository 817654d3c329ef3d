//! What the sample promises to those who rely on it.

use std::collections::{BTreeMap, BTreeSet};

use barrow_engine::catalog::{MediaKind, Oversell};

use super::*;
use crate::record::{CollectionRecord, MediaContent, PriceChange, ProductKey, ProductRecord};

fn products() -> Vec<ProductRecord> {
    records()
        .filter_map(|record| match record {
            Record::Product(product) => Some(*product),
            _ => None,
        })
        .collect()
}

fn collections() -> Vec<CollectionRecord> {
    records()
        .filter_map(|record| match record {
            Record::Collection(collection) => Some(collection),
            _ => None,
        })
        .collect()
}

fn set<T>(field: &Field<T>) -> &T {
    field.as_set().expect("the sample says everything")
}

#[test]
fn there_are_as_many_as_promised() {
    let products = products();
    assert!((200..=240).contains(&products.len()), "{} products", products.len());
    let collections = collections();
    assert_eq!(collections.len(), 14);
    assert_eq!(collections.iter().filter(|one| set(&one.parent).is_some()).count(), 6);
    let two_options = products.iter().filter(|one| set(&one.options).len() >= 2).count();
    assert!(two_options >= 50, "{two_options} with two options");
    assert!(products.iter().filter(|one| one.variants.len() == 1).count() >= 15);
    let brands: BTreeSet<_> = products.iter().map(|one| set(&one.brand).clone()).collect();
    assert!((8..=15).contains(&brands.len()), "{brands:?}");
    let manuals = media().filter(|one| one.kind == MediaKind::Manual).count();
    assert!(manuals >= 10, "{manuals} manuals");
}

#[test]
fn nothing_has_the_name_of_another() {
    let products = products();
    let unique = |names: Vec<String>| {
        let set: BTreeSet<&String> = names.iter().collect();
        assert_eq!(set.len(), names.len());
    };
    unique(products.iter().map(|one| one.slug.slug().to_string()).collect());
    unique(products.iter().map(|one| set(&one.title).clone()).collect());
    unique(products.iter().map(|one| set(&one.description).clone()).collect());
    unique(
        products.iter().flat_map(|one| one.variants.iter().map(|v| v.sku.to_string())).collect(),
    );
    unique(media().map(|one| one.key).collect());
}

#[test]
fn every_variant_has_a_price_in_each_currency_and_a_value_for_each_option() {
    for product in products() {
        for variant in &product.variants {
            let PriceChange::All(prices) = &variant.prices else { panic!("all are said") };
            let currencies: BTreeSet<_> =
                prices.iter().map(|price| price.amount.currency.code()).collect();
            assert_eq!(currencies, BTreeSet::from(["EUR", "GBP", "USD"]), "{}", variant.sku);
            assert!(prices.iter().all(|price| {
                price.compare_at.is_none_or(|was| was.amount > price.amount.amount)
            }));
            let names: Vec<_> = set(&product.options).iter().map(|option| &option.name).collect();
            let own: Vec<_> = set(&variant.options).iter().map(|option| &option.name).collect();
            assert_eq!(own, names, "{}", variant.sku);
        }
    }
}

#[test]
fn the_first_twenty_can_be_relied_on() {
    let products = products();
    let by_place: BTreeMap<u32, &ProductRecord> = products
        .iter()
        .filter_map(|product| set(&product.featured).map(|place| (place, product)))
        .collect();
    let featured = products.iter().filter(|product| set(&product.featured).is_some()).count();
    assert_eq!(by_place.len(), featured, "two share a place");
    for place in 1..=build::RELIABLE {
        for variant in &by_place[&place].variants {
            assert!(variant.on_hand.is_some_and(|units| units >= 50), "{}", variant.sku);
            assert_eq!(variant.stock.oversell, Field::Set(Oversell::Deny), "{}", variant.sku);
        }
    }
    let languages = |product: &ProductRecord| product.translations.entries.len();
    assert!((1..=40).all(|place| languages(by_place[&place]) == 2));
}

#[test]
fn stock_is_of_all_kinds() {
    let variants: Vec<_> = products().into_iter().flat_map(|one| one.variants).collect();
    let count =
        |oversell| variants.iter().filter(|one| one.stock.oversell == Field::Set(oversell)).count();
    assert!(count(Oversell::Backorder) > 5 && count(Oversell::Preorder) > 2);
    assert!(count(Oversell::Deny) > variants.len() * 8 / 10);
    let denied = variants.iter().filter(|one| one.stock.oversell == Field::Set(Oversell::Deny));
    let units: Vec<u32> = denied.filter_map(|one| one.on_hand).collect();
    assert!(units.iter().filter(|units| **units == 0).count() > 8);
    assert!(units.iter().filter(|units| (1..=4).contains(*units)).count() > 8);
    let preorders = variants.iter().filter(|one| one.stock.expected_at != Field::Set(None));
    assert_eq!(preorders.count(), count(Oversell::Preorder));
}

#[test]
fn what_is_referred_to_is_there() {
    let slugs: BTreeSet<_> = collections().into_iter().map(|one| one.slug).collect();
    let mut parents: BTreeSet<_> = BTreeSet::new();
    for collection in collections() {
        parents.extend(set(&collection.parent).clone());
    }
    assert!(parents.is_subset(&slugs));
    for product in products() {
        let keys: BTreeSet<&String> = set(&product.media).iter().map(|one| &one.key).collect();
        for variant in &product.variants {
            assert!(set(&variant.media).iter().all(|key| keys.contains(key)), "{}", variant.sku);
        }
        assert!(set(&product.collections).iter().all(|one| slugs.contains(&one.slug)));
    }
    let known: BTreeSet<_> = products().into_iter().map(|one| one.slug.slug().clone()).collect();
    for record in records() {
        if let Record::Review(review) = record {
            let ProductKey::Slug(slug) = &review.product else { panic!("by slug") };
            assert!(known.contains(slug));
        }
    }
    for (language, texts) in source::translations() {
        for slug in texts.keys() {
            assert!(known.iter().any(|own| own.as_str() == slug), "{language}: {slug}");
        }
    }
}

#[test]
fn media_keys_are_keys() {
    let segment = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
    };
    for medium in media() {
        assert!(medium.key.split('/').all(segment), "{}", medium.key);
    }
}

#[test]
fn every_drawing_uses_shapes_and_words_that_exist() {
    let shapes: BTreeSet<&str> = picture::shape_names().collect();
    let used: BTreeSet<String> = source::shelves()
        .iter()
        .flat_map(|shelf| shelf.products.iter().map(|entry| entry.drawing().words.remove(0)))
        .collect();
    let unknown: Vec<_> = used.iter().filter(|shape| !shapes.contains(shape.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(used.len() >= 30);
}

#[test]
fn reviews_read_like_those_of_a_shop() {
    let reviews: Vec<_> = records()
        .filter_map(|record| match record {
            Record::Review(review) => Some(review),
            _ => None,
        })
        .collect();
    assert!(reviews.len() > 1500, "{}", reviews.len());
    let mut by_product: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for review in &reviews {
        assert!((1..=5).contains(&review.rating));
        assert!(!review.body.contains('{'), "{}", review.body);
        let ProductKey::Slug(slug) = &review.product else { panic!("by slug") };
        by_product.entry(slug.clone()).or_default().push(review);
    }
    for reviews in by_product.values() {
        assert!(reviews.len() <= 25);
        let ids: BTreeSet<_> = reviews.iter().map(|one| (&one.author, one.created_at)).collect();
        assert_eq!(ids.len(), reviews.len());
        let bodies: BTreeSet<_> = reviews.iter().map(|one| &one.body).collect();
        assert_eq!(bodies.len(), reviews.len(), "said twice: {bodies:?}");
    }
    let share = |rating| {
        reviews.iter().filter(|review| review.rating == rating).count() * 100 / reviews.len()
    };
    assert!((50..75).contains(&share(5)) && share(4) > 12 && share(1) < 6);
}

#[test]
fn it_is_the_same_each_time() {
    let all = || records().map(|record| format!("{record:?}")).collect::<Vec<_>>();
    assert_eq!(all(), all());
    let one = media().nth(20).expect("there are hundreds");
    assert_eq!(made(&one), made(&one));
}

fn made(medium: &MediaRecord) -> Vec<u8> {
    let MediaContent::Made(make) = &medium.content else { panic!("all are made") };
    make().unwrap_or_else(|error| panic!("{}: {error}", medium.key))
}

#[test]
fn pictures_are_of_the_promised_size() {
    // Every one of them is drawn when the shop is seeded; here some of each kind.
    let pictures = media().filter(|one| one.kind == MediaKind::Image).step_by(29);
    for picture in pictures {
        let bytes = made(&picture);
        let size = imagesize::blob_size(&bytes).expect("a PNG");
        assert_eq!(
            (Some(size.width as u32), Some(size.height as u32)),
            (picture.width, picture.height),
            "{}",
            picture.key
        );
        assert!((3_000..150_000).contains(&bytes.len()), "{}: {}", picture.key, bytes.len());
    }
}

#[test]
fn every_manual_can_be_printed() {
    for manual in media().filter(|one| one.kind == MediaKind::Manual) {
        let bytes = made(&manual);
        assert!(bytes.starts_with(b"%PDF-1."), "{}", manual.key);
        let text = String::from_utf8_lossy(&bytes);
        let pages = text.matches("/Type /Page\n").count();
        assert!((2..=3).contains(&pages), "{}: {pages} pages", manual.key);
        assert!(bytes.len() < 400_000, "{}: {}", manual.key, bytes.len());
    }
}
