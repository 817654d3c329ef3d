//! Moves rows from the log to the tables, on a thread of its own: nobody waits for it, unless
//! the log is full.

use std::sync::Arc;
use std::thread::JoinHandle;

use barrow_engine::entity::EntityKey;
use barrow_engine::ports::StoreError;

use super::due_index::due_key;
use super::group_commit::Change;
use super::health::{Health, TellOfPanic};
use super::log::{Found, Room};
use super::row_codec::encode_row;
use super::unflushed::{Generation, Unflushed, Unmoved};
use super::{Shared, Tables, read_row};

/// Where the table `meta` says which write of the log is the newest that the tables hold.
const LOG_THROUGH: &str = "log_through";

/// About so much goes to the tables with one sync. A disk does one thing after another: the sync
/// of a shopper's change waits for one that is under way, so it has to be short.
const BATCH_BYTES: usize = 256 * 1024;

/// The newest write of the log that the tables hold.
pub(super) fn through(tables: &Tables) -> Result<u64, String> {
    let Some(stored) = tables.meta.get(LOG_THROUGH).map_err(|error| error.to_string())? else {
        return Ok(0);
    };
    let bytes = stored.as_ref().try_into().map_err(|_| "its place in the log is unreadable")?;
    Ok(u64::from_le_bytes(bytes))
}

/// Moves what a start found in the log, before anything else is written.
pub(super) fn take_over(tables: &Tables, found: Found) -> Result<(), StoreError> {
    if found.rows.is_empty() {
        return Ok(());
    }
    tracing::info!(rows = found.rows.len(), "took acknowledged writes from the log");
    let due_before = |key| Ok(read_row(tables, key)?.and_then(|row| row.due));
    let changes: Result<Vec<Change>, StoreError> = found
        .rows
        .into_iter()
        .map(|(key, row)| Ok(Change { key, due_before: due_before(key)?, row }))
        .collect();
    let generation = Generation::of(changes?.into_iter(), found.through);
    write(tables, &generation).map_err(|error| StoreError::Unavailable(error.to_string()))
}

/// Writes a generation, in batches; the last one says that the tables hold all of it. After a crash
/// in between, the log still has every row, and each row's place in the index is right.
fn write(tables: &Tables, generation: &Generation) -> Result<(), fjall::Error> {
    // In the order of the table: places next to each other are found faster.
    let mut rows: Vec<(&EntityKey, &Unmoved)> = generation.rows.iter().collect();
    rows.sort_unstable_by_key(|(key, _)| key.to_bytes());
    let mut batch = tables.batch();
    let mut bytes = 0;
    for (key, Unmoved { row, due_before }) in rows {
        let encoded = encode_row(row);
        bytes += encoded.len();
        batch.insert(&tables.entities, key.to_bytes(), encoded);
        if *due_before != row.due {
            if let Some(before) = due_before {
                batch.remove(&tables.due, due_key(*key, *before));
            }
            if let Some(next) = row.due {
                batch.insert(&tables.due, due_key(*key, next), []);
            }
        }
        if bytes >= BATCH_BYTES {
            std::mem::replace(&mut batch, tables.batch()).commit()?;
            bytes = 0;
        }
    }
    batch.insert(&tables.meta, LOG_THROUGH, generation.through.to_le_bytes());
    batch.commit()
}

/// Lets this thread, and those it starts, run after all others: nobody waits for them, and a
/// shopper's request would otherwise wait for one of its turns.
pub(super) fn yield_to_others() {
    const NICE: i32 = 10;
    if cfg!(target_os = "linux") {
        let thread = rustix::thread::gettid();
        // Without it all works, only less evenly.
        let _ = rustix::process::setpriority_process(Some(thread), NICE);
    }
}

/// The thread. Dropping it waits until everything is in the tables.
pub(super) struct WriteBehind {
    unflushed: Arc<Unflushed>,
    thread: Option<JoinHandle<()>>,
}

impl WriteBehind {
    pub fn start(
        shared: &Shared,
        unflushed: Arc<Unflushed>,
        room: Arc<Room>,
    ) -> std::io::Result<WriteBehind> {
        let (tables, health) = (shared.tables.clone(), Arc::clone(&shared.health));
        let rows = Arc::clone(&unflushed);
        let thread = std::thread::Builder::new()
            .name("barrow-tables".to_owned())
            .spawn(move || run(&tables, &health, &rows, &room))?;
        Ok(WriteBehind { unflushed, thread: Some(thread) })
    }
}

impl Drop for WriteBehind {
    fn drop(&mut self) {
        self.unflushed.end();
        if let Some(thread) = self.thread.take() {
            // A panic in there was told to the health of the store already.
            let _ = thread.join();
        }
    }
}

fn run(tables: &Tables, health: &Arc<Health>, unflushed: &Unflushed, room: &Room) {
    yield_to_others();
    let _end = TellOfPanic::new(health, "the thread that writes the tables has panicked");
    while let Some(generation) = unflushed.next() {
        if health.check().is_err() {
            // It stays in the log for the next start.
            return;
        }
        if let Err(error) = write(tables, &generation) {
            return health.fail(format!("a write failed: {error}"));
        }
        room.release(generation.through);
        drop(generation);
        unflushed.moved();
    }
}
