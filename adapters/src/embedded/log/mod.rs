//! The log: where a write becomes durable before it is acknowledged.
//!
//! The database's own journal would do, but it grows as it is written, is synced through the
//! file system's journal, and is changed for a new one whenever a table is flushed, which holds
//! up all writes for some ten milliseconds. So rows of entities go here first: one frame for
//! each batch, in files that were made at their full size. What is in the log is moved to the
//! tables behind the writers' backs (`super::write_behind`); only then is its place used again.
//!
//! What a start finds in it, beyond what the tables are known to hold:
//! - frames without a gap: acknowledged writes, and at most one that was not; all of it is taken;
//! - a frame that is cut off or damaged, and none behind it: a torn tail. Each frame is synced
//!   before the next is written, so it was not acknowledged, unless the disk damaged the very
//!   last one; it is dropped, and the log of the shop says so;
//! - a gap, and frames behind it: acknowledged writes are lost, and the start is refused.

mod frame;
#[cfg(test)]
mod fuzz;
mod recover;
mod segment;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::group_commit::Change;
use super::health::Health;
use frame::BLOCK;
use segment::Segment;

pub(super) use recover::Found;

/// Files of the log: room for more than a second of all writes that a small machine takes. While
/// one is written, what the others hold is moved to the tables.
const SEGMENTS: usize = 8;

/// The size of a file: the largest batch has to fit.
pub(super) const SEGMENT_BYTES: usize = 4 * 1024 * 1024;

/// What the log takes on the disk.
pub(super) const BYTES: u64 = (SEGMENTS * SEGMENT_BYTES) as u64;

/// How often a writer that waits for room looks whether the store still lives.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) enum LogError {
    Io { path: PathBuf, source: io::Error },
    Damaged(String),
}

fn damaged(reason: String) -> LogError {
    LogError::Damaged(reason)
}

/// The writing end, held by the commit thread.
pub(super) struct Log {
    room: Arc<Room>,
    health: Arc<Health>,
    active: Segment,
    /// Of the last frame written.
    sequence: u64,
    frame: Vec<u8>,
}

/// The files that are not written at the moment.
pub(super) struct Room {
    files: Mutex<Files>,
    released: Condvar,
}

struct Files {
    spare: Vec<Segment>,
    /// With the sequence number of the last frame in it; the oldest first.
    full: VecDeque<(u64, Segment)>,
}

/// Where a frame went.
pub(super) struct Appended {
    pub sequence: u64,
    /// Most files are full: what they hold should be moved to the tables soon.
    pub is_short_of_room: bool,
}

impl Log {
    /// Makes the files that are missing: there is nothing in them yet.
    pub fn create(folder: &Path, segment_bytes: usize) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        for path in paths(folder) {
            if !path.exists() {
                Segment::create(&path, segment_bytes)?;
            }
        }
        Ok(())
    }

    /// Opens the log and reads all of it that the tables do not hold: they have every write up
    /// to `through`. What was found has to be in the tables before the first frame is appended.
    pub fn open(
        folder: &Path,
        through: u64,
        health: Arc<Health>,
    ) -> Result<(Log, Found), LogError> {
        let mut files = Vec::new();
        for path in paths(folder) {
            if !path.exists() {
                return Err(damaged(format!("{} is missing", path.display())));
            }
            files.push(Segment::open(&path)?);
        }
        let found = recover::recover(&files, through)?;
        let mut spare: Vec<Segment> = files.into_iter().map(|(segment, _)| segment).collect();
        let active = spare.pop().expect("there are several");
        let files = Mutex::new(Files { spare, full: VecDeque::new() });
        let room = Arc::new(Room { files, released: Condvar::new() });
        let log = Log { room, health, active, sequence: found.through, frame: Vec::new() };
        Ok((log, found))
    }

    /// For whoever moves the rows to the tables.
    pub fn room(&self) -> Arc<Room> {
        Arc::clone(&self.room)
    }

    /// Makes the changes durable. Blocking: for one write and one sync, and longer where no file
    /// is free. After an error nobody knows what is in the log.
    pub fn append(&mut self, changes: &[Change]) -> Result<Appended, String> {
        let sequence = self.sequence + 1;
        frame::encode(&mut self.frame, changes, sequence);
        let mut is_short_of_room = false;
        if !self.active.has_room_for(self.frame.len().next_multiple_of(BLOCK)) {
            let next = self.room.take(&self.health)?;
            let full = std::mem::replace(&mut self.active, next);
            let mut files = self.room.files.lock();
            files.full.push_back((self.sequence, full));
            is_short_of_room = files.spare.len() < files.full.len();
        }
        frame::seal(&mut self.frame, self.active.salt);
        self.active.write(&self.frame).map_err(|error| error.to_string())?;
        self.sequence = sequence;
        Ok(Appended { sequence, is_short_of_room })
    }
}

impl Room {
    /// The tables hold every write up to this one: files with nothing newer are free again.
    pub fn release(&self, through: u64) {
        let files = &mut *self.files.lock();
        while files.full.front().is_some_and(|(last, _)| *last <= through) {
            let Some((_, mut segment)) = files.full.pop_front() else { break };
            segment.clear();
            files.spare.push(segment);
        }
        self.released.notify_all();
    }

    fn take(&self, health: &Health) -> Result<Segment, String> {
        let mut files = self.files.lock();
        loop {
            if let Some(segment) = files.spare.pop() {
                return Ok(segment);
            }
            health.check()?;
            self.released.wait_for(&mut files, LOOK);
        }
    }
}

fn paths(folder: &Path) -> impl Iterator<Item = PathBuf> {
    (0..SEGMENTS).map(move |index| folder.join(format!("{index}.log")))
}
