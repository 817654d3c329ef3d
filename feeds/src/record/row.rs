//! A record with where it was read, and what is wrong with it told where a reader of the file
//! finds it: by file, row and column.

use std::sync::Arc;

use super::Record;

/// Where in which file something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub file: Arc<str>,
    /// CSV: the row as a spreadsheet numbers it, the header being 1. Else the line.
    pub row: u64,
}

/// One thing that is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: row {row}{}: {code}: {detail}", in_column(.column))]
pub struct RowError {
    pub file: Arc<str>,
    pub row: u64,
    /// The column of a table; the pointer (`/variants/0/sku`) in JSON; the field in YAML.
    pub column: Option<String>,
    /// `unknown_field`, `wrong_type`, `required` and so on: the codes of the HTTP contract.
    pub code: &'static str,
    pub detail: String,
}

impl Position {
    pub fn error(
        &self,
        column: impl Into<Option<String>>,
        code: &'static str,
        detail: impl Into<String>,
    ) -> RowError {
        RowError {
            file: Arc::clone(&self.file),
            row: self.row,
            column: column.into().map(shortened),
            code,
            detail: shortened(detail.into()),
        }
    }
}

/// How much is told of one error. What the file says is quoted, and may be as long as a row; but
/// who reads one error wants to see the next.
const TOLD_CHARS_MAX: usize = 500;

fn shortened(text: String) -> String {
    match text.char_indices().nth(TOLD_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// Something wrong with a record: what, and at which of its fields, as a JSON pointer
/// (`/variants/0/sku`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub pointer: String,
    pub code: &'static str,
    pub detail: String,
}

impl Problem {
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Problem { pointer: pointer.into(), code, detail: detail.into() }
    }
}

/// How the fields of a record are called where it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Naming {
    /// By JSON pointer.
    #[default]
    Pointer,
    /// By our own names, as the columns of a table, each variant in a row of its own.
    Columns { variant_rows: Vec<u64> },
    /// By the names of a foreign format: pairs of ours and theirs.
    Foreign { names: &'static [(&'static str, &'static str)], variant_rows: Vec<u64> },
}

impl Naming {
    /// The row (where it is another than the record's first) and the column of a field.
    fn locate(&self, pointer: &str) -> (Option<u64>, Option<String>) {
        let (names, variant_rows) = match self {
            Naming::Pointer => return (None, (!pointer.is_empty()).then(|| pointer.to_owned())),
            Naming::Columns { variant_rows } => (&[][..], variant_rows),
            Naming::Foreign { names, variant_rows } => (*names, variant_rows),
        };
        let mut parts = pointer.split('/').skip(1);
        let mut head = parts.next().unwrap_or_default();
        let mut row = None;
        if head == "variants" {
            let index = parts.next().and_then(|index| index.parse::<usize>().ok());
            row = index.and_then(|index| variant_rows.get(index).copied());
            head = parts.next().unwrap_or("sku");
        }
        let next = parts.next();
        let ours = match (head, next) {
            ("", _) => return (row, None),
            ("facets", Some(code)) => format!("facet.{code}"),
            ("attributes", Some(key)) => format!("attr.{key}"),
            ("translations", Some(locale)) => {
                format!("{}.{locale}", parts.next().unwrap_or("title"))
            }
            ("prices", _) => "price".to_owned(),
            ("media", _) => "images".to_owned(),
            ("on_hand", _) => "stock".to_owned(),
            ("options", Some(index)) => {
                let number = index.parse::<usize>().map_or(1, |index| index + 1);
                format!("option{number}_{}", parts.next().unwrap_or("value"))
            }
            ("options", None) => "option1_name".to_owned(),
            (head, _) => head.to_owned(),
        };
        let theirs = names.iter().find(|(name, _)| *name == ours).map(|(_, name)| *name);
        (row, Some(theirs.map_or(ours, str::to_owned)))
    }
}

/// What was read of one product, collection, stock level or review: the record, or all that is
/// wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub position: Position,
    pub naming: Naming,
    /// How far into the input the reader was when it had read this, in bytes; for progress.
    pub read_bytes: u64,
    /// The text it was read from, for the file of failed rows; empty where none can be kept.
    pub raw: Vec<u8>,
    /// Which input file it is from, counted from 0.
    pub input: usize,
    pub outcome: Result<Record, Vec<RowError>>,
}

impl Row {
    /// A row that was made, not read: the sample catalog's and the generator's.
    pub fn made(name: &Arc<str>, number: u64, record: Record) -> Row {
        Row {
            position: Position { file: Arc::clone(name), row: number },
            naming: Naming::Pointer,
            read_bytes: 0,
            raw: Vec::new(),
            input: 0,
            outcome: Ok(record),
        }
    }

    /// The problems, each where a reader of the file finds it.
    pub fn located(&self, problems: Vec<Problem>) -> Vec<RowError> {
        locate(&self.position, &self.naming, problems)
    }
}

/// The problems of the record at `position`, each where a reader of the file finds it.
pub fn locate(position: &Position, naming: &Naming, problems: Vec<Problem>) -> Vec<RowError> {
    let located = problems.into_iter().map(|problem| {
        let (row, column) = naming.locate(&problem.pointer);
        RowError {
            file: Arc::clone(&position.file),
            row: row.unwrap_or(position.row),
            column: column.map(shortened),
            code: problem.code,
            detail: shortened(problem.detail),
        }
    });
    located.collect()
}

fn in_column(column: &Option<String>) -> String {
    column.as_ref().map(|column| format!(", column {column}")).unwrap_or_default()
}
