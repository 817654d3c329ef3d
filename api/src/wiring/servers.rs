//! The way to each server beside the process, opened when the first port asks for it and shared
//! by the others.

use crate::config::Config;

/// Why a server cannot be used, with the key of the configuration that names it.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct ServerError {
    pub key: &'static str,
    pub reason: String,
}

impl ServerError {
    pub(super) fn new(key: &'static str, reason: impl ToString) -> ServerError {
        ServerError { key, reason: reason.to_string() }
    }
}

/// What was opened so far.
pub(super) struct Servers<'a> {
    #[allow(dead_code, reason = "a build without servers reads nothing of it")]
    config: &'a Config,
    /// How long is waited for one that does not answer, if not as long as usual.
    #[cfg(feature = "postgres")]
    patience: Option<std::time::Duration>,
    #[cfg(feature = "postgres")]
    postgres: Option<barrow_adapters::postgres::Postgres>,
    #[cfg(feature = "dynamodb")]
    dynamodb: Option<barrow_adapters::dynamodb::Dynamo>,
}

impl<'a> Servers<'a> {
    pub fn new(config: &'a Config) -> Servers<'a> {
        Servers {
            config,
            #[cfg(feature = "postgres")]
            patience: None,
            #[cfg(feature = "postgres")]
            postgres: None,
            #[cfg(feature = "dynamodb")]
            dynamodb: None,
        }
    }

    /// For who looks at them, and does not wait until they are up.
    pub fn at_once(config: &'a Config) -> Servers<'a> {
        Servers {
            #[cfg(feature = "postgres")]
            patience: Some(std::time::Duration::ZERO),
            ..Servers::new(config)
        }
    }

    /// Fewer connections than configured are for what has a purpose of its own.
    #[cfg(feature = "postgres")]
    pub async fn postgres(&mut self) -> Result<barrow_adapters::postgres::Postgres, ServerError> {
        use barrow_adapters::postgres::{Postgres, PostgresOptions};
        const KEY: &str = "commerce.url";
        if self.postgres.is_none() {
            let url = self.config.commerce.url.as_ref();
            let url = url.ok_or_else(|| ServerError::new(KEY, "it is not set"))?;
            let connections_max = self.config.commerce.connections;
            let usual = PostgresOptions::default();
            let start_max = self.patience.unwrap_or(usual.start_max);
            // Who only looks changes nothing.
            let migrates = self.patience.is_none();
            let options = PostgresOptions { connections_max, start_max, migrates, ..usual };
            let opened = Postgres::connect(url.expose(), options).await;
            self.postgres = Some(opened.map_err(|error| ServerError::new(KEY, error))?);
        }
        Ok(self.postgres.clone().expect("it was opened"))
    }

    #[cfg(feature = "dynamodb")]
    pub async fn dynamodb(&mut self) -> barrow_adapters::dynamodb::Dynamo {
        use barrow_adapters::dynamodb::Dynamo;
        match &self.dynamodb {
            Some(opened) => opened.clone(),
            None => {
                let opened = Dynamo::from_environment(&self.config.dynamodb.table_prefix).await;
                self.dynamodb.insert(opened).clone()
            }
        }
    }

    #[cfg(feature = "redis")]
    pub fn redis(&self) -> Result<Option<barrow_adapters::redis::RedisServers>, ServerError> {
        use barrow_adapters::redis::RedisServers;
        let Some(url) = &self.config.cache.url else { return Ok(None) };
        let servers = RedisServers::from_url(url.expose(), None);
        servers.map(Some).map_err(|error| ServerError::new("cache.url", error))
    }
}

/// The bucket of that URL, not asked for yet.
#[cfg(feature = "s3")]
pub(super) fn s3(url: &str) -> Result<barrow_adapters::s3::S3MediaStore, ServerError> {
    use barrow_adapters::host::SystemClock;
    use barrow_adapters::s3::{S3MediaStore, S3Settings};
    let failed = |error: &dyn std::fmt::Display| ServerError::new("media.url", error);
    let settings = S3Settings::from_env(url).map_err(|error| failed(&error))?;
    S3MediaStore::new(settings, std::sync::Arc::new(SystemClock)).map_err(|error| failed(&error))
}

/// Where the configuration passed the check of what this build has, no other value is left.
#[cfg(not(all(feature = "dynamodb", feature = "postgres", feature = "redis", feature = "s3")))]
pub(super) fn not_built<T>(key: &'static str) -> Result<T, ServerError> {
    Err(ServerError::new(key, "this build lacks it"))
}
