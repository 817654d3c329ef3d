//! Our own JSON Lines: one object a line, with a `type`: `product`, `collection`, `stock` or
//! `review`. A line that cannot be read is told and passed over; the next one is read.

use std::io::BufRead;
use std::sync::Arc;

use barrow_engine::catalog::ReviewStatus;
use barrow_engine::inventory::default_location;
use serde_json::Value;

use super::json::{Node, Object, Problems};
use super::jsonl_product;
use super::lines::{Line, Lines, RECORD_BYTES_MAX};
use crate::record::{
    CollectionRecord, Naming, Position, Problem, ProductKey, Record, ReviewRecord, Row, RowError,
    StockRecord,
};

/// Reads the rows of a file, holding one line at a time.
pub struct JsonLines<R> {
    lines: Lines<R>,
    file: Arc<str>,
    input: usize,
    line: Vec<u8>,
    ended: bool,
}

impl<R: BufRead> JsonLines<R> {
    pub fn new(input: R, file: Arc<str>, index: usize) -> JsonLines<R> {
        JsonLines { lines: Lines::new(input), file, input: index, line: Vec::new(), ended: false }
    }

    fn row(&self, outcome: Result<Record, Vec<RowError>>) -> Row {
        let mut raw = self.line.clone();
        raw.push(b'\n');
        Row {
            position: self.place(),
            naming: Naming::Pointer,
            read_bytes: self.lines.bytes,
            raw,
            input: self.input,
            outcome,
        }
    }

    fn place(&self) -> Position {
        Position { file: Arc::clone(&self.file), row: self.lines.number }
    }

    fn refused(&self, code: &'static str, detail: impl Into<String>) -> Row {
        self.row(Err(vec![self.place().error(None, code, detail)]))
    }
}

impl<R: BufRead> Iterator for JsonLines<R> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        while !self.ended {
            match self.lines.next_into(&mut self.line) {
                Err(error) => {
                    self.ended = true;
                    return Some(self.refused("unreadable", error.to_string()));
                }
                Ok(Line::End) => self.ended = true,
                Ok(Line::TooLong) => {
                    let detail = format!("the line is longer than {RECORD_BYTES_MAX} bytes");
                    return Some(self.refused("too_long", detail));
                }
                Ok(Line::Whole) if self.line.iter().all(u8::is_ascii_whitespace) => {}
                Ok(Line::Whole) => {
                    let record = read_line(&self.line);
                    let position = self.place();
                    let outcome = record
                        .map_err(|found| crate::record::locate(&position, &Naming::Pointer, found));
                    return Some(self.row(outcome));
                }
            }
        }
        None
    }
}

/// Reads one line of JSON Lines.
pub fn read_line(line: &[u8]) -> Result<Record, Vec<Problem>> {
    let refused = |code, detail: String| Err(vec![Problem::new("", code, detail)]);
    let text = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(error) => {
            let byte = error.valid_up_to() + 1;
            return refused("not_utf8", format!("byte {byte} of the line is not UTF-8"));
        }
    };
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => return refused("malformed_json", error.to_string()),
    };
    let problems = Problems::default();
    let record = Node::root(value, &problems).object().and_then(record);
    let problems = problems.into_vec();
    match record {
        Some(record) if problems.is_empty() => Ok(record),
        _ => Err(problems),
    }
}

fn record(mut object: Object<'_>) -> Option<Record> {
    let kind = object.required("type", Node::text)?;
    match kind.as_str() {
        "product" => jsonl_product::product(object).map(|p| Record::Product(Box::new(p))),
        "collection" => collection(object).map(Record::Collection),
        "stock" => stock(object).map(Record::Stock),
        "review" => review(object).map(Record::Review),
        _ => {
            let detail = "product, collection, stock or review is wanted";
            object.refuse("type", "out_of_range", detail)
        }
    }
}

fn collection(mut object: Object<'_>) -> Option<CollectionRecord> {
    let slug = object.required("slug", Node::parsed);
    let title = object.field("title", Node::text);
    let parent = object.nullable("parent", Node::parsed);
    let image = object.nullable("image", jsonl_product::media);
    object.finish();
    Some(CollectionRecord { slug: slug?, title, parent, image })
}

fn stock(mut object: Object<'_>) -> Option<StockRecord> {
    let sku = object.required("sku", Node::parsed);
    let location = object.optional("location", Node::parsed).unwrap_or_else(default_location);
    let on_hand = object.required("on_hand", Node::integer);
    object.finish();
    Some(StockRecord { sku: sku?, location, on_hand: on_hand? })
}

fn review(mut object: Object<'_>) -> Option<ReviewRecord> {
    let slug = object.optional("product", Node::parsed).map(ProductKey::Slug);
    let external = object.optional("product_external_id", Node::text).map(ProductKey::ExternalId);
    let product = external.or(slug).or_else(|| {
        object.refuse(
            "product",
            "required",
            "name the product by its slug, or with \
             product_external_id",
        )
    });
    let rating = object.required("rating", Node::integer);
    let title = object.optional("title", Node::text);
    let body = object.required("body", Node::text);
    let author = object.required("author", Node::text);
    let verified = object.optional("verified", Node::boolean).unwrap_or_default();
    let status: Option<ReviewStatus> = object.optional("status", Node::word);
    if status.is_some_and(|status| status != ReviewStatus::Published) {
        let detail = "only published reviews are taken";
        object.refuse::<()>("status", "out_of_range", detail);
    }
    let created_at = object.required("created_at", Node::parsed);
    object.finish();
    Some(ReviewRecord {
        product: product?,
        rating: rating?,
        title,
        body: body?,
        author: author?,
        verified,
        created_at: created_at?,
    })
}
