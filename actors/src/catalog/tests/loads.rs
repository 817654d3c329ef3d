//! How often the stores are asked, and what becomes of loads that a change overtakes.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use barrow_engine::catalog::Translation;
use barrow_engine::ids::ProductId;
use futures::future::join_all;

use super::super::{CatalogLimits, CatalogPorts, Found};
use super::*;
use crate::shelf::Shelf;

/// Lets other tasks run until the condition holds.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_product_is_read_once_however_many_ask() {
    let world = World::new([product(1, 100)]);
    world.stores.hold();
    let asking = join_all((0..50).map(|_| world.catalog.product(ProductId(1))));
    let releasing = async {
        until(|| world.stores.waiting.load(SeqCst) == 1).await;
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        world.stores.release();
    };
    let (offers, ()) = tokio::join!(asking, releasing);
    let offers: Vec<_> = offers.into_iter().map(|offer| offer.unwrap().unwrap()).collect();
    assert!(offers.iter().all(|offer| Arc::ptr_eq(offer, &offers[0])));
    assert_eq!(world.stores.reads.load(SeqCst), 1);
}

#[tokio::test]
async fn snapshots_are_read_once_and_then_lie_in_memory() {
    let world = World::new((1..=40).map(|id| product(id, 100)));
    let skus: Vec<Sku> = (1..=40).map(|id| sku(&format!("SKU-{id}"))).collect();
    let asking = (0..10).map(|_| world.catalog.sellables(&skus));
    for found in join_all(asking).await {
        let found: Vec<_> =
            found.unwrap().into_iter().map(|one| one.unwrap().sku.clone()).collect();
        assert_eq!(found, skus);
    }
    assert_eq!(world.stores.reads.load(SeqCst), 40);
    assert_eq!(world.stores.lookups.load(SeqCst), 40);
    assert!(world.catalog.cached("SKU-7").is_some());
    assert!(world.catalog.cached("SKU-41").is_none());
}

#[tokio::test]
async fn unknown_names_are_remembered_and_their_number_is_bounded() {
    let stores = Stores::new([]);
    let ports = CatalogPorts {
        products: stores.clone(),
        stock: stores.clone(),
        clock: Arc::new(HandClock(AtomicI64::new(0))),
        shop: Arc::new(Shop::sample()),
    };
    let limits = CatalogLimits { names_max: 100, ..CatalogLimits::default() };
    let catalog = Catalog::new(ports, limits);
    for _ in 0..3 {
        assert!(catalog.sellables(&[sku("NONE")]).await.unwrap()[0].is_none());
    }
    assert_eq!(stores.lookups.load(SeqCst), 1);
    for id in 0..5_000 {
        catalog.sellables(&[sku(&format!("NONE-{id}"))]).await.unwrap();
    }
    assert!(catalog.inner.offers.names_remembered().await <= 100);
}

#[tokio::test]
async fn a_change_is_seen_at_once_and_moves_the_generation() {
    let world = World::new([product(1, 100)]);
    let price = async || {
        let found = world.catalog.sellables(&[sku("SKU-1")]).await.unwrap();
        found[0].as_ref().map(|sellable| sellable.prices.prices[0].amount.amount)
    };
    assert_eq!(price().await, Some(100));
    let generation = world.catalog.generation();
    let mut changed = product(1, 200);
    changed.slug = slug("renamed");
    changed.former_slugs = vec![slug("product-1")];
    world.stores.write(changed.clone());
    world.catalog.changed(std::slice::from_ref(&changed)).await.unwrap();
    assert!(world.catalog.generation() > generation);
    assert_eq!(price().await, Some(200));
    assert!(matches!(
        world.catalog.product_at(&slug("product-1")).await.unwrap(),
        Found::Moved(offer) if offer.product.slug == slug("renamed")
    ));
}

