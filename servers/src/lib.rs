//! The real servers that tests, benchmarks and `./dev up` run on: on free ports, without Docker
//! and without an account. Each is stopped when its handle is dropped, or when this process ends,
//! however it ends.

mod dynamodb_local;
mod fault_proxy;
mod http;
mod ministack;
mod namespaces;
mod postgres;
mod process;
mod python;
mod redis;
mod schemathesis;

pub use dynamodb_local::DynamoDbLocal;
pub use fault_proxy::{BlackHole, Each, Fault, FaultProxy};
pub use http::{ACCESS_KEY, DynamoDb, REGION, S3, SECRET_KEY};
pub use ministack::MiniStack;
pub use namespaces::{Cable, Namespaces};
pub use postgres::{Postgres, PostgresPair, Sync};
pub use process::{Process, free_port};
pub use redis::{Redis, RedisCluster};
pub use schemathesis::Schemathesis;

use std::io::Write;

/// The server, or `None` with a loud word on why not. Where `CI` is set, a server that does not
/// start fails the test: nothing is proven there by leaving it out.
pub fn or_skip<T>(server: &str, started: anyhow::Result<T>) -> Option<T> {
    match started {
        Ok(started) => Some(started),
        Err(error) if std::env::var_os("CI").is_some() => {
            panic!("{server} could not be started: {error:#}")
        }
        Err(error) => {
            // Not by a macro: the test harness keeps what those write to itself.
            let line = format!("\nSKIP: {server} could not be started: {error:#}\n");
            // A closed error stream hears nothing.
            let _ = std::io::stderr().write_all(line.as_bytes());
            None
        }
    }
}
