//! Peers: the same add, as it is commonly built. An axum handler in front of Redis, or of
//! Postgres, each told to have every change on the disk before it answers.
//!
//! They do less than the shop: no token, no idempotency key, no stock, no taxes, and the catalog
//! is an array. Their clients are built in only with the feature `peers`, since nothing else
//! needs them.

#[cfg(feature = "peers")]
mod postgres;
#[cfg(feature = "peers")]
mod redis;
#[cfg(feature = "peers")]
mod reply;
#[cfg(feature = "peers")]
pub mod stores;

use anyhow::bail;

/// Which peer a process is to be.
#[cfg(feature = "peers")]
pub const PEER: &str = "BENCH_PEER";
/// Where its store listens.
#[cfg(feature = "peers")]
pub const STORE: &str = "BENCH_STORE";

#[cfg(feature = "peers")]
pub fn run() -> anyhow::Result<()> {
    use anyhow::Context;

    let store = || std::env::var(STORE).context("it is told where its store listens");
    let runtime = tokio::runtime::Runtime::new()?;
    match std::env::var(PEER).as_deref() {
        Ok("redis") => runtime.block_on(redis::serve(&store()?)),
        Ok("postgres") => runtime.block_on(postgres::serve(&store()?)),
        Ok("dynamodb") => {
            let server = barrow_servers::DynamoDb::start()?;
            println!("listening on {}", server.endpoint());
            // Until it is killed.
            runtime.block_on(std::future::pending())
        }
        _ => bail!("no such peer"),
    }
}

#[cfg(not(feature = "peers"))]
pub fn run() -> anyhow::Result<()> {
    bail!("built without the feature `peers`")
}