#[tokio::test]
async fn a_sku_that_moves_leads_to_its_new_product() {
    let world = World::new([product(1, 100)]);
    let owner = async || {
        let found = world.catalog.sellables(&[sku("SKU-1")]).await.unwrap();
        found[0].as_ref().map(|sellable| sellable.product_id)
    };
    assert_eq!(owner().await, Some(ProductId(1)));
    let mut without = product(1, 100);
    without.variants[0].sku = sku("OTHER");
    world.stores.write(without.clone());
    world.catalog.changed(&[without]).await.unwrap();
    assert_eq!(owner().await, None);
    let mut with = product(2, 100);
    with.variants[0].sku = sku("SKU-1");
    world.stores.write(with.clone());
    world.catalog.changed(&[with]).await.unwrap();
    assert_eq!(owner().await, Some(ProductId(2)));
}

#[tokio::test]
async fn a_load_that_a_change_overtakes_is_not_kept() {
    let world = World::new([product(1, 100)]);
    world.stores.hold();
    let (written, announced) = (AtomicBool::new(false), AtomicBool::new(false));
    let reading = async { world.catalog.sellables(&[sku("SKU-1")]).await.unwrap() };
    let changing = async {
        // The store has the old product in hand when the new one is written.
        until(|| world.stores.waiting.load(SeqCst) == 1).await;
        let new = product(1, 200);
        world.stores.write(new.clone());
        written.store(true, SeqCst);
        world.catalog.changed(&[new]).await.unwrap();
        announced.store(true, SeqCst);
    };
    let releasing = async {
        until(|| written.load(SeqCst)).await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!announced.load(SeqCst), "the change waits for the loads it overtakes");
        world.stores.release();
    };
    tokio::join!(reading, changing, releasing);
    let found = world.catalog.sellables(&[sku("SKU-1")]).await.unwrap();
    assert_eq!(found[0].as_ref().unwrap().prices.prices[0].amount.amount, 200);
}

#[tokio::test]
async fn without_stock_a_page_is_shown_and_a_cart_is_told() {
    let world = World::new([product(1, 100)]);
    world.stores.ledger_is_away.store(true, SeqCst);
    let offer = world.catalog.product(ProductId(1)).await.unwrap().unwrap();
    assert!(!offer.stock_known);
    assert!(super::super::best_availability(&offer.variants(&world.view())).is_none());
    assert!(world.catalog.sellables(&[sku("SKU-1")]).await.is_err());
    // The blank is not kept.
    world.stores.ledger_is_away.store(false, SeqCst);
    assert!(world.catalog.product(ProductId(1)).await.unwrap().unwrap().stock_known);
    assert!(world.catalog.sellables(&[sku("SKU-1")]).await.unwrap()[0].is_some());
}

#[tokio::test]
async fn a_store_that_is_away_is_an_error_and_not_an_absence() {
    let world = World::new([product(1, 100)]);
    world.stores.store_is_away.store(true, SeqCst);
    assert!(world.catalog.product(ProductId(1)).await.is_err());
    assert!(world.catalog.product_at(&slug("product-1")).await.is_err());
    assert!(world.catalog.sellables(&[sku("SKU-1")]).await.is_err());
    assert!(world.catalog.load(|_| {}).await.is_err());
    world.stores.store_is_away.store(false, SeqCst);
    assert!(world.catalog.product(ProductId(1)).await.unwrap().is_some());
    assert!(world.catalog.sellables(&[sku("SKU-1")]).await.unwrap()[0].is_some());
}

#[tokio::test]
async fn a_product_is_at_each_of_its_slugs() {
    let mut one = product(1, 100);
    one.former_slugs = vec![slug("formerly")];
    let german = Translation { slug: Some(slug("produkt-1")), ..Translation::default() };
    one.translations.insert(Locale::new("de").unwrap(), german);
    let world = World::new([one]);
    for (name, expected) in
        [("product-1", "here"), ("produkt-1", "here"), ("formerly", "moved"), ("else", "nothing")]
    {
        let found = match world.catalog.product_at(&slug(name)).await.unwrap() {
            Found::Product(_) => "here",
            Found::Moved(_) => "moved",
            Found::Nothing => "nothing",
        };
        assert_eq!(found, expected, "{name}");
    }
}
