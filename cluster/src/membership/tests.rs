//! The driver: what is slow holds up nothing else. Time stands still unless everybody waits.

#![expect(clippy::disallowed_methods, reason = "what runs here is what is simulated")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::time::Instant;

use super::*;
use crate::node::HEARTBEAT_PREFIX;
use crate::simulation::{member, peer};
use crate::{ControlOutcome, ControlRow, Lease, MemberId, MemoryControlTable, Ownership, SHARDS};

const SECOND: Duration = Duration::from_secs(1);

/// A table that counts reads of the view, and hangs where it is told to.
#[derive(Default)]
struct SlowTable {
    inner: MemoryControlTable,
    views_read: AtomicU64,
    hangs: AtomicBool,
}

impl SlowTable {
    async fn hang(&self, key: &str) {
        if self.hangs.load(Ordering::Relaxed) && !key.starts_with(HEARTBEAT_PREFIX) {
            std::future::pending().await
        }
    }
}

#[async_trait]
impl ControlTable for SlowTable {
    async fn load(&self, key: &str) -> Result<Option<ControlRow>, ControlError> {
        self.views_read.fetch_add(1, Ordering::Relaxed);
        self.hang(key).await;
        self.inner.load(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, ControlRow)>, ControlError> {
        self.inner.list(prefix).await
    }

    async fn cas(&self, key: &str, expected: u64, value: Vec<u8>) -> Answer {
        self.hang(key).await;
        self.inner.cas(key, expected, value).await
    }

    async fn delete(&self, key: &str, expected: u64) -> Answer {
        self.inner.delete(key, expected).await
    }
}

/// A host that never gets done, or has nothing to do.
struct Host {
    hangs: bool,
}

#[async_trait]
impl ShardHost for Host {
    async fn drain(&self, _: &[u16]) -> bool {
        if self.hangs {
            std::future::pending().await
        }
        true
    }
}

struct Running {
    shards: Arc<Shards>,
    membership: Membership,
    uptime: Uptime,
}

fn start(id: u128, table: &Arc<SlowTable>, hangs: bool) -> Running {
    let (id, began) = (MemberId(id), Instant::now());
    let shards = Arc::new(Shards::new(id, Lease::until(Duration::ZERO)));
    let uptime: Uptime = Arc::new(move || began.elapsed() + SECOND);
    let (membership, run) = Membership::new(MembershipParts {
        table: Arc::clone(table) as Arc<dyn ControlTable>,
        shards: Arc::clone(&shards),
        host: Arc::new(Host { hangs }),
        uptime: Arc::clone(&uptime),
        member: member(id),
        peer: peer(id),
        settings: NodeSettings::default(),
    });
    tokio::spawn(run);
    Running { shards, membership, uptime }
}

impl Running {
    fn owned(&self) -> usize {
        (0..SHARDS as u16).filter(|shard| self.shards.grant(*shard).is_some()).count()
    }

    fn has_lease(&self) -> bool {
        self.shards.lease().is_valid((self.uptime)())
    }
}

#[tokio::test(start_paused = true)]
async fn a_beat_waits_for_no_poll_and_no_drain() {
    let table = Arc::new(SlowTable::default());
    let first = start(1, &table, true);
    tokio::time::sleep(SECOND).await;
    assert_eq!(first.owned(), SHARDS);
    let second = start(2, &table, false);
    tokio::time::sleep(3 * SECOND).await;
    assert!(first.owned() < SHARDS, "a batch is closed, and is being drained for ever");
    table.hangs.store(true, Ordering::Relaxed);
    for _ in 0..100 {
        tokio::time::sleep(SECOND / 2).await;
        assert!(first.has_lease() && second.has_lease());
    }
    assert_eq!(first.owned(), SHARDS, "what is not drained in time is taken up again");
}

#[tokio::test(start_paused = true)]
async fn a_view_that_somebody_waits_for_is_read_at_once_but_not_without_end() {
    let table = Arc::new(SlowTable::default());
    let node = start(1, &table, false);
    tokio::time::sleep(10 * SECOND).await;
    let before = table.views_read.load(Ordering::Relaxed);
    assert!((9..=14).contains(&before), "once a second: {before}");
    // Nobody will ever write it.
    assert!(!node.shards.catch_up(1_000, SECOND / 10).await);
    let read = table.views_read.load(Ordering::Relaxed) - before;
    assert!((1..=3).contains(&read), "{read}");
    for _ in 0..1_000 {
        node.shards.catch_up(1_000, SECOND / 1_000).await;
    }
    let read = table.views_read.load(Ordering::Relaxed) - before;
    assert!(read < 60, "a second or two of asking without end: {read}");
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_hands_over_and_ends() {
    let table = Arc::new(SlowTable::default());
    let (first, second) = (start(1, &table, false), start(2, &table, false));
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(first.owned() + second.owned(), SHARDS);
    assert!(first.owned() > 0 && second.owned() > 0);
    first.membership.leave(10 * SECOND);
    assert_eq!(first.membership.ended().await, Ended::Left);
    assert_eq!(first.owned() + usize::from(first.has_lease()), 0, "it serves nothing");
    assert!(second.shards.catch_up(first.shards.view().version, 2 * SECOND).await);
    assert_eq!(second.owned(), SHARDS);
    second.membership.leave(10 * SECOND);
    assert_eq!(second.membership.ended().await, Ended::Left);
    assert_eq!(table.list(HEARTBEAT_PREFIX).await, Ok(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn whoever_cannot_leave_ends_at_its_deadline_and_evicted_ones_at_once() {
    let table = Arc::new(SlowTable::default());
    let (first, second) = (start(1, &table, false), start(2, &table, false));
    tokio::time::sleep(10 * SECOND).await;
    let key = format!("{HEARTBEAT_PREFIX}{}", MemberId(2));
    let row = table.load(&key).await.unwrap().expect("it beats");
    assert_eq!(table.delete(&key, row.version).await, Ok(ControlOutcome::Written));
    assert_eq!(second.membership.ended().await, Ended::Evicted);
    assert!(!second.has_lease());
    table.hangs.store(true, Ordering::Relaxed);
    let began = Instant::now();
    first.membership.leave(5 * SECOND);
    assert_eq!(first.membership.ended().await, Ended::TimedOut);
    assert!(began.elapsed() < 8 * SECOND && !first.has_lease());
}
