//! Lists against what a plain look through all products finds.

use barrow_engine::catalog::ProductStatus;
use barrow_engine::catalog::listing::{ListingQuery, Sort};
use barrow_engine::ids::ProductId;

use super::*;

/// Five hundred products that differ in all that lists filter and sort by.
fn assorted() -> Vec<Product> {
    let made = (1..=500u128).map(|id| {
        let mut product = product(id, 100 + (id as i64 * 7919) % 900);
        product.collections = vec![slug(["chairs", "tables", "lamps"][id as usize % 3])];
        let colors = ["red", "blue", "green", "oak"];
        let color = colors[id as usize % colors.len()].to_owned();
        product.facets = [("color".to_owned(), vec![color])].into();
        product.featured = (id % 11 == 0).then_some((id % 7) as u32);
        product.status = if id % 13 == 0 { ProductStatus::Draft } else { ProductStatus::Active };
        if id % 17 == 0 {
            product.publish_at = Some(Timestamp(1_000 + id as i64));
        }
        if id % 19 == 0 {
            product.variants[0].prices[0].valid_until = Some(Timestamp(2_000));
        }
        product
    });
    made.collect()
}

fn query(world: &World) -> ListingQuery {
    let view = world.view();
    ListingQuery::new(view.channel, view.currency, 37)
}

/// All pages of a list, one after the other.
async fn all(world: &World, mut query: ListingQuery) -> Vec<u128> {
    let mut found = Vec::new();
    loop {
        let page = world.catalog.list(&query, world.view().now).await.unwrap();
        found.extend(page.offers.iter().map(|offer| offer.product.id.0));
        match page.next {
            Some(next) => query.after = Some(next),
            None => return found,
        }
    }
}

/// The same by looking through all products.
fn naive(world: &World, is_wanted: impl Fn(&Product) -> bool) -> Vec<u128> {
    let view = world.view();
    let products = world.stores.products.lock();
    let wanted = products
        .values()
        .filter(|product| product.is_sold_in(&view.channel, view.now) && is_wanted(product));
    wanted.map(|product| product.id.0).collect()
}

