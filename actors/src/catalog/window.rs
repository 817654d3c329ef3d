//! The listing index of a running shop: built from the stores at start, put right when products
//! change, and again whenever an instant passes at which a product's listing changes by itself.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use barrow_engine::catalog::listing::{
    FacetCounts, ListingBuilder, ListingEntry, ListingIndex, ListingQuery, Position, Total,
};
use barrow_engine::catalog::{BATCH_MAX, ChannelId, Product, Sku, Slug};
use barrow_engine::ids::ProductId;
use barrow_engine::pricing::Shop;
use barrow_engine::time::Timestamp;
use parking_lot::{Mutex, RwLock};

use super::offers::READ_BATCH_MAX;
use super::{Catalog, CatalogError, Collections, Offer};

/// The index with what keeps it right.
#[derive(Default)]
pub(super) struct Window {
    index: RwLock<ListingIndex>,
    collections: RwLock<Arc<Collections>>,
    boundaries: Mutex<Boundaries>,
    /// Held while products are read and put into the index, so that what was read first is
    /// never put in last.
    updating: tokio::sync::Mutex<()>,
}

/// When which product has to be looked at again: one instant a product, the next.
#[derive(Default)]
struct Boundaries {
    by_time: BTreeSet<(Timestamp, ProductId)>,
    by_product: HashMap<ProductId, Timestamp>,
}

impl Boundaries {
    fn set(&mut self, product: ProductId, at: Option<Timestamp>) {
        if let Some(former) = self.by_product.remove(&product) {
            self.by_time.remove(&(former, product));
        }
        if let Some(at) = at {
            self.by_time.insert((at, product));
            self.by_product.insert(product, at);
        }
    }

    /// The products whose instant has come, earliest first, at most `limit`.
    fn due(&self, now: Timestamp, limit: usize) -> Vec<ProductId> {
        let due = self.by_time.iter().take_while(|(at, _)| *at <= now);
        due.take(limit).map(|(_, product)| *product).collect()
    }
}

/// What building the index came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// Products read, whether or not a channel sells them.
    pub products: u64,
    pub listed: u64,
    pub collections: u64,
}

/// A page of a list.
#[derive(Debug, Clone)]
pub struct Listed {
    pub offers: Vec<Arc<Offer>>,
    /// Where the next page starts; `None` where this is the last.
    pub next: Option<Position>,
    /// On the first page only.
    pub total: Option<Total>,
    /// On the first page only.
    pub facets: Option<Vec<FacetCounts>>,
}

/// A product as the index takes it, and when to look at it again.
struct Entry {
    listing: ListingEntry,
    boundary: Option<Timestamp>,
}

impl Entry {
    fn new(product: &Product, units: &[Option<i64>], shop: &Shop, now: Timestamp) -> Entry {
        let variants = product.variants.iter().zip(units);
        let in_stock = variants
            .map(|(variant, units)| variant.stock.availability(*units))
            .any(|availability| availability.is_in_stock());
        Entry {
            listing: ListingEntry::new(product, shop, in_stock, now),
            boundary: product.next_boundary(now),
        }
    }
}

impl Catalog {
    /// Builds the index and the collections from the stores, a batch at a time; `progress`
    /// hears how many products were read. Until it is done, lists are empty.
    pub async fn load(&self, mut progress: impl FnMut(u64) + Send) -> Result<Loaded, CatalogError> {
        let window = &self.inner.window;
        let _updating = window.updating.lock().await;
        self.load_collections().await?;
        let mut builder = ListingBuilder::new();
        let mut boundaries = Boundaries::default();
        let mut products = 0;
        let mut after = None;
        loop {
            let batch = self.inner.offers.products().scan(after, BATCH_MAX).await?;
            let Some(last) = batch.last() else { break };
            after = Some(last.id);
            products += batch.len() as u64;
            for Entry { listing, boundary } in self.entries(&batch).await? {
                boundaries.set(listing.id, boundary);
                builder.add(listing);
            }
            progress(products);
        }
        let index = builder.finish();
        let listed = index.len() as u64;
        *window.index.write() = index;
        *window.boundaries.lock() = boundaries;
        let collections = self.collections().len() as u64;
        Ok(Loaded { products, listed, collections })
    }

