//! The catalog as JSON Lines. Every field is written, empty or not: who reads the file back into
//! a shop that changed since gets exactly what was exported.

use std::io::Write;

use barrow_engine::catalog::{AttributeValue, Collection, Media, Product, Review, Sku, Variant};
use barrow_engine::inventory::Level;
use barrow_engine::ports::levels_of;
use barrow_engine::pricing::Price;
use serde_json::{Map, Value, json};

use super::{ExportError, ExportSummary, Pages, Source};
use crate::derive;

/// How many reviews are read at once.
const REVIEWS_PAGE: usize = 500;

pub async fn export(
    source: Source<'_>,
    out: &mut (dyn Write + Send),
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<ExportSummary, ExportError> {
    let mut summary = ExportSummary::default();
    for collection in in_order(source.products.collections().await?) {
        write_line(out, &collection_line(&collection))?;
        summary.collections += 1;
    }
    let mut pages = Pages::of(source);
    loop {
        let page = pages.next().await?;
        if page.is_empty() {
            break;
        }
        for product in &page {
            write_line(out, &product_line(product))?;
            summary.products += 1;
        }
        let skus: Vec<Sku> =
            page.iter().flat_map(|product| &product.variants).map(|v| v.sku.clone()).collect();
        for Level { sku, location, on_hand, .. } in levels_of(source.stock, &skus).await? {
            let line =
                json!({"type": "stock", "sku": sku, "location": location, "on_hand": on_hand});
            write_line(out, &line)?;
            summary.stock_levels += 1;
        }
        for product in page.iter().filter(|product| product.rating.is_some()) {
            summary.reviews += write_reviews(source, product, out).await?;
        }
        progress(summary.products);
    }
    Ok(summary)
}

async fn write_reviews(
    source: Source<'_>,
    product: &Product,
    out: &mut (dyn Write + Send),
) -> Result<u64, ExportError> {
    let mut after = None;
    let mut count = 0;
    loop {
        let page = source.products.reviews(product.id, after, REVIEWS_PAGE).await?;
        for review in &page {
            write_line(out, &review_line(product, review))?;
            count += 1;
        }
        match page.last() {
            Some(last) if page.len() == REVIEWS_PAGE => after = Some((last.created_at, last.id)),
            _ => return Ok(count),
        }
    }
}

fn write_line(out: &mut (dyn Write + Send), value: &Value) -> Result<(), ExportError> {
    let mut line = value.to_string();
    line.push('\n');
    out.write_all(line.as_bytes())?;
    Ok(())
}

/// Parents before the collections in them.
fn in_order(mut collections: Vec<Collection>) -> Vec<Collection> {
    let mut ordered: Vec<Collection> = Vec::with_capacity(collections.len());
    loop {
        let (ready, waiting): (Vec<_>, Vec<_>) = collections.into_iter().partition(|it| {
            it.parent.as_ref().is_none_or(|parent| ordered.iter().any(|o| o.slug == *parent))
        });
        let stuck = ready.is_empty();
        ordered.extend(ready);
        if stuck {
            // Whose parents are not there stand last.
            ordered.extend(waiting);
            return ordered;
        }
        collections = waiting;
    }
}

fn collection_line(collection: &Collection) -> Value {
    json!({
        "type": "collection",
        "slug": collection.slug,
        "title": collection.title,
        "parent": collection.parent,
        "image": collection.image.as_ref().map(media),
    })
}

fn review_line(product: &Product, review: &Review) -> Value {
    json!({
        "type": "review",
        "product": product.slug,
        "rating": review.rating,
        "title": review.title,
        "body": review.body,
        "author": review.author,
        "verified": review.verified,
        "status": review.status,
        "created_at": review.created_at,
    })
}

pub(super) fn product_line(product: &Product) -> Value {
    let translations: Map<String, Value> = product
        .translations
        .iter()
        .map(|(locale, translation)| {
            let value = json!({
                "title": translation.title,
                "description": translation.description,
                "slug": translation.slug,
            });
            (locale.to_string(), value)
        })
        .collect();
    json!({
        "type": "product",
        "slug": product.slug,
        "external_id": product.external_id,
        "title": product.title,
        "description": product.description,
        "brand": product.brand,
        "status": product.status,
        "publish_at": product.publish_at,
        "channels": product.channels,
        "collections": product.collections,
        "facets": product.facets,
        "attributes": attributes(&product.attributes),
        "options": product.options,
        "media_ids": product.media.iter().map(|it| derive::media_id(&it.key)).collect::<Vec<_>>(),
        "media": product.media.iter().map(media).collect::<Vec<_>>(),
        "variants": product.variants.iter().map(variant).collect::<Vec<_>>(),
        "translations": translations,
        "seo": {"title": product.seo.title, "description": product.seo.description},
        "featured": product.featured,
        "former_slugs": product.former_slugs,
        "created_at": product.created_at,
    })
}

fn variant(variant: &Variant) -> Value {
    json!({
        "id": variant.id,
        "sku": variant.sku,
        "options": variant.options,
        "prices": variant.prices.iter().map(price).collect::<Vec<_>>(),
        "stock": {
            "track": variant.stock.track,
            "oversell": variant.stock.oversell,
            "oversell_limit": variant.stock.oversell_limit,
            "expected_at": variant.stock.expected_at,
            "max_per_customer": variant.stock.max_per_customer,
        },
        "tax_category": variant.tax_category,
        "weight_g": variant.weight_g,
        "media_ids": variant.media.iter().map(|key| derive::media_id(key)).collect::<Vec<_>>(),
        "attributes": attributes(&variant.attributes),
    })
}

fn price(price: &Price) -> Value {
    json!({
        "id": price.id,
        "amount": price.amount,
        "compare_at": price.compare_at,
        "channel": price.channel,
        "customer_group": price.customer_group,
        "min_quantity": price.min_quantity,
        "valid_from": price.valid_from,
        "valid_until": price.valid_until,
    })
}

fn media(media: &Media) -> Value {
    json!({
        "id": derive::media_id(&media.key),
        "type": media.kind,
        "key": media.key,
        "alt": media.alt,
        "mime": media.mime,
        "width": media.width,
        "height": media.height,
        "bytes": media.bytes,
    })
}

/// Plain JSON where the type is plain, else an object with its type.
fn attributes(attributes: &std::collections::BTreeMap<String, AttributeValue>) -> Value {
    let entries = attributes.iter().map(|(key, value)| {
        let value = match value {
            AttributeValue::Text { value } => json!(value),
            AttributeValue::Boolean { value } => json!(value),
            AttributeValue::List { value } => json!(value),
            AttributeValue::Number { value, unit } => {
                json!({"type": "number", "value": value, "unit": unit})
            }
            AttributeValue::Date { value } => json!({"type": "date", "value": value}),
            AttributeValue::Choice { value } => json!({"type": "choice", "value": value}),
        };
        (key.clone(), value)
    });
    Value::Object(entries.collect())
}
