//! The data directory and its lock. Whoever holds the lock may open the stores: one process at a
//! time. The lock is the operating system's, so it ends with the process however that ends.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::failure::Failure;

/// The file that is locked. It holds who has it, for people to read.
const LOCK_FILE: &str = "barrow.lock";

/// A data directory that this process may use alone.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Unlocks when it is closed.
    _lock: File,
}

/// Who has a data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockState {
    /// There is no such directory, or nobody ever used it.
    Unused,
    Free,
    /// As the holder wrote it: `barrow serve, process 4711`.
    Held(String),
}

impl DataDir {
    /// Makes the directory if it is missing, and takes its lock. `command` is told to others who
    /// want it meanwhile.
    pub fn lock(path: &Path, command: &str) -> Result<DataDir, Failure> {
        let shown = path.display();
        make(path)?;
        let mut lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join(LOCK_FILE))
            .map_err(|error| {
                Failure::refused(format!("the data directory {shown} cannot be written: {error}"))
                    .hint("give this user the right to write there, or name another with --data")
            })?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(path, &read_holder(&lock))),
            Err(TryLockError::Error(error)) => {
                return Err(Failure::refused(format!("{shown} cannot be locked: {error}"))
                    .hint("use a directory on a local disk"));
            }
        }
        let holder = format!("barrow {command}, process {}", std::process::id());
        lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| writeln!(lock, "{holder}"))?;
        let path = fs::canonicalize(path)?;
        Ok(DataDir { path, _lock: lock })
    }

    /// The absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Who has the directory now. Takes nothing.
pub fn lock_state(path: &Path) -> std::io::Result<LockState> {
    let file = match File::open(path.join(LOCK_FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(LockState::Unused),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(LockState::Free),
        Err(TryLockError::WouldBlock) => Ok(LockState::Held(read_holder(&file))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether the directory is missing or holds nothing. A fresh file system has one folder, for
/// what its checks find.
pub fn is_empty(path: &Path) -> std::io::Result<bool> {
    match fs::read_dir(path) {
        Ok(entries) => {
            let mut names = entries.map(|entry| entry.map(|entry| entry.file_name()));
            Ok(names.all(|name| name.is_ok_and(|name| name == "lost+found")))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Carts are nobody else's business: only this user may look inside.
pub fn make(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt;
    if path.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        let shown = path.display();
        Failure::refused(format!("the data directory {shown} cannot be made: {error}"))
            .hint("make it, or name another with --data")
    })
}

fn held(path: &Path, holder: &str) -> Failure {
    Failure::refused(format!("the data directory {} is in use by {holder}", path.display()))
        .hint("stop that process first, or name another directory with --data")
}

fn read_holder(lock: &File) -> String {
    let mut text = String::new();
    let read = Read::take(lock, 200).read_to_string(&mut text);
    match read {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_and_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("made/on/demand");
        assert_eq!(lock_state(&path).unwrap(), LockState::Unused);
        assert!(is_empty(&path).unwrap());
        let first = DataDir::lock(&path, "serve").unwrap();
        let holder = format!("barrow serve, process {}", std::process::id());
        assert_eq!(lock_state(&path).unwrap(), LockState::Held(holder.clone()));
        let refusal = DataDir::lock(&path, "import").unwrap_err();
        assert!(refusal.what.contains(&holder) && refusal.what.contains("made/on/demand"));
        drop(first);
        assert_eq!(lock_state(&path).unwrap(), LockState::Free);
        assert!(!is_empty(&path).unwrap());
        DataDir::lock(&path, "import").unwrap();
    }
}
