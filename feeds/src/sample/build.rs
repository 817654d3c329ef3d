//! From the entries of the sample's files to the records that the import takes.

use std::collections::BTreeMap;
use std::sync::Arc;

use barrow_engine::catalog::{
    Locale, MediaKind, Oversell, ProductOption, SelectedOption, Seo, Sku, Slug,
};
use barrow_engine::time::Timestamp;

use super::dice::Dice;
use super::picture::color::{named, palette};
use super::picture::{self, Look, Setting};
use super::prices::{Pricing, prices};
use super::source::{Entry, Heading, OptionLine, Words};
use super::specs;
use super::{manual, reviews};
use crate::record::{
    CollectionRecord, CollectionRef, Field, MapChange, MediaContent, MediaRecord, PriceChange,
    ProductRecord, ReviewRecord, SlugSource, StockPolicyRecord, TranslationRecord, VariantRecord,
};
use crate::slug;

/// The shop opened on 2025-03-03; its goods came in over the following eighteen months.
const OPENED: Timestamp = Timestamp(1_740_996_000_000);
const STOCKING_DAYS: u64 = 540;
pub const DAY_MS: i64 = 86_400_000;

/// The products that every trial of the shop may rely on: always in stock, never oversold.
pub const RELIABLE: u32 = 20;
/// How many of each of those there are, at least.
pub const RELIABLE_STOCK: u64 = 60;

/// How many below zero a backorder may go.
const BACKORDER_MAX: u32 = 40;

/// A description that search pages show whole.
const SEO_DESCRIPTION_MAX: usize = 155;

/// A product of the sample with what belongs to it.
pub struct Item {
    pub record: ProductRecord,
    pub reviews: Vec<ReviewRecord>,
    /// What its main picture shows.
    pub look: Look,
}

/// Where an entry stands.
pub struct Place<'a> {
    pub heading: &'a Heading,
    /// Its position on the shelf, from 1: the middle of its SKUs.
    pub number: usize,
    pub parent_title: Option<&'a str>,
    pub translations: &'a BTreeMap<&'static str, BTreeMap<String, Words>>,
}

pub fn item(entry: &Entry, place: &Place<'_>) -> Item {
    let slug = slug::from_title(&entry.title);
    let options = entry.options();
    let colors = colors(&options);
    let look = look(entry, colors.and_then(|line| line.values.first()).map(|(name, _)| &**name));
    let created_at = created_at(&slug);
    let specs = specs::attributes(&entry.specs());
    let media = media(entry, &slug, colors, &look, &specs);

    let mut record = ProductRecord::new(SlugSource::Given(slug.clone()));
    record.title = entry.title.clone().into();
    record.description = entry.text.trim().to_owned().into();
    record.brand = Some(entry.by.clone()).into();
    record.collections = collections(place).into();
    record.facets = MapChange::all(facets(entry, colors));
    record.attributes = MapChange::all(specs);
    record.options = options.iter().map(product_option).collect::<Vec<_>>().into();
    record.variants = variants(entry, place, &options, colors, &slug);
    record.media = media.into();
    record.translations = MapChange::all(translations(&slug, place));
    record.seo = seo(entry).into();
    record.featured = entry.number("featured").into();
    record.created_at = Some(created_at);
    let reviews = reviews::of(&slug, &entry.talk(), created_at);
    Item { record, reviews, look }
}

/// The record of a collection; its picture shows three of its products.
pub fn collection(heading: &Heading, looks: Vec<Look>) -> CollectionRecord {
    let slug = Slug::new(&heading.slug).expect("headings hold slugs");
    let key = format!("sample/collection-{slug}.png");
    let seed = Dice::new(&heading.slug).roll();
    let make = move || picture::png(&picture::collection_svg(&looks, seed), picture::WIDE_WIDTH);
    let image = MediaRecord {
        content: MediaContent::Made(Arc::new(make)),
        alt: heading.title.clone().into(),
        mime: Some("image/png".to_owned()),
        width: Some(picture::WIDE_WIDTH),
        height: Some(picture::HEIGHT),
        ..MediaRecord::at(MediaKind::Image, key)
    };
    CollectionRecord {
        slug,
        title: heading.title.clone().into(),
        parent: parent_of(heading).into(),
        image: Some(image).into(),
    }
}

fn parent_of(heading: &Heading) -> Option<Slug> {
    heading.parent.as_ref().map(|parent| Slug::new(parent).expect("headings hold slugs"))
}

