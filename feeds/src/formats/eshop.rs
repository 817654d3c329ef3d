//! The catalog of eShop: a JSON list of products, their pictures beside it in `Pics/ID.webp`.
//! Products have no variants and no SKU, so the id is the SKU.

use std::io::BufRead;
use std::path::PathBuf;
use std::sync::Arc;

use barrow_engine::catalog::MediaKind;
use serde::Deserialize;

use super::foreign::{self, ForeignOptions, Read};
use super::items::{JsonItems, Next};
use crate::record::{
    Field, Naming, Partial, Position, Problem, ProductRecord, Record, Row, VariantRecord, locate,
};

/// What our fields are called there.
const NAMES: &[(&str, &str)] = &[
    ("external_id", "Id"),
    ("slug", "Name"),
    ("title", "Name"),
    ("description", "Description"),
    ("brand", "Brand"),
    ("sku", "Id"),
    ("price", "Price"),
    ("collections", "Type"),
    ("images", "Pics"),
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Product {
    id: u64,
    #[serde(rename = "Type")]
    kind: Option<String>,
    brand: Option<String>,
    name: String,
    description: Option<String>,
    price: serde_json::Number,
}

/// Reads the products, one at a time.
pub struct Eshop<R> {
    items: JsonItems<R>,
    options: ForeignOptions,
    folder: PathBuf,
    file: Arc<str>,
    input: usize,
}

impl<R: BufRead> Eshop<R> {
    pub fn new(
        input: R,
        options: ForeignOptions,
        folder: PathBuf,
        file: Arc<str>,
        index: usize,
    ) -> Eshop<R> {
        Eshop { items: JsonItems::new(input), options, folder, file, input: index }
    }

    fn row(&self, line: u64, raw: Vec<u8>, read: Read) -> Row {
        let position = Position { file: Arc::clone(&self.file), row: line };
        let naming = Naming::Foreign { names: NAMES, variant_rows: vec![] };
        Row {
            outcome: read.map_err(|problems| locate(&position, &naming, problems)),
            position,
            naming,
            read_bytes: self.items.bytes,
            raw,
            input: self.input,
        }
    }

    fn read(&self, text: &[u8]) -> Read {
        let refused = |code, detail: String| Err(vec![Problem::new("", code, detail)]);
        if std::str::from_utf8(text).is_err() {
            return refused("not_utf8", "the item is not UTF-8".to_owned());
        }
        match serde_json::from_slice::<Product>(text) {
            Ok(item) => self.product(item),
            Err(error) if error.is_data() => refused("wrong_type", error.to_string()),
            Err(error) => refused("malformed_json", error.to_string()),
        }
    }

    fn product(&self, item: Product) -> Read {
        let id = item.id.to_string();
        let price = decimal(&item.price)
            .and_then(|text| foreign::plain_price(&text, self.options.currency, "/prices"))
            .map_err(|problem| vec![problem])?;
        let sku = foreign::sku(&id, "/variants/0/sku").map_err(|problem| vec![problem])?;
        let mut variant = VariantRecord::new(sku);
        variant.prices = price;
        let mut record = ProductRecord::new(foreign::made_slug(&item.name));
        record.title = Field::Set(item.name);
        record.description = Field::Set(item.description.unwrap_or_default());
        record.brand = Field::Set(item.brand.filter(|brand| !brand.trim().is_empty()));
        record.collections =
            Field::Set(item.kind.iter().map(|kind| foreign::category(kind)).collect());
        if let Some(picture) = foreign::picture(&self.folder, &[&format!("Pics/{id}.webp")]) {
            record.media = Field::Set(vec![picture]);
            record.partial = Partial { media_kinds: vec![MediaKind::Image], ..Partial::default() };
        }
        record.external_id = Some(id);
        record.variants = vec![variant];
        Ok(Record::Product(Box::new(record)))
    }
}

/// The digits of a price. A JSON number is read as binary; up to 15 digits its shortest text is
/// the one that was written, so nothing is lost.
fn decimal(price: &serde_json::Number) -> Result<String, Problem> {
    let text = price.to_string();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if digits > 15 || text.contains(['e', 'E']) {
        let detail = format!("{text} is too long for a price");
        return Err(Problem::new("/prices", "out_of_range", detail));
    }
    Ok(text)
}

impl<R: BufRead> Iterator for Eshop<R> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        match self.items.next_item() {
            Next::End => None,
            Next::Item(item) => {
                let read = self.read(&item.text);
                Some(self.row(item.line, item.text, read))
            }
            Next::TooLong { line } => {
                let problem = Problem::new("", "too_long", "the item is longer than is read");
                Some(self.row(line, vec![], Err(vec![problem])))
            }
            Next::Broken { line, detail } => {
                let problem = Problem::new("", "malformed_json", detail);
                Some(self.row(line, vec![], Err(vec![problem])))
            }
        }
    }
}
