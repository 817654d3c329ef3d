//! What is acknowledged is durable, proven on the real binary: it is killed, told to end, started
//! twice, and its files are damaged; and what clients were told before has to be true after.

pub mod clients;
mod damage;
mod disk;
mod ending;
mod imports;
mod rounds;

use std::path::{Path, PathBuf};
use std::time::Duration;

use barrow_tests::server::Launch;
use tempfile::TempDir;

use crate::support::small_shop;

/// How long a process that was told to stop may take.
const END_MAX: Duration = Duration::from_secs(25);

/// A folder with goods, and how to serve it.
fn stocked() -> (TempDir, Launch) {
    let folder = tempfile::tempdir().unwrap();
    let launch = small_shop(folder.path());
    (folder, launch)
}

/// Copies a folder with all that lies below.
fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy_folder(&entry.path(), &target),
            kind if kind.is_file() => {
                std::fs::copy(entry.path(), target).unwrap();
            }
            // The socket of the server that was killed.
            _ => {}
        }
    }
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
