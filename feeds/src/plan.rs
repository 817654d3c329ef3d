//! What a record makes of the product that is there: pure, so that a dry run and a real one
//! decide alike.

use std::collections::BTreeMap;

use barrow_engine::catalog::{
    Media, MediaKind, Product, ProductOption, ProductProblem, ProductStatus, Seo, Slug,
    StockPolicy, Translation, Variant,
};
use barrow_engine::pricing::Price;
use barrow_engine::time::Timestamp;

use crate::derive;
use crate::record::{
    Field, MapChange, PlainPrice, PriceChange, PriceRecord, Problem, ProductRecord,
    StockPolicyRecord, TranslationRecord, VariantRecord,
};

/// What the importer found out about a record before it can be decided.
#[derive(Debug)]
pub struct Context {
    /// The product it is about, if there is one.
    pub existing: Option<Product>,
    /// The slug it shall have.
    pub slug: Slug,
    /// Its media as they are to be kept; `None` where the record does not speak of them.
    pub media: Option<Vec<Media>>,
    pub now: Timestamp,
}

/// What a record leads to.
#[derive(Debug, PartialEq)]
pub enum Planned {
    Created(Product),
    Updated(Product),
    Unchanged(Product),
}

impl Planned {
    pub fn product(&self) -> &Product {
        match self {
            Planned::Created(product) | Planned::Updated(product) | Planned::Unchanged(product) => {
                product
            }
        }
    }

    pub fn into_product(self) -> Product {
        match self {
            Planned::Created(product) | Planned::Updated(product) | Planned::Unchanged(product) => {
                product
            }
        }
    }
}

/// Decides what the record makes of the product that is there.
///
/// # Errors
/// All that is wrong with the product as it would be, by pointer.
pub fn plan(record: &ProductRecord, context: Context) -> Result<Planned, Vec<Problem>> {
    let Context { existing, slug, media, now } = context;
    let mut product = match &existing {
        Some(product) => product.clone(),
        // Its title is empty until the record sets it; without one it is not sound.
        None => blank(record, &slug, now),
    };
    rename(&mut product, slug, &record.former_slugs);
    describe(&mut product, record);
    // Media go before variants, whose own name some of them.
    if let Some(media) = media {
        change_media(&mut product, media, &record.partial.media_kinds);
    }
    change_variants(&mut product, &record.variants);
    keep_used_values(&mut product, &record.variants);
    let touched: Vec<usize> = record
        .variants
        .iter()
        .filter_map(|named| product.variants.iter().position(|v| v.sku == named.sku))
        .collect();
    let problems: Vec<Problem> = product
        .validate()
        .into_iter()
        .map(|ProductProblem { path, code, detail }| {
            as_in_record(Problem::new(path, code, detail), &touched)
        })
        .collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(match existing {
        None => Planned::Created(product),
        Some(existing) if existing == product => Planned::Unchanged(product),
        Some(existing) => {
            product.version = existing.version + 1;
            product.updated_at = now;
            Planned::Updated(product)
        }
    })
}

/// A product's variant is another one's index in the record: pointers are told as the record
/// counts.
fn as_in_record(problem: Problem, touched: &[usize]) -> Problem {
    let renumbered = problem.pointer.strip_prefix("/variants/").and_then(|rest| {
        let (index, rest) = rest.split_once('/').map_or((rest, ""), |(index, rest)| (index, rest));
        let index: usize = index.parse().ok()?;
        let place = touched.iter().position(|touched| *touched == index)?;
        Some(format!("/variants/{place}/{rest}").trim_end_matches('/').to_owned())
    });
    match renumbered {
        Some(pointer) => Problem { pointer, ..problem },
        None => problem,
    }
}

fn blank(record: &ProductRecord, slug: &Slug, now: Timestamp) -> Product {
    Product {
        id: derive::product_id(record.external_id.as_deref(), slug),
        version: 1,
        slug: slug.clone(),
        former_slugs: Vec::new(),
        external_id: record.external_id.clone(),
        title: String::new(),
        description: String::new(),
        brand: None,
        status: ProductStatus::Active,
        publish_at: None,
        channels: Vec::new(),
        collections: Vec::new(),
        facets: BTreeMap::new(),
        attributes: BTreeMap::new(),
        options: Vec::new(),
        media: Vec::new(),
        variants: Vec::new(),
        translations: BTreeMap::new(),
        seo: Seo::default(),
        featured: None,
        rating: None,
        created_at: record.created_at.unwrap_or(now),
        updated_at: record.created_at.unwrap_or(now),
    }
}

