//! `barrow seed`: the sample catalog, or a made-up one of any size, by the way of an import. A
//! server whose catalog is empty seeds the sample itself.

use std::fs::File;
use std::sync::Arc;

use barrow_feeds::import::{self, ImportError, ImportOptions, ImportSummary, Watcher};
use barrow_feeds::record::{Record, Row, RowError};
use barrow_feeds::{generate, sample};
use serde::Serialize;

use crate::config::{Config, Loaded};
use crate::wiring::{self, Stores};

use super::args::SeedArgs;
use super::data_dir::DataDir;
use super::draw;
use super::failure::{Exit, Failure};
use super::output::{self, complain};
use super::progress::Progress;
use super::stop::Stop;

/// What a seeding tells a machine.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    summary: ImportSummary,
    stopped: bool,
}

/// Seeds, and tells how it went.
pub fn run(args: &SeedArgs, loaded: &Loaded) -> Result<Exit, Failure> {
    super::runtime()?.block_on(seed(args, &loaded.config))
}

async fn seed(args: &SeedArgs, config: &Config) -> Result<Exit, Failure> {
    let stop = Stop::listen("the batch that is under way")?;
    let data = DataDir::lock(config.data_dir(), "seed")?;
    let stores = super::open_stores(config, &data).await?;
    let told = stop.clone();
    let is_told = move || told.is_told();
    let summary = match args.products {
        None => sample_catalog(&stores, is_told).await,
        Some(products) => made_up_catalog(&stores, products, is_told).await,
    };
    let summary = summary.map_err(failure)?;
    let stopped = stop.is_told();
    match args.json {
        true => output::json(&Report { summary, stopped })?,
        false => output::line(&summary.to_string())?,
    }
    if stopped {
        complain("stopped before the end; seed again to take up there");
    }
    Ok(if summary.failed > 0 || stopped { Exit::Refused } else { Exit::Done })
}

fn failure(error: ImportError) -> Failure {
    Failure::unreachable(format!("the catalog could not be seeded: {error}"))
        .hint("what was written stays; seed again to take up there")
}

/// Is there while a first start seeds, so that one that is cut off is taken up by the next.
const UNFINISHED: &str = "sample.unfinished";

/// Seeds the sample where there is no product yet, or where a seeding was cut off.
pub async fn if_empty(stores: &Stores, data: &DataDir) -> Result<(), Failure> {
    let unfinished = data.path().join(UNFINISHED);
    if !unfinished.exists() {
        let count = stores.products().count().await;
        if count.map_err(|error| Failure::unreachable(format!("the catalog: {error}")))? > 0 {
            return Ok(());
        }
        complain("the catalog is empty: seeding the sample");
        File::create(&unfinished)?.sync_all()?;
        File::open(data.path())?.sync_all()?;
    } else {
        complain("the last start was cut off while seeding the sample: going on");
    }
    let rows = draw::ahead(rows("sample", sample::records()));
    let summary = import(stores, rows, sample_size(), || false).await.map_err(failure)?;
    std::fs::remove_file(&unfinished)?;
    complain(&format!("seeded the sample, {summary}"));
    Ok(())
}

async fn sample_catalog(
    stores: &Stores,
    is_told: impl Fn() -> bool + Send + 'static,
) -> Result<ImportSummary, ImportError> {
    let is_first = stores.products().count().await? == 0;
    let rows = rows("sample", sample::records());
    match is_first {
        true => import(stores, draw::ahead(rows), sample_size(), is_told).await,
        // Most pictures are there already, and are not drawn again.
        false => import(stores, rows, sample_size(), is_told).await,
    }
}

fn sample_size() -> u64 {
    sample::records().count() as u64
}

async fn made_up_catalog(
    stores: &Stores,
    products: u64,
    is_told: impl Fn() -> bool + Send + 'static,
) -> Result<ImportSummary, ImportError> {
    let total = generate::records(products).size_hint().0 as u64;
    let rows = rows("made-up", generate::records(products));
    import(stores, rows, total, is_told).await
}

/// Records that were made, as an import takes them.
fn rows(
    name: &str,
    records: impl Iterator<Item = Record> + Send + 'static,
) -> impl Iterator<Item = Row> + Send + 'static {
    let name: Arc<str> = name.into();
    records.zip(1..).map(move |(record, number)| Row::made(&name, number, record))
}

async fn import(
    stores: &Stores,
    rows: impl Iterator<Item = Row> + Send + 'static,
    total: u64,
    is_told: impl Fn() -> bool + Send + 'static,
) -> Result<ImportSummary, ImportError> {
    let progress = Progress::start("seeding", "rows", Some(total));
    let mut watched = Watched { progress, total };
    let options =
        ImportOptions { dry_run: false, set_stock: false, fetcher: None, now: wiring::now() };
    let rows = rows.take_while(move |_| !is_told());
    let summary = import::import(rows, stores.for_import(), options, &mut watched).await;
    watched.progress.finish();
    summary
}

/// Shows how far it is. What we made ourselves does not fail, unless something else in the shop
/// has taken its name.
struct Watched {
    progress: Progress,
    total: u64,
}

impl Watcher for Watched {
    fn failed(&mut self, _: usize, _: &[u8], errors: &[RowError]) {
        for error in errors {
            self.progress.aside(&format!("error: {error}"));
        }
    }

    fn warned(&mut self, warning: &RowError) {
        self.progress.aside(&format!("warning: {warning}"));
    }

    fn progress(&mut self, progress: import::Progress) {
        self.progress.set(progress.summary.rows, Some(self.total));
    }
}
