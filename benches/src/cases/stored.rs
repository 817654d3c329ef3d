//! A store with many carts: how long a start takes, what a cart in memory takes, and what
//! passivation gives back.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::runtime::Runtime;

use crate::client::Client;
use crate::load::Target;
use crate::options::{Case, Options};
use crate::process::resident_bytes;
use crate::report::{Report, Target as Bound, median};
use crate::server::Server;
use crate::stock::{Stock, read_all};
use crate::{catalog, metrics};

/// The store of a shop that has been open for a while.
const CARTS_IN_STORE: usize = 1_000_000;
/// As many as are kept in memory by default.
const CARTS_HOT: usize = 100_000;

/// Long enough to read all carts before the first is passivated, and short enough to wait for.
const IDLE_TIMEOUT: &str = "10s";
/// Beyond that, passivation hangs.
const PASSIVATION_MAX: Duration = Duration::from_secs(90);
/// How long an allocator gets to give freed memory back.
const SETTLING: Duration = Duration::from_secs(2);

pub fn run(options: &Options, runtime: &Runtime) -> anyhow::Result<()> {
    if !options.wants_any(&[Case::Memory, Case::Start]) {
        return Ok(());
    }
    let folder = tempfile::tempdir_in(options.dir())?;
    catalog::import(folder.path())?;
    let carts = if options.wants(Case::Start) { CARTS_IN_STORE } else { CARTS_HOT };
    let stock = runtime.block_on(Stock::fill(folder.path(), carts))?;
    if options.wants(Case::Start) {
        start(options, runtime, folder.path(), &stock)?;
    }
    if options.wants(Case::Memory) {
        memory(options, runtime, folder.path(), &stock)?;
    }
    Ok(())
}

fn start(options: &Options, runtime: &Runtime, folder: &Path, stock: &Stock) -> anyhow::Result<()> {
    let mut starts = Vec::new();
    for _ in 0..options.rounds().min(3) {
        let began = Instant::now();
        let server = Server::shop(folder, &[])?;
        runtime.block_on(async {
            let mut client = Client::open(server.address()).await?;
            client.json(&stock.get(starts.len())).await
        })?;
        starts.push(began.elapsed().as_secs_f64());
        // Dropped, it is killed: the next start is one after a crash.
    }
    Report::new("start with 1,000,000 carts in the store, to the first cart answered")
        .target("seconds", median(starts.iter().copied()), Bound::AtMost(2.0))
        .figure("seconds_first", starts[0])
        .figure("seconds_longest", starts.iter().copied().fold(0.0, f64::max))
        .figure("fill_seconds", stock.took.as_secs_f64())
        .print(options.form());
    Ok(())
}

fn memory(
    options: &Options,
    runtime: &Runtime,
    folder: &Path,
    stock: &Stock,
) -> anyhow::Result<()> {
    let server = Server::shop(folder, &[("BARROW_ACTORS__IDLE_TIMEOUT", IDLE_TIMEOUT)])?;
    let resident = || resident_bytes(server.pid());
    let hot = || metrics::value(server.address(), "barrow_entities_hot{entity=\"cart\"}");
    runtime.block_on(read_all(&server, &[stock.get(CARTS_HOT)]))?;
    let empty = resident()?;
    let gets: Vec<_> = (0..CARTS_HOT).map(|n| stock.get(n)).collect();
    runtime.block_on(read_all(&server, &gets))?;
    let full = resident()?;
    let read = hot()?;
    ensure!(read >= CARTS_HOT as f64 * 0.99, "only {read} carts stayed in memory");
    let waited = Instant::now();
    while hot()? > 0.0 {
        ensure!(waited.elapsed() < PASSIVATION_MAX, "the carts are not passivated");
        std::thread::sleep(Duration::from_millis(200));
    }
    std::thread::sleep(SETTLING);
    let passivated = resident()?;
    let warm = metrics::value(server.address(), "barrow_entities_warm{entity=\"cart\"}")?;
    let each = |bytes: f64| bytes / 1_024.0 / CARTS_HOT as f64;
    Report::new("memory of 100,000 hot carts of 5 lines")
        .target("kib_per_cart", each(full - empty), Bound::AtMost(10.0))
        .figure("kib_saved_by_passivation", each(full - passivated))
        .figure("kib_left_in_warm_tier", each(passivated - empty))
        .figure("carts_in_warm_tier", warm)
        .figure("mib_before", empty / f64::from(1 << 20))
        .figure("mib_with_carts", full / f64::from(1 << 20))
        .figure("mib_passivated", passivated / f64::from(1 << 20))
        .print(options.form());
    Ok(())
}
