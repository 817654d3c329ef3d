//! Looks through the database's journals before the database reads them.
//!
//! A journal is a row of batches: a start (how many entries follow), the entries, an end with a
//! checksum over them. A crash can cut off the last batch, which was not acknowledged then,
//! since each batch is synced before the next is written. Anything else that is not readable is
//! damage, and what lies behind it was acknowledged. The database itself does not tell the two
//! apart: it cuts the journal off at the first entry that it cannot read, wherever that is, or
//! refuses a torn tail whose checksum is wrong. So:
//!
//! - nothing but zeros behind the last whole batch: the journal is sound;
//! - other bytes, and no whole batch among them: a torn tail; it is cut off, and the log says so;
//! - a whole batch behind what is unreadable, or anything unreadable in a journal that was
//!   closed, or batches that are not in the order of their sequence numbers, which the checksum
//!   does not cover: the start is refused.
//!
//! What is not noticed: a changed sequence number of the very first or the very last batch, if
//! it still lies before or behind all others.
//!
//! What was read here is then written again to the same place and synced. After a sync has
//! failed, the system may hold pages in memory that it will never write; without this a start
//! would serve from them what the next loss of power takes away.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(super) enum JournalError {
    Io { path: PathBuf, source: std::io::Error },
    Damaged(String),
}

/// Checks every journal of a database that was made completely; mends the tail of the newest.
pub(super) fn check_journals(database: &Path) -> Result<(), JournalError> {
    let mut journals = list(database)?;
    journals.sort();
    if !journals.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0) {
        let ids: Vec<u64> = journals.iter().map(|(id, _)| *id).collect();
        return Err(JournalError::Damaged(format!("a journal is missing among {ids:?}")));
    }
    let Some((_, newest)) = journals.pop() else {
        return Err(JournalError::Damaged("its journal is missing".to_owned()));
    };
    let mut sequence = 0;
    for (_, closed) in journals {
        let bytes = read(&closed)?;
        let end = whole_batches(&closed, &bytes, &mut sequence)?;
        if bytes[end..].iter().any(|byte| *byte != 0) {
            let path = closed.display();
            let reason = format!("the closed journal {path} is unreadable from byte {end} on");
            return Err(JournalError::Damaged(reason));
        }
    }
    mend(&newest, &mut sequence)
}

fn list(database: &Path) -> Result<Vec<(u64, PathBuf)>, JournalError> {
    let io = |source| JournalError::Io { path: database.to_owned(), source };
    let mut journals = Vec::new();
    for entry in fs::read_dir(database).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_none_or(|extension| extension != "jnl") {
            continue;
        }
        let id = path.file_stem().and_then(|stem| stem.to_str()).and_then(|s| s.parse().ok());
        let Some(id) = id else {
            let path = path.display();
            return Err(JournalError::Damaged(format!("{path} is no journal's name")));
        };
        journals.push((id, path));
    }
    Ok(journals)
}

fn read(path: &Path) -> Result<Vec<u8>, JournalError> {
    fs::read(path).map_err(|source| JournalError::Io { path: path.to_owned(), source })
}

fn mend(newest: &Path, sequence: &mut u64) -> Result<(), JournalError> {
    let bytes = read(newest)?;
    let end = whole_batches(newest, &bytes, sequence)?;
    let tail = &bytes[end..];
    let torn_bytes = tail.len() - tail.iter().rev().take_while(|byte| **byte == 0).count();
    if torn_bytes > 0 {
        let path = newest.display();
        if let Some(distance) = find_batch(tail) {
            let buried = end + distance;
            let reason = format!(
                "the journal {path} is unreadable from byte {end} on, and whole writes lie \
                 behind it from byte {buried} on"
            );
            return Err(JournalError::Damaged(reason));
        }
        tracing::warn!(
            journal = %path,
            bytes = torn_bytes,
            "dropped the end of a write that was cut off before it was acknowledged"
        );
    }
    let rewrite = || {
        let mut file = File::options().write(true).open(newest)?;
        file.set_len(end as u64)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&bytes[..end])?;
        file.sync_all()
    };
    rewrite().map_err(|source| JournalError::Io { path: newest.to_owned(), source })
}

/// How many bytes of whole batches there are from the start on. Their sequence numbers must
/// grow; the last one is kept for the next journal.
pub(super) fn whole_batches(
    path: &Path,
    bytes: &[u8],
    sequence: &mut u64,
) -> Result<usize, JournalError> {
    let mut end = 0;
    while let Some(batch) = whole_batch(&bytes[end..]) {
        if batch.sequence <= *sequence && *sequence > 0 {
            let path = path.display();
            let reason = format!("the writes in the journal {path} are out of order at byte {end}");
            return Err(JournalError::Damaged(reason));
        }
        *sequence = batch.sequence;
        end += batch.length;
    }
    Ok(end)
}

/// Where in these bytes, which do not begin with one, a whole batch is found.
pub(super) fn find_batch(bytes: &[u8]) -> Option<usize> {
    (1..bytes.len()).find(|start| bytes[*start] == START && whole_batch(&bytes[*start..]).is_some())
}

// The entries of a journal of the database's format 3. Integers are little-endian.
const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const TRAILER: &[u8] = b"FJL\x03";

pub(super) struct Batch {
    pub length: usize,
    sequence: u64,
}

/// The batch that these bytes begin with; `None` unless it is whole and its checksum is right.
pub(super) fn whole_batch(bytes: &[u8]) -> Option<Batch> {
    let mut reader = Reader { bytes, at: 0 };
    if reader.u8()? != START {
        return None;
    }
    let entries = reader.u32()?;
    let sequence = reader.u64()?;
    if entries == 0 {
        return None;
    }
    let entries_start = reader.at;
    for _ in 0..entries {
        reader.entry()?;
    }
    let entries_end = reader.at;
    if reader.u8()? != END {
        return None;
    }
    let checksum = reader.u64()?;
    if reader.take(TRAILER.len())? != TRAILER {
        return None;
    }
    let actual = xxhash_rust::xxh3::xxh3_64(&bytes[entries_start..entries_end]);
    (actual == checksum).then_some(Batch { length: reader.at, sequence })
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn skip(&mut self, length: usize) -> Option<()> {
        self.take(length).map(|_| ())
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// An entry: a key and its value in a table, or that a table was emptied.
    fn entry(&mut self) -> Option<()> {
        match self.u8()? {
            ITEM => {
                self.skip(1 + 1 + 8)?; // kind of value, compression, table
                let key_bytes = u16::from_le_bytes(self.array()?);
                self.skip(4)?; // the value's length before compression
                let value_bytes = self.u32()?;
                self.skip(usize::from(key_bytes))?;
                self.skip(usize::try_from(value_bytes).ok()?)
            }
            CLEAR => self.skip(8),
            _ => None,
        }
    }
}
