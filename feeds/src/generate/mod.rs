//! A large made-up catalog, to see how the shop bears it. Product number i is made from i alone:
//! any number of them takes no more memory than one, and the same number gives the same catalog
//! on every machine. Pictures are shared: there is one for each kind of goods.

mod vocabulary;

use std::collections::BTreeMap;

use barrow_engine::catalog::{
    AttributeValue, MediaKind, Oversell, ProductOption, SelectedOption, Sku, Slug,
};
use barrow_engine::time::Timestamp;

use crate::record::{
    CollectionRecord, CollectionRef, Field, MapChange, MediaContent, MediaRecord, PriceChange,
    ProductRecord, Record, SlugSource, StockPolicyRecord, VariantRecord,
};
use crate::sample::dice::Dice;
use crate::sample::picture::color::{named, palette};
use crate::sample::picture::{HEIGHT, Look, Setting, WIDTH};
use crate::sample::{Pricing, drawn, prices};
use crate::slug;
use vocabulary::{
    BEGINNINGS, BRANDS, CHARACTERS, CLOSINGS, COLLECTIONS, COLORS, COUNTRIES, ENDINGS, KINDS, Kind,
    OPENINGS, Range,
};

/// The most products that can be made: what eight digits in a SKU can number.
pub const COUNT_MAX: u64 = 99_999_999;

/// The first made-up product came in on 2024-01-01.
const FIRST: Timestamp = Timestamp(1_704_067_200_000);
/// They came in over so many minutes: a thousand days.
const SPAN_MINUTES: u64 = 1_440_000;

/// The collections, then `count` products with their stock. More than [`COUNT_MAX`] are not made.
pub fn records(count: u64) -> impl Iterator<Item = Record> + Send {
    let collections = (0..COLLECTIONS.len()).map(|index| Record::Collection(collection(index)));
    let products = (0..count.min(COUNT_MAX)).map(|n| Record::Product(Box::new(product(n))));
    collections.chain(products)
}

/// The shared pictures, each with what draws it.
pub fn media() -> impl Iterator<Item = MediaRecord> {
    KINDS.iter().map(picture)
}

fn collection_slug(index: usize) -> Slug {
    Slug::new(COLLECTIONS[index].0).expect("the vocabulary holds slugs")
}

fn collection(index: usize) -> CollectionRecord {
    let (_, title, parent) = COLLECTIONS[index];
    CollectionRecord {
        slug: collection_slug(index),
        title: title.to_owned().into(),
        parent: parent.map(collection_slug).into(),
        image: Field::Keep,
    }
}

fn picture(kind: &Kind) -> MediaRecord {
    let color = |name| named(name).expect("the vocabulary uses the palette");
    let look = Look {
        words: kind.draw.split(' ').map(str::to_owned).collect(),
        base: color(kind.base),
        accent: color(kind.accent),
    };
    let key = format!("made/{}.png", slug::from_title(kind.noun));
    drawn(key, kind.noun, look, Setting::Room(Dice::new(kind.noun).roll()))
}

/// Product number `n`, from 0.
fn product(n: u64) -> ProductRecord {
    let mut dice = Dice::from_number(n);
    // In turn, so that the first ones bring all pictures.
    let kind = &KINDS[(n % KINDS.len() as u64) as usize];
    let material = dice.pick(kind.materials);
    let line = format!("{}{}", dice.pick(&BEGINNINGS), dice.pick(&ENDINGS));
    let title = match dice.below(3) {
        0 => format!("{line} {material} {}", kind.noun),
        1 => format!("{line} {} {}", dice.pick(&CHARACTERS), kind.noun),
        _ => format!("{line} {} {material} {}", dice.pick(&CHARACTERS), kind.noun),
    };
    let brand = dice.pick(&BRANDS).to_owned();
    let description = format!(
        "{} Here in {}, for houses that like things to last. {}",
        dice.pick(&OPENINGS),
        material.to_lowercase(),
        dice.pick(&CLOSINGS),
    );
    let slug = format!("{}-{n}", slug::from_title(&title));
    let slug = Slug::new(&slug).expect("a few words and a number");
    let (options, choices) = options(kind.range, &mut dice);
    let picture = shown(kind, n);
    let pictures = vec![picture.key.clone()];

    let mut record = ProductRecord::new(SlugSource::Given(slug));
    record.title = title.into();
    record.description = description.into();
    record.brand = Some(brand.clone()).into();
    record.collections = collections_of(kind).into();
    record.facets = MapChange::all(facets(&brand, material, &options));
    record.attributes = MapChange::all(attributes(kind, material, &mut dice));
    record.media = vec![picture].into();
    record.variants = variants(kind, n, &choices, &pictures, &mut dice);
    record.options = options.into();
    let minutes = dice.below(SPAN_MINUTES) as i64;
    record.created_at = Some(Timestamp(FIRST.0 + minutes * 60_000));
    record
}

/// The picture of the kind: the first product of each brings it, the others find it there.
fn shown(kind: &Kind, n: u64) -> MediaRecord {
    let picture = picture(kind);
    if n < KINDS.len() as u64 {
        return picture;
    }
    MediaRecord {
        content: MediaContent::Elsewhere,
        width: Some(WIDTH),
        height: Some(HEIGHT),
        kind: MediaKind::Image,
        ..picture
    }
}

