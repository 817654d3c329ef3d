//! Moves rows from the log to the tables, on a thread of its own: nobody waits for it, unless
//! the log is full.

use std::sync::Arc;
use std::thread::JoinHandle;

use barrow_engine::entity::EntityKey;
use barrow_engine::ports::StoreError;

use super::group_commit::Change;
use super::health::{Health, TellOfPanic};
use super::log::{Found, Room};
use super::row_codec::encode_row;
use super::unflushed::{Generation, Unflushed};
use super::{Shared, Tables, read_row};

/// Where the table `meta` says which write of the log is the newest that the tables hold.
const LOG_THROUGH: &str = "log_through";

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

/// All of it as one batch, with the place in the log: a crash leaves all or nothing.
fn write(tables: &Tables, generation: &Generation) -> Result<(), fjall::Error> {
    let mut batch = tables.batch();
    // In the order of the table: the places next to each other are found faster.
    let mut rows: Vec<([u8; EntityKey::LEN], _)> =
        generation.rows.iter().map(|(key, row)| (key.to_bytes(), row)).collect();
    rows.sort_unstable_by_key(|(key, _)| *key);
    for (key, row) in rows {
        batch.insert(&tables.entities, key, encode_row(row));
    }
    for (key, is_there) in &generation.dues {
        match is_there {
            true => batch.insert(&tables.due, *key, []),
            false => batch.remove(&tables.due, *key),
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
