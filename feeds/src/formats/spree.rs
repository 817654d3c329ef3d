//! The files of Spree: a table whose first row of a slug is the product and whose further rows
//! are its variants, prices in other currencies in rows of their own further down, and a table of
//! translations. What belongs together lies apart, so the table is held whole, up to a limit.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::sync::Arc;

use barrow_engine::catalog::{Locale, Slug};

use super::foreign;
use super::limits::VARIANTS_MAX;
use super::lines::RECORD_BYTES_MAX;
use super::spree_product;
use super::table::{Broken, Table, TableRow};
use crate::record::{
    Field, MapChange, Naming, Position, Problem, ProductRecord, Record, Row, RowError, SlugSource,
    TranslationRecord, locate,
};

/// What our fields are called there.
const NAMES: &[(&str, &str)] = &[
    ("title", "name"),
    ("collections", "category1"),
    ("images", "image1_src"),
    ("stock", "inventory_count"),
    ("weight_g", "weight"),
    ("publish_at", "available_on"),
    ("seo", "meta_title"),
    ("facet.tags", "tags"),
    ("facet.product_type", "product_type"),
];

/// The columns by name.
pub struct Header {
    places: HashMap<String, usize>,
}

impl Header {
    fn of(names: &[String]) -> Header {
        let places = names.iter().enumerate().map(|(place, name)| (name.clone(), place));
        Header { places: places.collect() }
    }

    /// The cell of a column, without spaces around; empty where there is none.
    pub fn cell<'r>(&self, row: &'r TableRow, name: &str) -> &'r str {
        self.places.get(name).map_or("", |place| row.trimmed(*place))
    }

    /// The columns whose names begin with `prefix`, with the rest of their names, in order.
    pub fn beginning_with(&self, prefix: &str) -> Vec<(&str, usize)> {
        let mut found: Vec<(&str, usize)> = self
            .places
            .iter()
            .filter_map(|(name, place)| name.strip_prefix(prefix).map(|rest| (rest, *place)))
            .collect();
        found.sort_by_key(|(_, place)| *place);
        found
    }
}

/// The rows of one slug.
#[derive(Default)]
struct Group {
    rows: Vec<TableRow>,
    raw: Vec<u8>,
}

/// The translations of a shop by slug, and how they fit with a table of products.
#[derive(Default)]
pub struct Translations {
    by_slug: BTreeMap<String, Vec<Translated>>,
}

struct Translated {
    locale: Locale,
    record: TranslationRecord,
    /// For rows whose product no table has.
    row: u64,
    raw: Vec<u8>,
}

/// One file of the pair, as it was opened.
pub struct Source<R> {
    pub table: Result<Table<R>, Broken>,
    pub file: Arc<str>,
    pub input: usize,
}

impl<R: Read> Source<R> {
    fn row(
        &self,
        number: u64,
        naming: Naming,
        raw: Vec<u8>,
        read_bytes: u64,
        outcome: Result<Record, Vec<RowError>>,
    ) -> Row {
        Row {
            position: Position { file: Arc::clone(&self.file), row: number },
            naming,
            read_bytes,
            raw,
            input: self.input,
            outcome,
        }
    }

    fn refused(&self, number: u64, raw: Vec<u8>, problems: Vec<Problem>) -> Row {
        let position = Position { file: Arc::clone(&self.file), row: number };
        let errors = locate(&position, &Naming::Pointer, problems);
        self.row(number, Naming::Pointer, raw, 0, Err(errors))
    }

    fn broken(&self, broken: &Broken) -> Row {
        self.refused(broken.row, vec![], vec![Problem::new("", broken.code, broken.detail.clone())])
    }
}

/// Reads the table of translations; what is wrong with it is told in rows.
pub fn translations<R: Read>(mut source: Source<R>) -> (Translations, Vec<Row>) {
    let mut translations = Translations::default();
    let mut rows = Vec::new();
    let mut table = match std::mem::replace(&mut source.table, Err(Broken::NONE)) {
        Ok(table) => table,
        Err(broken) => return (translations, vec![source.broken(&broken)]),
    };
    let header = Header::of(&table.header);
    loop {
        let row = match table.next_row() {
            Ok(Some(row)) if row.is_blank() => continue,
            Ok(Some(row)) => row,
            Ok(None) => break,
            Err(broken) => {
                rows.push(source.broken(&broken));
                break;
            }
        };
        let locale = header.cell(&row, "locale").parse::<Locale>();
        let slug = header.cell(&row, "slug").to_owned();
        let mut problems = row.problems.clone();
        if slug.is_empty() {
            problems.push(Problem::new("slug", "required", "the row names no product"));
        }
        let locale = match locale {
            Ok(locale) => Some(locale),
            Err(error) => {
                problems.push(Problem::new("locale", "out_of_range", error.to_string()));
                None
            }
        };
        match locale {
            Some(locale) if problems.is_empty() => {
                let text = |name| {
                    let cell = header.cell(&row, name);
                    if cell.is_empty() { Field::Keep } else { Field::Set(Some(cell.to_owned())) }
                };
                let record = TranslationRecord {
                    title: text("name"),
                    description: text("description"),
                    slug: Field::Keep,
                };
                let translated = Translated { locale, record, row: row.number, raw: row.raw };
                translations.by_slug.entry(slug).or_default().push(translated);
            }
            _ => rows.push(source.refused(row.number, row.raw, problems)),
        }
    }
    (translations, rows)
}

