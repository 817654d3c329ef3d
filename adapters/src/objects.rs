//! What media stores on `object_store` have in common, be it a folder or a bucket.

use std::ops::Range;

use barrow_engine::ports::{MediaError, MediaInfo, is_media_key};
use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, Result};

/// Where a key lies below `prefix`; an empty one is the root.
pub fn object_path(prefix: &str, key: &str) -> std::result::Result<Path, MediaError> {
    let invalid = || MediaError::InvalidKey(key.to_owned());
    if !is_media_key(key) {
        return Err(invalid());
    }
    let path = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}/{key}") };
    Path::parse(path).map_err(|_| invalid())
}

/// A file that is not there is an answer, not an error.
pub fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

pub async fn info(store: &impl ObjectStore, path: &Path) -> Result<Option<MediaInfo>> {
    let meta = found(store.head(path).await)?;
    Ok(meta.map(|meta| MediaInfo {
        bytes: meta.size,
        etag: meta.e_tag.unwrap_or_default().trim_matches('"').to_owned(),
    }))
}

/// The whole file, or the bytes of `range`, as far as the file has them.
pub async fn read(
    store: &impl ObjectStore,
    path: &Path,
    range: Option<Range<u64>>,
) -> Result<Option<Bytes>> {
    if range.as_ref().is_some_and(Range::is_empty) {
        return Ok(info(store, path).await?.map(|_| Bytes::new()));
    }
    let bounded = range.clone().map(GetRange::Bounded);
    let options = GetOptions { range: bounded, ..GetOptions::default() };
    let file = match store.get_opts(path, options).await {
        Err(error) if !matches!(error, Error::NotFound { .. }) => {
            return behind_the_end(store, path, range, error).await;
        }
        result => found(result)?,
    };
    match file {
        Some(file) => file.bytes().await.map(Some),
        None => Ok(None),
    }
}

/// A range that begins behind the end is an error to object stores, each in its own words, and
/// rare enough to be looked up: nothing is asked beforehand for those that are fine.
async fn behind_the_end(
    store: &impl ObjectStore,
    path: &Path,
    range: Option<Range<u64>>,
    error: Error,
) -> Result<Option<Bytes>> {
    let Some(range) = range else { return Err(error) };
    match info(store, path).await {
        Ok(Some(info)) if range.start >= info.bytes => Ok(Some(Bytes::new())),
        Ok(None) => Ok(None),
        _ => Err(error),
    }
}

pub async fn remove(store: &impl ObjectStore, path: &Path) -> Result<()> {
    found(store.delete(path).await).map(|_| ())
}
