//! A product as the listing index sees it: what it is found, sorted and counted by, now.

use std::collections::BTreeMap;

use crate::catalog::{ChannelId, Product, Rating, Slug};
use crate::ids::ProductId;
use crate::money::Currency;
use crate::pricing::{PriceQuery, Shop};
use crate::time::Timestamp;

/// The facet that a product's brand is found by.
const BRAND: &str = "brand";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingEntry {
    pub id: ProductId,
    /// The channels that sell it now; empty where none does.
    pub channels: Vec<ChannelId>,
    pub collections: Vec<Slug>,
    /// Values by code; the brand is one of them.
    pub facets: BTreeMap<String, Vec<String>>,
    pub prices: Vec<ListingPrice>,
    /// Whether some of it is on hand.
    pub in_stock: bool,
    pub rating: Option<Rating>,
    pub featured: Option<u32>,
    pub created_at: Timestamp,
    pub title: String,
}

/// What the cheapest variant costs in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingPrice {
    pub channel: ChannelId,
    pub currency: Currency,
    /// In minor units.
    pub from: i64,
}

impl ListingEntry {
    /// The product as it is to be listed at `now`.
    pub fn new(product: &Product, shop: &Shop, in_stock: bool, now: Timestamp) -> ListingEntry {
        let sold_in = || shop.channels.iter().filter(|c| product.is_sold_in(&c.id, now));
        let price = |channel: &ChannelId, currency: Currency| {
            let query = PriceQuery { currency, channel, customer_group: None, quantity: 1, now };
            let lowest = product.lowest_price(query)?;
            Some(ListingPrice { channel: channel.clone(), currency, from: lowest.amount })
        };
        let prices = sold_in().flat_map(|channel| {
            channel.currencies.iter().filter_map(move |currency| price(&channel.id, *currency))
        });
        let mut facets = product.facets.clone();
        if let Some(brand) = &product.brand {
            facets.entry(BRAND.to_owned()).or_insert_with(|| vec![brand.clone()]);
        }
        ListingEntry {
            id: product.id,
            channels: sold_in().map(|channel| channel.id.clone()).collect(),
            collections: product.collections.clone(),
            facets,
            prices: prices.collect(),
            in_stock,
            rating: product.rating.and_then(|summary| summary.rating()),
            featured: product.featured,
            created_at: product.created_at,
            title: product.title.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::RatingSummary;
    use crate::catalog::testing::product;

    #[test]
    fn an_entry_is_the_product_as_it_is_sold_now() {
        let shop = Shop::sample();
        let mut product = product();
        product.variants[1].prices[0].amount.amount = 3900;
        product.rating = Some(RatingSummary { histogram: [0, 0, 0, 1, 1] });
        let entry = ListingEntry::new(&product, &shop, true, Timestamp(5));
        assert_eq!(entry.channels, product.channels);
        let web = product.channels[0].clone();
        let currency = Currency::from_code("EUR").unwrap();
        assert_eq!(entry.prices, [ListingPrice { channel: web, currency, from: 3900 }]);
        assert_eq!(entry.facets["brand"], ["Barrow"]);
        assert_eq!(entry.facets["colour"], ["blue", "red"]);
        assert_eq!(entry.rating, Some(Rating { average_hundredths: 450, count: 2 }));
        // Its only prices hold from the fifth millisecond to before the ninth.
        assert_eq!(ListingEntry::new(&product, &shop, true, Timestamp(9)).prices, []);
        product.publish_at = Some(Timestamp(6));
        let early = ListingEntry::new(&product, &shop, true, Timestamp(5));
        assert_eq!((early.channels, early.prices), (vec![], vec![]));
    }
}
