//! Where things live. Keys and bytes, no commerce.
//!
//! An entity belongs to a shard, a shard to one owner at a time, and an owner may serve it only
//! while its lease is valid ([`Lease`], [`Ownership`]). A single node on its own, locked store
//! owns every shard for as long as it runs. On a store that others can reach, a row of the
//! control table says who serves ([`ControlTable`], [`Tenure`]): a second process waits. Several
//! nodes share the shards by a view in that table ([`View`], [`Membership`]).

#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod control;
mod lease;
mod member;
mod membership;
mod memory_table;
pub mod node;
pub mod plan;
#[cfg(any(test, feature = "planted"))]
pub mod planted;
#[cfg(not(any(test, feature = "planted")))]
mod planted;
mod shards;
#[cfg(test)]
mod simulation;
mod tenure;
pub mod transport;
mod view;

pub use control::{ControlError, ControlOutcome, ControlRow, ControlTable, ROWS_MAX};
pub use lease::{Grant, Lease, Ownership, SoleOwner};
pub use member::{Member, MemberId, MemberIdError, Peer};
pub use membership::{Membership, MembershipParts, ShardHost, Uptime};
pub use memory_table::MemoryControlTable;
pub use node::{Ended, HandoffSettings, Node};
pub use shards::{Place, Shards};
pub use tenure::{BEAT_INTERVAL, Beat, Candidate, Holder, LEASE, Step, Tenure};
pub use view::{MEMBERS_MAX, SHARDS, Term, VIEW_KEY, View, ViewError};
