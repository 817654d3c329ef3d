//! Shop sessions, as far as they are durable: which cart is a session's, which tokens were
//! revoked before their time, and the keys that sign tokens.
//!
//! A token proves itself, by its signature and its expiry; nothing in here is asked to let a
//! shopper in. What else a session holds, such as what was looked at last, is volatile and not
//! the engine's affair.

mod current_cart;
mod revocations;
mod sent;
mod signing_keys;

#[cfg(test)]
pub(crate) mod tests;

pub use current_cart::{
    CurrentCart, SESSION_ROW_SLACK, SESSION_TTL, Session, SessionCommand, SessionEntity,
    SessionEvent, key,
};
pub use revocations::{
    BUCKETS, REVOCATIONS_MAX, Revocations, RevocationsCommand, RevocationsEvent,
    RevocationsRejection, RevokedSessions, SessionHash,
};
pub use signing_keys::{
    SIGNING_KEYS_MAX, SigningKey, SigningKeyId, SigningKeyRing, SigningKeys, SigningKeysCommand,
    SigningKeysEvent, SigningKeysRejection,
};

/// What an entity that refuses nothing answers when it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Never {}
