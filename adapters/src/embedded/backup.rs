//! A backup while the shop serves: one consistent picture of all tables in one file.
//!
//! The file does not depend on how the database lies on the disk, so it can be restored by later
//! builds and on other machines. It begins with a magic text and a format number; then come
//! frames (kind, length, content): the name of a table, entries of that table, and at the end
//! how many entries there are and the SHA-256 of everything before. A file without its end, or
//! with another sum, is no backup.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use fjall::Readable;
use sha2::{Digest, Sha256};

use super::directory::sync_directory;
use super::{EmbeddedStore, KEYSPACES};

pub(super) const MAGIC: &[u8; 8] = b"BARROWBK";
pub(super) const FORMAT: u32 = 1;

pub(super) const TABLE: u8 = 1;
pub(super) const ENTRIES: u8 = 2;
pub(super) const END: u8 = 3;

/// Entries are gathered to about this size: a restore writes one frame as one batch.
const FRAME_BYTES: usize = 1024 * 1024;

/// The largest frame that is read: a frame of entries and one entry of the largest size.
pub(super) const FRAME_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How far a backup or a restore has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BackupProgress {
    /// Rows, products, names and the like, in all tables.
    pub entries: u64,
    /// Of the backup file.
    pub bytes: u64,
}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupReport {
    pub entries: u64,
    pub bytes: u64,
    /// The SHA-256 of the content, in hexadecimal.
    pub sha256: String,
}

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{0} exists already; choose another name")]
    Exists(PathBuf),
    #[error("{0} is not empty; a backup is restored into an empty directory only")]
    NotEmpty(PathBuf),
    #[error("cannot use {path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path} is not a whole backup: {reason}")]
    Damaged { path: PathBuf, reason: String },
    #[error("the store cannot be read: {0}")]
    Source(String),
    #[error(transparent)]
    Target(#[from] super::OpenError),
}

impl EmbeddedStore {
    /// Writes all that is durable at this moment to a new file; the shop goes on meanwhile. The
    /// file appears under its name only when it is whole and on the disk. Blocking; progress is
    /// told about once each mebibyte. Media files are not in it.
    pub fn backup(
        &self,
        to: &Path,
        progress: &mut dyn FnMut(BackupProgress),
    ) -> Result<BackupReport, BackupError> {
        let io = |source| BackupError::Io { path: to.to_owned(), source };
        if to.exists() {
            return Err(BackupError::Exists(to.to_owned()));
        }
        self.shared.health.check().map_err(|reason| BackupError::Source(reason.to_owned()))?;
        self.entities.move_all().map_err(BackupError::Source)?;
        let mut partial = to.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let written = self.write_backup(&partial, to, progress);
        if written.is_err() {
            // The error is what matters; a leftover is overwritten by the next backup.
            let _ = fs::remove_file(&partial);
        }
        let report = written?;
        fs::rename(&partial, to).map_err(io)?;
        let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync_directory(parent.unwrap_or(Path::new("."))).map_err(io)?;
        Ok(report)
    }

    fn write_backup(
        &self,
        partial: &Path,
        to: &Path,
        progress: &mut dyn FnMut(BackupProgress),
    ) -> Result<BackupReport, BackupError> {
        let io = |source| BackupError::Io { path: to.to_owned(), source };
        let source = |error: fjall::Error| BackupError::Source(error.to_string());
        let mut file = BackupFile::create(partial).map_err(io)?;
        let snapshot = self.shared.tables.db.snapshot();
        debug_assert_eq!(self.shared.tables.all().map(|(name, _)| name), KEYSPACES);
        for (name, table) in self.shared.tables.all() {
            file.frame(TABLE, name.as_bytes()).map_err(io)?;
            let mut entries = Vec::with_capacity(FRAME_BYTES);
            for guard in snapshot.iter(table) {
                let (key, value) = guard.into_inner().map_err(source)?;
                push_entry(&mut entries, &key, &value);
                file.entries += 1;
                if entries.len() >= FRAME_BYTES {
                    file.frame(ENTRIES, &entries).map_err(io)?;
                    entries.clear();
                    progress(BackupProgress { entries: file.entries, bytes: file.bytes });
                }
            }
            if !entries.is_empty() {
                file.frame(ENTRIES, &entries).map_err(io)?;
            }
        }
        let report = file.finish().map_err(io)?;
        progress(BackupProgress { entries: report.entries, bytes: report.bytes });
        Ok(report)
    }
}

fn push_entry(entries: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let key_bytes = u32::try_from(key.len()).expect("keys are shorter than 64 KiB");
    let value_bytes = u32::try_from(value.len()).expect("values are shorter than 4 GiB");
    entries.extend_from_slice(&key_bytes.to_le_bytes());
    entries.extend_from_slice(&value_bytes.to_le_bytes());
    entries.extend_from_slice(key);
    entries.extend_from_slice(value);
}

/// A backup file that is being written.
struct BackupFile {
    file: BufWriter<File>,
    sum: Sha256,
    entries: u64,
    bytes: u64,
}

impl BackupFile {
    fn create(path: &Path) -> std::io::Result<BackupFile> {
        let file = BufWriter::with_capacity(FRAME_BYTES, File::create(path)?);
        let mut file = BackupFile { file, sum: Sha256::new(), entries: 0, bytes: 0 };
        file.write(MAGIC)?;
        file.write(&FORMAT.to_le_bytes())?;
        Ok(file)
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.sum.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    fn frame(&mut self, kind: u8, content: &[u8]) -> std::io::Result<()> {
        let length = u32::try_from(content.len()).map_err(std::io::Error::other)?;
        self.write(&[kind])?;
        self.write(&length.to_le_bytes())?;
        self.write(content)
    }

    fn finish(mut self) -> std::io::Result<BackupReport> {
        let entries = self.entries.to_le_bytes();
        let mut content = entries.to_vec();
        let sum = self.sum.clone().chain_update(entries).finalize();
        content.extend_from_slice(&sum);
        self.frame(END, &content)?;
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        let sha256 = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(BackupReport { entries: self.entries, bytes: self.bytes, sha256 })
    }
}
