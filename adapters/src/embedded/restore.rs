//! A backup read again: checked from end to end first, then written into an empty directory.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;

use fjall::Keyspace;
use sha2::{Digest, Sha256};

use super::backup::{END, ENTRIES, FORMAT, FRAME_BYTES_MAX, MAGIC, TABLE};
use super::directory::StoreDirectory;
use super::{BackupError, BackupProgress, BackupReport, EmbeddedOptions, KEYSPACES, Tables};

/// Reads a backup from end to end and compares its sums. Blocking.
pub fn verify_backup(from: &Path) -> Result<BackupReport, BackupError> {
    let mut reader = BackupReader::open(from)?;
    while reader.next_frame()?.is_some() {}
    reader.report()
}

/// Makes a store of a backup in a directory that is empty or does not exist. The backup is
/// verified before anything is written; a restore that is interrupted leaves a directory that
/// does not open. Blocking.
pub fn restore(
    from: &Path,
    to: &Path,
    progress: &mut dyn FnMut(BackupProgress),
) -> Result<BackupReport, BackupError> {
    verify_backup(from)?;
    let io = |source| BackupError::Io { path: to.to_owned(), source };
    fs::create_dir_all(to).map_err(io)?;
    if fs::read_dir(to).map_err(io)?.next().is_some() {
        return Err(BackupError::NotEmpty(to.to_owned()));
    }
    let directory = StoreDirectory::lock(to)?;
    directory.restoring().map_err(io)?;
    // A failed write is told by its error; nobody else uses this store.
    let options = EmbeddedOptions::new(Box::new(|_| {}));
    let tables = Tables::open(&directory, &options)?;
    let report = fill(&tables, from, progress)?;
    drop(tables);
    directory.mark_complete()?;
    directory.restored().map_err(io)?;
    Ok(report)
}

fn fill(
    tables: &Tables,
    from: &Path,
    progress: &mut dyn FnMut(BackupProgress),
) -> Result<BackupReport, BackupError> {
    let target = |error: fjall::Error| BackupError::Source(error.to_string());
    let mut reader = BackupReader::open(from)?;
    let mut table: Option<&Keyspace> = None;
    while let Some(frame) = reader.next_frame()? {
        match frame {
            Frame::Table(index) => table = Some(tables.all()[index].1),
            Frame::Entries(entries) => {
                let table = table.expect("the reader lets no entries come before a table");
                let mut batch = tables.batch();
                for (key, value) in entries {
                    batch.insert(table, key, value);
                }
                batch.commit().map_err(target)?;
                progress(BackupProgress { entries: reader.entries, bytes: reader.bytes });
            }
        }
    }
    reader.report()
}

enum Frame {
    /// An index of [`KEYSPACES`].
    Table(usize),
    Entries(Vec<(Vec<u8>, Vec<u8>)>),
}

struct BackupReader<'a> {
    path: &'a Path,
    file: BufReader<File>,
    sum: Sha256,
    in_table: bool,
    entries: u64,
    bytes: u64,
    end: Option<String>,
}

impl BackupReader<'_> {
    fn open(path: &Path) -> Result<BackupReader<'_>, BackupError> {
        let io = |source| BackupError::Io { path: path.to_owned(), source };
        let file = BufReader::with_capacity(1024 * 1024, File::open(path).map_err(io)?);
        let (sum, entries, bytes, end) = (Sha256::new(), 0, 0, None);
        let mut reader = BackupReader { path, file, sum, in_table: false, entries, bytes, end };
        if reader.array()? != *MAGIC {
            return Err(reader.damaged("it does not begin like one"));
        }
        let format = u32::from_le_bytes(reader.array()?);
        if format != FORMAT {
            let reason = format!("its format is {format}, this build reads {FORMAT}");
            return Err(reader.damaged(&reason));
        }
        Ok(reader)
    }

    /// The next frame, or `None` behind the end, whose sum was compared then.
    fn next_frame(&mut self) -> Result<Option<Frame>, BackupError> {
        if self.end.is_some() {
            return Ok(None);
        }
        let sum_before = self.sum.clone();
        let [kind] = self.array()?;
        let length = u32::from_le_bytes(self.array()?) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(self.damaged("a frame is larger than any that is written"));
        }
        let mut content = vec![0; length];
        self.fill(&mut content)?;
        match kind {
            TABLE => self.table(&content).map(Some),
            ENTRIES if self.in_table => self.split_entries(&content).map(Some),
            END => self.finish(&content, sum_before).map(|()| None),
            _ => Err(self.damaged("a frame is of an unknown kind")),
        }
    }

    fn table(&mut self, name: &[u8]) -> Result<Frame, BackupError> {
        self.in_table = true;
        let index = KEYSPACES.iter().position(|keyspace| keyspace.as_bytes() == name);
        index.map(Frame::Table).ok_or_else(|| self.damaged("it has a table of a newer build"))
    }

    fn split_entries(&mut self, mut content: &[u8]) -> Result<Frame, BackupError> {
        let mut entries = Vec::new();
        while !content.is_empty() {
            let entry = split_entry(&mut content);
            let entry = entry.ok_or_else(|| self.damaged("an entry is longer than its frame"))?;
            entries.push(entry);
        }
        self.entries += entries.len() as u64;
        Ok(Frame::Entries(entries))
    }

    fn finish(&mut self, content: &[u8], sum_before: Sha256) -> Result<(), BackupError> {
        let Some((entries, sum)) = content.split_first_chunk::<8>() else {
            return Err(self.damaged("its end is cut short"));
        };
        let actual = sum_before.chain_update(entries).finalize();
        if actual.as_slice() != sum {
            return Err(self.damaged("its content does not match its checksum"));
        }
        if u64::from_le_bytes(*entries) != self.entries {
            return Err(self.damaged("it does not hold as many entries as it says"));
        }
        let mut more = [0];
        let io = |source| BackupError::Io { path: self.path.to_owned(), source };
        if self.file.read(&mut more).map_err(io)? > 0 {
            return Err(self.damaged("something follows its end"));
        }
        self.end = Some(sum.iter().map(|byte| format!("{byte:02x}")).collect());
        Ok(())
    }

    fn report(self) -> Result<BackupReport, BackupError> {
        let (entries, bytes) = (self.entries, self.bytes);
        let sha256 = self.end.clone().ok_or_else(|| self.damaged("it has no end"))?;
        Ok(BackupReport { entries, bytes, sha256 })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BackupError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), BackupError> {
        match self.file.read_exact(bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(self.damaged("it is cut short"));
            }
            Err(source) => return Err(BackupError::Io { path: self.path.to_owned(), source }),
        }
        self.sum.update(&*bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn damaged(&self, reason: &str) -> BackupError {
        BackupError::Damaged { path: self.path.to_owned(), reason: reason.to_owned() }
    }
}

fn split_entry(content: &mut &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (key_bytes, rest) = content.split_first_chunk::<4>()?;
    let (value_bytes, rest) = rest.split_first_chunk::<4>()?;
    let key_bytes = usize::try_from(u32::from_le_bytes(*key_bytes)).ok()?;
    let value_bytes = usize::try_from(u32::from_le_bytes(*value_bytes)).ok()?;
    let (key, rest) = rest.split_at_checked(key_bytes)?;
    let (value, rest) = rest.split_at_checked(value_bytes)?;
    *content = rest;
    Some((key.to_vec(), value.to_vec()))
}
