//! What the catalog holds, answered from memory wherever it can be: the product page, the lists
//! with their facets, collections and reviews, and the snapshots that carts price by.
//!
//! Everything it keeps is bounded and can be dropped at any time; the stores are the truth. A
//! change is announced with [`Catalog::changed`] or [`Catalog::stock_changed`] once it is durable,
//! and from then on nobody is answered with what was before. Time is handed in or asked of the
//! clock's port; what starts or ends at an instant (a publication, a price) is right on the
//! product page at that instant, and in the order and the filters of lists after the next
//! [`Catalog::refresh`].

mod collections;
mod offers;
mod similar;
mod snapshots;
mod stock;
mod viewpoint;
mod window;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use barrow_engine::catalog::{BATCH_MAX, Product, Review, Sku, Slug};
use barrow_engine::ids::{ProductId, ReviewId};
use barrow_engine::ports::{Clock, CommerceError, ProductStore, ProductStoreError, StockLedger};
use barrow_engine::pricing::Shop;
use barrow_engine::time::Timestamp;

pub use collections::Collections;
pub use offers::Offer;
pub use stock::StockDesk;
pub use viewpoint::{ShownVariant, Viewpoint, best_availability, price_range};
pub use window::{Listed, Loaded};

use offers::Offers;
use snapshots::Snapshots;
use window::Window;

/// How much the catalog keeps in memory.
#[derive(Debug, Clone, Copy)]
pub struct CatalogLimits {
    /// Bytes of products with their stock.
    pub offer_bytes_max: u64,
    /// Bytes of the snapshots that carts share.
    pub snapshot_bytes_max: u64,
    /// Slugs and SKUs whose owner is remembered, those that nobody has among them: a stream of
    /// made-up ones must neither grow without end nor reach the store each time.
    pub names_max: u64,
    /// For how long anything is kept without being read anew. Unset where nothing changes without
    /// [`Catalog::changed`]; where other nodes write too, news of it may be lost.
    pub kept_max: Option<Duration>,
}

impl Default for CatalogLimits {
    /// Room for some 20,000 products and 100,000 snapshots: a large shop's daily traffic, on a
    /// machine of 1 GB.
    fn default() -> CatalogLimits {
        CatalogLimits {
            offer_bytes_max: 128 << 20,
            snapshot_bytes_max: 96 << 20,
            names_max: 200_000,
            kept_max: None,
        }
    }
}

/// Why the catalog has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// A store did not answer; it may be asked again.
    #[error("the catalog is not available: {0}")]
    Unavailable(String),
    /// Something stored cannot be read; asking again does not help.
    #[error("the catalog is damaged: {0}")]
    Damaged(String),
}

impl From<ProductStoreError> for CatalogError {
    fn from(error: ProductStoreError) -> CatalogError {
        match error {
            ProductStoreError::Damaged(what) => CatalogError::Damaged(what),
            other => CatalogError::Unavailable(other.to_string()),
        }
    }
}

impl From<CommerceError> for CatalogError {
    fn from(error: CommerceError) -> CatalogError {
        match error {
            CommerceError::Damaged(what) => CatalogError::Damaged(what),
            other => CatalogError::Unavailable(other.to_string()),
        }
    }
}

/// What the catalog is made of.
#[derive(Clone)]
pub struct CatalogPorts {
    pub products: Arc<dyn ProductStore>,
    pub stock: Arc<dyn StockLedger>,
    pub clock: Arc<dyn Clock>,
    pub shop: Arc<Shop>,
}

/// The catalog of a running shop. Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    inner: Arc<Inner>,
}

struct Inner {
    shop: Arc<Shop>,
    clock: Arc<dyn Clock>,
    offers: Offers,
    snapshots: Snapshots,
    window: Window,
}

/// What an address names.
#[derive(Debug, Clone)]
pub enum Found {
    Product(Arc<Offer>),
    /// It was at this slug once, and is at another now.
    Moved(Arc<Offer>),
    Nothing,
}

impl Catalog {
    pub fn new(ports: CatalogPorts, limits: CatalogLimits) -> Catalog {
        let CatalogPorts { products, stock, clock, shop } = ports;
        let offers = Offers::new(products, stock, &limits);
        let snapshots = Snapshots::new(&limits);
        let window = Window::default();
        Catalog { inner: Arc::new(Inner { shop, clock, offers, snapshots, window }) }
    }

    pub fn shop(&self) -> &Arc<Shop> {
        &self.inner.shop
    }

    /// A product in whatever state it is; who may see it is for the caller to decide.
    pub async fn product(&self, id: ProductId) -> Result<Option<Arc<Offer>>, CatalogError> {
        let loading = self.inner.offers.loading().await;
        self.inner.offers.get(id, &loading).await
    }

    /// A product by its slug, one of a translation, or one it had before.
    pub async fn product_at(&self, slug: &Slug) -> Result<Found, CatalogError> {
        let loading = self.inner.offers.loading().await;
        let Some(owner) = self.inner.offers.owner_of_slug(slug, &loading).await? else {
            return Ok(Found::Nothing);
        };
        let Some(offer) = self.inner.offers.get(owner, &loading).await? else {
            return Ok(Found::Nothing);
        };
        let product = &offer.product;
        let translated = || product.translations.values().filter_map(|t| t.slug.as_ref());
        if product.slug == *slug || translated().any(|one| one == slug) {
            Ok(Found::Product(offer))
        } else if product.former_slugs.contains(slug) {
            Ok(Found::Moved(offer))
        } else {
            Ok(Found::Nothing)
        }
    }

    /// A product's published reviews, newest first, after `after`, at most `limit`.
    pub async fn reviews(
        &self,
        product: ProductId,
        after: Option<(Timestamp, ReviewId)>,
        limit: usize,
    ) -> Result<Vec<Review>, CatalogError> {
        Ok(self.inner.offers.products().reviews(product, after, limit).await?)
    }

    /// Announces that products were written or removed. They are durable by then. From the moment
    /// this returns nobody is answered with what was before; where it fails, only lists may still
    /// be as they were, and it has to be repeated.
    pub async fn changed(&self, products: &[Product]) -> Result<(), CatalogError> {
        self.inner.offers.forget(products, || self.inner.snapshots.forget(products)).await;
        let ids: Vec<ProductId> = products.iter().map(|product| product.id).collect();
        self.reread_changed(&ids).await
    }

    /// As [`Catalog::changed`], for what another node wrote.
    pub async fn changed_elsewhere(&self, ids: &[ProductId]) -> Result<(), CatalogError> {
        for ids in ids.chunks(BATCH_MAX) {
            let found = self.inner.offers.products().get_many(ids).await?;
            let found: Vec<Product> = found.into_iter().flatten().collect();
            self.changed(&found).await?;
        }
        Ok(())
    }

    /// Which product has a variant of the SKU, as the store says.
    pub async fn owner_of(&self, sku: &Sku) -> Result<Option<ProductId>, CatalogError> {
        Ok(self.inner.offers.products().by_sku(sku).await?)
    }

    /// Drops all that is in memory, and builds the lists anew: other nodes may have written
    /// anything.
    pub async fn doubt_everything(&self) -> Result<Loaded, CatalogError> {
        self.inner.offers.forget_all(|| self.inner.snapshots.forget_all()).await;
        self.load(|_| {}).await
    }
}
