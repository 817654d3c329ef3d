//! The catalog of the Retail Demo Store: a YAML list of products and one of categories. Products
//! have no variants and no SKU, so the id is the SKU.

use std::io::BufRead;
use std::path::PathBuf;
use std::sync::Arc;

use barrow_engine::catalog::AttributeValue;
use serde::Deserialize;

use super::foreign::{self, ForeignOptions, Read};
use super::items::{Next, YamlItems};
use crate::record::{
    CollectionRecord, Field, MapChange, Naming, Partial, Position, Problem, ProductRecord, Record,
    Row, VariantRecord, locate,
};

/// What our fields are called there.
const NAMES: &[(&str, &str)] = &[
    ("external_id", "id"),
    ("slug", "name"),
    ("title", "name"),
    ("sku", "id"),
    ("stock", "current_stock"),
    ("collections", "category"),
    ("facet.style", "style"),
    ("facet.gender", "gender_affinity"),
    ("images", "image"),
];

/// A product there. All scalars are read as the texts they are, so no price becomes a float.
#[derive(Debug, Deserialize)]
struct Product {
    id: String,
    sku: Option<String>,
    name: String,
    category: Option<String>,
    style: Option<String>,
    description: Option<String>,
    price: String,
    current_stock: Option<u32>,
    image: Option<String>,
    gender_affinity: Option<String>,
    featured: Option<bool>,
    aliases: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct Category {
    name: String,
    image: Option<String>,
}

/// Which of the two lists a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    Products,
    Categories,
}

/// Reads the items of a list, one at a time.
pub struct RetailDemo<R> {
    items: YamlItems<R>,
    list: List,
    options: ForeignOptions,
    folder: PathBuf,
    file: Arc<str>,
    input: usize,
    /// How many featured products came before: their order is the file's.
    featured: u32,
    ended: bool,
}

impl<R: BufRead> RetailDemo<R> {
    pub fn new(
        input: R,
        list: List,
        options: ForeignOptions,
        folder: PathBuf,
        file: Arc<str>,
        index: usize,
    ) -> RetailDemo<R> {
        RetailDemo {
            items: YamlItems::new(input),
            list,
            options,
            folder,
            file,
            input: index,
            featured: 0,
            ended: false,
        }
    }

    fn row(&self, line: u64, raw: Vec<u8>, read: Read) -> Row {
        let position = Position { file: Arc::clone(&self.file), row: line };
        let naming = Naming::Foreign { names: NAMES, variant_rows: vec![] };
        Row {
            outcome: read.map_err(|problems| locate(&position, &naming, problems)),
            position,
            naming,
            read_bytes: self.items.bytes(),
            raw,
            input: self.input,
        }
    }

    fn read(&mut self, text: &[u8]) -> Read {
        let refused = |code, detail: String| Err(vec![Problem::new("", code, detail)]);
        let Ok(text) = std::str::from_utf8(text) else {
            return refused("not_utf8", "the item is not UTF-8".to_owned());
        };
        match self.list {
            List::Categories => match serde_saphyr::from_str::<Vec<Category>>(text) {
                Ok(items) => items.into_iter().next().map_or_else(
                    || refused("malformed_yaml", "the item is empty".to_owned()),
                    |item| Ok(self.category(&item)),
                ),
                Err(error) => refused("malformed_yaml", one_line(&error)),
            },
            List::Products => match serde_saphyr::from_str::<Vec<Product>>(text) {
                Ok(items) => items.into_iter().next().map_or_else(
                    || refused("malformed_yaml", "the item is empty".to_owned()),
                    |item| self.product(item),
                ),
                Err(error) => refused("malformed_yaml", one_line(&error)),
            },
        }
    }

    fn category(&self, item: &Category) -> Record {
        let named = foreign::category(&item.name);
        let image = item.image.as_ref().and_then(|image| {
            let places = [format!("images/{image}"), image.clone()];
            foreign::picture(&self.folder, &places.each_ref().map(String::as_str))
        });
        Record::Collection(CollectionRecord {
            slug: named.slug,
            title: named.title.map_or(Field::Keep, Field::Set),
            parent: Field::Keep,
            image: image.map_or(Field::Keep, |image| Field::Set(Some(image))),
        })
    }

    fn product(&mut self, item: Product) -> Read {
        let mut problems = Vec::new();
        let sku = item.sku.as_ref().filter(|sku| !sku.is_empty()).unwrap_or(&item.id);
        let sku = foreign::sku(sku, "/variants/0/sku").map_err(|error| problems.push(error)).ok();
        let price = foreign::plain_price(&item.price, self.options.currency, "/prices")
            .map_err(|error| problems.push(error))
            .ok();
        let (Some(sku), Some(price)) = (sku, price) else { return Err(problems) };
        let mut variant = VariantRecord::new(sku);
        variant.prices = price;
        variant.on_hand = item.current_stock;
        let mut record = ProductRecord::new(foreign::made_slug(&item.name));
        record.title = Field::Set(item.name);
        record.description = Field::Set(item.description.unwrap_or_default());
        record.collections =
            Field::Set(item.category.iter().map(|c| foreign::category(c)).collect());
        record.facets = facets(item.style.as_deref(), item.gender_affinity.as_deref());
        record.attributes = aliases(item.aliases);
        if item.featured == Some(true) {
            self.featured += 1;
            record.featured = Field::Set(Some(self.featured));
        }
        let picture = item.image.as_ref().and_then(|image| {
            let category = item.category.as_deref().unwrap_or_default();
            let places =
                [format!("images/{category}/{image}"), format!("images/{image}"), image.clone()];
            foreign::picture(&self.folder, &places.each_ref().map(String::as_str))
        });
        if let Some(picture) = picture {
            record.media = Field::Set(vec![picture]);
            record.partial = Partial {
                media_kinds: vec![barrow_engine::catalog::MediaKind::Image],
                ..Partial::default()
            };
        }
        record.external_id = Some(item.id);
        record.variants = vec![variant];
        Ok(Record::Product(Box::new(record)))
    }
}

fn facets(style: Option<&str>, gender: Option<&str>) -> MapChange<String, Vec<String>> {
    let gender = gender.map(|gender| match gender {
        "F" => "women",
        "M" => "men",
        other => other,
    });
    let entries = [("style", style), ("gender", gender)];
    let entries = entries
        .into_iter()
        .map(|(code, value)| (code.to_owned(), value.and_then(foreign::facet_values)))
        .collect();
    MapChange { replace_all: false, entries }
}

fn aliases(aliases: Option<Vec<String>>) -> MapChange<String, AttributeValue> {
    let mut change = MapChange::default();
    if let Some(value) = aliases {
        change.entries.insert("aliases".to_owned(), Some(AttributeValue::List { value }));
    }
    change
}

/// The parser draws the place into its message; a row of ours tells it in a line.
fn one_line(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().trim().to_owned()
}

impl<R: BufRead> Iterator for RetailDemo<R> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        if self.ended {
            return None;
        }
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
                self.ended = true;
                let problem = Problem::new("", "malformed_yaml", detail);
                Some(self.row(line, vec![], Err(vec![problem])))
            }
        }
    }
}
