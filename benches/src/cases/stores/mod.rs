//! The entity stores beside their servers: what a store makes of the changes that a crowd of
//! entities asks for, beside what the bare client of its server makes of the same changes in a
//! loop of its own.
//!
//! Each entity has one write in flight, as an actor has. A change is a row of 600 bytes that is
//! conditional on the one before.
//!
//! Then what a read of a product costs, in memory, in the shared cache and in the store.

#[cfg(feature = "peers")]
mod bare;
#[cfg(feature = "peers")]
mod catalog;
#[cfg(feature = "peers")]
mod crowd;
#[cfg(feature = "peers")]
mod disk;
#[cfg(feature = "peers")]
mod measured;

#[cfg(feature = "peers")]
pub use bare::BarePostgres;
#[cfg(feature = "peers")]
pub use measured::time;

use super::peers::skip;
use crate::options::{Case, Options};

#[cfg(not(feature = "peers"))]
pub fn run(options: &Options, _: &tokio::runtime::Runtime) -> anyhow::Result<()> {
    if options.wants(Case::Stores) {
        skip(options, "stores", "built without the feature `peers`");
    }
    Ok(())
}

#[cfg(feature = "peers")]
pub fn run(options: &Options, runtime: &tokio::runtime::Runtime) -> anyhow::Result<()> {
    if !options.wants(Case::Stores) {
        return Ok(());
    }
    measured::embedded(options, runtime)?;
    measured::postgres(options, runtime)?;
    measured::redis(options, runtime)?;
    measured::dynamodb(options, runtime)
}
