//! Pictures, manuals and videos as objects of a bucket. What is signed is made to S3 itself: it
//! checks size, type and content of an upload, and none of it passes through the shop.

use std::error::Error as _;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barrow_engine::ports::{
    Clock, MediaError, MediaInfo, MediaStore, SignedRequest, UPLOAD_BYTES_MAX, Upload, media_type,
};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use object_store::aws::{AmazonS3, AwsCredential};
use object_store::path::Path;
use object_store::{Attribute, Attributes, Error, ObjectStore, PutOptions};

use super::bucket::{self, BucketState, reason};
use super::presign::Signer;
use super::settings::S3Settings;
use crate::objects::{self, object_path};

/// Files of a bucket, by key.
pub struct S3MediaStore {
    pub(super) settings: S3Settings,
    pub(super) bucket_url: String,
    pub(super) http: reqwest::Client,
    objects: AmazonS3,
    clock: Arc<dyn Clock>,
    upload_bytes_max: u64,
}

impl S3MediaStore {
    /// Asks nobody yet: [`S3MediaStore::check`] does. The clock is the one by which requests are
    /// signed; S3 refuses them where it is wrong by more than a quarter of an hour.
    pub fn new(settings: S3Settings, clock: Arc<dyn Clock>) -> Result<S3MediaStore, MediaError> {
        let http = bucket::client().map_err(|error| MediaError::Unavailable(error.to_string()))?;
        let objects = settings.builder().build();
        let objects = objects.map_err(|error| MediaError::Unavailable(error.to_string()))?;
        let bucket_url = settings.bucket_url();
        let upload_bytes_max = UPLOAD_BYTES_MAX;
        Ok(S3MediaStore { settings, bucket_url, http, objects, clock, upload_bytes_max })
    }

    /// The largest file that is signed for.
    pub fn with_upload_bytes_max(self, upload_bytes_max: u64) -> S3MediaStore {
        S3MediaStore { upload_bytes_max, ..self }
    }

    /// Whether the bucket is there and may be used: what a start has to know.
    pub async fn check(&self) -> Result<(), MediaError> {
        match self.state().await? {
            BucketState::Ours => Ok(()),
            BucketState::Missing => Err(self.missing()),
        }
    }

    pub(super) fn missing(&self) -> MediaError {
        MediaError::Unavailable(format!("the bucket '{}' does not exist", self.settings.bucket))
    }

    pub(super) fn unavailable(&self, what: &str) -> MediaError {
        MediaError::Unavailable(format!("the bucket '{}': {what}", self.settings.bucket))
    }

    pub(super) async fn credential(&self) -> Result<Arc<AwsCredential>, MediaError> {
        let found = self.objects.credentials().get_credential().await;
        found.map_err(|error| self.explain(&error))
    }

    pub(super) fn signer<'a>(&'a self, credential: &'a AwsCredential, ttl: Duration) -> Signer<'a> {
        Signer { credential, region: &self.settings.region, now: self.clock.now(), ttl }
    }

    fn path(&self, key: &str) -> Result<Path, MediaError> {
        object_path(&self.settings.prefix, key)
    }

    /// In our words, as the library's repeat whole replies, which repeat what was signed.
    fn explain(&self, error: &Error) -> MediaError {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            text = inner.to_string();
            cause = inner.source();
        }
        self.unavailable(&reason(&text))
    }

    /// A file that is not there: an answer, unless it is the bucket that is not there.
    async fn absent<T>(&self) -> Result<Option<T>, MediaError> {
        self.check().await.map(|()| None)
    }
}

#[async_trait]
impl MediaStore for S3MediaStore {
    async fn put(&self, key: &str, content: Bytes) -> Result<(), MediaError> {
        let path = self.path(key)?;
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::ContentType, media_type(key).into());
        let options = PutOptions { attributes, ..PutOptions::default() };
        match self.objects.put_opts(&path, content.into(), options).await {
            Ok(_) => Ok(()),
            Err(Error::NotFound { .. }) => Err(self.missing()),
            Err(error) => Err(self.explain(&error)),
        }
    }

    async fn info(&self, key: &str) -> Result<Option<MediaInfo>, MediaError> {
        match objects::info(&self.objects, &self.path(key)?).await {
            Ok(None) => self.absent().await,
            found => found.map_err(|error| self.explain(&error)),
        }
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>, MediaError> {
        match objects::read(&self.objects, &self.path(key)?, range).await {
            Ok(None) => self.absent().await,
            found => found.map_err(|error| self.explain(&error)),
        }
    }

    async fn remove(&self, key: &str) -> Result<(), MediaError> {
        let removed = objects::remove(&self.objects, &self.path(key)?).await;
        removed.map_err(|error| self.explain(&error))
    }

    async fn sign_upload(
        &self,
        upload: &Upload,
        ttl: Duration,
    ) -> Result<SignedRequest, MediaError> {
        upload.check(self.upload_bytes_max)?;
        let url = format!("{}/{}", self.bucket_url, self.path(&upload.key)?);
        let credential = self.credential().await?;
        let signer = self.signer(&credential, ttl);
        let digest = BASE64_STANDARD.encode(upload.sha256);
        let headers = [
            ("content-length", upload.bytes.to_string()),
            ("content-type", upload.content_type.clone()),
            ("x-amz-checksum-sha256", digest),
        ];
        let url = signer.sign("PUT", &url, &headers);
        let to_send = headers.into_iter().skip(1);
        Ok(SignedRequest {
            method: "PUT",
            url,
            headers: to_send.map(|(name, value)| (name.to_owned(), value)).collect(),
            expires_at: signer.expires_at(),
        })
    }

    async fn sign_download(&self, key: &str, ttl: Duration) -> Result<String, MediaError> {
        let url = format!("{}/{}", self.bucket_url, self.path(key)?);
        let credential = self.credential().await?;
        Ok(self.signer(&credential, ttl).sign("GET", &url, &[]))
    }
}
