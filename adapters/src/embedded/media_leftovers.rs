//! What a crash leaves of uploads that were on their way: files that nobody will ever finish.
//!
//! An upload is written beside its place, under the name with `#` and a number behind it
//! (`object_store` names them so), and renamed when all of it is there. No key has a `#`, so no
//! finished file has such a name.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A file that was not written to for so long belongs to no upload: one that is alive is written
/// to all the time. Another process, an import for one, may be uploading at this moment.
const STALE: Duration = Duration::from_secs(3_600);

/// Sweeps the folder on a thread of its own.
pub(super) fn sweep_soon(folder: &Path) -> io::Result<()> {
    let folder = folder.to_owned();
    let sweeper = std::thread::Builder::new().name("media-leftovers".to_owned());
    sweeper.spawn(move || match sweep(&folder, SystemTime::now()) {
        Ok(0) => {}
        Ok(removed) => tracing::info!(removed, "uploads that a crash left were removed"),
        Err(error) => tracing::warn!(%error, "what a crash left of uploads was not removed"),
    })?;
    Ok(())
}

/// Removes what is stale in the folder and all below it; how many files that were.
fn sweep(folder: &Path, now: SystemTime) -> io::Result<u64> {
    let mut removed = 0;
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            // Not that of what a link leads to: that may be outside of the folder.
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file()
                && entry.file_name().to_str().is_some_and(is_unfinished)
                && is_stale(&entry, now)
            {
                std::fs::remove_file(entry.path())?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

/// Whether that is the name of an upload on its way.
fn is_unfinished(name: &str) -> bool {
    let number = name.rsplit_once('#').map_or("", |(_, number)| number);
    !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
}

/// One that is just being finished is gone when we look, and no leftover.
fn is_stale(entry: &std::fs::DirEntry, now: SystemTime) -> bool {
    let written = entry.metadata().and_then(|metadata| metadata.modified());
    written.is_ok_and(|written| now.duration_since(written).is_ok_and(|age| age > STALE))
}

#[cfg(test)]
mod tests {
    use object_store::local::LocalFileSystem;
    use object_store::{ObjectStore, ObjectStoreExt, PutMultipartOptions};

    use super::*;
    use crate::objects::object_path;

    #[tokio::test]
    async fn what_a_crash_left_of_an_upload_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = LocalFileSystem::new_with_prefix(folder.path()).expect("it is there");
        let key = |key: &str| object_path("", key).expect("a key");
        for name in ["a.png", "deep/down/b.png"] {
            files.put(&key(name), "whole".into()).await.expect("it is written");
        }
        let options = PutMultipartOptions::default;
        for name in ["a.png", "deep/film.mp4"] {
            let upload = files.put_multipart_opts(&key(name), options()).await;
            let mut upload = upload.expect("it begins");
            upload.put_part("half".into()).await.expect("it is written");
            // A process that crashes does not clean up.
            std::mem::forget(upload);
        }
        let left = folder.path().join("deep/film.mp4#1");
        assert!(left.exists() && folder.path().join("a.png#1").exists(), "it is named otherwise");

        let soon = SystemTime::now() + STALE / 2;
        assert_eq!(sweep(folder.path(), soon).expect("it is swept"), 0, "it may be under way");
        assert!(left.exists());
        let later = SystemTime::now() + 2 * STALE;
        assert_eq!(sweep(folder.path(), later).expect("it is swept"), 2);
        assert!(!left.exists());
        for name in ["a.png", "deep/down/b.png"] {
            let whole = files.get(&key(name)).await.expect("it is there").bytes().await;
            assert_eq!(whole.expect("it is read"), "whole");
        }
        assert_eq!(sweep(folder.path(), later).expect("it is swept"), 0);
    }

    #[test]
    fn no_key_has_the_name_of_an_upload_on_its_way() {
        assert!(is_unfinished("a.png#1") && is_unfinished("#27"));
        for name in ["a.png", "a#", "a#b", "a#1b", "1"] {
            assert!(!is_unfinished(name), "{name}");
        }
        let key = object_path("", "a#1");
        assert!(key.is_err() || !is_unfinished(key.expect("a key").as_ref()));
    }
}
