//! Media in a bucket of S3, or of anything that speaks its language.
//!
//! Credentials come from where the SDK of AWS looks for them, in this order: a key in the
//! environment, a web identity, the task's or pod's own, the instance's. Profiles in files are
//! not read. A role needs `s3:GetObject`, `s3:PutObject`, `s3:DeleteObject` on the objects and
//! `s3:ListBucket` on the bucket: without the latter S3 answers 403 and not 404 for a file that
//! is not there, and every missing picture would look like a store that is not available.

mod bucket;
mod media_store;
mod presign;
mod settings;

pub use bucket::{BucketPlan, BucketState, install_cryptography};
pub use media_store::S3MediaStore;
pub use settings::{S3ConfigError, S3Settings};
