//! A product as a line of our JSON Lines says it: the fields of PRODUCT, without id and version.

use std::collections::BTreeMap;

use barrow_engine::catalog::{
    AttributeValue, Locale, MediaKind, ProductOption, SelectedOption, Seo, Sku, Slug,
};
use barrow_engine::ids::MediaId;
use barrow_engine::money::{AMOUNT_MAX, Money};
use serde_json::Value;

use super::json::{Node, Object};
use super::limits::{ENTRIES_MAX, LIST_MAX, VARIANTS_MAX};
use crate::record::{
    CollectionRef, Field, MapChange, MediaRecord, Partial, PriceChange, PriceRecord, ProductRecord,
    SlugSource, StockPolicyRecord, TranslationRecord, VariantRecord,
};
use crate::{derive, slug};

/// Reads a product; `None` where its key is missing (and noted).
pub fn product(mut object: Object<'_>) -> Option<ProductRecord> {
    let names_slug = object.has("slug");
    let slug = object.optional("slug", Node::parsed);
    let external_id = object.optional("external_id", Node::text);
    let title = object.field("title", Node::text);
    let slug = match slug {
        // What is wrong with it is noted.
        None if names_slug => None,
        slug => slug_source(&object, slug, external_id.as_deref(), title.as_set()),
    };
    let description = object.field("description", Node::text);
    let brand = object.nullable("brand", Node::text);
    let status = object.field("status", Node::word);
    let publish_at = object.nullable("publish_at", Node::parsed);
    let channels = object.field("channels", |node| node.list(LIST_MAX, Node::parsed));
    let collections = object.field("collections", |node| {
        node.list(LIST_MAX, |node| Some(CollectionRef::of_slug(node.parsed()?)))
    });
    let mut facets = changes(&mut object, "facets", |node| node.list(LIST_MAX, Node::text));
    // A facet without values is none.
    facets.entries.retain(|_, values| values.as_ref().is_some_and(|values| !values.is_empty()));
    let attributes = changes(&mut object, "attributes", attribute);
    let options = object.field("options", |node| node.list(LIST_MAX, option));
    let media = object.field("media", |node| node.list(LIST_MAX, media));
    media_ids(&mut object, &media);
    let variants = object
        .optional("variants", |node| node.list(VARIANTS_MAX, |node| variant(node, &media)))
        .unwrap_or_default();
    let translations = translations(&mut object);
    let seo = object.field("seo", seo);
    let featured = object.nullable("featured", Node::integer);
    let former_slugs = object.optional("former_slugs", |node| node.list(LIST_MAX, Node::parsed));
    let created_at = object.optional("created_at", Node::parsed);
    object.finish();
    Some(ProductRecord {
        slug: slug?,
        external_id,
        title,
        description,
        brand,
        status,
        publish_at,
        channels,
        collections,
        facets,
        attributes,
        options,
        media,
        variants,
        translations,
        seo,
        featured,
        former_slugs: former_slugs.unwrap_or_default(),
        created_at,
        partial: Partial::default(),
    })
}

/// A product without a slug has to have an external id; its slug is made.
fn slug_source(
    object: &Object<'_>,
    slug: Option<Slug>,
    external_id: Option<&str>,
    title: Option<&String>,
) -> Option<SlugSource> {
    match (slug, external_id) {
        (Some(slug), _) => Some(SlugSource::Given(slug)),
        (None, Some(id)) => {
            Some(SlugSource::Made(slug::from_title(title.map_or(id, String::as_str))))
        }
        (None, None) => {
            object.refuse("slug", "required", "name the product by slug or external_id")
        }
    }
}

/// A map in a file is the whole map.
fn changes<'p, V>(
    object: &mut Object<'p>,
    name: &str,
    read: impl Fn(Node<'p>) -> Option<V>,
) -> MapChange<String, V> {
    let Some(entries) = object.take(name).and_then(|node| node.entries(ENTRIES_MAX)) else {
        return MapChange::default();
    };
    let values: BTreeMap<String, V> = entries
        .into_iter()
        .filter_map(|(name, node)| read(node).map(|value| (name, value)))
        .collect();
    MapChange::all(values)
}

