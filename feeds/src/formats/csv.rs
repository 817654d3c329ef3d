//! Our own CSV: a row a variant, the product's columns on the first row of its variants. Rows
//! that follow belong to the same product while they name it again, or name none.
//!
//! A column that is there decides: an empty cell clears. A column that is not there leaves what
//! the shop has. Empty cells of `external_id`, `status`, `oversell`, `tax_category` and `stock`
//! say nothing, since these cannot be empty.

use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use super::columns::Column;
use super::csv_product;
use super::limits::VARIANTS_MAX;
use super::lines::RECORD_BYTES_MAX;
use super::table::{Broken, Table, TableRow};
use crate::record::{Naming, Position, Problem, Record, Row, RowError, locate};

/// What the header says: which column lies where.
pub struct Columns {
    pub all: Vec<(usize, Column)>,
    by_column: HashMap<String, usize>,
    /// The folder of the file: pictures may lie there.
    pub folder: PathBuf,
}

impl Columns {
    fn of_header(header: &[String], folder: PathBuf) -> Result<Columns, Vec<Problem>> {
        let mut columns = Columns { all: Vec::new(), by_column: HashMap::new(), folder };
        let mut problems = Vec::new();
        for (index, name) in header.iter().enumerate() {
            match Column::of_name(name) {
                None => {
                    let detail = format!("there is no column '{name}'");
                    problems.push(Problem::new(name, "unknown_field", detail));
                }
                Some(column) => {
                    if columns.by_column.insert(column.to_string(), index).is_some() {
                        problems.push(Problem::new(name, "duplicate", "the column comes twice"));
                    }
                    columns.all.push((index, column));
                }
            }
        }
        if columns.place(&Column::Slug).is_none() && columns.place(&Column::ExternalId).is_none() {
            let detail = "a column 'slug' or 'external_id' has to name the products";
            problems.push(Problem::new("slug", "required", detail));
        }
        if problems.is_empty() { Ok(columns) } else { Err(problems) }
    }

    pub fn place(&self, column: &Column) -> Option<usize> {
        self.by_column.get(&column.to_string()).copied()
    }
}

/// The rows of one product.
#[derive(Default)]
pub struct Group {
    pub rows: Vec<TableRow>,
    raw: Vec<u8>,
    too_many: bool,
}

impl Group {
    fn push(&mut self, mut row: TableRow) {
        let raw = std::mem::take(&mut row.raw);
        if self.raw.len() + raw.len() <= RECORD_BYTES_MAX {
            self.raw.extend_from_slice(&raw);
        }
        if self.rows.len() == VARIANTS_MAX {
            self.too_many = true;
        } else {
            self.rows.push(row);
        }
    }
}

/// Reads the products of a table, holding one product at a time.
pub struct CsvProducts<R> {
    table: Option<Table<R>>,
    columns: Option<Columns>,
    file: Arc<str>,
    input: usize,
    group: Group,
    /// What made the table unreadable, told once.
    broken: Option<Row>,
    bytes: u64,
}

impl<R: Read> CsvProducts<R> {
    pub fn new(
        table: Result<Table<R>, Broken>,
        folder: PathBuf,
        file: Arc<str>,
        input: usize,
    ) -> CsvProducts<R> {
        let mut products = CsvProducts {
            table: None,
            columns: None,
            file,
            input,
            group: Group::default(),
            broken: None,
            bytes: 0,
        };
        match table {
            Err(broken) => products.broken = Some(products.broken_row(&broken)),
            Ok(table) => match Columns::of_header(&table.header, folder) {
                Ok(columns) => {
                    products.columns = Some(columns);
                    products.table = Some(table);
                }
                Err(problems) => {
                    let errors = products.located(problems);
                    products.broken = Some(products.row(1, Naming::Pointer, vec![], Err(errors)));
                }
            },
        }
        products
    }

    fn located(&self, problems: Vec<Problem>) -> Vec<RowError> {
        locate(&Position { file: Arc::clone(&self.file), row: 1 }, &Naming::Pointer, problems)
    }

    fn broken_row(&self, broken: &Broken) -> Row {
        let position = Position { file: Arc::clone(&self.file), row: broken.row };
        let error = position.error(None, broken.code, broken.detail.clone());
        self.row(broken.row, Naming::Pointer, vec![], Err(vec![error]))
    }

    fn row(
        &self,
        number: u64,
        naming: Naming,
        raw: Vec<u8>,
        outcome: Result<Record, Vec<RowError>>,
    ) -> Row {
        Row {
            position: Position { file: Arc::clone(&self.file), row: number },
            naming,
            read_bytes: self.bytes,
            raw,
            input: self.input,
            outcome,
        }
    }

    /// Whether the row goes on with the product of the group.
    fn goes_on(&self, row: &TableRow) -> bool {
        let (Some(columns), Some(first)) = (&self.columns, self.group.rows.first()) else {
            return false;
        };
        [Column::Slug, Column::ExternalId].iter().all(|column| {
            columns.place(column).is_none_or(|place| {
                row.trimmed(place).is_empty() || row.trimmed(place) == first.trimmed(place)
            })
        })
    }

    /// The product of the group that is complete.
    fn finish_group(&mut self, next: Group) -> Option<Row> {
        let group = std::mem::replace(&mut self.group, next);
        let (Some(columns), Some(first)) = (&self.columns, group.rows.first()) else {
            return None;
        };
        let number = first.number;
        let variant_rows = group.rows.iter().map(|row| row.number).collect();
        let position = Position { file: Arc::clone(&self.file), row: number };
        let mut errors: Vec<RowError> = Vec::new();
        for row in &group.rows {
            let place = Position { file: Arc::clone(&self.file), row: row.number };
            errors.extend(locate(&place, &Naming::Pointer, row.problems.clone()));
        }
        if group.too_many {
            let detail = format!("a product has at most {VARIANTS_MAX} rows");
            errors.push(position.error(None, "too_many", detail));
        }
        let mut naming = Naming::Columns { variant_rows };
        let outcome = if errors.is_empty() {
            csv_product::product(columns, &group.rows, &position).map(|(record, rows)| {
                naming = Naming::Columns { variant_rows: rows };
                Record::Product(Box::new(record))
            })
        } else {
            Err(errors)
        };
        Some(self.row(number, naming, group.raw, outcome))
    }
}

impl<R: Read> Iterator for CsvProducts<R> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        while let Some(table) = &mut self.table {
            let next = table.next_row();
            self.bytes = table.bytes();
            match next {
                Ok(Some(row)) if row.is_blank() => {}
                Ok(Some(row)) => {
                    if self.goes_on(&row) {
                        self.group.push(row);
                        continue;
                    }
                    let mut group = Group::default();
                    group.push(row);
                    if let Some(product) = self.finish_group(group) {
                        return Some(product);
                    }
                }
                Ok(None) => self.table = None,
                Err(broken) => {
                    self.broken = Some(self.broken_row(&broken));
                    self.table = None;
                }
            }
        }
        self.finish_group(Group::default()).or_else(|| self.broken.take())
    }
}
