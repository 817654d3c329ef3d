//! The shop's own sample catalog: some two hundred goods in a dozen collections, so that whoever
//! starts the shop for the first time walks into a furnished one. Everything in it is of our own
//! making and free to ship. It is the same on every machine and at every time: seeding it twice
//! changes nothing.
//!
//! The goods are written down in `data/`, a file per collection ([`source`]), and become the
//! same records that an import reads ([`build`]). Pictures ([`picture`]) and manuals are drawn
//! when they are wanted, and are not part of the program.

mod build;
pub mod dice;
mod manual;
mod paper;
pub mod picture;
mod prices;
mod reviews;
mod source;
mod specs;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::record::{Field, MediaRecord, Record};

pub(crate) use build::drawn;
pub(crate) use prices::{Pricing, prices};

/// All records: collections, then products with their stock, then reviews. Pictures and manuals
/// come with them, to be made when they are asked for.
pub fn records() -> impl Iterator<Item = Record> {
    let shelves = source::shelves();
    let translations = source::translations();
    let title_of = |slug: &str| {
        let mut headings = shelves.iter().map(|shelf| &shelf.collection);
        headings.find(|heading| heading.slug == slug).map(|heading| heading.title.as_str())
    };
    let (mut collections, mut products, mut reviews) = (Vec::new(), Vec::new(), Vec::new());
    let mut looks = BTreeMap::new();
    for shelf in &shelves {
        let heading = &shelf.collection;
        for (index, entry) in shelf.products.iter().enumerate() {
            let parent_title = heading.parent.as_deref().and_then(title_of);
            let place = build::Place {
                heading,
                number: index + 1,
                parent_title,
                translations: &translations,
            };
            let item = build::item(entry, &place);
            looks.insert(item.record.slug.slug().to_string(), item.look);
            products.push(Record::Product(Box::new(item.record)));
            reviews.extend(item.reviews.into_iter().map(Record::Review));
        }
    }
    for shelf in &shelves {
        let heading = &shelf.collection;
        let shown = heading.show.iter().map(|slug| looks[slug].clone()).collect();
        collections.push(Record::Collection(build::collection(heading, shown)));
    }
    collections.into_iter().chain(products).chain(reviews)
}

/// The pictures and manuals of all records, each with what makes it.
pub fn media() -> impl Iterator<Item = MediaRecord> {
    records().flat_map(|record| media_of(&record))
}

/// The media that a record brings.
pub fn media_of(record: &Record) -> Vec<MediaRecord> {
    match record {
        Record::Product(product) => match &product.media {
            Field::Set(media) => media.clone(),
            Field::Keep => Vec::new(),
        },
        Record::Collection(collection) => {
            collection.image.as_set().cloned().flatten().into_iter().collect()
        }
        Record::Stock(_) | Record::Review(_) => Vec::new(),
    }
}
