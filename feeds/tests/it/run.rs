//! An import as it can be looked at and stopped while it runs.

use barrow_engine::money::Currency;
use barrow_feeds::formats::foreign::ForeignOptions;
use barrow_feeds::import::{ImportRun, ImportStatus, ImportSummary, Progress, Watcher};
use barrow_feeds::open::Inputs;
use barrow_feeds::record::RowError;

use crate::shop::{Shop, options};

/// More than a few batches.
const PRODUCTS: u64 = 3_000;

/// The same file each time.
fn inputs(shop: &Shop) -> Inputs {
    let line = |n| format!("{{\"type\":\"product\",\"slug\":\"p-{n}\",\"title\":\"P {n}\"}}\n");
    let file = shop.file("products.jsonl", (0..PRODUCTS).map(line).collect::<String>());
    let currency = Currency::from_code("EUR").unwrap();
    Inputs::open(&[file], None, ForeignOptions { currency }).unwrap()
}

/// A run of that file.
fn a_run(shop: &Shop, dry_run: bool) -> ImportRun {
    ImportRun::new(dry_run, inputs(shop).total_bytes())
}

/// Looks at the run each time something has happened, and may end it.
struct Looking {
    run: ImportRun,
    cancel_after: u64,
    seen: Vec<u64>,
}

impl Watcher for Looking {
    fn failed(&mut self, _: usize, _: &[u8], errors: &[RowError]) {
        panic!("{errors:?}");
    }

    fn warned(&mut self, warning: &RowError) {
        panic!("{warning:?}");
    }

    fn progress(&mut self, progress: Progress) {
        let view = self.run.view();
        assert_eq!(view.status, ImportStatus::Running);
        assert_eq!(view.rows.done, progress.summary.rows);
        self.seen.push(view.rows.done);
        if view.rows.done >= self.cancel_after {
            self.run.cancel();
        }
    }
}

async fn import(shop: &Shop, run: &ImportRun, cancel_after: u64) -> (ImportSummary, Vec<u64>) {
    let mut looking = Looking { run: run.clone(), cancel_after, seen: Vec::new() };
    let rows = inputs(shop).rows();
    let summary = run.run(rows, shop.stores.clone(), options(), &mut looking).await;
    (summary.expect("the stores answer"), looking.seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_tells_how_far_it_is_and_how_it_ended() {
    let shop = Shop::new().await;
    let run = a_run(&shop, false);
    assert_eq!(run.view().status, ImportStatus::Queued);
    let (summary, seen) = import(&shop, &run, u64::MAX).await;
    let view = run.view();
    assert_eq!(view.status, ImportStatus::Succeeded);
    assert!(seen.is_sorted() && seen.len() > 2, "{seen:?}");
    assert_eq!((view.rows.done, view.rows.total), (PRODUCTS, Some(PRODUCTS)));
    assert_eq!((view.rows.created, view.rows.failed), (summary.created, 0));
    assert!(view.rows_per_s > 0.0 && view.eta_s.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_ends_early_and_another_takes_up_there() {
    let shop = Shop::new().await;
    let run = a_run(&shop, false);
    let (first, _) = import(&shop, &run, 1).await;
    assert_eq!(run.view().status, ImportStatus::Cancelled);
    let (second, _) = import(&shop, &a_run(&shop, false), u64::MAX).await;
    assert!(0 < first.created && first.created < PRODUCTS, "{first:?}");
    assert_eq!(second.unchanged, first.created, "what was written stays");
    assert_eq!(second.created + second.unchanged, PRODUCTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_writes_nothing() {
    let shop = Shop::new().await;
    let run = a_run(&shop, true);
    let (summary, _) = import(&shop, &run, u64::MAX).await;
    assert!(run.view().dry_run && summary.created > 0);
    assert_eq!(shop.all().await.len(), 0);
}
