//! Product pages that were written lately. Writing one costs three times what a cart
//! does, and the products that are looked at are few, so each page is kept for a moment.
//!
//! A kept page is never older than what it shows: it holds for one snapshot of the product and
//! one state of the catalog. Only what the clock alone changes, a sale that begins, shows up to
//! [`KEPT_FOR`] late; a cart goes by the price of its own moment.

use std::sync::Arc;
use std::time::Duration;

use barrow_actors::catalog::{Offer, Viewpoint};
use barrow_engine::catalog::{ChannelId, Locale};
use barrow_engine::ids::ProductId;
use barrow_engine::money::Currency;
use bytes::Bytes;
use moka::sync::Cache;

const KEPT_FOR: Duration = Duration::from_secs(1);
/// Some thousand pages.
const KEPT_BYTES_MAX: u64 = 32 << 20;

type Key = (ProductId, ChannelId, Currency, Locale);

/// The pages; clones share them.
#[derive(Clone)]
pub struct WrittenPages(Cache<Key, Written, ahash::RandomState>);

#[derive(Clone)]
struct Written {
    offer: Arc<Offer>,
    generation: u64,
    body: Bytes,
}

impl Default for WrittenPages {
    fn default() -> WrittenPages {
        let pages = Cache::builder()
            .name("product_pages")
            .weigher(|_: &Key, page: &Written| u32::try_from(page.body.len()).unwrap_or(u32::MAX))
            .max_capacity(KEPT_BYTES_MAX)
            .time_to_live(KEPT_FOR)
            .build_with_hasher(ahash::RandomState::new());
        WrittenPages(pages)
    }
}

impl WrittenPages {
    /// The page of this very snapshot, at this state of the catalog.
    pub fn get(&self, offer: &Arc<Offer>, view: &Viewpoint, generation: u64) -> Option<Bytes> {
        let page = self.0.get(&key(offer, view))?;
        let holds = page.generation == generation && Arc::ptr_eq(&page.offer, offer);
        holds.then_some(page.body)
    }

    /// `generation` was read before the page was put together.
    pub fn put(&self, offer: &Arc<Offer>, view: &Viewpoint, generation: u64, body: Bytes) {
        let page = Written { offer: Arc::clone(offer), generation, body };
        self.0.insert(key(offer, view), page);
    }
}

fn key(offer: &Offer, view: &Viewpoint) -> Key {
    (offer.product.id, view.channel.clone(), view.currency, view.locale.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrow_engine::time::Timestamp;

    #[test]
    fn a_page_holds_for_its_snapshot_its_catalog_and_its_viewpoint() {
        let offer = || {
            let product = serde_json::from_value(serde_json::json!({
                "id": ProductId(7), "version": 1, "slug": "lamp", "title": "Lamp",
                "created_at": Timestamp(1), "updated_at": Timestamp(1),
            }));
            Arc::new(Offer::new(product.unwrap(), None))
        };
        let first = offer();
        let view = |locale: &str| Viewpoint {
            channel: "web".parse().unwrap(),
            currency: Currency::from_code("EUR").unwrap(),
            locale: locale.parse().unwrap(),
            now: Timestamp(5),
        };
        let pages = WrittenPages::default();
        pages.put(&first, &view("en"), 3, Bytes::from_static(b"{}"));
        assert!(pages.get(&first, &view("en"), 3).is_some());
        assert!(pages.get(&first, &view("en"), 4).is_none(), "the catalog has changed");
        assert!(pages.get(&first, &view("de"), 3).is_none(), "another language");
        assert!(pages.get(&offer(), &view("en"), 3).is_none(), "another snapshot");
    }
}