    /// The products as they are to be listed now, in the same order.
    async fn entries(&self, products: &[Product]) -> Result<Vec<Entry>, CatalogError> {
        let skus = products.iter().flat_map(|product| product.variants.iter());
        let skus: Vec<Sku> = skus.map(|variant| variant.sku.clone()).collect();
        let units = self.inner.offers.units(&skus).await?;
        let now = self.inner.clock.now();
        let mut units = &units[..];
        let entries = products.iter().map(|product| {
            let (own, rest) = units.split_at(product.variants.len());
            units = rest;
            Entry::new(product, own, &self.inner.shop, now)
        });
        Ok(entries.collect())
    }

    /// Looks again at every product whose instant has come: a publication, the start or end of
    /// a price. Whoever runs the catalog calls this about once a second; with nothing due it
    /// costs a look at one tree. Answers how many products it looked at.
    pub async fn refresh(&self) -> Result<usize, CatalogError> {
        let window = &self.inner.window;
        let _updating = window.updating.lock().await;
        let mut looked_at = 0;
        loop {
            let now = self.inner.clock.now();
            let due = window.boundaries.lock().due(now, BATCH_MAX);
            if due.is_empty() {
                return Ok(looked_at);
            }
            self.reread(&due).await?;
            looked_at += due.len();
        }
    }

    /// Reads products from the stores and puts them into the index as they are now.
    pub(super) async fn reread_changed(&self, ids: &[ProductId]) -> Result<(), CatalogError> {
        let _updating = self.inner.window.updating.lock().await;
        for batch in ids.chunks(BATCH_MAX) {
            self.reread(batch).await?;
        }
        Ok(())
    }

    async fn reread(&self, ids: &[ProductId]) -> Result<(), CatalogError> {
        let found = self.inner.offers.products().get_many(ids).await?;
        let gone: Vec<ProductId> = ids
            .iter()
            .zip(&found)
            .filter_map(|(id, product)| product.is_none().then_some(*id))
            .collect();
        let products: Vec<Product> = found.into_iter().flatten().collect();
        let entries = self.entries(&products).await?;
        let window = &self.inner.window;
        let mut boundaries = window.boundaries.lock();
        let mut index = window.index.write();
        for id in gone {
            index.remove(id);
            boundaries.set(id, None);
        }
        for Entry { listing, boundary } in entries {
            boundaries.set(listing.id, boundary);
            index.upsert(listing);
        }
        Ok(())
    }

    /// Reads the collections anew: another node wrote some.
    pub async fn reread_collections(&self) -> Result<(), CatalogError> {
        let _updating = self.inner.window.updating.lock().await;
        self.load_collections().await
    }

    async fn load_collections(&self) -> Result<(), CatalogError> {
        let collections = self.inner.offers.products().collections().await?;
        *self.inner.window.collections.write() = Arc::new(Collections::new(collections));
        Ok(())
    }

    /// All collections, as they are now.
    pub fn collections(&self) -> Arc<Collections> {
        Arc::clone(&self.inner.window.collections.read())
    }

    /// How many products a channel sells of a collection and all that lie in it.
    pub fn count_in(&self, collection: &Slug, channel: &ChannelId) -> u64 {
        let within = self.collections().within(collection);
        self.inner.window.index.read().count(channel, &within)
    }

    /// A page of a list. A product that was listed a moment ago and is not shown at `now` is
    /// left out, so a page may be shorter than asked while there is a next one.
    pub async fn list(&self, query: &ListingQuery, now: Timestamp) -> Result<Listed, CatalogError> {
        let page = self.inner.window.index.read().query(query);
        let offers = self.offers(&page.ids).await?;
        let is_sold = |offer: &Arc<Offer>| offer.product.is_sold_in(&query.channel, now);
        Ok(Listed {
            offers: offers.into_iter().flatten().filter(is_sold).collect(),
            next: page.next,
            total: page.total,
            facets: page.facets,
        })
    }

    /// The ids that a question finds, without their products.
    pub(super) fn ids(&self, query: &ListingQuery) -> Vec<ProductId> {
        self.inner.window.index.read().query(query).ids
    }

    /// Many products in the order asked, in whatever state they are; at most 128.
    pub async fn offers(&self, ids: &[ProductId]) -> Result<Vec<Option<Arc<Offer>>>, CatalogError> {
        assert!(ids.len() <= READ_BATCH_MAX, "callers ask for a page at a time");
        let loading = self.inner.offers.loading().await;
        self.inner.offers.get_many(ids, &loading).await
    }
}
