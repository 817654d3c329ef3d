//! All that a cart needs to know of a SKU, in one immutable snapshot that many carts share.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::{
    ChannelId, Locale, MediaKind, Oversell, Product, ProductStatus, SelectedOption, Sku, Slug,
    StockPolicy, Variant,
};
use crate::ids::{ProductId, VariantId};
use crate::pricing::PriceBook;
use crate::time::Timestamp;

/// The most units on hand that count as low stock. Shoppers are told the number from here on:
/// at five or fewer it can change their mind, and it tells a competitor little.
pub const LOW_STOCK_MAX: u32 = 5;

/// The snapshot of one SKU. A newer one replaces it; it never changes itself.
#[derive(Debug, Clone)]
pub struct Sellable {
    pub sku: Sku,
    pub product_id: ProductId,
    pub variant_id: VariantId,
    pub slug: Slug,
    pub title: Arc<str>,
    pub titles: BTreeMap<Locale, Arc<str>>,
    pub options: Vec<SelectedOption>,
    /// The media key or address of the picture shown in a cart.
    pub image: Option<Arc<str>>,
    pub status: ProductStatus,
    pub publish_at: Option<Timestamp>,
    /// Empty for all.
    pub channels: Vec<ChannelId>,
    pub prices: PriceBook,
    pub tax_category: Arc<str>,
    pub stock: StockPolicy,
    /// Units on hand that nobody was promised, at all locations, when the snapshot was taken; less
    /// than none where more were sold than have come. `None` where it was never stocked, which is
    /// taken as none.
    pub units: Option<i64>,
    pub memo: Memo,
}

/// A place beside a snapshot for what its reader makes of it and wants to make once: its written
/// form. It goes when the snapshot goes, and a copy of the snapshot begins without.
#[derive(Default)]
pub struct Memo(OnceLock<Box<dyn Any + Send + Sync>>);

impl Memo {
    /// What was made of the snapshot, made now if it is the first time.
    ///
    /// # Panics
    /// If something of another type was put here: a program has one reader.
    pub fn get_or_make<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> &T {
        let made = self.0.get_or_init(|| Box::new(make()));
        made.downcast_ref().expect("a snapshot has one reader")
    }
}

impl Clone for Memo {
    fn clone(&self) -> Memo {
        Memo::default()
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").finish_non_exhaustive()
    }
}

/// Best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AvailabilityStatus {
    InStock,
    LowStock,
    /// Sold out for now, sold on regardless; delivered when new stock comes.
    Backorder,
    /// Not yet out, sold already.
    Preorder,
    OutOfStock,
    /// Not sold: a draft, archived, not yet published, or not in this channel.
    Unavailable,
}

/// What a shopper is told about stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Availability {
    pub status: AvailabilityStatus,
    pub purchasable: bool,
    /// Only at low stock.
    pub quantity: Option<u32>,
    pub expected_at: Option<Timestamp>,
}

impl Availability {
    /// What is not sold at all.
    pub const UNAVAILABLE: Availability = Availability {
        status: AvailabilityStatus::Unavailable,
        purchasable: false,
        quantity: None,
        expected_at: None,
    };

    /// Whether units lie there that can be sent.
    pub fn is_in_stock(&self) -> bool {
        matches!(self.status, AvailabilityStatus::InStock | AvailabilityStatus::LowStock)
    }

    /// The availability of a product: that of its best variant, of two alike the one with more
    /// units, then the one expected earlier. Without variants it is unavailable.
    pub fn best(variants: impl IntoIterator<Item = Availability>) -> Availability {
        let rank = |one: &Availability| {
            let expected_at = one.expected_at.unwrap_or(Timestamp::MAX);
            (one.status, std::cmp::Reverse(one.quantity), expected_at)
        };
        variants.into_iter().min_by_key(rank).unwrap_or(Availability::UNAVAILABLE)
    }
}

