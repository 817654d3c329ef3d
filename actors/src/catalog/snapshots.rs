//! What carts read of the catalog: one snapshot per SKU, in memory, without a lock.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use barrow_engine::catalog::{Product, Sellable, Sku};
use barrow_engine::ids::ProductId;
use futures::stream::{self, StreamExt, TryStreamExt};
use moka::sync::Cache;

use super::offers::Units;
use super::{Catalog, CatalogError, CatalogLimits};
use crate::shelf::{Shelf, ShelfError};

/// How many SKUs of one question are loaded side by side: a cart of a thousand lines that wakes
/// up must not hold every connection of a remote store.
const LOADS_AT_ONCE: usize = 16;

/// The snapshots in memory, and a number that tells whether any of them may have changed.
pub(super) struct Snapshots {
    by_sku: Cache<Sku, Arc<Sellable>, ahash::RandomState>,
    generation: AtomicU64,
}

impl Snapshots {
    pub(super) fn new(limits: &CatalogLimits) -> Snapshots {
        let by_sku = Cache::builder()
            .name("snapshots")
            .weigher(|_: &Sku, sellable: &Arc<Sellable>| weight(sellable))
            .max_capacity(limits.snapshot_bytes_max);
        let by_sku = match limits.kept_max {
            Some(kept) => by_sku.time_to_live(kept),
            None => by_sku,
        };
        let by_sku = by_sku.build_with_hasher(ahash::RandomState::new());
        Snapshots { by_sku, generation: AtomicU64::new(1) }
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Drops the snapshots of the products and moves the generation on, in this order: whoever
    /// reads the new generation can no longer find an old snapshot.
    pub(super) fn forget(&self, changed: &[Product]) {
        // By product and not by SKU, since a product may have lost a SKU by the change.
        let ids: HashSet<ProductId> = changed.iter().map(|product| product.id).collect();
        for (sku, sellable) in &self.by_sku {
            if ids.contains(&sellable.product_id) {
                self.by_sku.invalidate(&*sku);
            }
        }
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Gives the snapshots the units that their SKUs have now, and moves the generation on if that
    /// changes any: carts that hold one find the new one here, and ask no store.
    pub(super) fn restock(&self, units: &Units) {
        let mut has_changed = false;
        for (sku, units) in units {
            let Some(former) = self.by_sku.get(sku).filter(|one| one.units != *units) else {
                continue;
            };
            let restocked = Sellable { units: *units, ..Sellable::clone(&former) };
            self.by_sku.insert(sku.clone(), Arc::new(restocked));
            has_changed = true;
        }
        if has_changed {
            self.generation.fetch_add(1, Ordering::Release);
        }
    }

    /// As [`Snapshots::forget`], for all of them.
    pub(super) fn forget_all(&self) {
        self.by_sku.invalidate_all();
        self.generation.fetch_add(1, Ordering::Release);
    }
}

/// An estimate of the bytes a snapshot takes: exact enough to bound a cache by.
fn weight(sellable: &Sellable) -> u32 {
    let bytes = 600 + sellable.prices.prices.len() * 200 + sellable.titles.len() * 120;
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl Catalog {
    async fn sellable(&self, sku: &Sku) -> Result<Option<Arc<Sellable>>, CatalogError> {
        if let Some(sellable) = self.cached(sku.as_str()) {
            return Ok(Some(sellable));
        }
        let loading = self.inner.offers.loading().await;
        let Some(owner) = self.inner.offers.owner_of_sku(sku, &loading).await? else {
            return Ok(None);
        };
        let Some(offer) = self.inner.offers.get(owner, &loading).await? else {
            return Ok(None);
        };
        if !offer.stock_known {
            return Err(CatalogError::Unavailable(
                "the ledger of stock does not answer".to_owned(),
            ));
        }
        let Some(sellable) = offer.sellables.iter().find(|one| one.sku == *sku) else {
            return Ok(None);
        };
        self.inner.snapshots.by_sku.insert(sku.clone(), Arc::clone(sellable));
        Ok(Some(Arc::clone(sellable)))
    }
}

#[async_trait]
impl Shelf for Catalog {
    fn generation(&self) -> u64 {
        self.inner.snapshots.generation()
    }

    async fn sellables(&self, skus: &[Sku]) -> Result<Vec<Option<Arc<Sellable>>>, ShelfError> {
        // Nearly always all of them lie in memory; only what does not is worth a future.
        let mut found: Vec<_> = skus.iter().map(|sku| self.cached(sku.as_str())).collect();
        let missing: Vec<usize> = (0..found.len()).filter(|at| found[*at].is_none()).collect();
        let mut loads = stream::iter(missing)
            .map(|at| async move { Ok((at, self.sellable(&skus[at]).await?)) })
            .buffer_unordered(LOADS_AT_ONCE);
        while let Some((at, sellable)) =
            loads.try_next().await.map_err(|error: CatalogError| ShelfError(error.to_string()))?
        {
            found[at] = sellable;
        }
        Ok(found)
    }

    fn cached(&self, sku: &str) -> Option<Arc<Sellable>> {
        self.inner.snapshots.by_sku.get(sku)
    }
}
