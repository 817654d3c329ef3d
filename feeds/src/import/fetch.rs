//! Fetches pictures from the addresses that a file names.

use std::time::Duration;

use async_trait::async_trait;

/// The largest picture that is fetched or read: a page that shows larger ones is not bearable.
pub const PICTURE_BYTES_MAX: u64 = 20 * 1024 * 1024;

/// How long one picture may take, from name resolution to the last byte.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(30);

/// Fetches what lies at an `https://` address.
#[async_trait]
pub trait ImageFetcher: Send + Sync + 'static {
    /// All bytes, at most [`PICTURE_BYTES_MAX`], within [`FETCH_TIMEOUT`]; else what went wrong,
    /// for a person to read.
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, String>;
}

/// Fetches over HTTPS with a client that knows nothing of cookies, proxies' passwords or plain
/// HTTP; at most three redirects are followed.
pub struct HttpFetcher {
    agent: ureq::Agent,
}

impl Default for HttpFetcher {
    fn default() -> HttpFetcher {
        let config = ureq::Agent::config_builder()
            .https_only(true)
            .max_redirects(3)
            .timeout_global(Some(FETCH_TIMEOUT))
            .user_agent(concat!("barrow/", env!("CARGO_PKG_VERSION")))
            .build();
        HttpFetcher { agent: config.into() }
    }
}

#[async_trait]
impl ImageFetcher for HttpFetcher {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, String> {
        let agent = self.agent.clone();
        let url = url.to_owned();
        let fetched = tokio::task::spawn_blocking(move || {
            let mut response = agent.get(&url).call().map_err(|error| error.to_string())?;
            let body = response.body_mut().with_config().limit(PICTURE_BYTES_MAX);
            body.read_to_vec().map_err(|error| error.to_string())
        });
        fetched.await.map_err(|error| error.to_string())?
    }
}