/// The slug it had leads to it still.
fn rename(product: &mut Product, slug: Slug, former: &[Slug]) {
    let old = std::mem::replace(&mut product.slug, slug);
    for slug in former.iter().chain([&old]) {
        if *slug != product.slug && !product.former_slugs.contains(slug) {
            product.former_slugs.push(slug.clone());
        }
    }
    let current = product.slug.clone();
    product.former_slugs.retain(|slug| *slug != current);
}

fn describe(product: &mut Product, record: &ProductRecord) {
    if record.external_id.is_some() {
        product.external_id.clone_from(&record.external_id);
    }
    record.title.clone().put_into(&mut product.title);
    record.description.clone().put_into(&mut product.description);
    record.brand.clone().put_into(&mut product.brand);
    record.status.clone().put_into(&mut product.status);
    record.publish_at.clone().put_into(&mut product.publish_at);
    record.channels.clone().put_into(&mut product.channels);
    if let Field::Set(collections) = &record.collections {
        product.collections = collections.iter().map(|named| named.slug.clone()).collect();
    }
    change_map(&mut product.facets, &record.facets);
    change_map(&mut product.attributes, &record.attributes);
    if let Field::Set(options) = &record.options {
        change_options(&mut product.options, options, record.partial.options);
    }
    change_translations(&mut product.translations, &record.translations);
    record.seo.clone().put_into(&mut product.seo);
    record.featured.clone().put_into(&mut product.featured);
}

fn change_options(options: &mut Vec<ProductOption>, said: &[ProductOption], partial: bool) {
    let names = |options: &[ProductOption]| -> Vec<String> {
        options.iter().map(|option| option.name.clone()).collect()
    };
    if !partial || names(options) != names(said) {
        *options = said.to_vec();
        return;
    }
    for (option, said) in options.iter_mut().zip(said) {
        for value in &said.values {
            if !option.values.contains(value) {
                option.values.push(value.clone());
            }
        }
    }
}

/// Puts in the media of `kinds` (all, where there are none); the others stay, behind them. Where
/// only details change, so does the order not.
fn change_media(product: &mut Product, mut said: Vec<Media>, kinds: &[MediaKind]) {
    let is_said = |media: &Media| kinds.is_empty() || kinds.contains(&media.kind);
    let keys = |media: &[Media], kind: MediaKind| -> Vec<String> {
        media.iter().filter(|it| it.kind == kind).map(|it| it.key.clone()).collect()
    };
    let old = std::mem::take(&mut product.media);
    if !kinds.is_empty() && kinds.iter().all(|kind| keys(&old, *kind) == keys(&said, *kind)) {
        let newer =
            |media: Media| said.iter().find(|it| it.key == media.key).cloned().unwrap_or(media);
        product.media = old.into_iter().map(newer).collect();
        return;
    }
    said.extend(old.into_iter().filter(|media| !is_said(media)));
    product.media = said;
    let media = &product.media;
    for variant in &mut product.variants {
        // A picture that is gone is no variant's.
        variant.media.retain(|key| media.iter().any(|media| media.key == *key));
    }
}

fn change_map<K: Ord + Clone, V: Clone>(map: &mut BTreeMap<K, V>, change: &MapChange<K, V>) {
    if change.replace_all {
        map.retain(|name, _| change.entries.contains_key(name));
    }
    for (name, value) in &change.entries {
        match value {
            Some(value) => map.insert(name.clone(), value.clone()),
            None => map.remove(name),
        };
    }
}

fn change_translations(
    translations: &mut BTreeMap<barrow_engine::catalog::Locale, Translation>,
    change: &MapChange<barrow_engine::catalog::Locale, TranslationRecord>,
) {
    if change.replace_all {
        translations.retain(|locale, _| change.entries.contains_key(locale));
    }
    for (locale, said) in &change.entries {
        let Some(said) = said else {
            translations.remove(locale);
            continue;
        };
        let translation = translations.entry(locale.clone()).or_default();
        said.title.clone().put_into(&mut translation.title);
        said.description.clone().put_into(&mut translation.description);
        said.slug.clone().put_into(&mut translation.slug);
        if *translation == Translation::default() {
            translations.remove(locale);
        }
    }
}

