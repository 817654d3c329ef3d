//! Ids derived from keys: the same file names the same things on every machine, at every time,
//! so that reading it again changes nothing.

use barrow_engine::catalog::{Sku, Slug};
use barrow_engine::ids::{CollectionId, MediaId, PriceId, ProductId, ReviewId, VariantId};
use barrow_engine::time::Timestamp;

use crate::record::PriceRecord;

/// Parts a name that has several; no SKU, id or time holds it.
const SEPARATOR: char = '\u{1f}';

pub fn product_id(external_id: Option<&str>, slug: &Slug) -> ProductId {
    match external_id {
        Some(id) => ProductId::derived(&format!("external{SEPARATOR}{id}")),
        None => ProductId::derived(&format!("slug{SEPARATOR}{slug}")),
    }
}

pub fn variant_id(sku: &Sku) -> VariantId {
    VariantId::derived(sku.as_str())
}

pub fn media_id(key: &str) -> MediaId {
    MediaId::derived(key)
}

pub fn collection_id(slug: &Slug) -> CollectionId {
    CollectionId::derived(slug.as_str())
}

/// A price is known by what it is for, not by its amount: a new amount is the same price.
pub fn price_id(sku: &Sku, price: &PriceRecord) -> PriceId {
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
    let parts = [
        price.amount.currency.code(),
        price.channel.as_ref().map_or("", |channel| channel.as_str()),
        &price.min_quantity.to_string(),
        &time(price.valid_from),
        &time(price.valid_until),
        sku.as_str(),
        // Last: a group may be called anything.
        price.customer_group.as_deref().unwrap_or_default(),
    ];
    PriceId::derived(&parts.join(&SEPARATOR.to_string()))
}

pub fn review_id(product: ProductId, author: &str, created_at: Timestamp) -> ReviewId {
    ReviewId::derived(&format!("{product}{SEPARATOR}{created_at}{SEPARATOR}{author}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stored catalogs rest on these: they never change.
    #[test]
    fn derived_ids_are_fixed_for_ever() {
        let slug = Slug::new("oak-table").expect("a slug");
        let sku = Sku::new("OAK-1").expect("a SKU");
        let found = [
            product_id(None, &slug).to_string(),
            product_id(Some("oak-table"), &slug).to_string(),
            variant_id(&sku).to_string(),
            media_id("oak.webp").to_string(),
        ];
        assert_eq!(
            found,
            [
                "prod_3wzjrs13ftqzpmarymh9rzvccc",
                "prod_083wjbzbk62q3k0fkpcjtn2c8w",
                "var_2ybp43wgcf8mh019mzvfdw3r9q",
                "media_5hg0493s2bks1mb2vnckhd41f7",
            ]
        );
    }
}
