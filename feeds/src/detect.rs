//! What format a file has: told from its content, since names tell little.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use crate::formats::table::delimiter_of;

/// How much of a file is looked at: the longest header of a table, and a first item.
const LOOK_BYTES: u64 = 64 * 1024;

/// A format that import reads. Only the first two are ours, and written by export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    JsonLines,
    Csv,
    RetailDemoCategories,
    RetailDemoProducts,
    Eshop,
    SpreeProducts,
    SpreeTranslations,
}

impl Format {
    pub const ALL: [Format; 7] = [
        Format::JsonLines,
        Format::Csv,
        Format::RetailDemoCategories,
        Format::RetailDemoProducts,
        Format::Eshop,
        Format::SpreeProducts,
        Format::SpreeTranslations,
    ];

    /// The name a person gives it by.
    pub fn name(self) -> &'static str {
        match self {
            Format::JsonLines => "jsonl",
            Format::Csv => "csv",
            Format::RetailDemoCategories => "retail-demo-categories",
            Format::RetailDemoProducts => "retail-demo-products",
            Format::Eshop => "eshop",
            Format::SpreeProducts => "spree-products",
            Format::SpreeTranslations => "spree-translations",
        }
    }

    /// Whether the file is a table, whose first row is a header.
    pub fn is_table(self) -> bool {
        matches!(self, Format::Csv | Format::SpreeProducts | Format::SpreeTranslations)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;
    fn from_str(text: &str) -> Result<Format, String> {
        Format::ALL.into_iter().find(|format| format.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
            format!("'{text}' is no format; one of {} is wanted", names.join(", "))
        })
    }
}

/// Why a file is not read at all. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{file}: {source}")]
    Io { file: String, source: std::io::Error },
    #[error("{file}: {detail}")]
    UnknownFormat { file: String, detail: String },
    #[error(
        "{file} is {bytes} bytes long; this format is held in memory, and at most {limit} bytes \
         of it are: split the file"
    )]
    TooLarge { file: String, bytes: u64, limit: u64 },
}

impl OpenError {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> OpenError {
        OpenError::Io { file: path.display().to_string(), source }
    }
}

/// The format of a file.
pub fn detect(path: &Path) -> Result<Format, OpenError> {
    let head = head_of(path)?;
    format_of(&head)
        .map_err(|detail| OpenError::UnknownFormat { file: path.display().to_string(), detail })
}

/// The delimiter of a table.
pub fn delimiter(path: &Path) -> Result<u8, OpenError> {
    Ok(delimiter_of(first_line(&head_of(path)?)))
}

fn head_of(path: &Path) -> Result<Vec<u8>, OpenError> {
    let file = File::open(path).map_err(|error| OpenError::io(path, error))?;
    let mut head = Vec::new();
    let mut reader = file.take(LOOK_BYTES);
    reader.read_to_end(&mut head).map_err(|error| OpenError::io(path, error))?;
    if head.starts_with(b"\xef\xbb\xbf") {
        head.drain(..3);
    }
    Ok(head)
}

fn first_line(head: &[u8]) -> &[u8] {
    let mut lines = head.split(|byte| *byte == b'\n');
    lines.find(|line| !line.iter().all(u8::is_ascii_whitespace)).unwrap_or_default()
}

pub(crate) fn format_of(head: &[u8]) -> Result<Format, String> {
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Err("the file is UTF-16; save it as UTF-8".to_owned());
    }
    let text = String::from_utf8_lossy(head);
    let line = String::from_utf8_lossy(first_line(head));
    match text.trim_start().chars().next() {
        None => Err("the file is empty".to_owned()),
        Some('{') => Ok(Format::JsonLines),
        Some('[') if ["\"Id\"", "\"Name\"", "\"Price\""].iter().all(|n| text.contains(n)) => {
            Ok(Format::Eshop)
        }
        Some('[') => Err("a JSON list is read if its items have Id, Name and Price, as eShop's; \
                          our own format is JSON Lines, an object a line"
            .to_owned()),
        _ if is_yaml(&line) => yaml_format(&text),
        _ => table_format(head),
    }
}

fn is_yaml(line: &str) -> bool {
    line.starts_with("- ") || line.starts_with("---") || line.starts_with('#')
}

fn yaml_format(text: &str) -> Result<Format, String> {
    let has = |key: &str| {
        let wanted = format!("{key}:");
        text.lines().any(|line| line.trim_start_matches(['-', ' ']).starts_with(&wanted))
    };
    match (has("name"), has("price")) {
        (true, true) => Ok(Format::RetailDemoProducts),
        (true, false) => Ok(Format::RetailDemoCategories),
        _ => {
            Err("a YAML list is read if its items have a name, as the Retail Demo Store's"
                .to_owned())
        }
    }
}

fn table_format(head: &[u8]) -> Result<Format, String> {
    let line = first_line(head);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter_of(line))
        .from_reader(line);
    let header = reader.records().next().and_then(Result::ok).unwrap_or_default();
    let has = |name: &str| header.iter().any(|column| column.trim() == name);
    if has("slug") && has("locale") && has("name") {
        return Ok(Format::SpreeTranslations);
    }
    if has("slug") && has("name") && (has("price") || has("inventory_count")) {
        return Ok(Format::SpreeProducts);
    }
    if has("slug") || has("external_id") {
        return Ok(Format::Csv);
    }
    let names: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
    Err(format!("its format is not known; import reads {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &str, format: Format) {
        assert_eq!(format_of(head.as_bytes()), Ok(format));
    }

    #[test]
    fn formats_are_told_by_content() {
        check("\n {\"type\": \"product\"}", Format::JsonLines);
        check("[{\"Id\": 1, \"Name\": \"a\", \"Price\": 1}]", Format::Eshop);
        check("- id: 1\n  name: a\n  price: 2\n", Format::RetailDemoProducts);
        check("# categories\n- id: 1\n  name: a\n", Format::RetailDemoCategories);
        check("slug,sku,name,price,currency\n", Format::SpreeProducts);
        check("slug,locale,name,description\n", Format::SpreeTranslations);
        check("slug;title;price.EUR\n", Format::Csv);
        check("external_id,title\n", Format::Csv);
    }

    #[test]
    fn other_files_are_refused() {
        for head in ["", " \n", "[1, 2]", "name,price\n", "- a\n- b\n", "\u{1}\u{2}"] {
            assert!(format_of(head.as_bytes()).is_err(), "{head:?}");
        }
        assert!(format_of(b"\xff\xfea\0").expect_err("refused").contains("UTF-16"));
        for format in Format::ALL {
            assert_eq!(format.name().parse(), Ok(format));
        }
    }
}