/// Plain JSON where the type is plain, else an object with its type.
fn attribute(node: Node<'_>) -> Option<AttributeValue> {
    match node.value {
        Value::String(value) => Some(AttributeValue::Text { value }),
        Value::Bool(value) => Some(AttributeValue::Boolean { value }),
        Value::Number(ref number) => {
            // A number in JSON is read as binary; up to 15 digits its text comes back exactly.
            let value = number.to_string();
            let digits = value.bytes().filter(u8::is_ascii_digit).count();
            if digits > 15 || value.contains(['e', 'E']) {
                let detail = "write a number of more than 15 digits as \
                              {\"type\": \"number\", \"value\": \"...\"}";
                return node.refuse("out_of_range", detail);
            }
            Some(AttributeValue::Number { value, unit: None })
        }
        Value::Array(_) => Some(AttributeValue::List { value: node.list(LIST_MAX, Node::text)? }),
        Value::Object(_) => typed_attribute(node.object()?),
        Value::Null => node.refuse("wrong_type", "null is no value; leave the attribute out"),
    }
}

fn typed_attribute(mut object: Object<'_>) -> Option<AttributeValue> {
    let kind = object.required("type", Node::text)?;
    let value = match kind.as_str() {
        "text" => AttributeValue::Text { value: object.required("value", Node::text)? },
        "number" => {
            let unit = object.optional("unit", Node::text);
            let value = object.required("value", |node| match attribute(node)? {
                AttributeValue::Text { value } | AttributeValue::Number { value, .. } => {
                    Some(value)
                }
                _ => None,
            });
            let Some(value) = value else {
                return object.refuse("value", "wrong_type", "a decimal number is wanted");
            };
            AttributeValue::Number { value, unit }
        }
        "boolean" => AttributeValue::Boolean { value: object.required("value", Node::boolean)? },
        "date" => AttributeValue::Date { value: object.required("value", Node::text)? },
        "choice" => AttributeValue::Choice { value: object.required("value", Node::text)? },
        "list" => {
            let value = object.required("value", |node| node.list(LIST_MAX, Node::text))?;
            AttributeValue::List { value }
        }
        _ => {
            let detail = "text, number, boolean, date, choice or list is wanted";
            return object.refuse("type", "out_of_range", detail);
        }
    };
    object.finish();
    Some(value)
}

fn option(node: Node<'_>) -> Option<ProductOption> {
    let mut object = node.object()?;
    let name = object.required("name", Node::text);
    let values = object.required("values", |node| node.list(LIST_MAX, Node::text));
    object.finish();
    Some(ProductOption { name: name?, values: values? })
}

pub fn media(node: Node<'_>) -> Option<MediaRecord> {
    let mut object = node.object()?;
    // The id is derived from the key; a file of ours names it for its readers.
    let _: Option<MediaId> = object.optional("id", Node::parsed);
    let kind = object.field("type", Node::word).as_set().copied().unwrap_or(MediaKind::Image);
    let key = object.required("key", Node::text);
    let alt = object.field("alt", Node::text);
    let mime = object.optional("mime", Node::text);
    let width = object.optional("width", Node::integer);
    let height = object.optional("height", Node::integer);
    let bytes = object.optional("bytes", |node| node.integer());
    object.finish();
    Some(MediaRecord { alt, mime, width, height, bytes, ..MediaRecord::at(kind, key?) })
}

/// The ids are derived from the keys: they can only name what `media` describes.
fn media_ids(object: &mut Object<'_>, media: &Field<Vec<MediaRecord>>) {
    let Some(node) = object.take("media_ids") else { return };
    node.list(LIST_MAX, |node| key_of(node, media));
}

fn key_of(node: Node<'_>, media: &Field<Vec<MediaRecord>>) -> Option<String> {
    let place = node.place();
    let id: MediaId = node.parsed()?;
    let found = media
        .as_set()
        .and_then(|media| media.iter().find(|media| derive::media_id(&media.key) == id));
    match found {
        Some(media) => Some(media.key.clone()),
        None => place.refuse("unknown_media", format!("'media' describes no {id}")),
    }
}

