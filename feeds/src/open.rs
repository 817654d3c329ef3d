//! Opens the files of one import: they are put in an order in which each finds what it needs
//! (categories before products, products with their translations), and read as one stream.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::detect::{self, Format, OpenError};
use crate::formats::csv::CsvProducts;
use crate::formats::eshop::Eshop;
use crate::formats::foreign::ForeignOptions;
use crate::formats::jsonl::JsonLines;
use crate::formats::limits::WHOLE_FILE_BYTES_MAX;
use crate::formats::retail_demo::{List, RetailDemo};
use crate::formats::spree::{self, Translations};
use crate::formats::table::{Broken, Table};
use crate::record::Row;

type RowIterator = Box<dyn Iterator<Item = Row> + Send>;

/// A file to import.
#[derive(Debug, Clone)]
pub struct Input {
    pub path: PathBuf,
    pub format: Format,
    pub bytes: u64,
    /// Of a table.
    pub delimiter: u8,
    /// The header of a table as it stands there.
    pub header: Vec<u8>,
}

/// The files of one import, in the order they are read.
#[derive(Debug, Clone)]
pub struct Inputs {
    pub files: Vec<Input>,
    options: ForeignOptions,
}

impl Inputs {
    /// Looks at the files; `format` is for all of them, else each tells its own.
    ///
    /// # Errors
    /// The first file that cannot be read, or whose format is not known.
    pub fn open(
        paths: &[PathBuf],
        format: Option<Format>,
        options: ForeignOptions,
    ) -> Result<Inputs, OpenError> {
        let mut files = Vec::new();
        for path in paths {
            files.push(Input::look_at(path, format)?);
        }
        // The sort is stable: files of one rank stay in the order given.
        files.sort_by_key(|file| match file.format {
            Format::RetailDemoCategories => 0,
            Format::SpreeTranslations => 2,
            _ => 1,
        });
        Ok(Inputs { files, options })
    }

    /// The bytes of all files, for progress.
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// All rows of all files.
    pub fn rows(self) -> impl Iterator<Item = Row> + Send + 'static {
        let translations: Vec<usize> = self.indices_of(Format::SpreeTranslations);
        let has_products = !self.indices_of(Format::SpreeProducts).is_empty();
        let mut offset = 0;
        let mut streams: Vec<RowIterator> = Vec::new();
        for (index, file) in self.files.iter().enumerate() {
            let start = offset;
            offset += file.bytes;
            if file.format == Format::SpreeTranslations && has_products {
                // They are read with the first table of products.
                continue;
            }
            let first = self.indices_of(Format::SpreeProducts).first() == Some(&index);
            let translations = if first { translations.clone() } else { Vec::new() };
            let reading = Reading { inputs: self.clone(), index, translations };
            // A file is opened when the one before it is through.
            let rows = std::iter::once_with(move || reading.rows()).flatten();
            streams.push(Box::new(rows.map(move |mut row| {
                row.read_bytes += start;
                row
            })));
        }
        streams.into_iter().flatten()
    }

    fn indices_of(&self, format: Format) -> Vec<usize> {
        let files = self.files.iter().enumerate();
        files.filter(|(_, file)| file.format == format).map(|(index, _)| index).collect()
    }
}

impl Input {
    fn look_at(path: &Path, format: Option<Format>) -> Result<Input, OpenError> {
        let info = std::fs::metadata(path).map_err(|error| OpenError::io(path, error))?;
        if info.is_dir() {
            let detail = "it is a folder; name the files in it".to_owned();
            return Err(OpenError::UnknownFormat { file: path.display().to_string(), detail });
        }
        let format = match format {
            Some(format) => format,
            None => detect::detect(path)?,
        };
        let held = matches!(format, Format::SpreeProducts | Format::SpreeTranslations);
        if held && info.len() > WHOLE_FILE_BYTES_MAX {
            return Err(OpenError::TooLarge {
                file: path.display().to_string(),
                bytes: info.len(),
                limit: WHOLE_FILE_BYTES_MAX,
            });
        }
        let mut input = Input {
            path: path.to_owned(),
            format,
            bytes: info.len(),
            delimiter: b',',
            header: Vec::new(),
        };
        if format.is_table() {
            input.delimiter = detect::delimiter(path)?;
            input.header = input.table().map(|table| table.raw_header).unwrap_or_default();
        }
        Ok(input)
    }

    fn name(&self) -> Arc<str> {
        self.path.display().to_string().into()
    }

    fn folder(&self) -> PathBuf {
        self.path.parent().map(Path::to_owned).unwrap_or_default()
    }

    fn file(&self) -> Result<BufReader<File>, Broken> {
        File::open(&self.path).map(BufReader::new).map_err(|error| Broken {
            row: 1,
            code: "unreadable",
            detail: error.to_string(),
        })
    }

    fn table(&self) -> Result<Table<BufReader<File>>, Broken> {
        Table::open(self.file()?, self.delimiter)
    }
}

/// One file on its way to rows.
struct Reading {
    inputs: Inputs,
    index: usize,
    /// Which files hold the translations of this one.
    translations: Vec<usize>,
}

impl Reading {
    fn rows(self) -> RowIterator {
        let input = &self.inputs.files[self.index];
        let options = self.inputs.options;
        if input.format.is_table() {
            return self.table_rows();
        }
        let file = match input.file() {
            Ok(file) => file,
            Err(broken) => return Box::new(std::iter::once(self.unreadable(&broken))),
        };
        let (name, folder, index) = (input.name(), input.folder(), self.index);
        match input.format {
            Format::RetailDemoCategories => {
                let list = List::Categories;
                Box::new(RetailDemo::new(file, list, options, folder, name, index))
            }
            Format::RetailDemoProducts => {
                let list = List::Products;
                Box::new(RetailDemo::new(file, list, options, folder, name, index))
            }
            Format::Eshop => Box::new(Eshop::new(file, options, folder, name, index)),
            _ => Box::new(JsonLines::new(file, name, index)),
        }
    }

    fn table_rows(self) -> RowIterator {
        let input = &self.inputs.files[self.index];
        match input.format {
            Format::SpreeProducts => Box::new(self.spree_rows().into_iter()),
            Format::SpreeTranslations => {
                let (translations, mut rows) = spree::translations(self.source(self.index));
                rows.extend(translations.rest(&input.name(), self.index));
                Box::new(rows.into_iter())
            }
            _ => {
                Box::new(CsvProducts::new(input.table(), input.folder(), input.name(), self.index))
            }
        }
    }

    fn spree_rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut all = Translations::default();
        for index in &self.translations {
            let (translations, refused) = spree::translations(self.source(*index));
            rows.extend(refused);
            all.join(translations);
        }
        let source = self.source(self.index);
        rows.extend(spree::products(source, self.inputs.options, &mut all));
        rows.extend(all.rest(
            &self.inputs.files[*self.translations.first().unwrap_or(&self.index)].name(),
            *self.translations.first().unwrap_or(&self.index),
        ));
        rows
    }

    fn source(&self, index: usize) -> spree::Source<BufReader<File>> {
        let input = &self.inputs.files[index];
        spree::Source { table: input.table(), file: input.name(), input: index }
    }

    fn unreadable(&self, broken: &Broken) -> Row {
        let input = &self.inputs.files[self.index];
        let position = crate::record::Position { file: input.name(), row: broken.row };
        let error = position.error(None, broken.code, broken.detail.clone());
        Row {
            position,
            naming: crate::record::Naming::Pointer,
            read_bytes: 0,
            raw: Vec::new(),
            input: self.index,
            outcome: Err(vec![error]),
        }
    }
}
