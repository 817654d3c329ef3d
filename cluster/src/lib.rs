//! Where things live. Keys and bytes, no commerce.
//!
//! An entity belongs to a shard, a shard to one owner at a time, and an owner may serve it only
//! while its lease is valid ([`Lease`], [`Ownership`]). A single node on its own, locked store
//! owns every shard for as long as it runs ([`SoleOwner`]). On a store that others can reach,
//! the nodes agree in a [`View`]: one row of the control table ([`ControlTable`]), changed only
//! by compare-and-set. Each node is a member of it for as long as it beats ([`node`], run by
//! [`Membership`]); which shard should be where is a pure plan ([`plan`]).
//!
//! What this node knows of all that is in its [`Shards`]. A request goes to the owner of its
//! shard by the [`Router`], over a [`transport`].

#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod control;
mod lease;
mod member;
mod membership;
mod memory_table;
#[cfg(test)]
mod model;
pub mod node;
pub mod plan;
#[cfg(any(test, feature = "planted"))]
pub mod planted;
#[cfg(not(any(test, feature = "planted")))]
mod planted;
mod router;
mod shards;
#[cfg(any(test, feature = "planted"))]
pub mod simulation;
pub mod transport;
mod view;

pub use control::{ControlError, ControlOutcome, ControlRow, ControlTable, ROWS_MAX};
pub use lease::{BEAT_INTERVAL, Grant, LEASE, Lease, Ownership, SoleOwner};
pub use member::{Member, MemberId, MemberIdError, Peer};
pub use membership::{Membership, MembershipParts, ShardHost, Uptime};
pub use memory_table::MemoryControlTable;
pub use node::{Ended, Node, NodeSettings};
pub use router::{RouteError, Routed, Router, RouterSettings, RouterStats};
pub use shards::{Place, Shards};
pub use view::{FIRST_FORM, MEMBERS_MAX, SHARDS, Term, VIEW_KEY, View, ViewError};