fn created_at(slug: &Slug) -> Timestamp {
    let minutes = Dice::new(slug.as_str()).below(STOCKING_DAYS * 24 * 60);
    Timestamp(OPENED.0 + minutes as i64 * 60_000)
}

/// The option whose values are colors, if there is one.
fn colors(options: &[OptionLine]) -> Option<&OptionLine> {
    options.iter().find(|line| line.values.iter().all(|(value, _)| palette().contains_key(value)))
}

fn look(entry: &Entry, color: Option<&str>) -> Look {
    let drawing = entry.drawing();
    let base = color.or(drawing.base.as_deref()).and_then(named);
    Look {
        base: base.expect("a product's color is in the palette"),
        accent: named(&drawing.accent).expect("a product's accent is in the palette"),
        words: drawing.words,
    }
}

fn collections(place: &Place<'_>) -> Vec<CollectionRef> {
    let parent = parent_of(place.heading).map(|slug| CollectionRef {
        slug,
        title: place.parent_title.map(str::to_owned),
        parent: None,
    });
    let own = CollectionRef {
        slug: Slug::new(&place.heading.slug).expect("headings hold slugs"),
        title: Some(place.heading.title.clone()),
        parent: parent.clone().map(Box::new),
    };
    std::iter::once(own).chain(parent).collect()
}

fn facets(entry: &Entry, colors: Option<&OptionLine>) -> BTreeMap<String, Vec<String>> {
    let mut facets = entry.facets();
    let base = entry.drawing().base;
    let values = colors.into_iter().flat_map(|line| line.values.iter().map(|(value, _)| value));
    let mut families: Vec<String> = Vec::new();
    for name in values.chain(base.as_ref()) {
        let family = &palette()[name].family;
        if !families.contains(family) {
            families.push(family.clone());
        }
    }
    facets.insert("color".to_owned(), families);
    facets.insert("brand".to_owned(), vec![entry.by.clone()]);
    facets
}

fn product_option(line: &OptionLine) -> ProductOption {
    ProductOption {
        name: line.name.clone(),
        values: line.values.iter().map(|(value, _)| value.clone()).collect(),
    }
}

fn picture_key(slug: &Slug, color: Option<&str>) -> String {
    match color {
        Some(color) => format!("sample/{slug}-{}.png", slug::from_title(color)),
        None => format!("sample/{slug}.png"),
    }
}

fn media(
    entry: &Entry,
    slug: &Slug,
    colors: Option<&OptionLine>,
    look: &Look,
    specs: &BTreeMap<String, barrow_engine::catalog::AttributeValue>,
) -> Vec<MediaRecord> {
    let setting = Setting::Room(Dice::new(slug.as_str()).roll());
    let mut media = vec![drawn(picture_key(slug, None), &entry.title, look.clone(), setting)];
    for (color, _) in colors.into_iter().flat_map(|line| &line.values) {
        let look = self::look(entry, Some(color));
        let alt = format!("{} in {color}", entry.title);
        media.push(drawn(picture_key(slug, Some(color)), &alt, look, Setting::Studio));
    }
    if entry.more("manual").is_some() {
        media.push(manual::record(entry, slug, look, specs));
    }
    media
}

/// A picture that is drawn when it is wanted.
pub fn drawn(key: String, alt: &str, look: Look, setting: Setting) -> MediaRecord {
    let make = move || picture::product_png(&look, setting);
    MediaRecord {
        content: MediaContent::Made(Arc::new(make)),
        alt: alt.to_owned().into(),
        mime: Some("image/png".to_owned()),
        width: Some(picture::WIDTH),
        height: Some(picture::HEIGHT),
        ..MediaRecord::at(MediaKind::Image, key)
    }
}

fn variants(
    entry: &Entry,
    place: &Place<'_>,
    options: &[OptionLine],
    colors: Option<&OptionLine>,
    slug: &Slug,
) -> Vec<VariantRecord> {
    let mut choices: Vec<Vec<&(String, i64)>> = vec![Vec::new()];
    for line in options {
        let longer = |chosen: &Vec<_>| {
            let chosen = chosen.clone();
            line.values.iter().map(move |value| [chosen.clone(), vec![value]].concat())
        };
        choices = choices.iter().flat_map(longer).collect();
    }
    let total = choices.len();
    let variant = |(index, chosen): (usize, &Vec<&(String, i64)>)| {
        let mut variant = VariantRecord::new(sku(place, chosen));
        let pairs = options.iter().zip(chosen);
        let selected = pairs.map(|(line, (value, _))| SelectedOption {
            name: line.name.clone(),
            value: value.clone(),
        });
        variant.options = selected.collect::<Vec<_>>().into();
        let extra: i64 = chosen.iter().map(|(_, extra)| extra).sum();
        variant.prices = PriceChange::All(prices(pricing(entry, extra)));
        variant.stock = policy(entry);
        variant.on_hand = on_hand(entry, &variant.sku, index, total);
        variant.tax_category = entry.more("tax").unwrap_or("standard").to_owned().into();
        variant.weight_g = entry.number("weight").into();
        let color = colors.and_then(|line| options.iter().position(|own| own == line));
        let color = color.map(|position| chosen[position].0.as_str());
        variant.media = vec![picture_key(slug, color)].into();
        variant
    };
    choices.iter().enumerate().map(variant).collect()
}

