//! Where the servers are and how one connection to one of them is made.
//!
//! A password is part of the URL and of nothing else: neither an error nor a `Debug` text shows
//! it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::rustls::crypto::ring;
use fred::rustls::pki_types::CertificateDer;
use fred::rustls::pki_types::pem::PemObject;
use fred::rustls::{ClientConfig, RootCertStore};
use fred::types::config::{
    Config, ConnectionConfig, PerformanceConfig, Server, ServerConfig, TlsConfig, TlsConnector,
};
use fred::types::{Builder, ConnectHandle};

/// A server that has not taken a connection by then is taken for dead. Within one data centre it
/// takes a millisecond.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// Messages of a subscription that wait to be taken over by our own channel.
const BROADCAST_MAX: usize = 4_096;

/// Why Redis cannot be used. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisError {
    /// The text is not repeated: it may hold a password.
    #[error(
        "the URL of Redis is wrong: {0}; it looks like redis://user:password@host:port, with \
         rediss:// for TLS, and redis-cluster:// or rediss-cluster:// for a cluster"
    )]
    Url(String),
    #[error("the certificates for TLS to Redis cannot be used: {0}")]
    Certificates(String),
    #[error("Redis at {address} does not answer: {reason}")]
    Unreachable { address: String, reason: String },
    #[error(
        "Redis at {address} has the maxmemory-policy {found:?} and may drop carts when it is \
         full; set maxmemory-policy to noeviction (in ElastiCache: in the parameter group)"
    )]
    Evicts { address: String, found: String },
    #[error("the prefix {0:?} is not made of letters, digits, '-', '_', '.' and ':'")]
    Prefix(String),
}

/// One server by its name and port.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where Redis is, and how to get in.
#[derive(Clone)]
pub struct RedisServers {
    pub(super) is_cluster: bool,
    /// The server; of a cluster some of its nodes, which know the others.
    pub(super) addresses: Vec<Address>,
    username: Option<String>,
    password: Option<String>,
    database: Option<u8>,
    tls: Option<Arc<ClientConfig>>,
}

impl fmt::Debug for RedisServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisServers")
            .field("addresses", &self.addresses)
            .field("is_cluster", &self.is_cluster)
            .field("has_password", &self.password.is_some())
            .field("has_tls", &self.tls.is_some())
            .finish()
    }
}

impl RedisServers {
    /// `redis://[user:password@]host:port`, `rediss://` for TLS, `redis-cluster://` and
    /// `rediss-cluster://` for a cluster, which may name more nodes: `?node=host:port&node=...`.
    /// With TLS, only certificates that lead to one of `ca_file` (PEM) are trusted; without such
    /// a file, those that the system trusts.
    pub fn from_url(url: &str, ca_file: Option<&Path>) -> Result<RedisServers, RedisError> {
        let (scheme, _) = url.split_once("://").ok_or_else(|| url_error("it has no scheme"))?;
        let (is_cluster, has_tls) = match scheme {
            "redis" => (false, false),
            "rediss" => (false, true),
            "redis-cluster" => (true, false),
            "rediss-cluster" => (true, true),
            _ => return Err(url_error("its scheme is none of ours")),
        };
        // The library would load the system's certificates for a URL with TLS; those are ours to
        // choose. Its errors repeat parts of the text, so they are not passed on.
        let plain = url.replacen(scheme, if is_cluster { "redis-cluster" } else { "redis" }, 1);
        let config = Config::from_url(&plain)
            .map_err(|_| url_error("its host, port, database or nodes cannot be read"))?;
        let servers = match config.server {
            ServerConfig::Centralized { server } => vec![server],
            ServerConfig::Clustered { hosts, .. } => hosts,
            _ => return Err(url_error("it names no server")),
        };
        let address = |it: Server| Address { host: it.host.to_string(), port: it.port };
        Ok(RedisServers {
            is_cluster,
            addresses: servers.into_iter().map(address).collect(),
            username: config.username,
            password: config.password,
            database: config.database.filter(|_| !is_cluster),
            tls: if has_tls { Some(Arc::new(tls_config(ca_file)?)) } else { None },
        })
    }

