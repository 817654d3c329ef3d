//! Media in S3.
