//! Entities that change again and again, each with one write in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use barrow_engine::entity::{EntityKey, EntityKind};
use barrow_engine::ports::{CasOutcome, CasReply, EntityStore, Expected, Row, WriteId};
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::process::cpu_s;

/// A cart of some lines with the keys of some minutes.
pub const ROW_BYTES: usize = 600;

/// Something that carries out changes.
pub trait Writes: Send + Sync + 'static {
    /// Returns once the change is acknowledged.
    fn write(
        &self,
        key: EntityKey,
        expected: Expected,
        row: Row,
    ) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// One of our stores, as an actor uses it: the write is submitted, and its reply is told.
pub struct Ours(pub Arc<dyn EntityStore>);

impl Writes for Ours {
    async fn write(&self, key: EntityKey, expected: Expected, row: Row) -> anyhow::Result<()> {
        let (tell, told) = oneshot::channel();
        // Who asked waits for it.
        let reply = CasReply::new(move |outcome| drop(tell.send(outcome)));
        if let Some(work) = Arc::clone(&self.0).submit(key, expected, row, reply) {
            work.await;
        }
        match told.await?? {
            CasOutcome::Written => Ok(()),
            CasOutcome::Conflict(_) => bail!("another wrote a row that has one writer"),
        }
    }
}

/// What a round came to.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    pub changes_per_s: f64,
    /// Processor time of this process, in milliseconds for 1,000 changes.
    pub cpu_ms_per_1000: f64,
}

impl Round {
    /// Counts what happens between this and [`Running::end`].
    pub fn begin() -> anyhow::Result<Running> {
        Ok(Running { began: Instant::now(), cpu_before: cpu_s(std::process::id())? })
    }
}

pub struct Running {
    began: Instant,
    cpu_before: f64,
}

impl Running {
    pub fn end(self, changes: u64) -> anyhow::Result<Round> {
        ensure!(changes > 0, "nothing was written");
        let cpu = cpu_s(std::process::id())? - self.cpu_before;
        let changes = changes as f64;
        Ok(Round {
            changes_per_s: changes / self.began.elapsed().as_secs_f64(),
            cpu_ms_per_1000: cpu * 1e6 / changes,
        })
    }
}

/// So many entities, new ones in each round.
pub async fn round<W: Writes>(
    writes: &Arc<W>,
    entities: usize,
    time: Duration,
) -> anyhow::Result<Round> {
    let over = Arc::new(AtomicBool::new(false));
    let running = Round::begin()?;
    let mut crowd = JoinSet::new();
    for _ in 0..entities {
        crowd.spawn(keep_changing(Arc::clone(writes), Arc::clone(&over)));
    }
    tokio::time::sleep(time).await;
    over.store(true, Ordering::Relaxed);
    let mut changes = 0;
    while let Some(changed) = crowd.join_next().await {
        changes += changed??;
    }
    running.end(changes)
}

async fn keep_changing<W: Writes>(writes: Arc<W>, over: Arc<AtomicBool>) -> anyhow::Result<u64> {
    let key = EntityKey::new(EntityKind::Probe, unused_id());
    let blob = Bytes::from(vec![7; ROW_BYTES]);
    let (mut expected, mut version) = (Expected::Absent, 0);
    while !over.load(Ordering::Relaxed) {
        version += 1;
        let write_id = WriteId(version.into());
        let row = Row { version, write_id, due: None, expires: None, blob: blob.clone() };
        writes.write(key, expected, row).await?;
        expected = Expected::Present { version, write_id };
    }
    Ok(version)
}

/// Spread over all shards.
fn unused_id() -> u128 {
    use std::sync::atomic::AtomicU64;
    static LAST: AtomicU64 = AtomicU64::new(0);
    let id = LAST.fetch_add(1, Ordering::Relaxed);
    u128::from(id + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}
