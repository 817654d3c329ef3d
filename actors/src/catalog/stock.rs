//! Stock as it changes while the shop sells. What is in memory gets the units that there are now
//! and stays where it is, so that no cart asks a store because somebody else has bought.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use barrow_engine::catalog::Sku;
use barrow_engine::ids::ProductId;
use barrow_engine::ports::STOCK_BATCH_MAX;
use futures::stream::{self, StreamExt, TryStreamExt};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::offers::Units;
use super::{Catalog, CatalogError};
use crate::runtime::Tasks;

/// Lookups of products side by side, of SKUs that nobody has asked for lately.
const LOOKUPS_AT_ONCE: usize = 16;

/// SKUs that wait to be taken over. Where it is more, all of the catalog is read anew.
const WAITING_MAX: usize = 10_000;

/// The least time from one round to the next: a SKU that everybody buys is read ten times a
/// second, however often it is bought.
const PACE: Duration = Duration::from_millis(100);

/// How soon a round that failed is made again.
const RETRY: Duration = Duration::from_secs(1);

impl Catalog {
    /// Announces that units of these SKUs came or went, or became somebody's or nobody's. It is
    /// durable by then, and from the moment this returns everybody is told so.
    ///
    /// # Errors
    /// Where a store does not answer; it has to be repeated.
    pub async fn stock_changed(&self, skus: &[Sku]) -> Result<(), CatalogError> {
        for some in skus.chunks(STOCK_BATCH_MAX) {
            self.restock(some).await?;
        }
        Ok(())
    }

    async fn restock(&self, skus: &[Sku]) -> Result<(), CatalogError> {
        let owners = self.owners(skus).await?;
        // Read before anybody is kept from loading. What changes meanwhile is announced anew.
        let units = self.inner.offers.units(skus).await?;
        let units: Units = skus.iter().cloned().zip(units).collect();
        let mut by_product: BTreeMap<ProductId, Units> = BTreeMap::new();
        for (sku, owner) in skus.iter().zip(owners) {
            if let Some(owner) = owner {
                by_product.entry(owner).or_default().insert(sku.clone(), units[sku]);
            }
        }
        let snapshots = || self.inner.snapshots.restock(&units);
        let turned = self.inner.offers.restock(&by_product, snapshots).await;
        self.reread_changed(&turned).await
    }

    /// The products of the SKUs, in their order.
    async fn owners(&self, skus: &[Sku]) -> Result<Vec<Option<ProductId>>, CatalogError> {
        let lookups = stream::iter(skus.to_vec()).map(|sku| async move {
            let loading = self.inner.offers.loading().await;
            self.inner.offers.owner_of_sku(&sku, &loading).await
        });
        lookups.buffered(LOOKUPS_AT_ONCE).try_collect().await
    }
}

/// Hears of SKUs whose units have changed, and has the catalog take them over: at once, and what
/// comes while it is at it together. Clones are handles to the same.
#[derive(Clone)]
pub struct StockDesk {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    waiting: Mutex<Waiting>,
    woken: Arc<Notify>,
}

#[derive(Default)]
struct Waiting {
    skus: BTreeSet<Sku>,
    /// Nobody knows which.
    all: bool,
}

impl Waiting {
    fn add(&mut self, skus: impl IntoIterator<Item = Sku>) {
        self.skus.extend(skus);
        if self.skus.len() > WAITING_MAX {
            self.all = true;
        }
        if self.all {
            self.skus.clear();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.woken.notify_one();
    }
}

impl StockDesk {
    /// Starts it on the current tokio runtime, for as long as a handle is there.
    pub fn start(catalog: Catalog) -> StockDesk {
        let inner = Arc::new(Inner::default());
        let (weak, woken) = (Arc::downgrade(&inner), Arc::clone(&inner.woken));
        Tasks::here().spawn(serve(catalog, weak, woken));
        StockDesk { inner }
    }

    /// Units of these SKUs came or went, or became somebody's or nobody's. Never waits.
    pub fn changed(&self, skus: impl IntoIterator<Item = Sku>) {
        self.inner.waiting.lock().add(skus);
        self.inner.woken.notify_one();
    }

    /// Units of any SKU may have changed.
    pub fn doubt_everything(&self) {
        self.inner.waiting.lock().all = true;
        self.inner.woken.notify_one();
    }
}

async fn serve(catalog: Catalog, inner: Weak<Inner>, woken: Arc<Notify>) {
    loop {
        woken.notified().await;
        let Some(waiting) = inner.upgrade().map(|inner| std::mem::take(&mut *inner.waiting.lock()))
        else {
            return;
        };
        let skus: Vec<Sku> = waiting.skus.into_iter().collect();
        let outcome = match waiting.all {
            true => catalog.doubt_everything().await.map(drop),
            false => catalog.stock_changed(&skus).await,
        };
        let pause = match outcome {
            Ok(()) => PACE,
            Err(error) => {
                tracing::warn!(%error, "stock is shown as it was until it can be read");
                let Some(inner) = inner.upgrade() else { return };
                let mut again = inner.waiting.lock();
                again.all |= waiting.all;
                again.add(skus);
                inner.woken.notify_one();
                RETRY
            }
        };
        tokio::time::sleep(pause).await;
    }
}
