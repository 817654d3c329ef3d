//! The bucket itself: whether it is there, and making it for development. Buckets of a real shop
//! come with its infrastructure, which knows more about them than we do.

use std::time::Duration;

use barrow_engine::ports::MediaError;
use reqwest::{Method, Response, StatusCode};

use super::media_store::S3MediaStore;
use super::settings::{CONNECT_TIMEOUT, REQUEST_TIMEOUT};

/// How long our own signed requests hold; they are made at once.
const TTL: Duration = Duration::from_secs(60);

/// What of a reply's text is repeated, in characters.
const REASON_CHARS_MAX: usize = 200;

/// The region whose buckets are made without naming it.
const FIRST_REGION: &str = "us-east-1";

/// What is known of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketState {
    /// There, and we may use it.
    Ours,
    Missing,
}

/// What `create` would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketPlan {
    pub bucket: String,
    pub region: String,
    pub state: BucketState,
}

impl BucketPlan {
    /// What is to be done, or was done; `None` where all is as it should be.
    pub fn step(&self) -> Option<String> {
        let BucketPlan { bucket, region, state } = self;
        (*state == BucketState::Missing).then(|| format!("create the bucket {bucket} in {region}"))
    }
}

impl S3MediaStore {
    /// Looks, and changes nothing.
    pub async fn plan(&self) -> Result<BucketPlan, MediaError> {
        let state = self.state().await?;
        let (bucket, region) = (self.settings.bucket.clone(), self.settings.region.clone());
        Ok(BucketPlan { bucket, region, state })
    }

    /// Makes the bucket if it is missing; answers what there was before.
    pub async fn create(&self) -> Result<BucketPlan, MediaError> {
        let plan = self.plan().await?;
        if plan.state == BucketState::Missing {
            let body =
                if plan.region == FIRST_REGION { String::new() } else { in_region(&plan.region) };
            let reply = self.ask(Method::PUT, body).await?;
            if !reply.status().is_success() {
                return Err(self.refused(reply).await);
            }
        }
        Ok(plan)
    }

    pub(super) async fn state(&self) -> Result<BucketState, MediaError> {
        let reply = self.ask(Method::HEAD, String::new()).await?;
        match reply.status() {
            status if status.is_success() => Ok(BucketState::Ours),
            StatusCode::NOT_FOUND => Ok(BucketState::Missing),
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => {
                Err(self.unavailable("it is somebody else's, or these credentials may not use it"))
            }
            _ => Err(self.refused(reply).await),
        }
    }

    async fn ask(&self, method: Method, body: String) -> Result<Response, MediaError> {
        let credential = self.credential().await?;
        let signer = self.signer(&credential, TTL);
        let url = signer.sign(method.as_str(), &self.bucket_url, &[]);
        let sent = self.http.request(method, url).body(body).send().await;
        // The address is a secret for a minute.
        sent.map_err(|error| self.unavailable(&innermost(&error.without_url())))
    }

    async fn refused(&self, reply: Response) -> MediaError {
        if let Some(region) = reply.headers().get("x-amz-bucket-region")
            && region.as_bytes() != self.settings.region.as_bytes()
        {
            let region = String::from_utf8_lossy(region.as_bytes()).into_owned();
            return self.unavailable(&format!("it lies in {region}, which AWS_REGION has to say"));
        }
        let status = reply.status();
        let text = reply.text().await.unwrap_or_default();
        match code(&text) {
            Some(_) => self.unavailable(&reason(&text)),
            None => self.unavailable(&format!("S3 answered {status}")),
        }
    }
}

/// Chooses the cryptography of all TLS in this process that chooses none itself. The client under
/// the objects is such a one: in a build with S3, no `reqwest` client can be made before.
pub fn install_cryptography() {
    crate::cryptography::install();
}

/// A client with the same limits as that of the objects. Redirects are not followed: their
/// addresses are not signed.
pub(super) fn client() -> reqwest::Result<reqwest::Client> {
    install_cryptography();
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

fn in_region(region: &str) -> String {
    format!(
        "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
    )
}

/// The code of S3 in an error's text.
fn code(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    code.bytes().all(|b| b.is_ascii_alphanumeric()).then_some(code)
}

/// Why, in a line that may be logged: the code alone where there is one, as the rest of such a
/// reply repeats what was sent.
pub(super) fn reason(text: &str) -> String {
    match code(text) {
        Some(
            code @ ("AccessDenied"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "InvalidToken"),
        ) => {
            format!("S3 does not accept these credentials ({code})")
        }
        Some("NoSuchBucket") => "it does not exist".to_owned(),
        Some(code) => format!("S3 answered {code}"),
        None => text.chars().take(REASON_CHARS_MAX).collect(),
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(inner) = error.source() {
        error = inner;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_reply_only_its_code_is_told() {
        let reply = |code: &str| {
            format!("<Error><Code>{code}</Code><StringToSign>hidden</StringToSign></Error>")
        };
        for (code, told) in [
            (
                "SignatureDoesNotMatch",
                "S3 does not accept these credentials (SignatureDoesNotMatch)",
            ),
            ("NoSuchBucket", "it does not exist"),
            ("SlowDown", "S3 answered SlowDown"),
        ] {
            assert_eq!(reason(&reply(code)), told);
        }
        assert_eq!(reason("connection refused"), "connection refused");
    }
}
