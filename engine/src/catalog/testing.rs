//! A sound product that tests spoil in one place or another.

use super::{
    AttributeValue, Media, MediaKind, Oversell, Product, ProductOption, ProductStatus,
    SelectedOption, Seo, StockPolicy, Translation, Variant,
};
use crate::ids::{MediaId, PriceId, ProductId, VariantId};
use crate::money::{Currency, Money};
use crate::pricing::Price;
use crate::time::Timestamp;

pub fn eur(amount: i64) -> Money {
    Money::new(amount, Currency::from_code("EUR").unwrap())
}

pub fn price() -> Price {
    Price {
        id: PriceId(1),
        amount: eur(4900),
        compare_at: Some(eur(5900)),
        channel: None,
        customer_group: None,
        min_quantity: 1,
        valid_from: Some(Timestamp(5)),
        valid_until: Some(Timestamp(9)),
    }
}

pub fn variant(id: u128, size: &str) -> Variant {
    Variant {
        id: VariantId(id),
        sku: format!("SHIRT-{size}").parse().unwrap(),
        options: vec![SelectedOption { name: "Size".into(), value: size.into() }],
        prices: vec![price()],
        stock: StockPolicy { oversell: Oversell::Backorder, ..StockPolicy::default() },
        tax_category: "standard".into(),
        weight_g: Some(180),
        media: vec!["shirt/front.png".into()],
        attributes: [("organic".to_owned(), AttributeValue::Boolean { value: true })].into(),
    }
}

pub fn product() -> Product {
    Product {
        id: ProductId(1),
        version: 1,
        slug: "shirt".parse().unwrap(),
        former_slugs: vec!["tee".parse().unwrap()],
        external_id: Some("ext 1".into()),
        title: "Shirt".into(),
        description: "Soft.\nWarm.".into(),
        brand: Some("Barrow".into()),
        status: ProductStatus::Active,
        publish_at: None,
        channels: vec!["web".parse().unwrap()],
        collections: vec!["clothes".parse().unwrap()],
        facets: [("colour".to_owned(), vec!["blue".to_owned(), "red".to_owned()])].into(),
        attributes: [("since".to_owned(), AttributeValue::Date { value: "2024-02-29".into() })]
            .into(),
        options: vec![ProductOption { name: "Size".into(), values: vec!["S".into(), "M".into()] }],
        media: vec![Media {
            id: MediaId(1),
            kind: MediaKind::Image,
            key: "shirt/front.png".into(),
            alt: String::new(),
            mime: "image/png".into(),
            width: None,
            height: None,
            bytes: 0,
        }],
        variants: vec![variant(1, "S"), variant(2, "M")],
        translations: [("de".parse().unwrap(), Translation::default())].into(),
        seo: Seo::default(),
        featured: None,
        rating: None,
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
    }
}
