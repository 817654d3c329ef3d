//! Where things live. Keys and bytes, no commerce.
//!
//! An entity belongs to a shard, a shard to one owner at a time, and an owner may serve it only
//! while its lease is valid ([`Lease`], [`Ownership`]). A single node on its own, locked store
//! owns every shard for as long as it runs. On a store that others can reach, a row of the
//! control table says who serves ([`ControlTable`], [`Tenure`]): a second process waits.

#[cfg(feature = "contract")]
pub mod contract;
mod control;
mod lease;
mod tenure;

pub use control::{ControlError, ControlOutcome, ControlRow, ControlTable};
pub use lease::{Grant, Lease, Ownership, SoleOwner};
pub use tenure::{BEAT_INTERVAL, Beat, Candidate, Holder, LEASE, Step, Tenure};
