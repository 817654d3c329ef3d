//! Fetches pictures from the addresses that a file names.

use std::time::Duration;

use async_trait::async_trait;
use ureq::Body;
use ureq::config::ConfigBuilder;
use ureq::http::header::TRANSFER_ENCODING;
use ureq::http::{Response, Version};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::typestate::AgentScope;

/// The largest picture that is fetched or read: a page that shows larger ones is not bearable.
pub const PICTURE_BYTES_MAX: u64 = 20 * 1024 * 1024;

/// How long one picture may take, from name resolution to the last byte.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(30);

/// How many times a server may send the fetcher elsewhere for one picture.
const REDIRECTS_MAX: u32 = 3;

/// Fetches what lies at an `https://` address.
#[async_trait]
pub trait ImageFetcher: Send + Sync + 'static {
    /// All bytes, at most [`PICTURE_BYTES_MAX`], within [`FETCH_TIMEOUT`]; else what went wrong,
    /// for a person to read.
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, String>;
}

/// Fetches over HTTPS with a client that knows nothing of cookies or plain HTTP; at most three
/// redirects are followed.
pub struct HttpFetcher {
    agent: ureq::Agent,
}

impl Default for HttpFetcher {
    /// Trusts the roots that browsers trust, and goes by the proxy that the environment names
    /// (`HTTPS_PROXY`).
    fn default() -> HttpFetcher {
        HttpFetcher { agent: bounded().build().into() }
    }
}

impl HttpFetcher {
    /// Trusts the given roots (certificates, as DER) and no others, and asks no proxy: a server
    /// with a root of its own stands in the same house.
    pub fn trusting(roots: &[&[u8]]) -> HttpFetcher {
        let roots = roots.iter().map(|root| Certificate::from_der(root).to_owned());
        let roots: RootCerts = roots.collect::<Vec<_>>().into();
        let tls = TlsConfig::builder().root_certs(roots).build();
        HttpFetcher { agent: bounded().tls_config(tls).proxy(None).build().into() }
    }
}

/// What holds for every server, whoever vouches for it.
fn bounded() -> ConfigBuilder<AgentScope> {
    ureq::Agent::config_builder()
        .https_only(true)
        .max_redirects(REDIRECTS_MAX)
        .timeout_global(Some(FETCH_TIMEOUT))
        .user_agent(concat!("barrow/", env!("CARGO_PKG_VERSION")))
}

#[async_trait]
impl ImageFetcher for HttpFetcher {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, String> {
        let agent = self.agent.clone();
        let url = url.to_owned();
        let fetched = tokio::task::spawn_blocking(move || {
            let mut response = agent.get(&url).call().map_err(|error| error.to_string())?;
            if !tells_its_end(&response) {
                return Err("the server does not tell where the picture ends".to_owned());
            }
            if response.body().content_length().is_some_and(|length| length > PICTURE_BYTES_MAX) {
                return Err(format!("larger than {PICTURE_BYTES_MAX} bytes"));
            }
            let body = response.body_mut().with_config().limit(PICTURE_BYTES_MAX);
            body.read_to_vec().map_err(|error| error.to_string())
        });
        fetched.await.map_err(|error| error.to_string())?
    }
}

/// Whether a body that was cut off on its way can be told from a whole one. Where it ends with
/// the connection alone it cannot, as the client takes a broken one for a closed one; and half a
/// picture would be kept for ever, since what was fetched once is not fetched again.
fn tells_its_end(response: &Response<Body>) -> bool {
    let encodings = response.headers().get_all(TRANSFER_ENCODING).iter();
    let mut encodings = encodings.filter_map(|it| it.to_str().ok()).flat_map(|it| it.split(','));
    let is_chunked = response.version() >= Version::HTTP_11
        && encodings.any(|encoding| encoding.trim().eq_ignore_ascii_case("chunked"));
    is_chunked || response.body().content_length().is_some()
}
