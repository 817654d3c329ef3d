//! The group commit beside the sync of the disk alone.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use barrow_adapters::embedded::{EmbeddedEntityStore, EmbeddedOptions, EmbeddedStore};
use barrow_engine::entity::{EntityKey, EntityKind};
use barrow_engine::ports::{CasOutcome, EntityStore, Expected, Row, WriteId};
use bytes::Bytes;
use tokio::task::JoinSet;

use crate::options::Options;
use crate::report::{Report, median};

const WRITERS: u128 = 256;
/// A cart of some lines with the keys of some minutes.
const ROW_BYTES: usize = 600;

/// What a round came to.
struct Round {
    writes_per_s: f64,
    syncs_per_s: f64,
    /// Syncs of as many bytes at a time, by one thread that does nothing else.
    raw_syncs_per_s: f64,
}

pub fn run(
    options: &Options,
    runtime: &tokio::runtime::Runtime,
    time: Duration,
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(options.dir())?;
    let on_fatal = Box::new(|reason: &str| panic!("the store failed: {reason}"));
    let store = EmbeddedStore::open(&folder.path().join("store"), EmbeddedOptions::new(on_fatal))?;
    let mut rounds = Vec::new();
    for round in 0..options.rounds() {
        let (writes, syncs) = runtime.block_on(write(store.entities(), round, time))?;
        let bytes = (writes / syncs) as usize * ROW_BYTES;
        let raw_syncs_per_s = raw_syncs(folder.path(), bytes, time)?;
        rounds.push(Round { writes_per_s: writes, syncs_per_s: syncs, raw_syncs_per_s });
    }
    let middle = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure));
    Report::new("group commit, 256 writers / fdatasync of as many bytes alone")
        .figure("ratio", middle(|round| round.syncs_per_s / round.raw_syncs_per_s))
        .figure("writes_per_s", middle(|round| round.writes_per_s))
        .figure("syncs_per_s", middle(|round| round.syncs_per_s))
        .figure("writes_per_sync", middle(|round| round.writes_per_s / round.syncs_per_s))
        .figure("other_syncs_per_s", middle(|round| round.raw_syncs_per_s))
        .print(options.form());
    Ok(())
}

/// Durable writes and syncs a second; each writer rewrites a row of its own.
async fn write(
    store: Arc<EmbeddedEntityStore>,
    round: usize,
    time: Duration,
) -> anyhow::Result<(f64, f64)> {
    let over = Arc::new(AtomicBool::new(false));
    let commits = store.commits();
    let (began, commits_before) = (Instant::now(), commits.load(Ordering::Relaxed));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let id = (round as u128 * WRITERS + writer).wrapping_mul(0x9e37_79b9_7f4a_7c15 << 64 | 1);
        let key = EntityKey::new(EntityKind::Probe, id);
        writers.spawn(rewrite(Arc::clone(&store), key, Arc::clone(&over)));
    }
    tokio::time::sleep(time).await;
    over.store(true, Ordering::Relaxed);
    let mut writes = 0;
    while let Some(writer) = writers.join_next().await {
        writes += writer??;
    }
    let seconds = began.elapsed().as_secs_f64();
    let syncs = commits.load(Ordering::Relaxed) - commits_before;
    ensure!(syncs > 0, "nothing was committed");
    Ok((writes as f64 / seconds, syncs as f64 / seconds))
}

async fn rewrite(
    store: Arc<EmbeddedEntityStore>,
    key: EntityKey,
    over: Arc<AtomicBool>,
) -> anyhow::Result<u64> {
    let blob = Bytes::from(vec![7; ROW_BYTES]);
    let (mut expected, mut version) = (Expected::Absent, 0);
    while !over.load(Ordering::Relaxed) {
        version += 1;
        let write_id = WriteId(version.into());
        let row = Row { version, write_id, due: None, expires: None, blob: blob.clone() };
        match store.cas(key, expected, row).await? {
            CasOutcome::Written => expected = Expected::Present { version, write_id },
            CasOutcome::Conflict(_) => bail!("another wrote a row that has one writer"),
        }
    }
    Ok(version)
}

fn raw_syncs(folder: &Path, bytes: usize, time: Duration) -> anyhow::Result<f64> {
    let mut file = File::create(folder.join("raw"))?;
    let block = vec![7; bytes.max(1)];
    let (began, mut syncs) = (Instant::now(), 0);
    while began.elapsed() < time {
        file.write_all(&block)?;
        file.sync_data()?;
        syncs += 1;
    }
    Ok(f64::from(syncs) / began.elapsed().as_secs_f64())
}
