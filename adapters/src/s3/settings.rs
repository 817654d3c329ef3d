//! Which bucket, where, and with whose permission: from one URL and the usual environment.

use std::fmt;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use reqwest::Url;

use barrow_engine::ports::is_media_key;

/// A server that is there takes a connection in milliseconds.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// For a whole request: a picture or a part of a film, and nothing larger passes here.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// What S3 says it cannot do right now is asked again: so often, and begun within this time. So
/// the longest that anything takes is twice a request's time-out.
const RETRIES_MAX: usize = 3;
const RETRY_TIMEOUT: Duration = REQUEST_TIMEOUT;
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// Where S3 lies if nobody says: what its own tools assume.
const REGION_DEFAULT: &str = "us-east-1";

/// Why no store can be made of what was said. No secret is in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum S3ConfigError {
    #[error("'{0}' is not of the form s3://bucket or s3://bucket/prefix")]
    Url(String),
    #[error("the S3 endpoint '{0}' is not of the form https://host or http://host")]
    Endpoint(String),
    #[error("the environment does not fit S3: {0}")]
    Environment(String),
}

/// A bucket, and how it is reached.
#[derive(Clone)]
pub struct S3Settings {
    pub(super) bucket: String,
    /// What all keys begin with, without a slash at its end; mostly empty.
    pub(super) prefix: String,
    pub(super) region: String,
    /// Of a server that is not AWS's own.
    endpoint: Option<Url>,
    builder: AmazonS3Builder,
}

/// Never the builder: it holds the secrets.
impl fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Settings")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("region", &self.region)
            .field("endpoint", &self.endpoint.as_ref().map(Url::as_str))
            .finish_non_exhaustive()
    }
}

impl S3Settings {
    /// From `s3://bucket[/prefix]` and this process's environment.
    pub fn from_env(url: &str) -> Result<S3Settings, S3ConfigError> {
        let vars = std::env::vars_os();
        S3Settings::new(
            url,
            vars.filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.into_string().ok()?))
            }),
        )
    }

    /// From `s3://bucket[/prefix]` and these variables, of which those of AWS are read.
    pub fn new(
        url: &str,
        vars: impl IntoIterator<Item = (String, String)>,
    ) -> Result<S3Settings, S3ConfigError> {
        let (bucket, prefix) = parse_url(url).ok_or_else(|| S3ConfigError::Url(url.to_owned()))?;
        let mut builder = AmazonS3Builder::new();
        for (name, value) in vars {
            let name = name.to_ascii_lowercase();
            let Some(key) = key_of(&name) else { continue };
            if !value.is_empty() {
                builder = builder.with_config(key, value);
            }
        }
        let said = |key| builder.get_config_value(&key).filter(|value| !value.is_empty());
        let region = said(AmazonS3ConfigKey::Region).unwrap_or_else(|| REGION_DEFAULT.to_owned());
        let endpoint = said(AmazonS3ConfigKey::S3Endpoint).or(said(AmazonS3ConfigKey::Endpoint));
        let endpoint = endpoint.as_deref().map(parse_endpoint).transpose()?;
        Ok(S3Settings { bucket, prefix, region, endpoint, builder })
    }

    /// The address of the bucket: what the paths of objects are appended to. AWS wants the name
    /// in the host; servers of other makes, and names that no certificate covers, want it in the
    /// path.
    pub(super) fn bucket_url(&self) -> String {
        let S3Settings { bucket, region, endpoint, .. } = self;
        match endpoint {
            Some(endpoint) => format!("{}/{bucket}", endpoint.as_str().trim_end_matches('/')),
            None if self.is_virtual_hosted() => {
                format!("https://{bucket}.s3.{region}.amazonaws.com")
            }
            None => format!("https://s3.{region}.amazonaws.com/{bucket}"),
        }
    }

    fn is_virtual_hosted(&self) -> bool {
        self.endpoint.is_none() && !self.bucket.contains('.')
    }

    /// The client's settings, with our limits.
    pub(super) fn builder(&self) -> AmazonS3Builder {
        let is_http = self.endpoint.as_ref().is_some_and(|url| url.scheme() == "http");
        let client = ClientOptions::new()
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_timeout(REQUEST_TIMEOUT)
            .with_allow_http(is_http);
        let retry = RetryConfig {
            max_retries: RETRIES_MAX,
            retry_timeout: RETRY_TIMEOUT,
            backoff: BackoffConfig {
                init_backoff: BACKOFF_FIRST,
                max_backoff: BACKOFF_MAX,
                base: 2.0,
            },
        };
        let mut builder = self
            .builder
            .clone()
            .with_bucket_name(&self.bucket)
            .with_region(&self.region)
            .with_virtual_hosted_style_request(self.is_virtual_hosted())
            .with_checksum_algorithm(Checksum::SHA256)
            // One file at a time is removed: the plain request says more when it is refused.
            .with_disable_bulk_delete(true)
            .with_client_options(client)
            .with_retry(retry);
        if let Some(endpoint) = &self.endpoint {
            let endpoint = endpoint.as_str().trim_end_matches('/');
            builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
        }
        builder
    }
}

