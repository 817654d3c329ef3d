//! The catalog over stores that tests can hold, change and take away.

mod lists;
mod loads;
mod stock;
mod stores;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use barrow_engine::catalog::{Collection, Locale, Product, Sku, Slug};
use barrow_engine::ids::{CollectionId, ProductId};
use barrow_engine::money::Currency;
use barrow_engine::pricing::Shop;
use barrow_engine::time::Timestamp;

use super::{Catalog, CatalogLimits, CatalogPorts, Viewpoint};
use stores::{HandClock, Stores};

/// A catalog, its stores and its clock.
struct World {
    catalog: Catalog,
    stores: Arc<Stores>,
    clock: Arc<HandClock>,
}

impl World {
    fn new(products: impl IntoIterator<Item = Product>) -> World {
        let stores = Stores::new(products);
        let clock = Arc::new(HandClock(AtomicI64::new(0)));
        let ports = CatalogPorts {
            products: stores.clone(),
            stock: stores.clone(),
            clock: clock.clone(),
            shop: Arc::new(Shop::sample()),
        };
        World { catalog: Catalog::new(ports, CatalogLimits::default()), stores, clock }
    }

    async fn loaded(products: impl IntoIterator<Item = Product>) -> World {
        let world = World::new(products);
        world.catalog.load(|_| {}).await.unwrap();
        world
    }

    fn set_clock(&self, now: i64) {
        self.clock.0.store(now, SeqCst);
    }

    fn view(&self) -> Viewpoint {
        let shop = self.catalog.shop();
        let channel = shop.channel(&shop.default_channel).unwrap();
        Viewpoint {
            channel: channel.id.clone(),
            currency: Currency::from_code("EUR").unwrap(),
            locale: Locale::new("en").unwrap(),
            now: Timestamp(self.clock.0.load(SeqCst)),
        }
    }
}

fn slug(text: &str) -> Slug {
    Slug::new(text).unwrap()
}

fn sku(text: &str) -> Sku {
    Sku::new(text).unwrap()
}

/// A product with one variant, `SKU-{id}`, at `price` euro cents.
fn product(id: u128, price: i64) -> Product {
    let product = serde_json::json!({
        "id": ProductId(id),
        "version": 1,
        "slug": format!("product-{id}"),
        "title": format!("Product {id}"),
        "variants": [{
            "id": barrow_engine::ids::VariantId(id),
            "sku": format!("SKU-{id}"),
            "prices": [{
                "id": barrow_engine::ids::PriceId(id),
                "amount": {"amount": price, "currency": "EUR"},
            }],
        }],
        "created_at": Timestamp(0),
        "updated_at": Timestamp(0),
    });
    serde_json::from_value(product).unwrap()
}

fn collection(id: u128, name: &str, parent: Option<&str>) -> Collection {
    Collection {
        id: CollectionId(id),
        slug: slug(name),
        title: name.to_owned(),
        parent: parent.map(slug),
        image: None,
    }
}
