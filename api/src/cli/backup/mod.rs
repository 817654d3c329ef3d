//! Backups: every row of the stores as of one instant, the media files, and a manifest with
//! checksums. A running server writes its own; without one the stores are opened for it.

mod archive;
mod manifest;
mod restore;
mod rows;

pub use restore::{Restored, restore};

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use barrow_engine::ports::is_media_key;
use serde::{Deserialize, Serialize};

use archive::Writer;
use manifest::{FORMAT, MANIFEST, MEDIA_PREFIX, Manifest, TableEntry, table_path};

/// Every row of the stores, as of one instant.
pub trait Snapshot {
    /// The names of the tables: letters, digits, `-` and `_`.
    fn tables(&self) -> Vec<String>;

    /// Hands over the rows of a table in the order of their keys.
    fn rows(
        &self,
        table: &str,
        each: &mut dyn FnMut(&[u8], &[u8]) -> io::Result<()>,
    ) -> io::Result<()>;
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub to: PathBuf,
    pub rows: u64,
    pub media_files: u64,
    pub bytes: u64,
    /// Whether a running server wrote it.
    pub while_serving: bool,
}

/// Writes a backup. `progress` is told how many rows and files are done, and may end it with an
/// error; then nothing is left of it.
pub fn write(
    snapshot: &dyn Snapshot,
    media: &Path,
    to: &Path,
    progress: &mut dyn FnMut(u64) -> io::Result<()>,
) -> io::Result<Summary> {
    if to.exists() {
        let what = format!("{} is there already; choose another name", to.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    }
    let mut writer = Writer::create(to)?;
    let mut done = 0;
    let mut tables = Vec::new();
    for name in snapshot.tables() {
        let before = done;
        writer.file(&table_path(&name), |mut out| {
            snapshot.rows(&name, &mut |key, value| {
                done += 1;
                progress(done)?;
                rows::write_row(&mut out, key, value)
            })
        })?;
        tables.push(TableEntry { name, rows: done - before });
    }
    // The rows go first: what they name lay in the media folder at their instant.
    let rows = done;
    for key in media_keys(media)? {
        done += 1;
        progress(done)?;
        writer.file(&format!("{MEDIA_PREFIX}{key}"), |out| {
            io::copy(&mut std::fs::File::open(media.join(&key))?, out).map(|_| ())
        })?;
    }
    let manifest = Manifest {
        format: FORMAT,
        barrow: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        tables,
        files: writer.files().to_vec(),
    };
    let text = serde_json::to_vec_pretty(&manifest).expect("a manifest is plain data");
    writer.file(MANIFEST, |out| out.write_all(&text))?;
    writer.finish()?;
    Ok(Summary {
        to: to.to_owned(),
        rows,
        media_files: done - rows,
        bytes: manifest.bytes(),
        while_serving: false,
    })
}

/// The keys of all media files, sorted. What is not named like one is a file being written.
fn media_keys(media: &Path) -> io::Result<Vec<String>> {
    let mut keys = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(media.join(&folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let key = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            match entry.file_type()? {
                kind if !is_media_key(&key) || kind.is_symlink() => {}
                kind if kind.is_dir() => folders.push(key),
                _ => keys.push(key),
            }
        }
    }
    keys.sort();
    Ok(keys)
}

#[cfg(test)]
mod tests;
