//! Putting a backup back. Every checksum is verified before anything is written.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use barrow_engine::ports::is_media_key;
use serde::Serialize;

use super::archive::Reader;
use super::manifest::{FileEntry, MANIFEST, Manifest};

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    pub rows: u64,
    pub media_files: u64,
    pub bytes: u64,
    /// When the backup was made, RFC 3339.
    pub made_at: String,
}

/// What fills empty stores from files of a backup.
pub trait Target {
    /// The rows; how many the stores hold then. `progress` is told how many are done.
    fn rows(&mut self, from: &Path, progress: &mut dyn FnMut(u64)) -> Result<u64, String>;

    /// Stock and orders.
    fn commerce(&mut self, from: &Path) -> Result<(), String>;
}

/// Restores a backup into a media folder that is empty, and stores that are. `scratch` is a file
/// that may be made meanwhile. `progress` is told how many rows and files are done, and of how
/// many.
pub fn restore(
    from: &Path,
    media: &Path,
    scratch: &Path,
    target: &mut dyn Target,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Restored, String> {
    let reader = Reader::open(from)
        .map_err(|error| format!("the backup {} cannot be read: {error}", from.display()))?;
    let manifest = read_manifest(&reader, from)?;
    for file in &manifest.files {
        reader.verify(file)?;
    }
    let store = manifest.store().ok_or(format!("{MANIFEST} is damaged: it names no stores"))?;
    let media_files = manifest.media().count() as u64;
    let total = manifest.rows.saturating_add(media_files);
    let rows = with_file(&reader, store, scratch, |file| {
        target.rows(file, &mut |rows| progress(rows, total))
    })?;
    if rows != manifest.rows {
        return Err(format!("{rows} rows were restored, but {} were saved", manifest.rows));
    }
    if let Some(commerce) = manifest.commerce() {
        with_file(&reader, commerce, scratch, |file| target.commerce(file))?;
    }
    for (index, (key, file)) in manifest.media().enumerate() {
        put_media(&reader, file, key, media)?;
        progress(rows + index as u64 + 1, total);
    }
    Ok(Restored { rows, media_files, bytes: manifest.bytes(), made_at: manifest.made_at })
}

fn read_manifest(reader: &Reader, from: &Path) -> Result<Manifest, String> {
    let mut text = Vec::new();
    reader
        .file(MANIFEST)
        .and_then(|mut file| io::copy(&mut file, &mut text))
        .map_err(|error| format!("{} is not a backup: {MANIFEST}: {error}", from.display()))?;
    Manifest::read(&text)
}

/// Hands over a file of the backup as a file of its own: what lies in a tar file is unpacked.
fn with_file<T>(
    reader: &Reader,
    file: &FileEntry,
    scratch: &Path,
    act: impl FnOnce(&Path) -> Result<T, String>,
) -> Result<T, String> {
    if let Some(place) = reader.place(&file.path) {
        return act(&place);
    }
    let wrong = |error: io::Error| format!("{}: {error}", scratch.display());
    let unpacked = File::create_new(scratch).map_err(wrong);
    let result = unpacked
        .and_then(|mut unpacked| reader.copy(file, &mut unpacked))
        .and_then(|()| act(scratch));
    fs::remove_file(scratch).map_err(wrong)?;
    result
}

fn put_media(reader: &Reader, file: &FileEntry, key: &str, media: &Path) -> Result<(), String> {
    let wrong = |error: io::Error| format!("{}: {error}", file.path);
    if !is_media_key(key) {
        return Err(format!("{}: it is not named like a media file", file.path));
    }
    let place = media.join(key);
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder).map_err(wrong)?;
    }
    let mut out = File::create_new(&place).map_err(wrong)?;
    reader.copy(file, &mut out)?;
    out.sync_all().map_err(wrong)
}
