//! What the files of other shops have in common.

use std::path::Path;

use barrow_engine::catalog::{MediaKind, Sku, Slug};
use barrow_engine::money::{Currency, Money};

use crate::record::{
    CollectionRef, Field, MediaContent, MediaRecord, PlainPrice, PriceChange, Problem, Record,
};
use crate::slug;

/// How foreign files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForeignOptions {
    /// The currency of prices that come without one.
    pub currency: Currency,
}

/// What a reader makes of one item.
pub type Read = Result<Record, Vec<Problem>>;

/// The plain price of a decimal text; other prices stay.
pub fn plain_price(text: &str, currency: Currency, pointer: &str) -> Result<PriceChange, Problem> {
    let amount = amount(text, currency, pointer)?;
    let price = PlainPrice { currency, amount: Field::Set(Some(amount)), compare_at: Field::Keep };
    Ok(PriceChange::Plain(vec![price]))
}

pub fn amount(text: &str, currency: Currency, pointer: &str) -> Result<Money, Problem> {
    let text = text.trim();
    // "5.00" yen are 5 yen: zeros behind the point say nothing.
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    };
    match Money::parse_decimal(text, currency) {
        Ok(money) if money.amount >= 0 => Ok(money),
        Ok(_) => Err(Problem::new(pointer, "out_of_range", "a price is not negative")),
        Err(error) => Err(Problem::new(pointer, "out_of_range", error.to_string())),
    }
}

pub fn sku(text: &str, pointer: &str) -> Result<Sku, Problem> {
    Sku::new(text.trim()).map_err(|error| Problem::new(pointer, "out_of_range", error.to_string()))
}

/// The collection of a category that is known by its name.
pub fn category(name: &str) -> CollectionRef {
    CollectionRef {
        slug: slug::from_title(name),
        title: Some(slug::capitalized(name.trim())),
        parent: None,
    }
}

/// Facet values of one word; none for an empty one.
pub fn facet_values(value: &str) -> Option<Vec<String>> {
    let value = value.trim();
    (!value.is_empty()).then(|| vec![value.to_owned()])
}

/// A picture that lies beside the file, in one of the places.
pub fn picture(folder: &Path, places: &[&str]) -> Option<MediaRecord> {
    places.iter().find_map(|place| {
        let is_plain = Path::new(place)
            .components()
            .all(|component| matches!(component, std::path::Component::Normal(_)));
        let path = folder.join(place);
        (is_plain && path.is_file()).then(|| MediaRecord {
            content: MediaContent::File(path),
            ..MediaRecord::at(MediaKind::Image, *place)
        })
    })
}

/// The slug of a product that has none in its file.
pub fn made_slug(title: &str) -> crate::record::SlugSource {
    crate::record::SlugSource::Made(slug::from_title(title))
}

/// Where a slug is given.
pub fn given_slug(text: &str, pointer: &str) -> Result<Slug, Problem> {
    Slug::new(text.trim()).map_err(|error| Problem::new(pointer, "out_of_range", error.to_string()))
}
