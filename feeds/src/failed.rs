//! The file of failed rows: what could not be imported, in the format it came in, so that it can
//! be mended and imported alone.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::detect::Format;
use crate::open::{Input, Inputs};

/// Writes the failed rows of each input into a file of its own: `FILE` where there is one input,
/// else `FILE` with the input's name in it. A file is made when its first row fails.
pub struct FailedRows {
    path: PathBuf,
    inputs: Vec<Input>,
    files: HashMap<usize, Open>,
}

struct Open {
    path: PathBuf,
    file: BufWriter<File>,
    rows: u64,
}

impl FailedRows {
    pub fn new(path: &Path, inputs: &Inputs) -> FailedRows {
        FailedRows { path: path.to_owned(), inputs: inputs.files.clone(), files: HashMap::new() }
    }

    /// Adds a row; `raw` is its text as it was read. A row without a text is none: the file
    /// itself was broken there.
    pub fn add(&mut self, input: usize, raw: &[u8]) -> io::Result<()> {
        let Some(from) = self.inputs.get(input) else { return Ok(()) };
        if raw.is_empty() {
            return Ok(());
        }
        let is_array = from.format == Format::Eshop;
        if !self.files.contains_key(&input) {
            let path = self.path_for(input);
            let mut file = BufWriter::new(File::create(&path)?);
            file.write_all(if is_array { b"[\n" } else { &from.header })?;
            self.files.insert(input, Open { path, file, rows: 0 });
        }
        let Some(open) = self.files.get_mut(&input) else { return Ok(()) };
        if is_array && open.rows > 0 {
            open.file.write_all(b",\n")?;
        }
        open.rows += 1;
        open.file.write_all(raw)
    }

    /// Completes the files, and tells which there are.
    pub fn finish(self) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for (input, mut open) in self.files {
            if self.inputs[input].format == Format::Eshop {
                open.file.write_all(b"\n]\n")?;
            }
            open.file.flush()?;
            open.file.get_ref().sync_all()?;
            paths.push(open.path);
        }
        paths.sort();
        Ok(paths)
    }

    fn path_for(&self, input: usize) -> PathBuf {
        if self.inputs.len() == 1 {
            return self.path.clone();
        }
        let part = |path: &Path, part: Option<&std::ffi::OsStr>| {
            part.or(path.file_name()).unwrap_or_default().to_string_lossy().into_owned()
        };
        let from = &self.inputs[input].path;
        let (stem, own) = (part(&self.path, self.path.file_stem()), part(from, from.file_stem()));
        let ending = from.extension().unwrap_or_default().to_string_lossy();
        // Two inputs may have one name in two folders.
        self.path.with_file_name(format!("{stem}.{}-{own}.{ending}", input + 1))
    }
}
