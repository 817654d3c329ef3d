//! Products as they can be sold, kept near: each with a snapshot per variant that carries its
//! stock.
//!
//! Loads are single flight: however many shoppers ask for a product at once, the stores are
//! asked once. What a load read before a change is never kept after it: loads hold the gate
//! shared, a change takes it alone before it invalidates, so every load that could have read
//! the old state has ended (and is dropped) by then.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use barrow_engine::catalog::{Product, Sellable, Sku, Slug};
use barrow_engine::ids::ProductId;
use barrow_engine::ports::{CommerceError, ProductStore, StockLedger, units_of};
use moka::future::Cache;
use tokio::sync::{RwLock, RwLockReadGuard};

use super::{CatalogError, CatalogLimits};

/// The most products one question reads at once: a page of a list and some to spare.
pub(super) const READ_BATCH_MAX: usize = 128;

/// A product as it can be sold.
#[derive(Debug)]
pub struct Offer {
    pub product: Product,
    /// One snapshot per variant, in the product's order.
    pub sellables: Vec<Arc<Sellable>>,
    /// `false` where the ledger of stock did not answer: what the snapshots say of stock is then no
    /// more than a blank, and must not be shown or sold by.
    pub stock_known: bool,
}

impl Offer {
    /// Takes the snapshots; `units` that are nobody's are in the order of the variants, `None` if
    /// unknown.
    pub fn new(product: Product, units: Option<&[Option<i64>]>) -> Offer {
        let sellables = (0..product.variants.len())
            .map(|index| {
                let own = units.and_then(|units| units.get(index).copied().flatten());
                Arc::new(Sellable::from_product(&product, index, own))
            })
            .collect();
        Offer { product, sellables, stock_known: units.is_some() }
    }

    /// The same with the units that these SKUs have now; `None` where nothing changes by it.
    fn restocked(&self, units: &Units) -> Option<Offer> {
        let changed = |one: &Sellable| units.get(&one.sku).is_some_and(|new| *new != one.units);
        if !self.sellables.iter().any(|one| changed(one)) {
            return None;
        }
        let sellables = self.sellables.iter().map(|one| match changed(one) {
            true => Arc::new(Sellable { units: units[&one.sku], ..Sellable::clone(one) }),
            false => Arc::clone(one),
        });
        let (product, stock_known) = (self.product.clone(), self.stock_known);
        Some(Offer { sellables: sellables.collect(), product, stock_known })
    }

    fn is_in_stock(&self) -> bool {
        self.sellables.iter().any(|one| one.stock.availability(one.units).is_in_stock())
    }

    /// An estimate of the bytes it takes: exact enough to bound a cache by.
    fn weight(&self) -> u32 {
        let product = &self.product;
        let texts = product.description.len()
            + product.title.len()
            + product.translations.values().map(translation_bytes).sum::<usize>();
        let attributes = product.attributes.len() * 160 + product.facets.len() * 120;
        let variants: usize = product.variants.iter().map(|v| 700 + v.prices.len() * 400).sum();
        let bytes = 1_500 + texts + attributes + product.media.len() * 240 + variants;
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}

fn translation_bytes(translation: &barrow_engine::catalog::Translation) -> usize {
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    200 + length(&translation.title) + length(&translation.description)
}

/// Units that are nobody's, by SKU; `None` for one that was never stocked.
pub(super) type Units = HashMap<Sku, Option<i64>>;

/// What a product is asked for by, apart from its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Name {
    Slug(Slug),
    Sku(Sku),
}

/// Why a load kept nothing.
enum NotKept {
    Failed(CatalogError),
    /// The product was read, its stock was not: shown once, asked anew the next time.
    WithoutStock(Arc<Offer>),
}

/// The offers in memory, and the two stores behind them.
pub(super) struct Offers {
    products: Arc<dyn ProductStore>,
    stock: Arc<dyn StockLedger>,
    by_id: Cache<ProductId, Option<Arc<Offer>>, ahash::RandomState>,
    by_name: Cache<Name, Option<ProductId>, ahash::RandomState>,
    gate: RwLock<()>,
}

