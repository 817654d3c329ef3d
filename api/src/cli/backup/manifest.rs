//! What a backup says of itself: every file with its size and checksum. It is written last; a
//! directory without it is no backup.

use serde::{Deserialize, Serialize};

/// Where it stands in the backup.
pub const MANIFEST: &str = "manifest.json";

/// The file that holds the rows of the stores.
pub const STORE: &str = "store.backup";

/// The file that holds stock and orders, where they lie in one.
pub const COMMERCE: &str = "commerce.sqlite";

/// What the paths of media files begin with; the key follows.
pub const MEDIA_PREFIX: &str = "media/";

/// The form of backups that this build writes, and the newest that it reads.
pub const FORMAT: u32 = 2;

/// The whole of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// The version of Barrow that wrote it.
    pub barrow: String,
    /// RFC 3339.
    pub made_at: String,
    /// How many rows the stores held.
    pub rows: u64,
    pub files: Vec<FileEntry>,
}

/// A file of the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// From the backup's top: [`STORE`], [`COMMERCE`], `media/KEY`.
    pub path: String,
    pub bytes: u64,
    /// Lower-case hexadecimal, as `sha256sum` prints it.
    pub sha256: String,
}

impl Manifest {
    /// Reads a manifest, or says why it is not one that this build can restore.
    pub fn read(text: &[u8]) -> Result<Manifest, String> {
        #[derive(Deserialize)]
        struct Versioned {
            format: u32,
        }
        let wrong = |error| format!("{MANIFEST} is damaged: {error}");
        let Versioned { format } = serde_json::from_slice(text).map_err(wrong)?;
        if format > FORMAT {
            return Err(format!(
                "the backup has format {format}, this build reads up to {FORMAT}; use a newer one"
            ));
        }
        serde_json::from_slice(text).map_err(wrong)
    }

    /// The file with the rows of the stores.
    pub fn store(&self) -> Option<&FileEntry> {
        self.files.iter().find(|file| file.path == STORE)
    }

    /// The file with stock and orders.
    pub fn commerce(&self) -> Option<&FileEntry> {
        self.files.iter().find(|file| file.path == COMMERCE)
    }

    /// The media files, each with its key.
    pub fn media(&self) -> impl Iterator<Item = (&str, &FileEntry)> {
        self.files.iter().filter_map(|file| Some((file.path.strip_prefix(MEDIA_PREFIX)?, file)))
    }

    /// Of all files. What the manifest says of them may be anything before they are verified.
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }
}
