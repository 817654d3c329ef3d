//! Products like another: of its collections, those that share the most of what describes it,
//! nearest in price. Simple, and the same for everybody; what shoppers do has no part in it.

use std::cmp::Reverse;
use std::sync::Arc;

use barrow_engine::catalog::Product;
use barrow_engine::catalog::listing::{ListingQuery, Position, Sort, SortKey};
use barrow_engine::ids::ProductId;

use super::offers::READ_BATCH_MAX;
use super::{Catalog, CatalogError, Offer, Viewpoint, price_range};

/// How many products are looked at on either side of the price: enough that some share more
/// than the collection, few enough to be read at once.
const LOOKED_AT_EACH_WAY: usize = READ_BATCH_MAX / 2;

impl Catalog {
    /// At most `limit` products like this one, the most alike first.
    pub async fn similar(
        &self,
        offer: &Offer,
        view: &Viewpoint,
        limit: usize,
    ) -> Result<Vec<Arc<Offer>>, CatalogError> {
        if offer.product.collections.is_empty() {
            return Ok(Vec::new());
        }
        let price = price_range(&offer.variants(view)).map(|range| range.from.amount);
        let mut ids = self.neighbours(&offer.product, price, view);
        ids.retain(|id| *id != offer.product.id);
        let found = self.offers(&ids).await?;
        let mut ranked: Vec<_> = found
            .into_iter()
            .flatten()
            .filter(|other| other.is_shown(view))
            .map(|other| (rank(&offer.product, price, &other, view), other))
            .collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.truncate(limit);
        Ok(ranked.into_iter().map(|(_, other)| other).collect())
    }

    /// Products of the same collections, on either side of the price.
    fn neighbours(
        &self,
        product: &Product,
        price: Option<i64>,
        view: &Viewpoint,
    ) -> Vec<ProductId> {
        let one_way = |sort: Sort, key: Option<SortKey>| {
            let query = ListingQuery {
                collections: Some(product.collections.clone()),
                sort,
                after: key.map(|key| Position { sort, key, id: product.id }),
                ..ListingQuery::new(view.channel.clone(), view.currency, LOOKED_AT_EACH_WAY)
            };
            self.ids(&query)
        };
        let Some(price) = price else {
            return one_way(Sort::Featured, None);
        };
        let key = || Some(SortKey::Number(price));
        let mut ids = one_way(Sort::Price, key());
        ids.extend(one_way(Sort::PriceDesc, key()));
        // What has no price comes last either way, so it may be found twice.
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// Lower is more alike: what can be bought first, then shared facets, then the price.
fn rank(
    product: &Product,
    price: Option<i64>,
    other: &Offer,
    view: &Viewpoint,
) -> (bool, Reverse<usize>, u64, ProductId) {
    let variants = other.variants(view);
    let purchasable =
        variants.iter().any(|variant| variant.availability.is_some_and(|stock| stock.purchasable));
    let other_price = price_range(&variants).map(|range| range.from.amount);
    let distance = match (price, other_price) {
        (Some(one), Some(other)) => one.abs_diff(other),
        _ => u64::MAX,
    };
    (!purchasable, Reverse(shared(product, &other.product)), distance, other.product.id)
}

/// How many facet values two products share, and collections, and the brand.
fn shared(one: &Product, other: &Product) -> usize {
    let facets = one.facets.iter().map(|(code, values)| {
        let others = other.facets.get(code).map_or(&[][..], Vec::as_slice);
        values.iter().filter(|value| others.contains(value)).count()
    });
    let collections = one.collections.iter().filter(|slug| other.collections.contains(slug));
    let brand = one.brand.is_some() && one.brand == other.brand;
    facets.sum::<usize>() + collections.count() + usize::from(brand)
}
