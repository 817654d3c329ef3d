//! Units that become somebody's while the shop sells.

use std::time::Duration;

use barrow_engine::catalog::listing::ListingQuery;

use super::super::StockDesk;
use super::*;
use crate::shelf::Shelf;

impl World {
    /// From now on so many are nobody's.
    fn units(&self, name: &str, units: u32) {
        self.stores.stock.lock().insert(sku(name), units);
    }

    async fn in_stock(&self) -> Vec<u128> {
        let view = self.view();
        let query = ListingQuery {
            in_stock: true,
            ..ListingQuery::new(view.channel.clone(), view.currency, 10)
        };
        let page = self.catalog.list(&query, view.now).await.unwrap();
        page.offers.iter().map(|offer| offer.product.id.0).collect()
    }

    fn cached_units(&self, name: &str) -> Option<i64> {
        self.catalog.cached(name).expect("it lies in memory").units
    }
}

#[tokio::test]
async fn units_are_taken_over_and_no_cart_asks_a_store_for_them() {
    let world = World::loaded((1..=3).map(|id| product(id, 100))).await;
    world.units("SKU-1", 5);
    world.catalog.sellables(&[sku("SKU-1"), sku("SKU-2")]).await.unwrap();
    assert_eq!((world.cached_units("SKU-1"), world.cached_units("SKU-2")), (Some(5), None));
    let (generation, reads) = (world.catalog.generation(), world.stores.reads.load(SeqCst));
    world.units("SKU-1", 4);
    world.catalog.stock_changed(&[sku("SKU-1"), sku("SKU-2"), sku("NONE")]).await.unwrap();
    assert_eq!((world.cached_units("SKU-1"), world.cached_units("SKU-2")), (Some(4), None));
    assert!(world.catalog.generation() > generation, "carts that hold it look again");
    assert_eq!(world.stores.reads.load(SeqCst), reads, "and find it in memory");
    let offer = world.catalog.product(ProductId(1)).await.unwrap().unwrap();
    assert_eq!(offer.sellables[0].units, Some(4), "its page tells the same");

    let generation = world.catalog.generation();
    world.catalog.stock_changed(&[sku("SKU-1"), sku("SKU-3")]).await.unwrap();
    assert_eq!(world.catalog.generation(), generation, "what stayed as it was wakes nobody");
}

#[tokio::test]
async fn what_sells_out_or_comes_back_is_listed_so() {
    let world = World::new((1..=3).map(|id| product(id, 100)));
    world.units("SKU-1", 5);
    world.units("SKU-2", 5);
    world.catalog.load(|_| {}).await.unwrap();
    assert_eq!(world.in_stock().await, [1, 2]);
    // The second and the third are not looked at by anybody.
    world.catalog.product(ProductId(1)).await.unwrap();
    for (name, units, expected) in [
        ("SKU-1", 1, &[1, 2][..]),
        ("SKU-1", 0, &[2]),
        ("SKU-2", 0, &[]),
        ("SKU-3", 7, &[3]),
        ("SKU-1", 2, &[1, 3]),
    ] {
        world.units(name, units);
        world.catalog.stock_changed(&[sku(name)]).await.unwrap();
        assert_eq!(world.in_stock().await, expected, "{name}: {units}");
    }
}

#[tokio::test]
async fn more_skus_than_a_call_takes_are_asked_for_in_several() {
    let world = World::new([product(1, 100)]);
    world.units("SKU-1", 5);
    world.catalog.load(|_| {}).await.unwrap();
    world.catalog.sellables(&[sku("SKU-1")]).await.unwrap();
    let reads = world.stores.level_reads.load(SeqCst);
    let many = (0..6_000).map(|n| sku(&format!("NONE-{n}")));
    let many: Vec<Sku> = many.chain([sku("SKU-1")]).collect();
    world.units("SKU-1", 3);
    world.catalog.stock_changed(&many).await.unwrap();
    assert_eq!(world.stores.level_reads.load(SeqCst), reads + 2);
    assert_eq!(world.cached_units("SKU-1"), Some(3));
}

/// Lets the desk work until the condition holds; its pauses cost no time.
async fn until(condition: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within ten seconds");
}

#[tokio::test(start_paused = true)]
async fn the_desk_gathers_what_comes_at_once_and_tries_again() {
    let world = World::loaded([product(1, 100)]).await;
    world.catalog.sellables(&[sku("SKU-1")]).await.unwrap();
    let desk = StockDesk::start(world.catalog.clone());
    let reads = || world.stores.level_reads.load(SeqCst);
    let before = reads();
    for units in 1..=500 {
        world.units("SKU-1", units);
        desk.changed([sku("SKU-1")]);
    }
    until(|| world.cached_units("SKU-1") == Some(500)).await;
    assert!(reads() - before <= 2, "500 changes were read {} times", reads() - before);

    world.stores.ledger_is_away.store(true, SeqCst);
    world.units("SKU-1", 9);
    let before = reads();
    desk.changed([sku("SKU-1")]);
    until(|| reads() > before).await;
    assert_eq!(world.cached_units("SKU-1"), Some(500), "nobody knows better");
    world.stores.ledger_is_away.store(false, SeqCst);
    until(|| world.cached_units("SKU-1") == Some(9)).await;

    world.units("SKU-1", 8);
    let generation = world.catalog.generation();
    desk.doubt_everything();
    until(|| world.catalog.generation() > generation).await;
    let found = world.catalog.sellables(&[sku("SKU-1")]).await.unwrap();
    assert_eq!(found[0].as_ref().unwrap().units, Some(8), "all is read anew");
}
