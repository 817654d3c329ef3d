//! Fuzz target: what a line of a file makes of a shop is exported as a line that changes nothing
//! when it is read back.

use barrow_engine::catalog::{Media, Product, Slug};
use barrow_engine::time::Timestamp;
use barrow_fuzz::{INPUTS, Verdict, fuzz};

use super::jsonl::product_line;
use crate::derive;
use crate::formats::jsonl::read_line;
use crate::plan::{Context, Planned, plan};
use crate::record::{Field, MediaRecord, ProductRecord, Record, SlugSource};

fn product_of(line: &[u8]) -> Option<ProductRecord> {
    match read_line(line) {
        Ok(Record::Product(product)) => Some(*product),
        _ => None,
    }
}

/// As the importer keeps media that it does not find.
fn kept(said: &MediaRecord) -> Media {
    Media {
        id: derive::media_id(&said.key),
        kind: said.kind,
        key: said.key.clone(),
        alt: said.alt.as_set().cloned().unwrap_or_default(),
        mime: said.mime.clone().unwrap_or_else(|| "image/webp".to_owned()),
        width: said.width,
        height: said.height,
        bytes: said.bytes.unwrap_or_default(),
    }
}

fn planned(record: &ProductRecord, existing: Option<&Product>) -> Option<Planned> {
    let slug = match (&record.slug, existing) {
        (SlugSource::Given(slug), _) => slug.clone(),
        (SlugSource::Made(_), Some(existing)) => existing.slug.clone(),
        (SlugSource::Made(base), None) => base.clone(),
    };
    let media = match &record.media {
        Field::Keep => None,
        Field::Set(media) => Some(media.iter().map(kept).collect()),
    };
    let now = Timestamp(1_795_334_400_000);
    plan(record, Context { existing: existing.cloned(), slug, media, now }).ok()
}

#[test]
fn fuzz_lines_there_and_back() {
    let lines = include_str!("../../tests/data/rich.jsonl").lines();
    let samples: Vec<&[u8]> =
        lines.map(str::as_bytes).filter(|line| product_of(line).is_some()).collect();
    fuzz("lines_there_and_back", INPUTS, &samples, |bytes| {
        let Some(record) = product_of(bytes) else { return Verdict::Refused };
        let Some(made) = planned(&record, None) else { return Verdict::Refused };
        let product = made.into_product();
        assert!(Slug::new(product.slug.as_str()).is_ok());
        let line = product_line(&product).to_string();
        let again = product_of(line.as_bytes()).expect("an exported line is read");
        let unchanged = planned(&again, Some(&product)).expect("and is sound");
        assert_eq!(unchanged, Planned::Unchanged(product), "{line}");
        Verdict::Taken
    });
}
