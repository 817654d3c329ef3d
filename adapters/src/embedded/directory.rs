//! The data directory: locked for one process, and looked through before it is used.
//!
//! `LOCK` is held while the store is open. `STORE` says what the directory is, and is written
//! when the store was made completely: from then on nothing may be missing. `db/` is the
//! database; it comes to be as `db.making/`, which is thrown away if its maker was interrupted.
//! `log/` is the log in front of it.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::log::{Log, SEGMENT_BYTES};
use super::{KEYSPACES, OpenError, journal_check};

/// What a build of today writes. It reads the format before it too, which had no log.
const FORMAT: u64 = 2;
const FORMAT_WITHOUT_LOG: u64 = 1;

const LOCK: &str = "LOCK";
const STORE: &str = "STORE";
const RESTORING: &str = "RESTORING";
const DATABASE: &str = "db";
const MAKING: &str = "db.making";
const LOG: &str = "log";

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoreMark {
    format: u64,
    keyspaces: Vec<String>,
}

impl StoreMark {
    pub fn parse(bytes: &[u8]) -> Result<StoreMark, String> {
        serde_json::from_slice(bytes)
            .map_err(|error| format!("the file {STORE} is unreadable: {error}"))
    }

    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("names and numbers are JSON")
    }
}

/// A directory that this process holds.
pub(super) struct StoreDirectory {
    path: PathBuf,
    /// Released by the system when it is closed, also by a crash.
    _lock: File,
}

impl StoreDirectory {
    /// Makes the directory if needed and takes its lock, or says who has it.
    pub fn lock(path: &Path) -> Result<StoreDirectory, OpenError> {
        let io = |source| OpenError::Io { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(io)?;
        let lock_path = path.join(LOCK);
        let mut options = File::options();
        let mut lock = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(|source| OpenError::Io { path: lock_path.clone(), source })?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message; the lock is what counts.
                let _ = lock.read_to_string(&mut holder);
                let holder = match holder.trim() {
                    "" => String::new(),
                    pid => format!(" (process {pid})"),
                };
                return Err(OpenError::Locked(path.to_owned(), holder));
            }
            Err(TryLockError::Error(source)) => {
                return Err(OpenError::Io { path: lock_path, source });
            }
        }
        let write = |lock: &mut File| {
            lock.set_len(0)?;
            lock.rewind()?;
            writeln!(lock, "{}", std::process::id())
        };
        write(&mut lock).map_err(io)?;
        Ok(StoreDirectory { path: path.to_owned(), _lock: lock })
    }

    pub fn path(&self) -> PathBuf {
        self.path.clone()
    }

    pub fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    pub fn log(&self) -> PathBuf {
        self.path.join(LOG)
    }

    /// Lets the database be made aside where there is none, and then puts it into its place.
    pub fn make_database(
        &self,
        make: impl FnOnce(&Path) -> Result<(), fjall::Error>,
    ) -> Result<(), fjall::Error> {
        if self.database().exists() {
            return Ok(());
        }
        let aside = self.path.join(MAKING);
        match fs::remove_dir_all(&aside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        make(&aside)?;
        fs::rename(&aside, self.database())?;
        Ok(sync_directory(&self.path)?)
    }

    /// Looks through the directory before the database opens it, which would take some losses
    /// for a fresh start.
    pub fn check(&self) -> Result<(), OpenError> {
        if self.path.join(RESTORING).exists() {
            return Err(OpenError::RestoreUnfinished(self.path()));
        }
        let Some(mark) = self.read_mark()? else { return Ok(()) };
        if ![FORMAT, FORMAT_WITHOUT_LOG].contains(&mark.format) {
            let (found, supported) = (mark.format, FORMAT);
            return Err(OpenError::Format { dir: self.path(), found, supported });
        }
        if let Some(unknown) = mark.keyspaces.iter().find(|k| !KEYSPACES.contains(&k.as_str())) {
            return Err(self.damaged(format!("it has a table '{unknown}' of a newer build")));
        }
        self.check_tables(mark.keyspaces.len())?;
        journal_check::check_journals(&self.database()).map_err(|error| match error {
            journal_check::JournalError::Io { path, source } => OpenError::Io { path, source },
            journal_check::JournalError::Damaged(reason) => self.damaged(reason),
        })
    }

    /// Each table has its manifest; a table without would be thrown away as unfinished.
    fn check_tables(&self, tables: usize) -> Result<(), OpenError> {
        let folder = self.database().join("keyspaces");
        let io = |source| OpenError::Io { path: folder.clone(), source };
        if !self.database().join("version").exists() || !folder.join("0").exists() {
            return Err(self.damaged("the database's own files are missing".to_owned()));
        }
        let mut found = 0;
        for entry in fs::read_dir(&folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if path.is_dir() {
                if !path.join("current").exists() {
                    let path = path.display();
                    return Err(self.damaged(format!("the table {path} has lost its manifest")));
                }
                found += 1;
            }
        }
        // Beside ours there is one table of the database itself.
        if found < tables + 1 {
            let reason = format!("{found} of {} tables are left", tables + 1);
            return Err(self.damaged(reason));
        }
        Ok(())
    }

    fn read_mark(&self) -> Result<Option<StoreMark>, OpenError> {
        let path = self.path.join(STORE);
        match fs::read(&path) {
            Ok(bytes) => StoreMark::parse(&bytes).map(Some).map_err(|reason| self.damaged(reason)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(OpenError::Io { path, source }),
        }
    }

    /// From now on the store is whole, and a missing part is a loss. A store without a log gets
    /// an empty one.
    pub fn mark_complete(&self) -> Result<(), OpenError> {
        if self.read_mark()?.is_none_or(|mark| mark.format == FORMAT_WITHOUT_LOG) {
            Log::create(&self.log(), SEGMENT_BYTES)
                .map_err(|source| OpenError::Io { path: self.log(), source })?;
        }
        let mark = StoreMark { format: FORMAT, keyspaces: KEYSPACES.map(str::to_owned).to_vec() };
        let json = mark.to_json();
        if fs::read(self.path.join(STORE)).is_ok_and(|bytes| bytes == json) {
            return Ok(());
        }
        write_durably(&self.path.join(STORE), &json)
            .map_err(|source| OpenError::Io { path: self.path.join(STORE), source })
    }

    /// From here until [`StoreDirectory::restored`] the directory is no store.
    pub fn restoring(&self) -> std::io::Result<()> {
        write_durably(&self.path.join(RESTORING), b"")
    }

    pub fn restored(&self) -> std::io::Result<()> {
        fs::remove_file(self.path.join(RESTORING))?;
        sync_directory(&self.path)
    }

    fn damaged(&self, reason: String) -> OpenError {
        OpenError::Damaged { dir: self.path(), reason }
    }
}

/// Writes a file so that it is there wholly or not at all, also after a loss of power.
fn write_durably(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let partial = path.with_extension("partial");
    let mut file = File::create(&partial)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))
}

/// Makes a rename or a removal in the directory durable.
pub(super) fn sync_directory(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}
