//! What other processes write to a shared catalog, and what this one does to stock, taken over by
//! its memory.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use barrow_actors::catalog::{Catalog, CatalogError, StockDesk};
use barrow_adapters::decorators::{
    CachedProducts, CatalogNews, StockNews, stock_doubted, stock_news,
};
use barrow_engine::ids::ProductId;
use barrow_engine::ports::{Announcements, Heard, Listener};
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
    pub fn serve(mut self, catalog: Catalog, stock: StockDesk) {
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while self.news.recv_many(&mut batch, BATCH_MAX).await > 0 {
                let news = std::mem::take(&mut batch);
                if let Err(error) = take_over(&catalog, &stock, news).await {
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

async fn take_over(
    catalog: &Catalog,
    stock: &StockDesk,
    news: Vec<CatalogNews>,
) -> Result<(), CatalogError> {
    if news.contains(&CatalogNews::Missed) {
        tracing::info!("news of the catalog may have been missed: all of it is read anew");
        return catalog.doubt_everything().await.map(drop);
    }
    if news.contains(&CatalogNews::Collections) {
        catalog.reread_collections().await?;
    }
    let mut changed: HashSet<ProductId> = HashSet::new();
    for news in news {
        match news {
            CatalogNews::Product(id) => changed.extend([id]),
            CatalogNews::Stock(sku) => stock.changed([sku]),
            CatalogNews::Collections | CatalogNews::Missed => {}
        }
    }
    let changed: Vec<ProductId> = changed.into_iter().collect();
    catalog.changed_elsewhere(&changed).await
}

/// From now on the catalog of this process hears at once what is announced of stock within it, and
/// other processes do where there is a way to tell them. Nobody who buys waits for either.
pub(super) fn follow_stock(
    own: &dyn Announcements,
    desk: StockDesk,
    others: Option<Arc<dyn Announcements>>,
) {
    let mut heard_here = own.listen();
    if let Some(others) = others {
        tokio::spawn(pass_on(own.listen(), others));
    }
    tokio::spawn(async move {
        // The first thing heard is that the line stands.
        let _ = heard_here.next().await;
        while let Some(heard) = heard_here.next().await {
            match heard {
                Heard::Missed => desk.doubt_everything(),
                Heard::Announced(news) => match stock_news(&news) {
                    Some(StockNews::Sku(sku)) => desk.changed([sku]),
                    Some(StockNews::Missed) => desk.doubt_everything(),
                    None => {}
                },
            }
        }
    });
}

/// Where the others cannot be told now, they are told that they may have missed something as soon
/// as they hear again.
async fn pass_on(mut own: Box<dyn Listener>, others: Arc<dyn Announcements>) {
    let _ = own.next().await;
    while let Some(heard) = own.next().await {
        let news = match heard {
            Heard::Announced(news) => news,
            Heard::Missed => stock_doubted(),
        };
        if let Err(error) = others.announce(news).await {
            tracing::warn!(%error, "other nodes learn of stock late");
        }
    }
}