    /// Makes one connection. When it breaks, its task ends and whatever waits on it fails; it is
    /// never made again and nothing is sent twice, because there is no policy to reconnect by.
    pub(super) async fn connect(
        &self,
        address: &Address,
    ) -> Result<(Client, ConnectHandle), RedisError> {
        let server = Server::new(address.host.as_str(), address.port);
        let tls = self
            .tls
            .as_ref()
            .map(|tls| TlsConfig::from(TlsConnector::Rustls(Arc::clone(tls).into())));
        let mut builder = Builder::from_config(Config {
            server: ServerConfig::Centralized { server },
            username: self.username.clone(),
            password: self.password.clone(),
            database: self.database,
            tls,
            fail_fast: true,
            ..Config::default()
        });
        builder.set_performance_config(PerformanceConfig {
            broadcast_channel_capacity: BROADCAST_MAX,
            ..PerformanceConfig::default()
        });
        builder.with_connection_config(|config: &mut ConnectionConfig| {
            config.connection_timeout = CONNECT_MAX;
            config.internal_command_timeout = CONNECT_MAX;
            config.max_command_attempts = 1;
            config.max_redirections = 1;
            config.tcp.nodelay = Some(true);
        });
        let unreachable = |error: Error| RedisError::Unreachable {
            address: address.to_string(),
            reason: error.details().to_owned(),
        };
        let client = builder.build().map_err(unreachable)?;
        let task = client.init().await.map_err(unreachable)?;
        Ok((client, task))
    }
}

fn url_error(reason: &str) -> RedisError {
    RedisError::Url(reason.to_owned())
}

fn tls_config(ca_file: Option<&Path>) -> Result<ClientConfig, RedisError> {
    let unusable = |reason: String| RedisError::Certificates(reason);
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(file) => {
            let named = |error: &dyn fmt::Display| format!("{}: {error}", file.display());
            let found = CertificateDer::pem_file_iter(file);
            for certificate in found.map_err(|error| unusable(named(&error)))? {
                let certificate = certificate.map_err(|error| unusable(named(&error)))?;
                roots.add(certificate).map_err(|error| unusable(named(&error)))?;
            }
        }
        None => {
            let found = fred::rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
        }
    }
    if roots.is_empty() {
        return Err(unusable("there are none".to_owned()));
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// A prefix of keys. It holds no braces, which would decide the slot of the keys behind it.
pub(super) fn check_prefix(prefix: &str) -> Result<(), RedisError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    if prefix.chars().all(is_plain) { Ok(()) } else { Err(RedisError::Prefix(prefix.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(url: &str) -> Vec<String> {
        let servers = RedisServers::from_url(url, None).unwrap();
        let mut addresses: Vec<_> = servers.addresses.iter().map(ToString::to_string).collect();
        addresses.sort();
        addresses
    }

    #[test]
    fn urls_name_servers() {
        assert_eq!(addresses("redis://cache:6380"), ["cache:6380"]);
        assert_eq!(addresses("redis://user:secret@cache"), ["cache:6379"]);
        let cluster = "redis-cluster://:secret@a:1?node=b:2&node=c:3";
        assert_eq!(addresses(cluster), ["a:1", "b:2", "c:3"]);
        assert!(RedisServers::from_url(cluster, None).unwrap().is_cluster);
    }

    #[test]
    fn a_password_is_never_shown() {
        let wrong = [
            "redis//user:sesame@host:1",
            "http://user:sesame@host:1",
            "redis://user:sesame@host:99999999",
            "redis://user:sesame@ho st:1",
            "redis-cluster://user:sesame@",
            "redis-cluster://user:sesame@host:1?node=sesame",
            "redis://user:sesame@host:1/sesame",
        ];
        for url in wrong {
            let error = RedisServers::from_url(url, None).expect_err(url);
            assert!(!format!("{error} {error:?}").contains("sesame"), "{error:?}");
        }
        let servers = RedisServers::from_url("redis://user:sesame@host:1", None).unwrap();
        assert_eq!(servers.password.as_deref(), Some("sesame"));
        assert!(!format!("{servers:?}").contains("sesame"));
    }

    #[test]
    fn certificates_must_be_there() {
        let missing = Path::new("/does/not/exist.pem");
        let refused = RedisServers::from_url("rediss://host:1", Some(missing)).unwrap_err();
        assert!(matches!(refused, RedisError::Certificates(_)), "{refused}");
    }

    #[test]
    fn a_prefix_cannot_choose_the_slot() {
        assert_eq!(check_prefix("shop-1:v2"), Ok(()));
        assert!(check_prefix("{x}").is_err());
    }
}