fn pricing(entry: &Entry, extra: i64) -> Pricing {
    Pricing {
        unit: entry.price + extra,
        compare_at: entry.number("was").map(|was| i64::from(was) + extra),
        tiers: entry.more("tiers").is_some(),
        us: entry.more("us").is_some(),
    }
}

/// `KIT-01-SAGE-350ML`: the shelf, the place on it, and each choice, shortened.
fn sku(place: &Place<'_>, chosen: &[&(String, i64)]) -> Sku {
    let mut text = format!("{}-{:02}", place.heading.code, place.number);
    for (value, _) in chosen {
        let letters = value.chars().filter(|c| c.is_alphanumeric() || matches!(c, '+' | '.'));
        let code: String = letters.take(8).collect::<String>().to_uppercase();
        text = format!("{text}-{code}");
    }
    Sku::new(&text).expect("a few short parts")
}

fn policy(entry: &Entry) -> StockPolicyRecord {
    let mut policy = StockPolicyRecord {
        track: true.into(),
        oversell: Oversell::Deny.into(),
        oversell_limit: None.into(),
        expected_at: None.into(),
        max_per_customer: None.into(),
    };
    let (kind, rest) = match entry.more("stock").map(|value| value.split_once(' ')) {
        Some(Some((kind, rest))) => (kind, rest),
        _ => (entry.more("stock").unwrap_or_default(), ""),
    };
    match kind {
        "endless" => policy.track = false.into(),
        "backorder" => {
            policy.oversell = Oversell::Backorder.into();
            policy.oversell_limit = Some(BACKORDER_MAX).into();
        }
        "preorder" => {
            policy.oversell = Oversell::Preorder.into();
            let day = format!("{rest}T08:00:00Z").parse();
            policy.expected_at = Some(day.expect("a preorder names its day")).into();
            policy.max_per_customer = Some(5).into();
        }
        _ => {}
    }
    policy
}

/// Units on hand; `None` where they are not counted.
fn on_hand(entry: &Entry, sku: &Sku, index: usize, total: usize) -> Option<u32> {
    let mut dice = Dice::new(sku.as_str());
    let plenty = dice.between(18, 160);
    let kind = entry.more("stock").and_then(|value| value.split(' ').next()).unwrap_or_default();
    let units = match kind {
        "endless" => return None,
        "out" | "preorder" => 0,
        "low" => dice.between(1, 4),
        "backorder" => dice.below(3),
        "mixed" if index == 1 => 0,
        "mixed" if index + 1 == total => dice.between(1, 4),
        _ if entry.number("featured").is_some_and(|place| place <= RELIABLE) => {
            RELIABLE_STOCK + plenty
        }
        _ => plenty,
    };
    Some(units as u32)
}

fn translations(slug: &Slug, place: &Place<'_>) -> BTreeMap<Locale, TranslationRecord> {
    let found = place.translations.iter().filter_map(|(language, texts)| {
        let words = texts.get(slug.as_str())?;
        let translation = TranslationRecord {
            title: Some(words.title.clone()).into(),
            description: Some(words.text.trim().to_owned()).into(),
            slug: Field::Keep,
        };
        Some((Locale::new(language).expect("two letters"), translation))
    });
    found.collect()
}

fn seo(entry: &Entry) -> Seo {
    let mut description = String::new();
    for sentence in entry.text.trim().split_inclusive(". ") {
        if !description.is_empty() && description.len() + sentence.len() > SEO_DESCRIPTION_MAX {
            break;
        }
        description.push_str(sentence);
    }
    Seo {
        title: Some(format!("{} by {} | Barrow", entry.title, entry.by)),
        description: Some(description.trim().to_owned()),
    }
}
