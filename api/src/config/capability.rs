//! What this build has not got. A value that asks for it is refused at the start, with the name
//! of the cargo feature that brings it where there is one, rather than found out later.

use super::error::Problem;
use super::layers::Origins;
use super::sections::{Config, Control, EntityBackend, ProductBackend};

/// The cargo feature that holds what talks to AWS.
const AWS: &str = "needs the cargo feature `aws`, which this build lacks";

/// Every value that asks for more than this build has.
pub fn lacking(config: &Config, origins: &Origins) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut lacks = |key: &str, what: String, instead: &str| {
        let hint = Some(format!("use {instead}"));
        problems.push(Problem { key: key.to_owned(), origin: origins.of(key), what, hint });
    };
    match config.stores.entities {
        EntityBackend::Embedded => {}
        EntityBackend::Dynamodb => lacks("stores.entities", format!("dynamodb {AWS}"), "embedded"),
        EntityBackend::Postgres => lacks("stores.entities", not_built("postgres"), "embedded"),
        EntityBackend::Redis => lacks("stores.entities", not_built("redis"), "embedded"),
    }
    match config.stores.products {
        ProductBackend::Embedded => {}
        ProductBackend::Dynamodb => lacks("stores.products", format!("dynamodb {AWS}"), "embedded"),
        ProductBackend::Postgres => lacks("stores.products", not_built("postgres"), "embedded"),
    }
    match config.cluster.control {
        Control::None => {}
        Control::Dynamodb => lacks("cluster.control", format!("dynamodb {AWS}"), "none"),
        Control::Postgres => lacks("cluster.control", not_built("postgres"), "none"),
    }
    if config.media.url.as_deref().is_some_and(|url| url.starts_with("s3://")) {
        lacks("media.url", format!("S3 {AWS}"), "file:///a/directory");
    }
    problems
}

fn not_built(what: &str) -> String {
    format!("{what} is not built into this version")
}
