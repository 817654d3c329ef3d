//! The servers that the configured ports stand on, as operators see them: how they are, and what
//! has to be made in them before they can be used.

use std::time::Duration;

use super::servers::Servers;
use crate::config::Config;

/// What a look at one server found.
#[derive(Debug)]
pub struct Found {
    /// Which one.
    pub server: &'static str,
    /// Where it is, or why it does not answer.
    pub answer: Result<Health, String>,
}

/// A server that answers.
#[derive(Debug)]
pub struct Health {
    /// Where, and who of several.
    pub at: String,
    /// From a small question to its answer.
    pub latency: Duration,
    /// How far its clock is from ours, in seconds.
    pub skew_s: u64,
    /// What is missing, or other than it should be.
    pub missing: Vec<String>,
}

/// Looks at each server that a port of this configuration stands on.
pub async fn look(config: &Config) -> Vec<Found> {
    #[allow(unused_mut, reason = "a build without servers has none to look at")]
    let mut found = Vec::new();
    #[allow(unused_mut, unused_variables, reason = "as above")]
    let mut servers = Servers::at_once(config);
    #[cfg(feature = "postgres")]
    if config.wants_postgres() {
        let answer = look_at_postgres(&mut servers).await;
        found.push(Found { server: "postgres", answer });
    }
    #[cfg(feature = "dynamodb")]
    if config.wants_dynamodb() {
        let answer = look_at_dynamodb(&mut servers).await;
        found.push(Found { server: "dynamodb", answer });
    }
    #[cfg(feature = "redis")]
    if config.cache.url.is_some() {
        found.push(Found { server: "redis", answer: look_at_redis(config, &servers).await });
    }
    #[cfg(feature = "s3")]
    if let Some(url) = config.media_bucket() {
        found.push(Found { server: "s3", answer: look_at_s3(url).await });
    }
    found
}

#[cfg(any(feature = "dynamodb", feature = "postgres", feature = "redis", feature = "s3"))]
fn health(at: String, probe: barrow_adapters::probe::Probe, missing: Vec<String>) -> Health {
    let now = std::time::SystemTime::now();
    let skew = probe.time.duration_since(now).unwrap_or_else(|behind| behind.duration());
    Health { at, latency: probe.latency, skew_s: skew.as_secs(), missing }
}

#[cfg(feature = "postgres")]
async fn look_at_postgres(servers: &mut Servers<'_>) -> Result<Health, String> {
    let postgres = servers.postgres().await.map_err(|error| error.to_string())?;
    let probe = postgres.probe().await.map_err(|error| error.to_string())?;
    Ok(health(format!("primary {}", postgres.primary()), probe, Vec::new()))
}

#[cfg(feature = "dynamodb")]
async fn look_at_dynamodb(servers: &mut Servers<'_>) -> Result<Health, String> {
    use barrow_adapters::dynamodb::tables;
    let dynamodb = servers.dynamodb().await;
    let probe = dynamodb.probe().await?;
    let steps = tables::plan(&dynamodb).await.map_err(|error| error.to_string())?;
    let missing = steps.iter().map(ToString::to_string).collect();
    Ok(health("credentials accepted".to_owned(), probe, missing))
}

#[cfg(feature = "redis")]
async fn look_at_redis(config: &Config, servers: &Servers<'_>) -> Result<Health, String> {
    let redis = servers.redis().map_err(|error| error.to_string())?;
    let redis = redis.ok_or_else(|| "it is not set".to_owned())?;
    let probe = redis.probe().await.map_err(|error| error.to_string())?;
    let at = config.cache.url.as_ref().map(ToString::to_string).unwrap_or_default();
    Ok(health(at, probe, Vec::new()))
}

#[cfg(feature = "s3")]
async fn look_at_s3(url: &str) -> Result<Health, String> {
    use barrow_adapters::probe::Probe;
    let store = super::servers::s3(url).map_err(|error| error.to_string())?;
    // The first question connects.
    let plan = store.plan().await.map_err(|error| error.to_string())?;
    let began = std::time::Instant::now();
    let again = store.plan().await.map_err(|error| error.to_string())?;
    // A clock that is off by minutes would have been refused with the signature.
    let probe = Probe { latency: began.elapsed(), time: std::time::SystemTime::now() };
    let bucket = format!("bucket {} in {}", again.bucket, again.region);
    Ok(health(bucket, probe, plan.step().into_iter().collect()))
}

/// What `setup aws` would do, or has done, one line a step.
pub async fn setup(config: &Config, is_plan: bool) -> Result<Vec<String>, String> {
    #[allow(unused_mut, reason = "a build without servers has nothing to set up")]
    let mut done = Vec::new();
    #[cfg(feature = "dynamodb")]
    if config.wants_dynamodb() {
        use barrow_adapters::dynamodb::tables;
        let dynamodb = Servers::new(config).dynamodb().await;
        let steps = match is_plan {
            true => tables::plan(&dynamodb).await,
            false => tables::create(&dynamodb).await,
        };
        done.extend(steps.map_err(|error| error.to_string())?.iter().map(ToString::to_string));
    }
    #[cfg(feature = "s3")]
    if let Some(url) = config.media_bucket() {
        let store = super::servers::s3(url).map_err(|error| error.to_string())?;
        let plan = if is_plan { store.plan().await } else { store.create().await };
        done.extend(plan.map_err(|error| error.to_string())?.step());
    }
    #[cfg(not(any(feature = "dynamodb", feature = "s3")))]
    let _ = (config, is_plan);
    Ok(done)
}
