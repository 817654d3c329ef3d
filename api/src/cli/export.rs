//! `barrow export`: the catalog as a file that import reads, on standard output or under a name
//! that it gets once it is whole.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use barrow_feeds::export::{self, ExportError, ExportFormat, ExportSummary, Source};

use crate::config::Loaded;
use crate::wiring::Stores;

use super::args::{self, ExportArgs};
use super::data_dir::DataDir;
use super::failure::{Exit, Failure};
use super::output::{self, complain};
use super::progress::Progress;

/// Writes the catalog.
pub fn run(args: &ExportArgs, loaded: &Loaded) -> Result<Exit, Failure> {
    let config = &loaded.config;
    let data = DataDir::lock(config.data_dir(), "export")?;
    let runtime = super::runtime()?;
    let stores = runtime.block_on(super::open_stores(config, &data))?;
    let summary = match &args.output {
        None => {
            let mut out = BufWriter::new(io::stdout());
            let written = runtime.block_on(write(args, &stores, &mut out));
            match written {
                Err(ExportError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => {
                    return Ok(Exit::Done);
                }
                written => written.map_err(failure)?,
            }
        }
        Some(path) => {
            let unfinished = Unfinished::create(path)?;
            let mut out = BufWriter::new(&unfinished.file);
            let summary = runtime.block_on(write(args, &stores, &mut out)).map_err(failure)?;
            drop(out);
            unfinished.finish(path)?;
            summary
        }
    };
    if args.json {
        output::json(&summary)?
    } else {
        tell(&summary)
    }
    Ok(Exit::Done)
}

async fn write(
    args: &ExportArgs,
    stores: &Stores,
    out: &mut (dyn Write + Send),
) -> Result<ExportSummary, ExportError> {
    let format = match args.format {
        args::ExportFormat::Jsonl => ExportFormat::JsonLines,
        args::ExportFormat::Csv => ExportFormat::Csv,
    };
    let (products, stock) = (stores.products(), stores.stock());
    let total = products.count().await?;
    let mut progress = Progress::start("exporting", "products", Some(total));
    let source = Source { products: &*products, stock: &*stock };
    let summary =
        export::export(source, format, out, &mut |done| progress.set(done, Some(total))).await;
    progress.finish();
    summary
}

fn failure(error: ExportError) -> Failure {
    match error {
        ExportError::Write(error) => Failure::refused(format!("the export: {error}"))
            .hint("look for free space and rights where it is written"),
        error => Failure::unreachable(error),
    }
}

fn tell(summary: &ExportSummary) {
    let ExportSummary { products, collections, stock_levels, reviews, left_out } = summary;
    complain(&format!(
        "{products} products, {collections} collections, {stock_levels} stock levels, \
         {reviews} reviews"
    ));
    for (what, times) in left_out {
        complain(&format!("left out, the format cannot hold it: {what} ({times} times)"));
    }
}

/// A file that has not got its name yet.
struct Unfinished {
    path: PathBuf,
    file: File,
}

impl Unfinished {
    fn create(target: &Path) -> Result<Unfinished, Failure> {
        let mut path = OsString::from(target);
        path.push(".partial");
        let path = PathBuf::from(path);
        let file = File::create(&path).map_err(|error| {
            Failure::refused(format!("{} cannot be written: {error}", path.display()))
                .hint("name another file with --output")
        })?;
        Ok(Unfinished { path, file })
    }

    fn finish(self, target: &Path) -> Result<(), Failure> {
        self.file.sync_all().and_then(|()| fs::rename(&self.path, target))?;
        Ok(())
    }
}

impl Drop for Unfinished {
    /// Once it has its name there is nothing left to remove.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
