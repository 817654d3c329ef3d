//! Pictures, manuals and videos as files of one folder. A file is written beside its place and
//! moved there when it is on the disk, so that nobody ever reads half of one.

use std::fmt::Display;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use barrow_engine::ports::{
    GateError, Incoming, MediaError, MediaGate, MediaInfo, MediaStore, Seal, SignedRequest,
    UPLOAD_BYTES_MAX, Upload,
};
use bytes::{Bytes, BytesMut};
use object_store::local::LocalFileSystem;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutMultipartOptions};
use sha2::{Digest, Sha256};

use super::media_leftovers;
use super::media_signing::MediaSigning;
use crate::objects::{self, object_path};

/// Files of a folder, by key. It only ever touches files below the folder. What it signs are
/// addresses of the shop itself, at whose door it stands as [`MediaGate`].
pub struct EmbeddedMediaStore {
    files: LocalFileSystem,
    signing: MediaSigning,
    upload_bytes_max: u64,
}

impl EmbeddedMediaStore {
    /// Uses the folder, making it if there is none. What a crash left of uploads is removed
    /// meanwhile, on a thread of its own: a folder may hold a great many files.
    pub fn open(folder: &Path, signing: MediaSigning) -> Result<EmbeddedMediaStore, MediaError> {
        std::fs::create_dir_all(folder).map_err(unavailable)?;
        media_leftovers::sweep_soon(folder).map_err(unavailable)?;
        let files = LocalFileSystem::new_with_prefix(folder).map_err(unavailable)?;
        let files = files.with_fsync(true);
        Ok(EmbeddedMediaStore { files, signing, upload_bytes_max: UPLOAD_BYTES_MAX })
    }

    /// The largest file that is signed for.
    pub fn with_upload_bytes_max(self, upload_bytes_max: u64) -> EmbeddedMediaStore {
        EmbeddedMediaStore { upload_bytes_max, ..self }
    }
}

#[async_trait]
impl MediaStore for EmbeddedMediaStore {
    async fn put(&self, key: &str, content: Bytes) -> Result<(), MediaError> {
        let path = object_path("", key)?;
        self.files.put(&path, content.into()).await.map(|_| ()).map_err(unavailable)
    }

    async fn info(&self, key: &str) -> Result<Option<MediaInfo>, MediaError> {
        objects::info(&self.files, &object_path("", key)?).await.map_err(unavailable)
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>, MediaError> {
        objects::read(&self.files, &object_path("", key)?, range).await.map_err(unavailable)
    }

    async fn remove(&self, key: &str) -> Result<(), MediaError> {
        objects::remove(&self.files, &object_path("", key)?).await.map_err(unavailable)
    }

    async fn sign_upload(
        &self,
        upload: &Upload,
        ttl: Duration,
    ) -> Result<SignedRequest, MediaError> {
        upload.check(self.upload_bytes_max)?;
        Ok(self.signing.upload(upload, ttl))
    }

    async fn sign_download(&self, key: &str, ttl: Duration) -> Result<String, MediaError> {
        object_path("", key)?;
        Ok(self.signing.download(key, ttl))
    }
}

#[async_trait]
impl MediaGate for EmbeddedMediaStore {
    fn admit_download(&self, key: &str, seal: &Seal) -> Result<(), GateError> {
        self.signing.check_download(key, seal)
    }