/// The products of the table, with their translations.
pub fn products<R: Read>(
    mut source: Source<R>,
    options: foreign::ForeignOptions,
    translations: &mut Translations,
) -> Vec<Row> {
    let mut table = match std::mem::replace(&mut source.table, Err(Broken::NONE)) {
        Ok(table) => table,
        Err(broken) => return vec![source.broken(&broken)],
    };
    let header = Header::of(&table.header);
    let mut slugs: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<(String, Group)> = Vec::new();
    let mut rows = Vec::new();
    loop {
        match table.next_row() {
            Ok(None) => break,
            Err(broken) => {
                rows.push(source.broken(&broken));
                break;
            }
            Ok(Some(row)) if row.is_blank() => {}
            Ok(Some(mut row)) => {
                let slug = header.cell(&row, "slug").to_owned();
                if slug.is_empty() {
                    let raw = std::mem::take(&mut row.raw);
                    let problem = Problem::new("slug", "required", "the row names no product");
                    rows.push(source.refused(row.number, raw, vec![problem]));
                    continue;
                }
                let place = *slugs.entry(slug.clone()).or_insert_with(|| {
                    groups.push((slug, Group::default()));
                    groups.len() - 1
                });
                let group = &mut groups[place].1;
                if group.raw.len() + row.raw.len() <= RECORD_BYTES_MAX {
                    group.raw.append(&mut row.raw);
                }
                // Three rows a variant: a price in each of a few currencies.
                if group.rows.len() < VARIANTS_MAX * 10 {
                    group.rows.push(row);
                }
            }
        }
    }
    let bytes = table.bytes();
    let total = groups.len().max(1) as u64;
    for (index, (slug, group)) in groups.into_iter().enumerate() {
        // The reading is done; progress goes by products.
        let read_bytes = bytes * (index as u64 + 1) / total;
        let translated = translations.by_slug.remove(&slug).unwrap_or_default();
        rows.push(product(&source, &header, options, &slug, group, translated, read_bytes));
    }
    rows
}

fn product<R: Read>(
    source: &Source<R>,
    header: &Header,
    options: foreign::ForeignOptions,
    slug: &str,
    group: Group,
    translated: Vec<Translated>,
    read_bytes: u64,
) -> Row {
    let number = group.rows.first().map_or(0, |row| row.number);
    let mut errors = Vec::new();
    for row in &group.rows {
        let position = Position { file: Arc::clone(&source.file), row: row.number };
        errors.extend(locate(&position, &Naming::Pointer, row.problems.clone()));
    }
    let mut variant_rows = Vec::new();
    let mut record = None;
    match foreign::given_slug(slug, "slug") {
        Err(problem) => {
            let position = Position { file: Arc::clone(&source.file), row: number };
            errors.extend(locate(&position, &Naming::Pointer, vec![problem]));
        }
        Ok(slug) if errors.is_empty() => {
            let read = spree_product::product(header, &group.rows, slug, options.currency);
            variant_rows = read.variant_rows;
            for (row, problem) in read.problems {
                let position = Position { file: Arc::clone(&source.file), row };
                errors.extend(locate(&position, &Naming::Pointer, vec![problem]));
            }
            record = Some(read.record);
        }
        Ok(_) => {}
    }
    let outcome = match record {
        Some(mut record) if errors.is_empty() => {
            record.translations = changes(translated);
            Ok(Record::Product(Box::new(record)))
        }
        _ => Err(errors),
    };
    let naming = Naming::Foreign { names: NAMES, variant_rows };
    source.row(number, naming, group.raw, read_bytes, outcome)
}

fn changes(translated: Vec<Translated>) -> MapChange<Locale, TranslationRecord> {
    let entries = translated.into_iter().map(|it| (it.locale, Some(it.record))).collect();
    MapChange { replace_all: false, entries }
}

impl Translations {
    /// Adds those of another file.
    pub fn join(&mut self, other: Translations) {
        for (slug, translated) in other.by_slug {
            self.by_slug.entry(slug).or_default().extend(translated);
        }
    }

    /// Those whose products no table had: each changes a product that the shop has.
    pub fn rest(self, file: &Arc<str>, input: usize) -> Vec<Row> {
        let mut rows = Vec::new();
        for (slug, translated) in self.by_slug {
            let number = translated.first().map_or(0, |translated| translated.row);
            let raw = translated.iter().flat_map(|it| it.raw.iter().copied()).collect();
            let position = Position { file: Arc::clone(file), row: number };
            let naming = Naming::Foreign { names: NAMES, variant_rows: vec![] };
            let outcome = match Slug::new(&slug) {
                Ok(slug) => {
                    let mut record = ProductRecord::new(SlugSource::Given(slug));
                    record.translations = changes(translated);
                    Ok(Record::Product(Box::new(record)))
                }
                Err(error) => {
                    Err(vec![position.error("slug".to_owned(), "out_of_range", error.to_string())])
                }
            };
            rows.push(Row { position, naming, read_bytes: 0, raw, input, outcome });
        }
        rows
    }
}
