//! Whether variants, options and prices agree.

use std::collections::{HashMap, HashSet};

use super::{Problems, attributes};
use crate::catalog::limits::{
    LABEL_CHARS_MAX, OPTION_VALUES_MAX, OPTIONS_MAX, PRICES_MAX, VARIANTS_MAX,
};
use crate::catalog::{Product, ProductOption, Variant};
use crate::money::AMOUNT_MAX;
use crate::pricing::Price;
use crate::quantity::QUANTITY_MAX;

pub(super) fn check(found: &mut Problems, product: &Product) {
    check_options(found, &product.options);
    found.count("/variants", product.variants.len(), VARIANTS_MAX);
    check_names(found, &product.variants);
    let media: HashSet<&str> = product.media.iter().map(|media| media.key.as_str()).collect();
    for (index, variant) in product.variants.iter().enumerate().take(VARIANTS_MAX) {
        let path = format!("/variants/{index}");
        check_selection(found, &path, &product.options, variant);
        check_prices(found, &format!("{path}/prices"), &variant.prices);
        found.code(&format!("{path}/tax_category"), &variant.tax_category);
        if variant.stock.max_per_customer == Some(0) {
            let detail = "must be at least 1".into();
            found.add(&format!("{path}/stock/max_per_customer"), "out_of_range", detail);
        }
        for (index, key) in variant.media.iter().enumerate() {
            if !media.contains(key.as_str()) {
                let detail = "is not among the product's media".into();
                found.add(&format!("{path}/media/{index}"), "unknown_reference", detail);
            }
        }
        found.unique(&format!("{path}/media"), &variant.media);
        attributes::check(found, &format!("{path}/attributes"), &variant.attributes);
    }
}

fn check_options(found: &mut Problems, options: &[ProductOption]) {
    found.count("/options", options.len(), OPTIONS_MAX);
    found.unique("/options", options.iter().map(|option| &option.name));
    for (index, option) in options.iter().enumerate().take(OPTIONS_MAX) {
        let path = format!("/options/{index}");
        found.label(&format!("{path}/name"), &option.name, LABEL_CHARS_MAX);
        let path = format!("{path}/values");
        found.count(&path, option.values.len(), OPTION_VALUES_MAX);
        found.unique(&path, &option.values);
        for (index, value) in option.values.iter().enumerate().take(OPTION_VALUES_MAX) {
            found.label(&format!("{path}/{index}"), value, LABEL_CHARS_MAX);
        }
    }
}

/// No two variants may bear the same SKU or id, or be the same choice.
fn check_names(found: &mut Problems, variants: &[Variant]) {
    let mut skus = HashMap::new();
    let mut ids = HashMap::new();
    let mut choices = HashMap::new();
    for (index, variant) in variants.iter().enumerate() {
        let mut refuse = |field: &str, first: Option<usize>| {
            if let Some(first) = first {
                let detail = format!("is the same as that of variant {first}");
                found.add(&format!("/variants/{index}/{field}"), "duplicate", detail);
            }
        };
        refuse("sku", first_with(&mut skus, &variant.sku, index));
        refuse("id", first_with(&mut ids, &variant.id, index));
        let choice: Vec<(&str, &str)> =
            variant.options.iter().map(|o| (o.name.as_str(), o.value.as_str())).collect();
        refuse("options", first_with(&mut choices, choice, index));
    }
}

/// The index of the first that had this name; `None` if this is the first.
fn first_with<K: std::hash::Hash + Eq>(
    seen: &mut HashMap<K, usize>,
    name: K,
    index: usize,
) -> Option<usize> {
    let first = *seen.entry(name).or_insert(index);
    (first != index).then_some(first)
}

fn check_selection(found: &mut Problems, path: &str, options: &[ProductOption], variant: &Variant) {
    let path = format!("{path}/options");
    let names = variant.options.iter().map(|selected| selected.name.as_str());
    if !names.eq(options.iter().map(|option| option.name.as_str())) {
        let detail = "must be one value of each option of the product, in its order".into();
        found.add(&path, "invalid", detail);
        return;
    }
    for (index, (selected, option)) in variant.options.iter().zip(options).enumerate() {
        if !option.values.contains(&selected.value) {
            let detail = format!("is not among the values of '{}'", option.name);
            found.add(&format!("{path}/{index}/value"), "unknown_reference", detail);
        }
    }
}

fn check_prices(found: &mut Problems, path: &str, prices: &[Price]) {
    found.count(path, prices.len(), PRICES_MAX);
    found.unique(path, prices.iter().map(|price| price.id));
    for (index, price) in prices.iter().enumerate().take(PRICES_MAX) {
        check_price(found, &format!("{path}/{index}"), price);
    }
}

fn check_price(found: &mut Problems, path: &str, price: &Price) {
    let mut refuse = |field: &str, code: &'static str, detail: &str| {
        found.add(&format!("{path}/{field}"), code, detail.into());
    };
    if !(0..=AMOUNT_MAX).contains(&price.amount.amount) {
        refuse("amount", "out_of_range", "must be from 0 to 2^53 - 1 minor units");
    }
    if let Some(compare_at) = price.compare_at {
        if compare_at.currency != price.amount.currency {
            refuse("compare_at", "invalid", "must be in the currency of the price");
        }
        if !(0..=AMOUNT_MAX).contains(&compare_at.amount) {
            refuse("compare_at", "out_of_range", "must be from 0 to 2^53 - 1 minor units");
        }
    }
    if !(1..=QUANTITY_MAX).contains(&price.min_quantity) {
        refuse("min_quantity", "out_of_range", "must be a quantity a line may hold");
    }
    if let (Some(from), Some(until)) = (price.valid_from, price.valid_until)
        && from >= until
    {
        refuse("valid_until", "out_of_range", "must be after valid_from");
    }
    let group = price.customer_group.as_deref();
    found.optional_label(&format!("{path}/customer_group"), group, LABEL_CHARS_MAX);
}