impl StockPolicy {
    /// How many more units may be promised than are on hand; `None` for without end.
    pub fn allowance(&self) -> Option<u64> {
        match self.oversell {
            _ if !self.track => None,
            Oversell::Deny => Some(0),
            Oversell::Backorder | Oversell::Preorder => self.oversell_limit.map(u64::from),
        }
    }

    /// How many can be sold where so many `units` on hand are nobody's; `None` for without end.
    pub fn available(&self, units: Option<i64>) -> Option<u64> {
        let allowance = i64::try_from(self.allowance()?).unwrap_or(i64::MAX);
        let left = units.unwrap_or(0).saturating_add(allowance);
        Some(u64::try_from(left).unwrap_or(0))
    }

    /// What a shopper is told where the product is sold.
    pub fn availability(&self, units: Option<i64>) -> Availability {
        let status = self.status(units);
        let waits = matches!(status, AvailabilityStatus::Backorder | AvailabilityStatus::Preorder);
        Availability {
            status,
            purchasable: status != AvailabilityStatus::OutOfStock,
            quantity: units
                .and_then(|units| u32::try_from(units).ok())
                .filter(|_| status == AvailabilityStatus::LowStock),
            expected_at: self.expected_at.filter(|_| waits),
        }
    }

    fn status(&self, units: Option<i64>) -> AvailabilityStatus {
        let on_hand = units.unwrap_or(0);
        if !self.track || on_hand > i64::from(LOW_STOCK_MAX) {
            return AvailabilityStatus::InStock;
        }
        if on_hand > 0 {
            return AvailabilityStatus::LowStock;
        }
        match self.oversell {
            _ if self.available(units) == Some(0) => AvailabilityStatus::OutOfStock,
            Oversell::Deny => AvailabilityStatus::OutOfStock,
            Oversell::Backorder => AvailabilityStatus::Backorder,
            Oversell::Preorder => AvailabilityStatus::Preorder,
        }
    }
}

impl Product {
    /// Whether a channel sells it at `now`: active, published, in the channel's assortment.
    pub fn is_sold_in(&self, channel: &ChannelId, now: Timestamp) -> bool {
        is_sold_in(self.status, self.publish_at, &self.channels, channel, now)
    }

    /// The first picture of a variant, else of the product.
    pub fn image_of(&self, variant: &Variant) -> Option<&super::Media> {
        let images = || self.media.iter().filter(|media| media.kind == MediaKind::Image);
        let own = variant.media.iter().find_map(|key| images().find(|media| media.key == *key));
        own.or_else(|| images().next())
    }
}

fn is_sold_in(
    status: ProductStatus,
    publish_at: Option<Timestamp>,
    channels: &[ChannelId],
    channel: &ChannelId,
    now: Timestamp,
) -> bool {
    status == ProductStatus::Active
        && publish_at.is_none_or(|at| at <= now)
        && (channels.is_empty() || channels.contains(channel))
}

impl Sellable {
    /// The snapshot of one variant with the units that are nobody's now.
    ///
    /// # Panics
    /// If the product has no variant of that index.
    pub fn from_product(product: &Product, variant_index: usize, units: Option<i64>) -> Sellable {
        let variant = &product.variants[variant_index];
        let titles = product.translations.iter().filter_map(|(locale, translation)| {
            Some((locale.clone(), translation.title.as_deref()?.into()))
        });
        Sellable {
            sku: variant.sku.clone(),
            product_id: product.id,
            variant_id: variant.id,
            slug: product.slug.clone(),
            title: product.title.as_str().into(),
            titles: titles.collect(),
            options: variant.options.clone(),
            image: product.image_of(variant).map(|media| media.key.as_str().into()),
            status: product.status,
            publish_at: product.publish_at,
            channels: product.channels.clone(),
            prices: PriceBook { prices: variant.prices.clone() },
            tax_category: variant.tax_category.as_str().into(),
            stock: variant.stock.clone(),
            units,
            memo: Memo::default(),
        }
    }