/// Shared access to the gate: while it is held, nothing is invalidated.
pub(super) struct Loading<'a> {
    _gate: RwLockReadGuard<'a, ()>,
}

impl Offers {
    pub(super) fn new(
        products: Arc<dyn ProductStore>,
        stock: Arc<dyn StockLedger>,
        limits: &CatalogLimits,
    ) -> Offers {
        let by_id = Cache::builder()
            .name("offers")
            .weigher(|_: &ProductId, offer: &Option<Arc<Offer>>| {
                offer.as_ref().map_or(64, |offer| offer.weight())
            })
            .max_capacity(limits.offer_bytes_max);
        let by_name = Cache::builder().name("product names").max_capacity(limits.names_max);
        let (by_id, by_name) = match limits.kept_max {
            Some(kept) => (by_id.time_to_live(kept), by_name.time_to_live(kept)),
            None => (by_id, by_name),
        };
        let by_id = by_id.build_with_hasher(ahash::RandomState::new());
        let by_name = by_name.build_with_hasher(ahash::RandomState::new());
        Offers { products, stock, by_id, by_name, gate: RwLock::new(()) }
    }

    pub(super) fn products(&self) -> &dyn ProductStore {
        &*self.products
    }

    /// Enters the gate. Never enter twice: between the two a change may be waiting.
    pub(super) async fn loading(&self) -> Loading<'_> {
        Loading { _gate: self.gate.read().await }
    }

    /// The product, or `None` if there is none of that id.
    pub(super) async fn get(
        &self,
        id: ProductId,
        _: &Loading<'_>,
    ) -> Result<Option<Arc<Offer>>, CatalogError> {
        let load = async {
            let Some(product) = self.products.get(id).await.map_err(CatalogError::from)? else {
                return Ok(None);
            };
            let offer = self.take_stock(product).await;
            if offer.stock_known { Ok(Some(offer)) } else { Err(NotKept::WithoutStock(offer)) }
        };
        self.by_id.try_get_with(id, load).await.or_else(|why| match &*why {
            NotKept::Failed(error) => Err(error.clone()),
            NotKept::WithoutStock(offer) => Ok(Some(Arc::clone(offer))),
        })
    }

    async fn take_stock(&self, product: Product) -> Arc<Offer> {
        let skus: Vec<Sku> = product.variants.iter().map(|v| v.sku.clone()).collect();
        match units_of(&*self.stock, &skus).await {
            Ok(units) => Arc::new(Offer::new(product, Some(&units))),
            Err(error) => {
                let id = product.id;
                tracing::warn!(product.id = %id, %error, "shown without stock");
                Arc::new(Offer::new(product, None))
            }
        }
    }

    /// Many products in the order asked, with one read of each store for all that are not in
    /// memory; at most [`READ_BATCH_MAX`].
    pub(super) async fn get_many(
        &self,
        ids: &[ProductId],
        _: &Loading<'_>,
    ) -> Result<Vec<Option<Arc<Offer>>>, CatalogError> {
        assert!(ids.len() <= READ_BATCH_MAX, "callers ask for a page at a time");
        let mut found: Vec<Option<Arc<Offer>>> = Vec::with_capacity(ids.len());
        let mut missing = Vec::new();
        for id in ids {
            match self.by_id.get(id).await {
                Some(offer) => found.push(offer),
                None => {
                    missing.push((found.len(), *id));
                    found.push(None);
                }
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        let wanted: Vec<ProductId> = missing.iter().map(|(_, id)| *id).collect();
        let products = self.products.get_many(&wanted).await?;
        let skus: Vec<Sku> = products
            .iter()
            .flatten()
            .flat_map(|product| product.variants.iter().map(|v| v.sku.clone()))
            .collect();
        let units = units_of(&*self.stock, &skus).await;
        if let Err(error) = &units {
            tracing::warn!(%error, "a list is shown without stock");
        }
        let mut next = 0;
        for ((place, id), product) in missing.into_iter().zip(products) {
            let Some(product) = product else {
                self.by_id.insert(id, None).await;
                continue;
            };
            let own = next..next + product.variants.len();
            next = own.end;
            let units = units.as_ref().ok().map(|units| &units[own]);
            let offer = Arc::new(Offer::new(product, units));
            if offer.stock_known {
                self.by_id.insert(id, Some(Arc::clone(&offer))).await;
            }
            found[place] = Some(offer);
        }
        Ok(found)
    }

    /// Units that are nobody's, in the order asked.
    pub(super) async fn units(&self, skus: &[Sku]) -> Result<Vec<Option<i64>>, CommerceError> {
        units_of(&*self.stock, skus).await
    }

    /// Which product has the slug, or had it.
    pub(super) async fn owner_of_slug(
        &self,
        slug: &Slug,
        _: &Loading<'_>,
    ) -> Result<Option<ProductId>, CatalogError> {
        let load = async { self.products.by_slug(slug).await.map_err(CatalogError::from) };
        let name = Name::Slug(slug.clone());
        self.by_name.try_get_with(name, load).await.map_err(|error| (*error).clone())
    }

    /// Which product has a variant of the SKU.
    pub(super) async fn owner_of_sku(
        &self,
        sku: &Sku,
        _: &Loading<'_>,
    ) -> Result<Option<ProductId>, CatalogError> {
        let load = async { self.products.by_sku(sku).await.map_err(CatalogError::from) };
        let name = Name::Sku(sku.clone());
        self.by_name.try_get_with(name, load).await.map_err(|error| (*error).clone())
    }

    /// Forgets what is known of the products as they were and as they are. What `after` does
    /// happens before anybody loads anew.
    pub(super) async fn forget(&self, changed: &[Product], after: impl FnOnce()) {
        let _alone = self.gate.write().await;
        for product in changed {
            // As it was: slugs and SKUs that it lost lead elsewhere, or nowhere, now.
            if let Some(Some(former)) = self.by_id.remove(&product.id).await {
                self.forget_names(&former.product).await;
            }
            self.forget_names(product).await;
        }
        after();
    }

    /// Gives products in memory the units that their SKUs have now. What `after` does with the
    /// snapshots that are new happens before anybody loads anew. Answers which products may be in
    /// stock now and were not before, or the other way round: those that were not in memory are
    /// among them.
    pub(super) async fn restock(
        &self,
        changed: &BTreeMap<ProductId, Units>,
        after: impl FnOnce(),
    ) -> Vec<ProductId> {
        let _alone = self.gate.write().await;
        let mut turned = Vec::new();
        for (id, units) in changed {
            let Some(Some(former)) = self.by_id.get(id).await else {
                turned.push(*id);
                continue;
            };
            let Some(offer) = former.restocked(units) else { continue };
            if offer.is_in_stock() != former.is_in_stock() {
                turned.push(*id);
            }
            self.by_id.insert(*id, Some(Arc::new(offer))).await;
        }
        after();
        turned
    }

    /// Forgets everything. What `after` does happens before anybody loads anew.
    pub(super) async fn forget_all(&self, after: impl FnOnce()) {
        let _alone = self.gate.write().await;
        self.by_id.invalidate_all();
        self.by_name.invalidate_all();
        after();
    }

    #[cfg(test)]
    pub(super) async fn names_remembered(&self) -> u64 {
        self.by_name.run_pending_tasks().await;
        self.by_name.entry_count()
    }

    async fn forget_names(&self, product: &Product) {
        let translated = product.translations.values().filter_map(|t| t.slug.as_ref());
        let slugs =
            product.former_slugs.iter().chain(translated).chain(std::iter::once(&product.slug));
        for slug in slugs {
            self.by_name.invalidate(&Name::Slug(slug.clone())).await;
        }
        for variant in &product.variants {
            self.by_name.invalidate(&Name::Sku(variant.sku.clone())).await;
        }
    }
}

impl From<CatalogError> for NotKept {
    fn from(error: CatalogError) -> NotKept {
        NotKept::Failed(error)
    }
}
