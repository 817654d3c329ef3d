//! Whether the values make sense, alone and together. Each problem names its key and its value.

use std::time::Duration;

use super::error::Problem;
use super::inventory;
use super::layers::Origins;
use super::payments;
use super::sections::{CommerceBackend, Config, Control, EntityBackend, Server};

/// The longest drain of requests. What remains of the 25 seconds in which a told process must be
/// gone belongs to the actors and the stores.
const SHUTDOWN_TIMEOUT_MAX: Duration = Duration::from_secs(20);

/// A shorter signing key can be guessed.
const SIGNING_KEY_MIN: usize = 32;

/// Collects what is wrong.
struct Findings<'a> {
    origins: &'a Origins,
    problems: Vec<Problem>,
}

impl Findings<'_> {
    fn check(&mut self, holds: bool, key: &str, what: impl FnOnce() -> String) {
        if !holds {
            let origin = self.origins.of(key);
            let what = what();
            self.problems.push(Problem { key: key.to_owned(), origin, what, hint: None });
        }
    }
}

/// Everything that is wrong with the values.
pub fn validate(config: &Config, origins: &Origins) -> Vec<Problem> {
    let mut findings = Findings { origins, problems: Vec::new() };
    validate_server(&config.server, &mut findings);
    findings.check(!config.data.trim().is_empty(), "data", || {
        "the data directory is empty; name one".to_owned()
    });
    findings.check(config.limits.body.get() >= 1024, "limits.body", || {
        format!("{} is too little for a request; at least 1KiB", config.limits.body)
    });
    for (key, count) in [
        ("server.max_connections", config.server.max_connections),
        ("limits.requests", config.limits.requests),
        ("limits.event_streams_per_cart", config.limits.event_streams_per_cart),
        ("limits.event_streams", config.limits.event_streams),
        ("actors.max_in_flight", config.actors.max_in_flight),
        ("actors.max_queue", config.actors.max_queue),
        ("actors.max_hot", config.actors.max_hot),
    ] {
        findings.check(count > 0, key, || "0 would let nobody in".to_owned());
    }
    let idle = config.actors.idle_timeout;
    findings.check(idle.get() >= Duration::from_secs(1), "actors.idle_timeout", || {
        format!("{idle} is too short; at least 1s")
    });
    validate_auth(config, &mut findings);
    validate_media(config, &mut findings);
    validate_stores(config, &mut findings);
    let level = &config.log.level;
    let filter = tracing_subscriber::EnvFilter::builder().parse(level);
    findings.check(filter.is_ok(), "log.level", || {
        format!("'{level}' is not a level (error, warn, info, debug, trace) or PART=LEVEL list")
    });
    if let Some(what) = inventory::problem(config) {
        findings.check(false, "inventory.hold", || what);
    }
    for (key, what) in payments::problems(config) {
        findings.check(false, key, || what);
    }
    validate_shop(config, &mut findings);
    findings.problems
}

fn validate_server(server: &Server, findings: &mut Findings<'_>) {
    for (key, span) in [
        ("server.header_timeout", server.header_timeout),
        ("server.body_timeout", server.body_timeout),
    ] {
        findings.check(!span.get().is_zero(), key, || format!("{span} would let nobody in"));
    }
    findings.check(
        server.shutdown_timeout.get() <= SHUTDOWN_TIMEOUT_MAX,
        "server.shutdown_timeout",
        || format!("{} is more than 20s; the process must be gone in 25s", server.shutdown_timeout),
    );
    for origin in &server.cors_origins {
        let good = origin == "*"
            || ["http://", "https://"].iter().any(|scheme| {
                origin
                    .strip_prefix(scheme)
                    .is_some_and(|host| !host.is_empty() && !host.contains(['/', ' ', '*']))
            });
        findings.check(good, "server.cors_origins", || {
            format!("'{origin}' is not an origin such as https://shop.example, without a path")
        });
    }
}

fn validate_auth(config: &Config, findings: &mut Findings<'_>) {
    if let Some(key) = &config.auth.signing_key {
        let length = key.expose().len();
        findings.check(length >= SIGNING_KEY_MIN, "auth.signing_key", || {
            format!("it has {length} characters; at least {SIGNING_KEY_MIN} that nobody can guess")
        });
    }
    let ttl = config.auth.token_ttl;
    findings.check(ttl.get() >= Duration::from_secs(60), "auth.token_ttl", || {
        format!("{ttl} is too short; at least 1m")
    });
}

fn validate_media(config: &Config, findings: &mut Findings<'_>) {
    if let Some(url) = config.media.url.as_deref().filter(|url| !url.starts_with("s3://")) {
        let good = url.strip_prefix("file://").is_some_and(|path| path.starts_with('/'));
        findings.check(good, "media.url", || {
            format!("'{url}' is neither file:///a/directory nor s3://bucket")
        });
    }
}

fn validate_stores(config: &Config, findings: &mut Findings<'_>) {
    let url = config.commerce.url.as_ref();
    findings.check(url.is_some() || !config.wants_postgres(), "commerce.url", || {
        "it is not set, but a port stands on Postgres: postgres://user@host/database".to_owned()
    });
    let scheme = url.map_or("postgres", |url| url.scheme());
    findings.check(matches!(scheme, "postgres" | "postgresql"), "commerce.url", || {
        format!("it begins with {scheme}://, but only postgres:// is known")
    });
    findings.check(config.commerce.connections > 0, "commerce.connections", || {
        "0 would let nobody in".to_owned()
    });
    let url = config.cache.url.as_ref();
    let on_redis = config.stores.entities == EntityBackend::Redis;
    findings.check(url.is_some() || !on_redis, "cache.url", || {
        "it is not set, but the entities lie in Redis: redis://host:6379".to_owned()
    });
    let scheme = url.map_or("redis", |url| url.scheme());
    let known = ["redis", "rediss", "redis-cluster", "rediss-cluster"];
    findings.check(known.contains(&scheme), "cache.url", || {
        format!("it begins with {scheme}://, but only {} are known", known.join("://, ") + "://")
    });
    let embedded = config.stores.entities == EntityBackend::Embedded;
    let none = config.control() == Control::None;
    findings.check(!none || embedded, "cluster.control", || {
        "other processes can reach these entities: name a table that nodes agree in, dynamodb or \
         postgres"
            .to_owned()
    });
    let sqlite = config.commerce_backend() == CommerceBackend::Sqlite;
    findings.check(none || !sqlite, "stores.commerce", || {
        "other nodes cannot reach a file of SQLite, and would sell the same stock: postgres"
            .to_owned()
    });
    findings.check(!config.services.is_empty(), "services", || {
        "there are none: a process that answers for nothing is of no use".to_owned()
    });
    let weight = config.cluster.weight;
    findings.check((1..=1_000).contains(&weight), "cluster.weight", || {
        format!("{weight} is not between 1 and 1000; without `cart` a node takes no shards at all")
    });
    let prefix = &config.dynamodb.table_prefix;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    findings.check(
        prefix.len() <= 200 && prefix.chars().all(plain),
        "dynamodb.table_prefix",
        || format!("'{prefix}' has more than 200 characters, or others than A-Z a-z 0-9 _ - ."),
    );
}

fn validate_shop(config: &Config, findings: &mut Findings<'_>) {
    if let Err(error) = config.shop.validate() {
        findings.check(false, &format!("shop.{}", error.path), || error.problem);
    }
}