fn sorted(mut ids: Vec<u128>) -> Vec<u128> {
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn lists_hold_what_a_look_through_all_products_finds() {
    let world = World::loaded(assorted()).await;
    for now in [0, 1_100, 1_500, 3_000] {
        world.set_clock(now);
        world.catalog.refresh().await.unwrap();
        for sort in [Sort::Featured, Sort::Newest, Sort::Price, Sort::PriceDesc, Sort::Title] {
            let found = all(&world, ListingQuery { sort, ..query(&world) }).await;
            assert_eq!(sorted(found), naive(&world, |_| true), "{sort} at {now}");
        }
        let lamps = Some(vec![slug("lamps"), slug("tables")]);
        let colors = [("color".to_owned(), vec!["oak".to_owned(), "red".to_owned()])];
        let filtered = ListingQuery {
            collections: lamps.clone(),
            facets: colors.clone().into(),
            price_min: Some(300),
            price_max: Some(700),
            ..query(&world)
        };
        let expected = naive(&world, |product| {
            let price = &product.variants[0].prices[0];
            let holds = price.valid_until.is_none_or(|until| Timestamp(now) < until);
            product.collections.iter().any(|slug| lamps.as_ref().unwrap().contains(slug))
                && product.facets["color"].iter().any(|color| colors[0].1.contains(color))
                && holds
                && (300..=700).contains(&price.amount.amount)
        });
        assert!(!expected.is_empty());
        assert_eq!(sorted(all(&world, filtered).await), expected, "filtered at {now}");
    }
}

#[tokio::test]
async fn lists_follow_the_clock_with_one_look_a_boundary() {
    let mut early = product(1, 100);
    early.publish_at = Some(Timestamp(10));
    early.variants[0].prices[0].valid_until = Some(Timestamp(20));
    let world = World::loaded([early, product(2, 50)]).await;
    let by_price = || ListingQuery { sort: Sort::Price, ..query(&world) };
    let mut looks = Vec::new();
    for (now, expected) in
        [(0, vec![2]), (9, vec![2]), (10, vec![2, 1]), (19, vec![2, 1]), (20, vec![2, 1])]
    {
        world.set_clock(now);
        looks.push(world.catalog.refresh().await.unwrap());
        assert_eq!(all(&world, by_price()).await, expected, "at {now}");
    }
    assert_eq!(looks, [0, 0, 1, 0, 1]);
    let priced = ListingQuery { price_min: Some(0), ..query(&world) };
    assert_eq!(all(&world, priced).await, [2], "the price of the other has ended");
}

#[tokio::test]
async fn a_list_shows_nothing_that_is_no_longer_sold_even_before_it_is_refreshed() {
    let world = World::loaded([product(1, 100), product(2, 100)]).await;
    let mut draft = product(1, 100);
    draft.status = ProductStatus::Draft;
    world.stores.write(draft);
    // Nobody has announced it; but what is read anew is looked at.
    assert_eq!(all(&world, query(&world)).await, [2]);
}

#[tokio::test]
async fn changes_reach_lists_counts_and_facets() {
    let world = World::new([product(1, 100), product(2, 200)]);
    *world.stores.collections.lock() =
        vec![collection(1, "home", None), collection(2, "chairs", Some("home"))];
    world.catalog.load(|_| {}).await.unwrap();
    let count = || world.catalog.count_in(&slug("home"), &world.view().channel);
    assert_eq!(count(), 0);
    let mut changed = product(1, 100);
    changed.collections = vec![slug("chairs"), slug("home")];
    changed.facets = [("color".to_owned(), vec!["red".to_owned()])].into();
    world.stores.write(changed.clone());
    world.stores.products.lock().remove(&ProductId(2));
    world.catalog.changed(&[changed, product(2, 200)]).await.unwrap();
    assert_eq!(count(), 1, "a product in two of them counts once");
    let page = world.catalog.list(&query(&world), Timestamp(0)).await.unwrap();
    assert_eq!(page.offers.len(), 1);
    assert_eq!(page.total.unwrap().count, 1);
    assert_eq!(page.facets.unwrap()[0].values[0].value, "red");
}

#[tokio::test]
async fn in_stock_is_what_is_on_hand() {
    let world = World::new((1..=3).map(|id| product(id, 100)));
    world.stores.stock.lock().extend([(sku("SKU-1"), 5), (sku("SKU-2"), 0)]);
    world.catalog.load(|_| {}).await.unwrap();
    let in_stock = || ListingQuery { in_stock: true, ..query(&world) };
    assert_eq!(all(&world, in_stock()).await, [1]);
    world.stores.stock.lock().insert(sku("SKU-2"), 1);
    world.catalog.changed(&[product(2, 100)]).await.unwrap();
    assert_eq!(all(&world, in_stock()).await, [1, 2]);
}

#[tokio::test]
async fn loading_tells_how_far_it_is_and_what_it_found() {
    let mut products: Vec<Product> = (1..=1_200).map(|id| product(id, 100)).collect();
    products[0].status = ProductStatus::Archived;
    let world = World::new(products);
    let mut seen = Vec::new();
    let loaded = world.catalog.load(|done| seen.push(done)).await.unwrap();
    assert_eq!(seen, [500, 1_000, 1_200]);
    assert_eq!((loaded.products, loaded.listed, loaded.collections), (1_200, 1_199, 0));
}

#[tokio::test]
async fn similar_products_share_most_and_cost_about_the_same() {
    let of = |id: u128, price: i64, color: &str, name: &str| {
        let mut product = product(id, price);
        product.collections = vec![slug(name)];
        product.facets = [("color".to_owned(), vec![color.to_owned()])].into();
        product
    };
    let mut hidden = of(7, 100, "red", "chairs");
    hidden.status = ProductStatus::Draft;
    let world = World::new([
        of(1, 100, "red", "chairs"),
        of(2, 190, "red", "chairs"),
        of(3, 120, "red", "chairs"),
        of(4, 100, "blue", "chairs"),
        of(5, 100, "red", "tables"),
        of(6, 90, "red", "chairs"),
        hidden,
    ]);
    for id in 1..=7 {
        let units = if id == 6 { 0 } else { 9 };
        world.stores.stock.lock().insert(sku(&format!("SKU-{id}")), units);
    }
    world.catalog.load(|_| {}).await.unwrap();
    let offer = world.catalog.product(ProductId(1)).await.unwrap().unwrap();
    let similar = async |limit| {
        let found = world.catalog.similar(&offer, &world.view(), limit).await.unwrap();
        found.iter().map(|offer| offer.product.id.0).collect::<Vec<_>>()
    };
    // The red ones by price, the blue one, and last what is sold out.
    assert_eq!(similar(9).await, [3, 2, 4, 6]);
    assert_eq!(similar(2).await, [3, 2]);
    let alone = world.catalog.product(ProductId(5)).await.unwrap().unwrap();
    let found = world.catalog.similar(&alone, &world.view(), 9).await.unwrap();
    assert!(found.is_empty());
}
