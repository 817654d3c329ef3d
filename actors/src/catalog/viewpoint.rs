//! Where a shopper stands, and what a product looks like from there: whether it is for sale,
//! at which prices, in which words.

use barrow_engine::catalog::{Availability, ChannelId, Locale, Slug, Translation};
use barrow_engine::money::Currency;
use barrow_engine::pricing::{PriceRange, ShownPrice};
use barrow_engine::time::Timestamp;

use super::Offer;

/// What decides which products a shopper sees, at what price and in which language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewpoint {
    pub channel: ChannelId,
    pub currency: Currency,
    pub locale: Locale,
    pub now: Timestamp,
}

/// What a shopper is told of one variant.
#[derive(Debug, Clone)]
pub struct ShownVariant {
    /// `None` where it has no price for this channel and currency.
    pub price: Option<ShownPrice>,
    /// `None` where the ledger of stock did not answer.
    pub availability: Option<Availability>,
}

impl Offer {
    /// Whether a shopper may see it: on sale, published, in the channel's assortment.
    pub fn is_shown(&self, view: &Viewpoint) -> bool {
        self.product.is_sold_in(&view.channel, view.now)
    }

    /// The variants in the product's order.
    pub fn variants(&self, view: &Viewpoint) -> Vec<ShownVariant> {
        let shown = |sellable: &std::sync::Arc<barrow_engine::catalog::Sellable>| {
            let price = sellable.prices.shown(&view.channel, view.currency, view.now);
            let stock = sellable.availability();
            // What has no price cannot be put into a cart, however many there are.
            let purchasable = stock.purchasable && price.is_some();
            let availability = Availability { purchasable, ..stock };
            ShownVariant { price, availability: self.stock_known.then_some(availability) }
        };
        self.sellables.iter().map(shown).collect()
    }

    /// The title in the shopper's language, else the product's own.
    pub fn title(&self, locale: &Locale) -> &str {
        let translated = self.translated(locale, |translation| translation.title.as_deref());
        translated.unwrap_or(&self.product.title)
    }

    pub fn description(&self, locale: &Locale) -> &str {
        let translated = self.translated(locale, |translation| translation.description.as_deref());
        translated.unwrap_or(&self.product.description)
    }

    pub fn slug(&self, locale: &Locale) -> &Slug {
        let translated = self.translated(locale, |translation| translation.slug.as_ref());
        translated.unwrap_or(&self.product.slug)
    }

    /// Of the locale, else of its language: `pt-BR`, then `pt`.
    fn translated<'a, T>(
        &'a self,
        locale: &Locale,
        pick: impl Fn(&'a Translation) -> Option<T>,
    ) -> Option<T> {
        let language = locale.as_str().split('-').next().unwrap_or_default();
        let translations = &self.product.translations;
        let exact = translations.get(locale.as_str()).and_then(&pick);
        exact.or_else(|| translations.get(language).and_then(&pick))
    }
}

/// The span of the variants' prices; `None` where none has one.
pub fn price_range(variants: &[ShownVariant]) -> Option<PriceRange> {
    PriceRange::of(variants.iter().filter_map(|variant| variant.price.as_ref()))
}

/// The availability of the best variant among those that have a price, of all where none has
/// one; `None` where the ledger of stock did not answer.
pub fn best_availability(variants: &[ShownVariant]) -> Option<Availability> {
    let known = || variants.iter().filter(|variant| variant.availability.is_some());
    if !variants.is_empty() && known().next().is_none() {
        return None;
    }
    let any_priced = variants.iter().any(|variant| variant.price.is_some());
    let counted = known().filter(|variant| variant.price.is_some() == any_priced);
    Some(Availability::best(counted.filter_map(|variant| variant.availability)))
}