fn variant(node: Node<'_>, media: &Field<Vec<MediaRecord>>) -> Option<VariantRecord> {
    let mut object = node.object()?;
    let sku: Option<Sku> = object.required("sku", Node::parsed);
    let id = object.optional("id", Node::parsed);
    let options = object.field("options", |node| node.list(LIST_MAX, selected_option));
    let prices =
        object.field("prices", |node| node.list(LIST_MAX, |node| price(node, sku.as_ref())));
    let stock = object.optional("stock", stock_policy).unwrap_or_default();
    let tax_category = object.field("tax_category", Node::text);
    let weight_g = object.nullable("weight_g", Node::integer);
    let by_id = object.field("media_ids", |node| node.list(LIST_MAX, |node| key_of(node, media)));
    let by_key = object.field("media", |node| node.list(LIST_MAX, Node::text));
    let attributes = changes(&mut object, "attributes", attribute);
    let on_hand = object.optional("on_hand", Node::integer);
    object.finish();
    Some(VariantRecord {
        sku: sku?,
        id,
        options,
        prices: match prices {
            Field::Keep => PriceChange::Keep,
            Field::Set(prices) => PriceChange::All(prices),
        },
        stock,
        tax_category,
        weight_g,
        media: if by_key == Field::Keep { by_id } else { by_key },
        attributes,
        on_hand,
    })
}

fn selected_option(node: Node<'_>) -> Option<SelectedOption> {
    let mut object = node.object()?;
    let name = object.required("name", Node::text);
    let value = object.required("value", Node::text);
    object.finish();
    Some(SelectedOption { name: name?, value: value? })
}

pub fn money(node: Node<'_>) -> Option<Money> {
    let mut object = node.object()?;
    let amount: Option<i64> = object.required("amount", Node::integer);
    let currency = object.required("currency", Node::word);
    let amount = amount?;
    if !(0..=AMOUNT_MAX).contains(&amount) {
        return object.refuse("amount", "out_of_range", "0 to 2^53 - 1 minor units are wanted");
    }
    object.finish();
    Some(Money::new(amount, currency?))
}

fn price(node: Node<'_>, sku: Option<&Sku>) -> Option<PriceRecord> {
    let mut object = node.object()?;
    let id = object.optional("id", Node::parsed);
    let said: Option<Sku> = object.optional("sku", Node::parsed);
    if said.is_some() && said.as_ref() != sku {
        return object.refuse("sku", "out_of_range", "it is not the SKU of this variant");
    }
    let amount = object.required("amount", money);
    let compare_at = object.optional("compare_at", money);
    let channel = object.optional("channel", Node::parsed);
    let customer_group = object.optional("customer_group", Node::text);
    let min_quantity = object.optional("min_quantity", Node::integer).unwrap_or(1);
    let valid_from = object.optional("valid_from", Node::parsed);
    let valid_until = object.optional("valid_until", Node::parsed);
    object.finish();
    Some(PriceRecord {
        id,
        amount: amount?,
        compare_at,
        channel,
        customer_group,
        min_quantity,
        valid_from,
        valid_until,
    })
}

fn stock_policy(node: Node<'_>) -> Option<StockPolicyRecord> {
    let mut object = node.object()?;
    let policy = StockPolicyRecord {
        track: object.field("track", Node::boolean),
        oversell: object.field("oversell", Node::word),
        oversell_limit: object.nullable("oversell_limit", Node::integer),
        expected_at: object.nullable("expected_at", Node::parsed),
        max_per_customer: object.nullable("max_per_customer", Node::integer),
    };
    object.finish();
    Some(policy)
}

fn translations(object: &mut Object<'_>) -> MapChange<Locale, TranslationRecord> {
    let Some(entries) = object.take("translations").and_then(|node| node.entries(ENTRIES_MAX))
    else {
        return MapChange::default();
    };
    let mut translations = BTreeMap::new();
    for (locale, node) in entries {
        let locale = match Locale::new(&locale) {
            Ok(locale) => locale,
            Err(error) => {
                node.refuse::<()>("out_of_range", error.to_string());
                continue;
            }
        };
        let Some(mut object) = node.object() else { continue };
        // A translation in a file is the whole of it.
        let translation = TranslationRecord {
            title: Field::Set(object.optional("title", Node::text)),
            description: Field::Set(object.optional("description", Node::text)),
            slug: Field::Set(object.optional("slug", Node::parsed)),
        };
        object.finish();
        translations.insert(locale, translation);
    }
    MapChange::all(translations)
}

fn seo(node: Node<'_>) -> Option<Seo> {
    let mut object = node.object()?;
    let title = object.optional("title", Node::text);
    let description = object.optional("description", Node::text);
    object.finish();
    Some(Seo { title, description })
}
