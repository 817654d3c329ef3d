//! An import as something that can be looked at, and stopped, while it runs: what a command draws
//! its progress from, and what an API shows of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{ImportError, ImportOptions, ImportSummary, Progress, Stores, Watcher, import};
use crate::record::{Row, RowError};

/// An import. Clones are the same one.
#[derive(Clone)]
pub struct ImportRun(Arc<Inner>);

struct Inner {
    dry_run: bool,
    /// Of all files; 0 where nothing is read.
    total_bytes: u64,
    is_cancelled: AtomicBool,
    state: std::sync::Mutex<State>,
}

struct State {
    status: ImportStatus,
    began: Option<Instant>,
    took: Duration,
    progress: Progress,
}

/// How far it is, as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportStatus {
    Queued,
    Running,
    /// To the end; rows may have failed.
    Succeeded,
    /// A store did not answer.
    Failed,
    Cancelled,
}

/// What is known of an import at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImportView {
    pub status: ImportStatus,
    pub dry_run: bool,
    pub rows: RowCounts,
    pub rows_per_s: f64,
    /// Seconds, while it runs and can be told.
    pub eta_s: Option<u64>,
}

/// What became of the rows so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RowCounts {
    /// An estimate before the end: the size of the files is known, not what is in them.
    pub total: Option<u64>,
    pub done: u64,
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub failed: u64,
}

impl ImportRun {
    /// One that has not begun. `total_bytes` is the size of all its files.
    pub fn new(dry_run: bool, total_bytes: u64) -> ImportRun {
        let progress = Progress { summary: ImportSummary::default(), read_bytes: 0 };
        let status = ImportStatus::Queued;
        let state = State { status, began: None, took: Duration::ZERO, progress };
        let (is_cancelled, state) = (AtomicBool::new(false), std::sync::Mutex::new(state));
        ImportRun(Arc::new(Inner { dry_run, total_bytes, is_cancelled, state }))
    }

    /// Runs it to its end, or until it is cancelled: the batch that is under way is finished
    /// then. Importing the same files again takes up where it ended.
    pub async fn run(
        &self,
        rows: impl Iterator<Item = Row> + Send + 'static,
        stores: Stores,
        options: ImportOptions,
        watcher: &mut dyn Watcher,
    ) -> Result<ImportSummary, ImportError> {
        self.change(|state| {
            state.status = ImportStatus::Running;
            state.began = Some(Instant::now());
        });
        let told = self.clone();
        let rows = rows.take_while(move |_| !told.is_cancelled());
        let options = ImportOptions { dry_run: self.0.dry_run, ..options };
        let mut watched = Watched { run: self, watcher };
        let imported = import(rows, stores, options, &mut watched).await;
        self.change(|state| {
            state.took = state.began.map_or(Duration::ZERO, |began| began.elapsed());
            state.status = match &imported {
                Err(_) => ImportStatus::Failed,
                Ok(_) if self.is_cancelled() => ImportStatus::Cancelled,
                Ok(_) => ImportStatus::Succeeded,
            };
        });
        imported
    }

    /// Ends it after the batch that is under way.
    pub fn cancel(&self) {
        self.0.is_cancelled.store(true, Ordering::Relaxed);
    }

    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled.load(Ordering::Relaxed)
    }

    pub fn view(&self) -> ImportView {
        let state = self.0.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let ImportSummary { rows: done, created, updated, unchanged, failed } =
            state.progress.summary;
        let is_running = state.status == ImportStatus::Running;
        let total = match state.status {
            ImportStatus::Succeeded => Some(done),
            _ => self.estimate(&state.progress),
        };
        let elapsed = match state.began {
            Some(began) if is_running => began.elapsed(),
            _ => state.took,
        };
        let rows_per_s = done as f64 / elapsed.as_secs_f64().max(1e-3);
        let left = total.map(|total| total.saturating_sub(done) as f64 / rows_per_s);
        let eta_s = left.filter(|left| is_running && left.is_finite()).map(|left| left as u64);
        ImportView {
            status: state.status,
            dry_run: self.0.dry_run,
            rows: RowCounts { total, done, created, updated, unchanged, failed },
            rows_per_s,
            eta_s,
        }
    }

    /// How many rows there are is not known before the end; their bytes are.
    fn estimate(&self, progress: &Progress) -> Option<u64> {
        let share = progress.read_bytes as f64 / self.0.total_bytes.max(1) as f64;
        let rows = progress.summary.rows as f64;
        (share > 0.0).then(|| (rows / share.min(1.0)).round() as u64)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
    }
}

/// Takes note of the progress, and passes everything on.
struct Watched<'a> {
    run: &'a ImportRun,
    watcher: &'a mut dyn Watcher,
}

impl Watcher for Watched<'_> {
    fn failed(&mut self, input: usize, raw: &[u8], errors: &[RowError]) {
        self.watcher.failed(input, raw, errors);
    }

    fn warned(&mut self, warning: &RowError) {
        self.watcher.warned(warning);
    }

    fn progress(&mut self, progress: Progress) {
        self.run.change(|state| state.progress = progress);
        self.watcher.progress(progress);
    }
}
