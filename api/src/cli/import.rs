//! `barrow import`: what was asked for, what became of it, and every row that failed.

use std::path::PathBuf;
use std::sync::Arc;

use barrow_engine::money::Currency;
use barrow_feeds::detect::Format;
use barrow_feeds::failed::FailedRows;
use barrow_feeds::formats::foreign::ForeignOptions;
use barrow_feeds::import::{
    self, HttpFetcher, ImageFetcher, ImportOptions, ImportRun, ImportSummary, Watcher,
};
use barrow_feeds::open::Inputs;
use barrow_feeds::record::RowError;
use serde_json::json;

use crate::config::{Config, Loaded};
use crate::wiring;

use super::args::ImportArgs;
use super::data_dir::DataDir;
use super::failure::{Exit, Failure};
use super::output::{self, complain};
use super::progress::Progress;
use super::stop::Stop;

/// Errors told one by one; whoever has more wants them in a file.
const ERRORS_SHOWN_MAX: u64 = 20;

/// Imports the files, and tells how it went.
pub fn run(args: &ImportArgs, loaded: &Loaded) -> Result<Exit, Failure> {
    super::runtime()?.block_on(import(args, loaded))
}

async fn import(args: &ImportArgs, loaded: &Loaded) -> Result<Exit, Failure> {
    let config = &loaded.config;
    let options = ForeignOptions { currency: currency(args, config)? };
    let format = args.format.as_deref().map(str::parse::<Format>).transpose();
    let format = format.map_err(|what| Failure::usage(format!("--format: {what}")))?;
    let inputs = Inputs::open(&args.files, format, options).map_err(|error| {
        Failure::refused(error).hint("nothing was imported; mend the file or name another")
    })?;
    let stop = Stop::listen("the batch that is under way")?;
    let data = DataDir::lock(config.data_dir(), "import")?;
    let stores = super::open_stores(config, &data).await?;
    let mut report = Report::start(args, &inputs)?;
    let fetcher = || Arc::new(HttpFetcher::default()) as Arc<dyn ImageFetcher>;
    let options = ImportOptions {
        dry_run: args.dry_run,
        set_stock: args.set_stock,
        fetcher: args.fetch_images.then(fetcher),
        now: wiring::now(),
    };
    let (told, run) = (stop.clone(), report.run.clone());
    let rows = inputs.rows().inspect(move |_| {
        if told.is_told() {
            run.cancel();
        }
    });
    let run = report.run.clone();
    let imported = run.run(rows, stores.for_import(), options, &mut report).await;
    report.finish(imported.map_err(|error| error.to_string()), stop.is_told())
}

/// The currency of prices that name none.
fn currency(args: &ImportArgs, config: &Config) -> Result<Currency, Failure> {
    match &args.currency {
        Some(code) => Currency::from_code(code)
            .map_err(|error| Failure::usage(format!("--currency: {error}"))),
        None => Ok(wiring::default_currency(&config.shop)),
    }
}

/// Tells what happens, as it happens.
struct Report {
    json: bool,
    dry_run: bool,
    run: ImportRun,
    progress: Progress,
    failed: Option<FailedRows>,
    shown: u64,
    problems: u64,
    /// Why the report itself could not be written; the import goes on.
    broken: Option<Failure>,
}

impl Report {
    fn start(args: &ImportArgs, inputs: &Inputs) -> Result<Report, Failure> {
        let label = if args.dry_run { "checking" } else { "importing" };
        if args.json {
            output::text("{\"problems\": [")?;
        }
        Ok(Report {
            json: args.json,
            dry_run: args.dry_run,
            run: ImportRun::new(args.dry_run, inputs.total_bytes()),
            progress: Progress::start(label, "rows", None),
            failed: args.failed.as_deref().map(|path| FailedRows::new(path, inputs)),
            shown: 0,
            problems: 0,
            broken: None,
        })
    }

    /// One error or warning: each in JSON, the first of them for people.
    fn tell(&mut self, level: &str, error: &RowError) {
        self.problems += 1;
        if self.json {
            let RowError { file, row, column, code, detail } = error;
            let problem = json!({
                "level": level, "file": &**file, "row": row, "column": column, "code": code,
                "detail": detail,
            });
            let comma = if self.problems > 1 { "," } else { "" };
            let written = output::text(&format!("{comma}\n  {problem}"));
            self.broken = self.broken.take().or(written.err());
        } else if self.shown < ERRORS_SHOWN_MAX {
            self.shown += 1;
            self.progress.aside(&format!("{level}: {error}"));
        }
    }

    fn finish(
        mut self,
        imported: Result<ImportSummary, String>,
        stopped: bool,
    ) -> Result<Exit, Failure> {
        self.progress.finish();
        let written = self.failed.take().map(FailedRows::finish).transpose();
        let failed_files = written
            .map_err(|error| Failure::refused(format!("the file of failed rows: {error}")))?
            .unwrap_or_default();
        if self.json {
            let summary = imported.as_ref().ok();
            let end = json!({
                "summary": summary, "dry_run": self.dry_run, "stopped": stopped,
                "failed_files": failed_files, "error": imported.as_ref().err(),
            });
            // The rest of the object that was begun with the problems.
            output::line(&format!("\n], {}", &end.to_string()[1..]))?;
        } else {
            self.conclude(&failed_files);
        }
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        let summary = imported.map_err(|what| {
            Failure::unreachable(format!("the import could not go on: {what}"))
                .hint("what was imported stays; import the same files again to take up there")
        })?;
        if !self.json {
            output::line(&summary.to_string())?;
        }
        if stopped {
            complain("stopped before the end; import the same files again to take up there");
        }
        Ok(if summary.failed > 0 || stopped { Exit::Refused } else { Exit::Done })
    }

    fn conclude(&self, failed_files: &[PathBuf]) {
        if self.problems > self.shown {
            let more = self.problems - self.shown;
            complain(&format!("and {more} more; --json tells all, --failed FILE keeps the rows"));
        }
        for file in failed_files {
            complain(&format!("the rows that failed are in {}", file.display()));
        }
        if self.dry_run {
            complain("a dry run: nothing was changed");
        }
    }
}

impl Watcher for Report {
    fn failed(&mut self, input: usize, raw: &[u8], errors: &[RowError]) {
        for error in errors {
            self.tell("error", error);
        }
        if let Some(failed) = &mut self.failed
            && let Err(error) = failed.add(input, raw)
        {
            let failure = Failure::refused(format!("the file of failed rows: {error}"));
            self.broken = self.broken.take().or(Some(failure));
        }
    }

    fn warned(&mut self, warning: &RowError) {
        self.tell("warning", warning);
    }

    fn progress(&mut self, _: import::Progress) {
        let rows = self.run.view().rows;
        self.progress.set(rows.done, rows.total);
    }
}
