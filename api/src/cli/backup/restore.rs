//! Putting a backup back. Every checksum is verified before anything is written; afterwards the
//! stores are read again and compared, so that a restore that succeeds is one that was proven.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::Snapshot;
use super::archive::{Hashing, Reader};
use super::manifest::{FileEntry, MANIFEST, MEDIA_PREFIX, Manifest, table_path};
use super::rows::{read_row, write_row};

/// Rows put into the stores at once.
const BATCH_ROWS: usize = 1_000;

/// Bytes put into the stores at once, about.
const BATCH_BYTES: usize = 4 << 20;

/// Stores that are empty and take rows as they were.
pub trait Target {
    /// Puts rows into a table, durable once [`Target::finish`] has returned.
    fn put(&mut self, table: &str, rows: Vec<(Vec<u8>, Vec<u8>)>) -> io::Result<()>;

    /// Makes everything durable, and shows what is there now.
    fn finish(&mut self) -> io::Result<Box<dyn Snapshot + '_>>;
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    pub rows: u64,
    pub media_files: u64,
    pub bytes: u64,
    /// When the backup was made, RFC 3339.
    pub made_at: String,
}

/// Restores a backup into empty stores and an empty media folder.
///
/// # Errors
/// Says what is wrong with the backup, or what could not be written.
pub fn restore(
    from: &Path,
    media: &Path,
    open_target: impl FnOnce() -> io::Result<Box<dyn Target>>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Restored, String> {
    let reader = Reader::open(from)
        .map_err(|error| format!("the backup {} cannot be read: {error}", from.display()))?;
    let manifest = read_manifest(&reader, from)?;
    for file in &manifest.files {
        reader.verify(file)?;
    }
    let mut target = open_target().map_err(|error| error.to_string())?;
    let media_files = manifest.files.iter().filter(|file| is_media(file)).count() as u64;
    let rows = manifest.tables.iter().map(|table| table.rows).sum::<u64>();
    let mut done = 0;
    for table in &manifest.tables {
        put_table(&reader, &table.name, target.as_mut(), &mut |rows| {
            done += rows;
            progress(done, rows + media_files);
        })
        .map_err(|error| format!("the table {}: {error}", table.name))?;
    }
    for file in manifest.files.iter().filter(|file| is_media(file)) {
        put_media(&reader, file, media).map_err(|error| format!("{}: {error}", file.path))?;
        done += 1;
        progress(done, rows + media_files);
    }
    let snapshot = target.finish().map_err(|error| error.to_string())?;
    compare(&*snapshot, &manifest)?;
    Ok(Restored { rows, media_files, bytes: manifest.bytes(), made_at: manifest.made_at })
}

fn is_media(file: &FileEntry) -> bool {
    file.path.starts_with(MEDIA_PREFIX)
}

fn read_manifest(reader: &Reader, from: &Path) -> Result<Manifest, String> {
    let mut text = Vec::new();
    reader
        .file(MANIFEST)
        .and_then(|mut file| io::copy(&mut file, &mut text))
        .map_err(|error| format!("{} is not a backup: {MANIFEST}: {error}", from.display()))?;
    let manifest = Manifest::read(&text)?;
    match manifest.tables.iter().find(|table| manifest.file(&table_path(&table.name)).is_none()) {
        Some(table) => Err(format!("{MANIFEST} is damaged: the table {} is missing", table.name)),
        None => Ok(manifest),
    }
}

fn put_table(
    reader: &Reader,
    table: &str,
    target: &mut dyn Target,
    progress: &mut dyn FnMut(u64),
) -> io::Result<()> {
    let mut input = reader.file(&table_path(table))?;
    let mut batch = Vec::new();
    let mut bytes = 0;
    while let Some((key, value)) = read_row(&mut input)? {
        bytes += key.len() + value.len();
        batch.push((key, value));
        if batch.len() == BATCH_ROWS || bytes >= BATCH_BYTES {
            progress(batch.len() as u64);
            target.put(table, std::mem::take(&mut batch))?;
            bytes = 0;
        }
    }
    progress(batch.len() as u64);
    target.put(table, batch)
}

fn put_media(reader: &Reader, file: &FileEntry, media: &Path) -> io::Result<()> {
    let key = file.path.strip_prefix(MEDIA_PREFIX).unwrap_or_default();
    if !barrow_engine::ports::is_media_key(key) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is not named like a media file",
        ));
    }
    let place = media.join(key);
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut out = std::fs::File::options().write(true).create_new(true).open(&place)?;
    io::copy(&mut reader.file(&file.path)?, &mut out)?;
    out.flush()?;
    out.sync_all()
}

/// Whether the stores hold exactly the rows that the manifest promises.
fn compare(snapshot: &dyn Snapshot, manifest: &Manifest) -> Result<(), String> {
    for table in &manifest.tables {
        let mut hashing = Hashing::new(io::sink());
        snapshot
            .rows(&table.name, &mut |key, value| write_row(&mut hashing, key, value))
            .map_err(|error| format!("the restored table {}: {error}", table.name))?;
        let (_, _, sha256) = hashing.finish();
        let promised = manifest.file(&table_path(&table.name)).map(|file| &file.sha256);
        if promised != Some(&sha256) {
            return Err(format!("the restored table {} is not what was saved", table.name));
        }
    }
    Ok(())
}
