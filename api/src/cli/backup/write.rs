//! Writing a backup: the rows of the stores as of one instant, then the media files, then the
//! manifest.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use barrow_engine::ports::is_media_key;
use serde::{Deserialize, Serialize};

use super::archive::Writer;
use super::manifest::{COMMERCE, FORMAT, MANIFEST, MEDIA_PREFIX, Manifest, STORE};

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    pub to: PathBuf,
    pub rows: u64,
    pub media_files: u64,
    pub bytes: u64,
}

/// What the stores write to new files of a backup.
pub trait Source {
    /// The rows; how many they are. `progress` is told how many are done.
    fn rows(&self, to: &Path, progress: &mut dyn FnMut(u64)) -> Result<u64, String>;

    /// Stock and orders; false where they lie in no file.
    fn commerce(&self, to: &Path) -> Result<bool, String>;
}

/// Writes a backup to a name that is not taken. `progress` is told how many rows and files are
/// done.
pub fn write(
    source: &dyn Source,
    media: &Path,
    to: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Written, String> {
    let wrong = |error: io::Error| format!("the backup {}: {error}", to.display());
    if to.exists() {
        return Err(format!("{} is there already; choose another name", to.display()));
    }
    let mut writer = Writer::create(to).map_err(wrong)?;
    let mut rows = 0;
    writer
        .file(STORE, |place| {
            rows = source.rows(place, progress).map_err(io::Error::other)?;
            Ok(())
        })
        .map_err(wrong)?;
    // The carts went first: one that was bought since has its order, which it will hear of. The
    // other way round a cart would name an order that is not there.
    writer
        .optional_file(COMMERCE, |place| source.commerce(place).map_err(io::Error::other))
        .map_err(wrong)?;
    // The rows went first: whatever they name lay in the media folder at their instant.
    let mut media_files = 0;
    for key in media_keys(media).map_err(wrong)? {
        writer
            .file(&format!("{MEDIA_PREFIX}{key}"), |place| {
                fs::copy(media.join(&key), place).map(|_| ())
            })
            .map_err(wrong)?;
        media_files += 1;
        progress(rows + media_files);
    }
    let manifest = Manifest {
        format: FORMAT,
        barrow: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        rows,
        files: writer.files().to_vec(),
    };
    let text = serde_json::to_vec_pretty(&manifest).expect("a manifest is plain data");
    writer.file(MANIFEST, |place| fs::write(place, text)).map_err(wrong)?;
    writer.finish().map_err(wrong)?;
    Ok(Written { to: to.to_owned(), rows, media_files, bytes: manifest.bytes() })
}

/// The keys of all media files, sorted. What is not named like one is a file being written.
pub fn media_keys(media: &Path) -> io::Result<Vec<String>> {
    let mut keys = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(media.join(&folder)) {
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
