//! The way to DynamoDB: the SDK's own settings (region, endpoint, credentials, all from its usual
//! environment), our time limits, and the names of our tables.

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{Builder, Credentials, SharedHttpClient};
use aws_smithy_http_client::tls;

/// What the names of tables begin with, unless the operator says otherwise.
pub const TABLE_PREFIX: &str = "barrow-";

/// A connection within a region is made in a few milliseconds, TLS included.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// DynamoDB answers within 10 ms, and within some 100 ms while it moves a partition. What has no
/// answer by then is better asked anew.
const ATTEMPT_MAX: Duration = Duration::from_secs(3);

/// How often the SDK tries a read. More would keep a shopper waiting behind a store that is down.
const READ_ATTEMPTS_MAX: u32 = 3;

/// How long a read may take with all its attempts. A connection that hangs costs one of them; the
/// next is made on another, and where that hangs too, a shopper is told instead of kept waiting.
const READ_MAX: Duration = Duration::from_secs(4);

/// How long looking at a table or making one may take.
const TABLES_MAX: Duration = Duration::from_secs(30);

/// The longest wait before the second attempt; the SDK draws a shorter one, and doubles it.
const READ_DELAY_FIRST: Duration = Duration::from_millis(50);

/// The service closes connections that idle. One that it closes just as a write is sent leaves
/// the outcome of that write open, so we close them first.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// A client of DynamoDB and the names of our tables there. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Dynamo {
    reads: Client,
    writes: Client,
    tables: Client,
    table_prefix: Arc<str>,
}

/// A DynamoDB that is named in full instead of by the environment: for tests.
#[derive(Debug, Clone, Copy)]
pub struct DynamoEndpoint<'a> {
    /// `http://127.0.0.1:8000`.
    pub url: &'a str,
    pub region: &'a str,
    pub access_key: &'a str,
    pub secret_key: &'a str,
}

impl Dynamo {
    /// As the SDK finds it in its environment: `AWS_REGION`, `AWS_ENDPOINT_URL_DYNAMODB`, and
    /// credentials from variables, the profile, the task or the instance.
    pub async fn from_environment(table_prefix: &str) -> Dynamo {
        Dynamo::new(&loader().load().await, table_prefix)
    }

    pub async fn at(endpoint: DynamoEndpoint<'_>, table_prefix: &str) -> Dynamo {
        let DynamoEndpoint { url, region, access_key, secret_key } = endpoint;
        let credentials = Credentials::new(access_key, secret_key, None, None, "named in full");
        let loader = loader()
            .endpoint_url(url)
            .region(Region::new(region.to_owned()))
            .credentials_provider(credentials);
        Dynamo::new(&loader.load().await, table_prefix)
    }

    fn new(config: &SdkConfig, table_prefix: &str) -> Dynamo {
        let once = Builder::from(config).retry_config(RetryConfig::disabled());
        let patient = TimeoutConfig::builder()
            .connect_timeout(CONNECT_MAX)
            .operation_attempt_timeout(TABLES_MAX);
        let patient = Builder::from(config).timeout_config(patient.build());
        Dynamo {
            reads: Client::new(config),
            writes: Client::from_conf(once.build()),
            tables: Client::from_conf(patient.build()),
            table_prefix: table_prefix.into(),
        }
    }

    /// Tries a few times.
    pub(super) fn reads(&self) -> &Client {
        &self.reads
    }

    /// Tries once: behind a definite refusal of a second attempt, a first one that was applied
    /// would go unseen.
    pub(super) fn writes(&self) -> &Client {
        &self.writes
    }

    /// Waits for what no shopper waits for.
    pub(super) fn tables(&self) -> &Client {
        &self.tables
    }

    /// A table's name there.
    pub(super) fn table(&self, name: &str) -> String {
        format!("{}{name}", self.table_prefix)
    }
}

fn loader() -> ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_MAX)
        .operation_attempt_timeout(ATTEMPT_MAX)
        // A write has one attempt, and is not touched by it.
        .operation_timeout(READ_MAX);
    let retries = RetryConfig::standard()
        .with_max_attempts(READ_ATTEMPTS_MAX)
        .with_initial_backoff(READ_DELAY_FIRST);
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client())
        .timeout_config(timeouts.build())
        .retry_config(retries)
}

fn http_client() -> SharedHttpClient {
    let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    aws_smithy_http_client::Builder::new()
        .pool_idle_timeout(IDLE_MAX)
        .tls_provider(ring)
        .build_https()
}