/// What of the environment is heard: credentials, region and endpoints. How requests are made is
/// decided here.
fn key_of(name: &str) -> Option<AmazonS3ConfigKey> {
    use AmazonS3ConfigKey as Key;
    let key: Key = name.starts_with("aws_").then(|| name.parse().ok())??;
    let is_heard = matches!(
        key,
        Key::AccessKeyId
            | Key::SecretAccessKey
            | Key::Token
            | Key::Region
            | Key::DefaultRegion
            | Key::Endpoint
            | Key::S3Endpoint
            | Key::StsEndpoint
            | Key::MetadataEndpoint
            | Key::ImdsV1Fallback
            | Key::ContainerCredentialsRelativeUri
            | Key::ContainerCredentialsFullUri
            | Key::ContainerAuthorizationTokenFile
            | Key::WebIdentityTokenFile
            | Key::RoleArn
            | Key::RoleSessionName
    );
    is_heard.then_some(key)
}

fn parse_url(url: &str) -> Option<(String, String)> {
    let rest = url.strip_prefix("s3://")?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_end_matches('/');
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
    let is_bucket = (3..=63).contains(&bucket.len())
        && bucket.bytes().all(is_plain)
        && !bucket.contains("..")
        && bucket.starts_with(|c: char| c.is_ascii_alphanumeric())
        && bucket.ends_with(|c: char| c.is_ascii_alphanumeric());
    let is_good = is_bucket && (prefix.is_empty() || is_media_key(prefix));
    is_good.then(|| (bucket.to_owned(), prefix.to_owned()))
}

fn parse_endpoint(text: &str) -> Result<Url, S3ConfigError> {
    // Whoever wrote a password into it is not to find it in a log.
    let bad = || S3ConfigError::Endpoint(text.rsplit('@').next().unwrap_or_default().to_owned());
    let url: Url = text.parse().map_err(|_| bad())?;
    let is_plain = matches!(url.scheme(), "http" | "https")
        && url.host().is_some()
        && url.query().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    is_plain.then_some(url).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Vars<'a> = &'a [(&'a str, &'a str)];

    fn settings(url: &str, vars: Vars<'_>) -> Result<S3Settings, S3ConfigError> {
        S3Settings::new(url, vars.iter().map(|(name, value)| (name.to_string(), value.to_string())))
    }

    #[test]
    fn the_address_of_the_bucket_fits_who_serves_it() {
        let cases: [(&str, Vars<'_>, &str); 6] = [
            ("s3://shop", &[], "https://shop.s3.us-east-1.amazonaws.com"),
            (
                "s3://shop/",
                &[("AWS_REGION", "eu-central-1"), ("AWS_DEFAULT_REGION", "eu-west-1")],
                "https://shop.s3.eu-central-1.amazonaws.com",
            ),
            ("s3://my.shop", &[], "https://s3.us-east-1.amazonaws.com/my.shop"),
            ("s3://shop", &[("AWS_ENDPOINT_URL", "http://a:1/")], "http://a:1/shop"),
            (
                "s3://shop",
                &[("AWS_ENDPOINT_URL_S3", "https://s3.b"), ("AWS_ENDPOINT_URL", "http://a:1")],
                "https://s3.b/shop",
            ),
            (
                "s3://shop",
                &[("AWS_ENDPOINT_URL_S3", "")],
                "https://shop.s3.us-east-1.amazonaws.com",
            ),
        ];
        for (url, vars, expected) in cases {
            let settings = settings(url, vars).expect("these fit");
            assert_eq!(settings.bucket_url(), expected, "{url} {vars:?}");
        }
        let prefixed = settings("s3://shop/one/two/", &[]).expect("these fit");
        assert_eq!((&*prefixed.bucket, &*prefixed.prefix), ("shop", "one/two"));
    }

    #[test]
    fn what_is_no_bucket_is_refused() {
        for url in [
            "",
            "shop",
            "http://shop",
            "s3://",
            "s3://ab",
            "s3://Shop",
            "s3://-shop",
            "s3://a..b",
            "s3://shop/../x",
            "s3://shop//x",
            "s3://shop/UP",
            "s3://shop?x=1",
            "s3://u:p@shop",
        ] {
            let refused = settings(url, &[]).err();
            assert_eq!(refused, Some(S3ConfigError::Url(url.to_owned())));
        }
        for endpoint in
            ["localhost:9000", "ftp://a", "http://", "http://me:secret@host", "http://a?b"]
        {
            let refused = settings("s3://shop", &[("AWS_ENDPOINT_URL_S3", endpoint)]).err();
            assert!(matches!(refused, Some(S3ConfigError::Endpoint(_))), "{endpoint}: {refused:?}");
            assert!(!format!("{refused:?}").contains("secret"));
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let vars = [
            ("AWS_ACCESS_KEY_ID", "AKIA-OURS"),
            ("AWS_SECRET_ACCESS_KEY", "hidden-key"),
            ("AWS_SESSION_TOKEN", "hidden-token"),
            ("AWS_SKIP_SIGNATURE", "true"),
        ];
        let settings = settings("s3://shop", &vars).expect("these fit");
        let shown = format!("{settings:?}");
        assert!(shown.contains("shop") && !shown.contains("hidden"), "{shown}");
        let skip = settings.builder().get_config_value(&AmazonS3ConfigKey::SkipSignature);
        assert_eq!(skip.as_deref(), Some("false"), "how requests are made is decided here");
    }
}
