//! What this build has not got. A value that asks for it is refused at the start, with the name
//! of the cargo feature that brings it where there is one, rather than found out later.

use super::error::Problem;
use super::layers::Origins;
use super::payments::Gateway;
use super::sections::{CommerceBackend, Config, Control, EntityBackend, ProductBackend};

/// The cargo features that a build was made with.
#[derive(Debug, Clone, Copy)]
pub struct Build {
    pub dynamodb: bool,
    pub postgres: bool,
    pub redis: bool,
    pub s3: bool,
    pub stripe: bool,
}

impl Build {
    /// This one.
    pub const THIS: Build = Build {
        dynamodb: cfg!(feature = "dynamodb"),
        postgres: cfg!(feature = "postgres"),
        redis: cfg!(feature = "redis"),
        s3: cfg!(feature = "s3"),
        stripe: cfg!(feature = "stripe"),
    };
}

/// Every value that asks for more than the build has.
pub fn lacking(config: &Config, origins: &Origins, build: Build) -> Vec<Problem> {
    let Build { dynamodb, postgres, redis, s3, stripe } = build;
    let mut problems = Vec::new();
    let mut wants = |key: &str, what: &str, feature: &str, built: bool, instead: &str| {
        if !built {
            problems.push(Problem {
                key: key.to_owned(),
                origin: origins.of(key),
                what: format!("{what} needs the cargo feature `{feature}`, which this build lacks"),
                hint: Some(format!("build with `--features aws`, or use {instead}")),
            });
        }
    };
    let key = "stores.entities";
    match config.stores.entities {
        EntityBackend::Embedded => {}
        EntityBackend::Dynamodb => wants(key, "dynamodb", "dynamodb", dynamodb, "embedded"),
        EntityBackend::Postgres => wants(key, "postgres", "postgres", postgres, "embedded"),
        EntityBackend::Redis => wants(key, "redis", "redis", redis, "embedded"),
    }
    let key = "stores.products";
    match config.stores.products {
        ProductBackend::Embedded => {}
        ProductBackend::Dynamodb => wants(key, "dynamodb", "dynamodb", dynamodb, "embedded"),
        ProductBackend::Postgres => wants(key, "postgres", "postgres", postgres, "embedded"),
    }
    // Where it is implied, the store that implies it is lacking first.
    if config.stores.commerce == Some(CommerceBackend::Postgres) {
        wants("stores.commerce", "postgres", "postgres", postgres, "sqlite");
    }
    let key = "cluster.control";
    match config.cluster.control {
        None | Some(Control::None) => {}
        Some(Control::Dynamodb) => wants(key, "dynamodb", "dynamodb", dynamodb, "none"),
        Some(Control::Postgres) => wants(key, "postgres", "postgres", postgres, "none"),
    }
    if config.cache.url.is_some() {
        wants("cache.url", "Redis", "redis", redis, "none at all");
    }
    if config.gateways().contains(&Gateway::Stripe) {
        let key = match config.payments.gateways.is_empty() {
            true => "payments.stripe.secret_key",
            false => "payments.gateways",
        };
        wants(key, "Stripe", "stripe", stripe, "the gateway `manual`");
    }
    if config.media_bucket().is_some() {
        wants("media.url", "S3", "s3", s3, "file:///a/directory");
    }
    problems
}
