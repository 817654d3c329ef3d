//! Pictures, manuals and videos as files of one folder. A file is written beside its place and
//! moved there when it is on the disk, so that nobody ever reads half of one.

use std::ops::Range;
use std::path::Path;

use async_trait::async_trait;
use barrow_engine::ports::{MediaError, MediaInfo, MediaStore, is_media_key};
use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};

/// Files of a folder, by key. It only ever touches files below the folder.
pub struct EmbeddedMediaStore {
    files: LocalFileSystem,
}

impl EmbeddedMediaStore {
    /// Uses the folder, making it if there is none.
    pub fn open(folder: &Path) -> Result<EmbeddedMediaStore, MediaError> {
        let unavailable =
            |error: &dyn std::fmt::Display| MediaError::Unavailable(error.to_string());
        std::fs::create_dir_all(folder).map_err(|error| unavailable(&error))?;
        let files =
            LocalFileSystem::new_with_prefix(folder).map_err(|error| unavailable(&error))?;
        Ok(EmbeddedMediaStore { files: files.with_fsync(true) })
    }
}

#[async_trait]
impl MediaStore for EmbeddedMediaStore {
    async fn put(&self, key: &str, content: Bytes) -> Result<(), MediaError> {
        let path = object_path(key)?;
        self.files.put(&path, content.into()).await.map(|_| ()).map_err(|e| unavailable(&e))
    }

    async fn info(&self, key: &str) -> Result<Option<MediaInfo>, MediaError> {
        let path = object_path(key)?;
        let meta = found(self.files.head(&path).await)?;
        Ok(meta.map(|meta| MediaInfo {
            bytes: meta.size,
            etag: meta.e_tag.unwrap_or_default().trim_matches('"').to_owned(),
        }))
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>, MediaError> {
        let path = object_path(key)?;
        let range = match range {
            None => None,
            Some(range) => {
                let Some(meta) = found(self.files.head(&path).await)? else { return Ok(None) };
                let end = range.end.min(meta.size);
                if range.start >= end {
                    return Ok(Some(Bytes::new()));
                }
                Some(GetRange::Bounded(range.start..end))
            }
        };
        let options = GetOptions { range, ..GetOptions::default() };
        let Some(file) = found(self.files.get_opts(&path, options).await)? else {
            return Ok(None);
        };
        file.bytes().await.map(Some).map_err(|error| unavailable(&error))
    }

    async fn remove(&self, key: &str) -> Result<(), MediaError> {
        let path = object_path(key)?;
        found(self.files.delete(&path).await).map(|_| ())
    }
}

fn object_path(key: &str) -> Result<ObjectPath, MediaError> {
    let invalid = || MediaError::InvalidKey(key.to_owned());
    if !is_media_key(key) {
        return Err(invalid());
    }
    ObjectPath::parse(key).map_err(|_| invalid())
}

/// A file that is not there is an answer, not an error.
fn found<T>(result: object_store::Result<T>) -> Result<Option<T>, MediaError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(unavailable(&error)),
    }
}

fn unavailable(error: &object_store::Error) -> MediaError {
    MediaError::Unavailable(error.to_string())
}