    async fn admit_upload(
        &self,
        upload: &Upload,
        seal: &Seal,
    ) -> Result<Box<dyn Incoming>, GateError> {
        self.signing.check_upload(upload, seal)?;
        let path = object_path("", &upload.key)?;
        let options = PutMultipartOptions::default();
        let file = self.files.put_multipart_opts(&path, options).await.map_err(unavailable)?;
        let (left, sha256) = (upload.bytes, upload.sha256);
        let (digest, unwritten) = (Sha256::new(), BytesMut::new());
        Ok(Box::new(IncomingFile { file, unwritten, digest, left, sha256 }))
    }
}

/// Clients send in parts of any size; so much of them becomes one write.
const WRITE_BYTES: usize = 64 << 10;

/// A file on its way in, under a name that is no key. Dropped, it is removed.
struct IncomingFile {
    file: Box<dyn MultipartUpload>,
    unwritten: BytesMut,
    digest: Sha256,
    left: u64,
    sha256: [u8; 32],
}

#[async_trait]
impl Incoming for IncomingFile {
    async fn write(&mut self, part: Bytes) -> Result<(), GateError> {
        let left = self.left.checked_sub(part.len() as u64);
        self.left = left.ok_or_else(|| mismatch("more bytes came than were announced"))?;
        self.digest.update(&part);
        self.unwritten.extend_from_slice(&part);
        if self.unwritten.len() >= WRITE_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), GateError> {
        if self.left > 0 {
            return Err(mismatch("fewer bytes came than were announced"));
        }
        let digest: [u8; 32] = std::mem::take(&mut self.digest).finalize().into();
        if digest != self.sha256 {
            return Err(mismatch("the content has another SHA-256 than was announced"));
        }
        self.flush().await?;
        self.file.complete().await.map_err(unavailable)?;
        Ok(())
    }
}

impl IncomingFile {
    async fn flush(&mut self) -> Result<(), MediaError> {
        let part = self.unwritten.split().freeze();
        self.file.put_part(part.into()).await.map_err(unavailable)
    }
}

fn mismatch(what: &str) -> GateError {
    GateError::Mismatch(what.to_owned())
}

fn unavailable(error: impl Display) -> MediaError {
    MediaError::Unavailable(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::host::SystemClock;

    fn store(folder: &Path) -> EmbeddedMediaStore {
        let signing = MediaSigning::new([7; 32], Arc::new(SystemClock));
        EmbeddedMediaStore::open(folder, signing).expect("the folder is there")
    }

    fn files(folder: &Path) -> usize {
        std::fs::read_dir(folder).expect("the folder is there").count()
    }

    /// Sends the parts through the gate, as the route does.
    async fn send(store: &EmbeddedMediaStore, parts: &[&[u8]]) -> Result<(), GateError> {
        let upload = Upload {
            key: "film.mp4".to_owned(),
            content_type: "video/mp4".to_owned(),
            bytes: 6,
            sha256: Sha256::digest(b"abcdef").into(),
        };
        let ttl = Duration::from_secs(60);
        let seal = store.signing.seal_of_upload(&upload, ttl);
        let mut incoming = store.admit_upload(&upload, &seal).await?;
        for part in parts {
            incoming.write(Bytes::copy_from_slice(part)).await?;
        }
        incoming.finish().await
    }

    #[tokio::test]
    async fn a_file_appears_when_all_of_it_came_and_else_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(folder.path());
        let cases: [&[&[u8]]; 4] = [&[b"abc"], &[b"abc", b"defg"], &[b"abcdeg"], &[]];
        for parts in cases {
            let refused = send(&store, parts).await;
            assert!(matches!(refused, Err(GateError::Mismatch(_))), "{parts:?}: {refused:?}");
            assert_eq!(store.info("film.mp4").await, Ok(None), "{parts:?}");
        }
        assert_eq!(send(&store, &[b"ab", b"", b"cdef"]).await, Ok(()));
        assert_eq!(store.get("film.mp4", None).await, Ok(Some(Bytes::from_static(b"abcdef"))));
        // What was refused is removed on another thread, as files are.
        while files(folder.path()) > 1 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_is_too_large_is_not_signed() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(folder.path()).with_upload_bytes_max(5);
        let upload = Upload {
            key: "a.png".to_owned(),
            content_type: "image/png".to_owned(),
            bytes: 6,
            sha256: [0; 32],
        };
        let refused = store.sign_upload(&upload, Duration::from_secs(1)).await;
        assert_eq!(refused, Err(MediaError::TooLarge { bytes: 6, max: 5 }));
    }
}
