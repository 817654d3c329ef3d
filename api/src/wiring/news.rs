//! What other processes write to a shared catalog, taken over by this one's memory.

use std::collections::HashSet;
use std::time::Duration;

use barrow_actors::catalog::{Catalog, CatalogError};
use barrow_adapters::decorators::{CachedProducts, CatalogNews};
use barrow_engine::ids::ProductId;
use tokio::sync::mpsc;

/// News that wait while products are read anew. Beyond it the listener waits, and if it falls
/// behind it is told that it missed some.
const WAITING_MAX: usize = 1_024;

/// News taken over at once: an import announces thousands a second.
const BATCH_MAX: usize = 256;

/// A server that is there answers a subscription in a millisecond.
const STAND_MAX: Duration = Duration::from_millis(500);

/// Listens from now on, and keeps the catalog right. News that come while the catalog is first
/// read wait until it is.
pub(super) struct NewsDesk {
    news: mpsc::Receiver<CatalogNews>,
}

impl NewsDesk {
    pub fn open(products: CachedProducts) -> NewsDesk {
        let (sender, news) = mpsc::channel(WAITING_MAX);
        tokio::spawn(products.listen(move |news| {
            let sender = sender.clone();
            // Nobody takes it over any more: the process ends.
            async move { drop(sender.send(news).await) }
        }));
        NewsDesk { news }
    }

    /// The catalog is read: from now on news change it.
    pub fn serve(mut self, catalog: Catalog) {
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while self.news.recv_many(&mut batch, BATCH_MAX).await > 0 {
                if let Err(error) = take_over(&catalog, std::mem::take(&mut batch)).await {
                    tracing::warn!(%error, "news of the catalog could not be taken over");
                }
            }
        });
    }

    /// Waits a moment for the line to stand, for a catalog that is about to be read: what is
    /// written from then on is heard. Where it stands only later, all is read once more then.
    pub async fn stands(&mut self) {
        // The first thing heard is that it stands.
        let _ = tokio::time::timeout(STAND_MAX, self.news.recv()).await;
    }
}

async fn take_over(catalog: &Catalog, news: Vec<CatalogNews>) -> Result<(), CatalogError> {
    if news.contains(&CatalogNews::Missed) {
        tracing::info!("news of the catalog may have been missed: all of it is read anew");
        return catalog.doubt_everything().await.map(drop);
    }
    let mut changed: HashSet<ProductId> = HashSet::new();
    for news in news {
        match news {
            CatalogNews::Product(id) => changed.extend([id]),
            CatalogNews::Stock(sku) => changed.extend(catalog.owner_of(&sku).await?),
            CatalogNews::Missed => {}
        }
    }
    let changed: Vec<ProductId> = changed.into_iter().collect();
    catalog.changed_elsewhere(&changed).await
}