fn change_variants(product: &mut Product, said: &[VariantRecord]) {
    for said in said {
        let place = product.variants.iter().position(|variant| variant.sku == said.sku);
        let place = place.unwrap_or_else(|| {
            product.variants.push(new_variant(said));
            product.variants.len() - 1
        });
        change_variant(&mut product.variants[place], said);
    }
}

/// A record that names some variants names their values of the options alone; those of the
/// variants that stay, stay.
fn keep_used_values(product: &mut Product, said: &[VariantRecord]) {
    for variant in &product.variants {
        if said.iter().any(|said| said.sku == variant.sku) {
            continue;
        }
        for selected in &variant.options {
            let option = product.options.iter_mut().find(|option| option.name == selected.name);
            if let Some(option) = option
                && !option.values.contains(&selected.value)
            {
                option.values.push(selected.value.clone());
            }
        }
    }
}

fn new_variant(said: &VariantRecord) -> Variant {
    Variant {
        id: said.id.unwrap_or_else(|| derive::variant_id(&said.sku)),
        sku: said.sku.clone(),
        options: Vec::new(),
        prices: Vec::new(),
        stock: StockPolicy::default(),
        tax_category: "standard".to_owned(),
        weight_g: None,
        media: Vec::new(),
        attributes: BTreeMap::new(),
    }
}

fn change_variant(variant: &mut Variant, said: &VariantRecord) {
    said.options.clone().put_into(&mut variant.options);
    said.tax_category.clone().put_into(&mut variant.tax_category);
    said.weight_g.clone().put_into(&mut variant.weight_g);
    said.media.clone().put_into(&mut variant.media);
    change_map(&mut variant.attributes, &said.attributes);
    let StockPolicyRecord { track, oversell, oversell_limit, expected_at, max_per_customer } =
        said.stock.clone();
    track.put_into(&mut variant.stock.track);
    oversell.put_into(&mut variant.stock.oversell);
    oversell_limit.put_into(&mut variant.stock.oversell_limit);
    expected_at.put_into(&mut variant.stock.expected_at);
    max_per_customer.put_into(&mut variant.stock.max_per_customer);
    match &said.prices {
        PriceChange::Keep => {}
        PriceChange::All(prices) => {
            let old = std::mem::take(&mut variant.prices);
            let prices = prices.iter().map(|price| price_of(variant, price, &old));
            variant.prices = prices.collect();
        }
        PriceChange::Plain(prices) => {
            for price in prices {
                change_plain_price(variant, price);
            }
        }
    }
}

/// A price for the same keeps its id.
fn price_of(variant: &Variant, said: &PriceRecord, old: &[Price]) -> Price {
    let known = old.iter().find(|price| is_for_the_same(price, said)).map(|price| price.id);
    Price {
        id: said.id.or(known).unwrap_or_else(|| derive::price_id(&variant.sku, said)),
        amount: said.amount,
        compare_at: said.compare_at,
        channel: said.channel.clone(),
        customer_group: said.customer_group.clone(),
        min_quantity: said.min_quantity,
        valid_from: said.valid_from,
        valid_until: said.valid_until,
    }
}

fn is_for_the_same(price: &Price, said: &PriceRecord) -> bool {
    price.amount.currency == said.amount.currency
        && price.channel == said.channel
        && price.customer_group == said.customer_group
        && price.min_quantity == said.min_quantity
        && price.valid_from == said.valid_from
        && price.valid_until == said.valid_until
}

/// Whether a price holds for everybody, from one unit on, for ever.
pub fn is_plain(price: &Price) -> bool {
    price.channel.is_none()
        && price.customer_group.is_none()
        && price.min_quantity == 1
        && price.valid_from.is_none()
        && price.valid_until.is_none()
}

fn change_plain_price(variant: &mut Variant, said: &PlainPrice) {
    let is_it = |price: &Price| price.amount.currency == said.currency && is_plain(price);
    match said.amount {
        Field::Keep => {}
        Field::Set(None) => variant.prices.retain(|price| !is_it(price)),
        Field::Set(Some(amount)) => match variant.prices.iter_mut().find(|price| is_it(price)) {
            Some(price) => price.amount = amount,
            None => {
                let price = price_of(variant, &PriceRecord::plain(amount), &[]);
                variant.prices.push(price);
            }
        },
    }
    // Readers see to it that a price to compare with comes with a price.
    let price = variant.prices.iter_mut().find(|price| is_it(price));
    if let (Some(price), Field::Set(compare_at)) = (price, &said.compare_at) {
        price.compare_at = *compare_at;
    }
}
