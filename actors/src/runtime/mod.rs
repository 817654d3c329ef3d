//! The entity runtime: one writer per entity, and no reply before its cause is durable.
//!
//! The rules, which code and tests name:
//!
//! - **R1** Every write is conditional on the entity's version and on the id of the write that
//!   made it ([`cas`](barrow_engine::ports::EntityStore::cas)).
//! - **R2** A write of unknown outcome is resolved by repeating the same write
//!   (module [`mod@write`]); if that does not tell, the actor is dropped and its callers
//!   get [`CommandError::OutcomeUnknown`]. The next activation starts only after the former's
//!   write has ended (the entity's *lane*).
//! - **R3** Every reply waits until the state it was decided on is durable and the lease is
//!   valid at that instant ([`gate`]); only the live actor releases it.
//! - **R4** A read is answered from memory only under a valid lease, only from durable state.
//! - **R6** A command with a key takes effect once; the row remembers the key ([`memory`]).
//!
//! - **R5** A shard moves from a live owner only by that owner's own handoff: it is closed, its
//!   entities are drained ([`Runtime::drain_shards`]), and only then another one is granted it.
//!   Who is granted what is the affair of [`barrow_cluster`].
//!
//! A command's way: [`Runtime`] admits it (a permit, or a refusal), the [`directory`] finds or
//! activates the actor, the [`actor`] hands it to its pure [`machine`], which decides, applies
//! and holds the reply; the gate writes and releases.

mod actor;
mod directory;
mod elsewhere;
mod envelope;
mod form;
#[cfg(test)]
mod fuzz;
mod gate;
mod handle;
mod host;
mod machine;
mod memory;
mod observe;
mod outbox;
mod peers;
mod plain;
mod planted;
mod remote;
mod router;
mod scanner;
mod settings;
mod spawn;
mod supervisor;
mod warm;
mod write;

pub use form::newest_form;
#[cfg(feature = "planted")]
pub use form::{NEXT_FORM, know_next_form};
pub use handle::{Feed, Runtime, RuntimeParts};
pub use host::{Host, HostError, WireError};
pub use memory::{IdempotencyKey, KEY_AGE_MIN, KEYS_MAX, KEYS_MIN};
pub use observe::{RuntimeObservation, RuntimeStats};
pub use outbox::{DeliveryError, SequencedEffect};
pub use peers::PeerService;
pub use plain::PlainHost;
#[cfg(not(feature = "planted"))]
pub(crate) use planted::{Bug, is_planted};
#[cfg(feature = "planted")]
pub use planted::{Bug, is_planted, plant};
pub use remote::Request;
pub use router::{EffectRouter, Receiver};
pub use scanner::{DueScanner, Wakeable};
pub use settings::RuntimeSettings;
pub(crate) use spawn::Tasks;
pub use spawn::spawn_background;

use std::time::Duration;

/// What the runtime answers to an accepted command or a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply<V> {
    /// The entity's version that the view shows: it counts the changes that were accepted.
    pub version: u64,
    pub view: V,
    /// The version that was made when the command was first accepted, if this is a repeat.
    pub replayed: Option<u64>,
}

/// Why a command or a read has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError<R> {
    /// The entity refuses; nothing changed.
    #[error("refused: {0:?}")]
    Rejected(R),
    /// The entity is not at the version the caller asked for; nothing changed.
    #[error("the entity is at version {current}")]
    VersionMismatch { current: u64 },
    /// The key was used for another command; nothing changed.
    #[error("the idempotency key was used for another command")]
    KeyReused,
    /// The entity remembers as many keys as it may; nothing changed.
    #[error("the entity remembers as many keys as it may")]
    KeyMemoryFull,
    /// Too much is under way; nothing changed.
    #[error("too much is under way")]
    Overloaded { retry_after: Duration },
    /// The entity cannot be reached now; nothing changed.
    #[error("not available now")]
    Unavailable { retry_after: Duration },
    /// The change may or may not have happened; repeat it with the same key.
    #[error("the outcome is unknown")]
    OutcomeUnknown,
    /// The stored row is damaged, or of a newer build; it is left as it is.
    #[error("the stored row cannot be read")]
    Unreadable,
}
