//! Tables: CSV files read row by row with a bound, whatever their delimiter.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use csv::ByteRecord;

use super::lines::RECORD_BYTES_MAX;
use crate::record::Problem;

/// A row of a table. Problems are noted by column, for whoever knows what the row is part of.
#[derive(Debug, Default)]
pub struct TableRow {
    /// As a spreadsheet numbers it; the header is 1.
    pub number: u64,
    cells: Vec<String>,
    pub problems: Vec<Problem>,
    /// The row as CSV, with its line end.
    pub raw: Vec<u8>,
}

impl TableRow {
    /// The cell, without spaces around; empty where the row has none.
    pub fn trimmed(&self, column: usize) -> &str {
        self.cell(column).trim()
    }

    pub fn cell(&self, column: usize) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }

    pub fn is_blank(&self) -> bool {
        self.cells.iter().all(|cell| cell.trim().is_empty())
    }
}

/// Reads a table.
pub struct Table<R> {
    reader: csv::Reader<Limited<R>>,
    budget: Arc<AtomicUsize>,
    pub header: Vec<String>,
    /// The header as CSV, for the file of failed rows.
    pub raw_header: Vec<u8>,
    delimiter: u8,
    number: u64,
    record: ByteRecord,
}

/// A table that cannot be read on: its row, and why.
#[derive(Debug)]
pub struct Broken {
    pub row: u64,
    pub code: &'static str,
    pub detail: String,
}

impl Broken {
    /// Stands where a table was taken out.
    pub const NONE: Broken = Broken { row: 0, code: "", detail: String::new() };
}

impl<R: Read> Table<R> {
    pub fn open(input: R, delimiter: u8) -> Result<Table<R>, Broken> {
        let budget = Arc::new(AtomicUsize::new(RECORD_BYTES_MAX));
        let limited = Limited { input, budget: Arc::clone(&budget), first: true };
        let reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(limited);
        let mut table = Table {
            reader,
            budget,
            header: Vec::new(),
            raw_header: Vec::new(),
            delimiter,
            number: 0,
            record: ByteRecord::new(),
        };
        let header = table.next_row()?.unwrap_or_default();
        if let Some(problem) = header.problems.first() {
            let detail = problem.detail.clone();
            return Err(Broken { row: 1, code: problem.code, detail });
        }
        table.header = header.cells.iter().map(|name| name.trim().to_owned()).collect();
        table.raw_header = header.raw;
        Ok(table)
    }

    /// How far the table was read, in bytes.
    pub fn bytes(&self) -> u64 {
        self.reader.position().byte()
    }

    /// The next row; `None` at the end.
    pub fn next_row(&mut self) -> Result<Option<TableRow>, Broken> {
        self.budget.store(RECORD_BYTES_MAX, Ordering::Relaxed);
        self.number += 1;
        let row = self.number;
        match self.reader.read_byte_record(&mut self.record) {
            Ok(false) => Ok(None),
            Ok(true) => Ok(Some(self.checked(row))),
            Err(error) => {
                let too_long = self.budget.load(Ordering::Relaxed) == 0;
                let (code, detail) = if too_long {
                    let detail = format!(
                        "the row is longer than {RECORD_BYTES_MAX} bytes; is a quote never closed?"
                    );
                    ("too_long", detail)
                } else {
                    ("unreadable", error.to_string())
                };
                Err(Broken { row, code, detail })
            }
        }
    }

    fn checked(&self, number: u64) -> TableRow {
        let mut problems = Vec::new();
        let mut cells = Vec::with_capacity(self.record.len());
        for (index, cell) in self.record.iter().enumerate() {
            let name = || self.header.get(index).cloned().unwrap_or_default();
            if std::str::from_utf8(cell).is_err() {
                problems.push(Problem::new(name(), "not_utf8", "the cell is not UTF-8"));
            }
            cells.push(String::from_utf8_lossy(cell).into_owned());
        }
        if !self.header.is_empty() && cells.len() != self.header.len() {
            let detail =
                format!("the row has {} cells, the header {}", cells.len(), self.header.len());
            problems.push(Problem::new("", "wrong_width", detail));
        }
        TableRow { number, cells, problems, raw: self.as_csv() }
    }

    fn as_csv(&self) -> Vec<u8> {
        let mut writer =
            csv::WriterBuilder::new().delimiter(self.delimiter).flexible(true).from_writer(vec![]);
        writer.write_byte_record(&self.record).expect("a vector takes all");
        writer.into_inner().expect("a vector takes all")
    }
}

/// Stops at a byte order mark, and where a single row takes more than its share.
struct Limited<R> {
    input: R,
    budget: Arc<AtomicUsize>,
    first: bool,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let budget = self.budget.load(Ordering::Relaxed);
        if budget == 0 {
            return Err(io::Error::other("the row is too long"));
        }
        let room = buffer.len().min(budget);
        let mut read = self.input.read(&mut buffer[..room])?;
        self.budget.fetch_sub(read, Ordering::Relaxed);
        if std::mem::take(&mut self.first) && buffer[..read].starts_with(b"\xef\xbb\xbf") {
            buffer.copy_within(3..read, 0);
            read -= 3;
            if read == 0 {
                // An empty answer would mean the end.
                return self.input.read(&mut buffer[..room]);
            }
        }
        Ok(read)
    }
}

/// The delimiter of a table, told from its header: the one there are most of.
pub fn delimiter_of(header: &[u8]) -> u8 {
    let count = |delimiter: u8| header.iter().filter(|byte| **byte == delimiter).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|byte| count(*byte)).unwrap_or(b',')
}