    /// The title in a locale: that of the locale, else of its language, else the product's own.
    pub fn title(&self, locale: &Locale) -> &Arc<str> {
        let language = locale.as_str().split('-').next().unwrap_or_default();
        self.titles.get(locale).or_else(|| self.titles.get(language)).unwrap_or(&self.title)
    }

    /// How many units can be sold; `None` for without end.
    pub fn available(&self) -> Option<u64> {
        self.stock.available(self.units)
    }

    /// What a shopper is told of its stock; says nothing of where and when it is sold, see
    /// [`Sellable::is_purchasable_in`].
    pub fn availability(&self) -> Availability {
        match self.status {
            ProductStatus::Active => self.stock.availability(self.units),
            ProductStatus::Draft | ProductStatus::Archived => Availability::UNAVAILABLE,
        }
    }

    /// Whether a channel sells it at `now`. Stock has no part in it: too little never keeps a
    /// line out of a cart.
    pub fn is_purchasable_in(&self, channel: &ChannelId, now: Timestamp) -> bool {
        is_sold_in(self.status, self.publish_at, &self.channels, channel, now)
    }

    /// The next instant after `now` at which a price or the sale itself starts or ends.
    pub fn next_boundary(&self, now: Timestamp) -> Option<Timestamp> {
        let published = self.publish_at.filter(|at| *at > now);
        published.into_iter().chain(self.prices.next_boundary(now)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::product;

    use AvailabilityStatus::{Backorder, InStock, LowStock, OutOfStock, Preorder};

    const SOON: Option<Timestamp> = Some(Timestamp(99));

    const MANY: Option<i64> = Some(u32::MAX as i64);

    fn check(
        policy: (Oversell, Option<u32>),
        units: Option<i64>,
        status: AvailabilityStatus,
        available: Option<u64>,
    ) {
        let (oversell, oversell_limit) = policy;
        let stock =
            StockPolicy { oversell, oversell_limit, expected_at: SOON, ..StockPolicy::default() };
        let expected = Availability {
            status,
            purchasable: status != OutOfStock,
            quantity: units.filter(|_| status == LowStock).map(|units| units as u32),
            expected_at: SOON.filter(|_| matches!(status, Backorder | Preorder)),
        };
        assert_eq!(stock.availability(units), expected, "{policy:?} {units:?}");
        assert_eq!(stock.available(units), available, "{policy:?} {units:?}");
        let is_purchasable = available.is_none_or(|units| units > 0);
        assert_eq!(is_purchasable, expected.purchasable, "{policy:?} {units:?}");
    }

    #[test]
    fn what_is_available_follows_from_stock_and_policy() {
        let deny = (Oversell::Deny, Some(7));
        check(deny, None, OutOfStock, Some(0));
        check(deny, Some(0), OutOfStock, Some(0));
        check(deny, Some(1), LowStock, Some(1));
        check(deny, Some(5), LowStock, Some(5));
        check(deny, Some(6), InStock, Some(6));
        check((Oversell::Backorder, None), Some(0), Backorder, None);
        check((Oversell::Backorder, Some(7)), Some(0), Backorder, Some(7));
        check((Oversell::Backorder, Some(7)), Some(3), LowStock, Some(10));
        check((Oversell::Backorder, Some(0)), Some(0), OutOfStock, Some(0));
        check((Oversell::Backorder, Some(7)), Some(-3), Backorder, Some(4));
        check((Oversell::Backorder, Some(7)), Some(-7), OutOfStock, Some(0));
        check((Oversell::Backorder, None), Some(-9), Backorder, None);
        check(deny, Some(-2), OutOfStock, Some(0));
        check((Oversell::Preorder, Some(7)), None, Preorder, Some(7));
        check((Oversell::Preorder, Some(u32::MAX)), MANY, InStock, Some(8_589_934_590));
    }

    #[test]
    fn what_is_not_tracked_is_always_there() {
        let stock = StockPolicy { track: false, ..StockPolicy::default() };
        assert_eq!(stock.available(Some(0)), None);
        assert_eq!(stock.availability(None).status, InStock);
    }

    #[test]
    fn a_product_is_as_available_as_its_best_variant() {
        let stock = StockPolicy::default();
        let best = |units: &[i64]| {
            Availability::best(units.iter().map(|units| stock.availability(Some(*units))))
        };
        assert_eq!(best(&[]), Availability::UNAVAILABLE);
        assert_eq!(best(&[0, 0]).status, OutOfStock);
        assert_eq!(best(&[0, 2, 4, 1]).quantity, Some(4));
        assert_eq!(best(&[3, 50]).status, InStock);
    }

    #[test]
    fn a_snapshot_holds_what_a_cart_needs() {
        let mut product = product();
        let german = product.translations.values_mut().next().unwrap();
        german.title = Some("Hemd".into());
        let sellable = Sellable::from_product(&product, 1, Some(3));
        assert_eq!(sellable.sku.as_str(), "SHIRT-M");
        assert_eq!(sellable.image.as_deref(), Some("shirt/front.png"));
        assert_eq!(sellable.available(), None);
        assert_eq!(sellable.availability().quantity, Some(3));
        let title = |locale: &str| sellable.title(&locale.parse().unwrap()).to_string();
        assert_eq!(title("de"), "Hemd");
        assert_eq!(title("de-AT"), "Hemd");
        assert_eq!(title("fr"), "Shirt");
    }

    #[test]
    fn a_picture_of_the_variant_goes_before_one_of_the_product() {
        let mut product = product();
        let mut manual = product.media[0].clone();
        manual.kind = MediaKind::Manual;
        manual.key = "shirt/care.pdf".into();
        let mut back = product.media[0].clone();
        back.key = "shirt/back.png".into();
        product.media = vec![manual, product.media[0].clone(), back];
        let image = |product: &Product, media: &[&str]| {
            let mut variant = product.variants[0].clone();
            variant.media = media.iter().map(|key| key.to_string()).collect();
            product.image_of(&variant).map(|media| media.key.clone())
        };
        let check = |media: &[&str], expected: &str| {
            assert_eq!(image(&product, media).as_deref(), Some(expected), "{media:?}");
        };
        check(&["shirt/care.pdf", "shirt/back.png"], "shirt/back.png");
        check(&[], "shirt/front.png");
        let none = Product { media: Vec::new(), ..product.clone() };
        assert_eq!(image(&none, &[]), None);
    }

    #[test]
    fn it_is_sold_where_and_when_its_product_says() {
        let check = |spoil: fn(&mut Product), channel: &str, now, expected: bool| {
            let mut product = product();
            spoil(&mut product);
            let channel = channel.parse().unwrap();
            let sellable = Sellable::from_product(&product, 0, None);
            assert_eq!(sellable.is_purchasable_in(&channel, Timestamp(now)), expected);
            assert_eq!(product.is_sold_in(&channel, Timestamp(now)), expected);
        };
        check(|_| (), "web", 0, true);
        check(|_| (), "us", 0, false);
        check(|product| product.channels.clear(), "us", 0, true);
        check(|product| product.status = ProductStatus::Draft, "web", 0, false);
        check(|product| product.status = ProductStatus::Archived, "web", 0, false);
        check(|product| product.publish_at = Some(Timestamp(10)), "web", 9, false);
        check(|product| product.publish_at = Some(Timestamp(10)), "web", 10, true);
    }

    #[test]
    fn the_next_boundary_is_that_of_the_sale_or_of_a_price() {
        let mut product = product();
        product.publish_at = Some(Timestamp(7));
        let sellable = Sellable::from_product(&product, 0, None);
        let boundaries = [(0, Some(5)), (5, Some(7)), (7, Some(9)), (9, None)];
        for (now, expected) in boundaries {
            let expected = expected.map(Timestamp);
            assert_eq!(sellable.next_boundary(Timestamp(now)), expected, "{now}");
            assert_eq!(product.next_boundary(Timestamp(now)), expected, "{now}");
        }
    }
}
