//! How the world answers: the stores, caches and clocks behind the engine's ports.
//!
//! [`embedded`] keeps everything in the process and one folder, [`sqlite`] stock and orders in a
//! file. `postgres`, `redis`, `dynamodb` and `s3` stand on a server beside the process, each
//! behind the cargo feature of its name. [`simulated`] keeps it in memory, the same at every run,
//! for simulations and tests. [`gateways`] move the money. [`migrations`] tell what tables lack.
//! [`decorators`] add behaviour to any adapter: they measure it, repeat what failed, or break it on
//! purpose. [`host`] is the machine's clock and randomness.

mod catalog;
mod commerce;
#[cfg(any(feature = "s3", feature = "stripe"))]
mod cryptography;
pub mod decorators;
mod due;
#[cfg(feature = "dynamodb")]
pub mod dynamodb;
pub mod embedded;
pub mod gateways;
pub mod host;
pub mod migrations;
mod objects;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod probe;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "s3")]
pub mod s3;
pub mod simulated;
pub mod sqlite;
mod submitted;

pub use commerce::events::Handled;
