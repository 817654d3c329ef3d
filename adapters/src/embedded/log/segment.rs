//! A file of the log. It is made at its full size, filled with zeros, and used again and again:
//! writing to it changes nothing but its content, so a sync need not wait for the file system's
//! own journal.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::super::directory::sync_directory;
use super::frame::BLOCK;
use super::{LogError, damaged};

const MAGIC: &[u8; 8] = b"BARROWLG";
const FORMAT: u64 = 1;

/// Magic text, format, bytes of the whole file, salt, checksum; the rest of the block is zeros.
const HEADER: usize = 40;

pub(super) struct Segment {
    path: PathBuf,
    file: File,
    /// Makes the checksums of this file its own.
    pub salt: u64,
    bytes: usize,
    /// Where the next frame goes.
    end: usize,
}

impl Segment {
    /// Makes the file, durably, whole or not at all.
    pub fn create(path: &Path, bytes: usize) -> io::Result<()> {
        let partial = path.with_extension("partial");
        let mut file = File::create(&partial)?;
        let mut content = vec![0; bytes];
        content[..8].copy_from_slice(MAGIC);
        content[8..16].copy_from_slice(&FORMAT.to_le_bytes());
        content[16..24].copy_from_slice(&(bytes as u64).to_le_bytes());
        getrandom::fill(&mut content[24..32]).map_err(io::Error::other)?;
        let checksum = xxh3_64(&content[..32]);
        content[32..HEADER].copy_from_slice(&checksum.to_le_bytes());
        file.write_all(&content)?;
        file.sync_all()?;
        fs::rename(&partial, path)?;
        sync_directory(path.parent().unwrap_or(Path::new(".")))
    }

    /// Opens the file, with all that is in it. A file that was cut off gets its size back.
    pub fn open(path: &Path) -> Result<(Segment, Vec<u8>), LogError> {
        let io = |source| LogError::Io { path: path.to_owned(), source };
        let mut file = File::options().read(true).write(true).open(path).map_err(io)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(io)?;
        let (bytes, salt) = read_header(&content)
            .ok_or_else(|| damaged(format!("the head of {} is unreadable", path.display())))?;
        if content.len() < bytes {
            tracing::warn!(file = %path.display(), "the log was cut off; what is missing is empty");
            file.set_len(bytes as u64).map_err(io)?;
            content.resize(bytes, 0);
        }
        let segment = Segment { path: path.to_owned(), file, salt, bytes, end: BLOCK };
        Ok((segment, content))
    }

    /// How many frames there can be.
    pub fn blocks(&self) -> usize {
        self.bytes / BLOCK
    }

    pub fn has_room_for(&self, bytes: usize) -> bool {
        self.end + bytes <= self.bytes
    }

    /// What was in it is no longer needed.
    pub fn clear(&mut self) {
        self.end = BLOCK;
    }

    /// Makes a frame durable.
    pub fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        let told = |error: io::Error| {
            io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))
        };
        self.file.write_all_at(frame, self.end as u64).map_err(told)?;
        self.file.sync_data().map_err(told)?;
        self.end += frame.len();
        Ok(())
    }
}

/// The size that the file was made with, and its salt.
fn read_header(content: &[u8]) -> Option<(usize, u64)> {
    let number = |at: usize| Some(u64::from_le_bytes(content.get(at..at + 8)?.try_into().ok()?));
    let is_whole = content.get(..8)? == MAGIC
        && number(8)? == FORMAT
        && number(32)? == xxh3_64(content.get(..32)?);
    is_whole.then_some((usize::try_from(number(16)?).ok()?, number(24)?))
}
