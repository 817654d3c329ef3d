//! Manuals of the sample goods: a cover with the product drawn on it, numbered steps, advice and
//! a table of its data, as a PDF of two or three pages.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use barrow_engine::catalog::{AttributeValue, MediaKind, Slug};
use serde::Deserialize;

use super::paper::{Paper, Style};
use super::picture::{Look, figure_svg};
use super::source::{self, Entry};
use super::specs;
use crate::record::{MediaContent, MediaRecord};

/// What a manual says, for a kind of goods.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manual {
    intro: String,
    /// Titles with their numbered steps, in order.
    #[serde(deserialize_with = "in_order")]
    sections: Vec<(String, Vec<String>)>,
    advice: Vec<String>,
}

/// Reads a map without sorting it: the order of the sections is that of the work.
fn in_order<'de, D>(deserializer: D) -> Result<Vec<(String, Vec<String>)>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    struct Pairs;
    impl<'de> serde::de::Visitor<'de> for Pairs {
        type Value = Vec<(String, Vec<String>)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("sections with their steps")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(
            self,
            mut map: A,
        ) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = map.next_entry()? {
                pairs.push(pair);
            }
            Ok(pairs)
        }
    }
    deserializer.deserialize_map(Pairs)
}

fn manuals() -> &'static BTreeMap<String, Manual> {
    static MANUALS: OnceLock<BTreeMap<String, Manual>> = OnceLock::new();
    MANUALS.get_or_init(|| source::read(include_str!("data/manuals.yaml")))
}

/// The manual of a product, to be made when it is wanted.
pub fn record(
    entry: &Entry,
    slug: &Slug,
    look: &Look,
    attributes: &BTreeMap<String, AttributeValue>,
) -> MediaRecord {
    let key = format!("sample/{slug}-manual.pdf");
    let (title, brand) = (entry.title.clone(), entry.by.clone());
    let table: Vec<(String, String)> =
        attributes.iter().map(|(key, value)| (specs::label(key), specs::readable(value))).collect();
    let look = look.clone();
    let make = move || pdf(&title, &brand, &look, &table);
    MediaRecord {
        content: MediaContent::Made(Arc::new(make)),
        alt: format!("Manual of the {}", entry.title).into(),
        mime: Some("application/pdf".to_owned()),
        ..MediaRecord::at(MediaKind::Manual, key)
    }
}

fn pdf(
    title: &str,
    brand: &str,
    look: &Look,
    table: &[(String, String)],
) -> Result<Vec<u8>, String> {
    let kind = look.words.first().map_or("", String::as_str);
    let manual = manuals().get(kind).ok_or_else(|| format!("there is no manual for '{kind}'"))?;
    let mut paper = Paper::new(&format!("{title} | {brand}"));
    paper.text(&brand.to_uppercase(), Style::SMALL);
    paper.gap(8.0);
    paper.text(title, Style::TITLE);
    paper.text("Manual", Style::LEAD);
    paper.gap(16.0);
    paper
        .figure(&figure_svg(look), look.base.mix(super::picture::color::Rgb(255, 255, 255), 82))?;
    paper.gap(20.0);
    paper.text(&manual.intro, Style::LEAD);
    paper.gap(14.0);
    paper.text("In this manual", Style::HEADING);
    for (section, _) in &manual.sections {
        paper.item("-", section);
    }
    paper.item("-", "Please note");
    paper.item("-", "Data");
    paper.next_page();
    for (section, steps) in &manual.sections {
        paper.text(section, Style::HEADING);
        for (number, step) in (1..).zip(steps) {
            paper.item(&format!("{number}."), step);
        }
        paper.gap(12.0);
    }
    paper.text("Please note", Style::HEADING);
    for advice in &manual.advice {
        paper.item("!", advice);
    }
    paper.gap(12.0);
    paper.table("Data", table);
    paper.gap(18.0);
    let help = "Questions? Write to us with the name of the product. We have one of everything \
                on the shelf and will try it with you.";
    paper.text(help, Style::BODY);
    Ok(paper.finish())
}