fn collections_of(kind: &Kind) -> Vec<CollectionRef> {
    let parent = COLLECTIONS[kind.collection].2;
    let all = std::iter::once(kind.collection).chain(parent);
    all.map(|index| CollectionRef::of_slug(collection_slug(index))).collect()
}

/// A choice of one value per option.
type Choice = Vec<SelectedOption>;

/// The options of a product, and the one to four variants that there are of it.
fn options(range: Range, dice: &mut Dice) -> (Vec<ProductOption>, Vec<Choice>) {
    let mut options = Vec::new();
    if matches!(range, Range::Colors | Range::ColorsAndSizes) {
        let most = if range == Range::Colors { 4 } else { 2 };
        // Neighbors in the list, so that none is there twice.
        let (first, count) = (dice.below(COLORS.len() as u64), dice.between(1, most));
        let color = |step: u64| COLORS[((first + step * 5) % COLORS.len() as u64) as usize];
        options.push(option("Color", (0..count).map(color)));
    }
    match range {
        Range::ColorsAndSizes => options.push(option("Size", ["Regular", "Large"])),
        Range::Sizes => {
            let count = dice.between(1, 4) as usize;
            options.push(option(
                "Size",
                ["Small", "Medium", "Large", "Extra Large"][..count].iter().copied(),
            ));
        }
        Range::Single | Range::Colors => {}
    }
    let mut choices: Vec<Choice> = vec![Vec::new()];
    for option in &options {
        let with = |choice: &Choice| {
            let choice = choice.clone();
            option.values.iter().map(move |value| {
                let selected = SelectedOption { name: option.name.clone(), value: value.clone() };
                choice.iter().cloned().chain([selected]).collect()
            })
        };
        choices = choices.iter().flat_map(with).collect();
    }
    (options, choices)
}

fn option(name: &str, values: impl IntoIterator<Item = &'static str>) -> ProductOption {
    let values = values.into_iter().map(str::to_owned).collect();
    ProductOption { name: name.to_owned(), values }
}

fn facets(brand: &str, material: &str, options: &[ProductOption]) -> BTreeMap<String, Vec<String>> {
    let mut facets = BTreeMap::from([
        ("brand".to_owned(), vec![brand.to_owned()]),
        ("material".to_owned(), vec![material.to_owned()]),
    ]);
    let colors = options.iter().filter(|option| option.name == "Color");
    let mut families: Vec<String> = Vec::new();
    for value in colors.flat_map(|option| &option.values) {
        let family = &palette()[value].family;
        if !families.contains(family) {
            families.push(family.clone());
        }
    }
    if !families.is_empty() {
        facets.insert("color".to_owned(), families);
    }
    facets
}

fn attributes(kind: &Kind, material: &str, dice: &mut Dice) -> BTreeMap<String, AttributeValue> {
    let (light, heavy) = kind.weight;
    let number = |value: u64, unit: &str| AttributeValue::Number {
        value: value.to_string(),
        unit: Some(unit.to_owned()),
    };
    let country = dice.pick(&COUNTRIES).to_owned();
    BTreeMap::from([
        ("made_in".to_owned(), AttributeValue::Choice { value: country }),
        ("material".to_owned(), AttributeValue::Text { value: material.to_owned() }),
        ("recycled".to_owned(), AttributeValue::Boolean { value: dice.chance(30) }),
        ("warranty".to_owned(), number(dice.between(2, 25), "years")),
        ("weight".to_owned(), number(dice.between(light, heavy) / 10 * 10, "g")),
    ])
}

fn variants(
    kind: &Kind,
    n: u64,
    choices: &[Choice],
    pictures: &[String],
    dice: &mut Dice,
) -> Vec<VariantRecord> {
    let (low, high) = kind.price;
    let base = dice.between(low, high) as i64 * 100 - 10;
    let reduced = dice.chance(12);
    let weight = dice.between(kind.weight.0, kind.weight.1) as u32;
    let variant = |(number, choice): (usize, &Choice)| {
        let sku = format!("M{n:08}-{}", number + 1);
        let mut variant = VariantRecord::new(Sku::new(&sku).expect("a letter and digits"));
        let sizes = ["Medium", "Large", "Extra Large"];
        let larger = choice.iter().find_map(|own| sizes.iter().position(|s| *s == own.value));
        let unit = base + larger.map_or(0, |step| (base / 500 + 1) * 100 * (step as i64 + 1));
        let compare_at = reduced.then(|| unit + (unit / 500 + 1) * 100);
        let pricing = Pricing { unit, compare_at, tiers: false, us: false };
        variant.options = choice.clone().into();
        variant.prices = PriceChange::All(prices(pricing));
        variant.stock = StockPolicyRecord {
            track: true.into(),
            oversell: if dice.chance(6) { Oversell::Backorder } else { Oversell::Deny }.into(),
            oversell_limit: None.into(),
            expected_at: None.into(),
            max_per_customer: None.into(),
        };
        variant.on_hand =
            Some(if dice.chance(5) { dice.below(4) } else { dice.between(5, 400) } as u32);
        variant.tax_category = "standard".to_owned().into();
        variant.weight_g = Some(weight).into();
        variant.media = pictures.to_vec().into();
        variant
    };
    choices.iter().enumerate().map(variant).collect()
}

#[cfg(test)]
mod tests;
