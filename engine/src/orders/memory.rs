//! What an order remembers of the keys that its commands were sent with.
//!
//! A command that may be sent twice carries its client's key. It is remembered in the order's own
//! document, and so in the write that has the command's effect: whoever finds the effect finds the
//! key. A full memory refuses rather than forget.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Order, OrderEvent};
use crate::time::Timestamp;

/// So many keys are remembered however old they are.
pub const ORDER_KEYS_MIN: usize = 16;

/// So long a key is remembered however many came after it.
pub const ORDER_KEY_AGE_MIN: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// More are never remembered: 256 keys are about 40 KB of every write of the order.
pub const ORDER_KEYS_MAX: usize = 256;

/// A client's key for a command to an order, and what it was sent with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandKey {
    /// Whose key it is: two callers may use the same one.
    pub caller: String,
    pub key_hash: u64,
    /// Of whatever makes two uses of the key the same command.
    pub payload_hash: u32,
}

/// A key that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsedKey {
    pub caller: String,
    pub key: u64,
    pub payload: u32,
    /// The order's version after the command.
    pub version: u64,
    /// The id of what the command made: a return, a refund, a parcel, an edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<String>,
    pub at: Timestamp,
}

/// What an order says of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyRecall {
    New,
    /// Seen, with the same payload.
    Seen(UsedKey),
    /// Seen, with another payload.
    Reused,
    /// New, and there is no room for it.
    Full,
}

impl Order {
    pub fn recall(&self, key: &CommandKey, now: Timestamp) -> KeyRecall {
        let is_it = |used: &&UsedKey| used.key == key.key_hash && used.caller == key.caller;
        if let Some(seen) = self.keys.iter().rev().find(is_it) {
            return match seen.payload == key.payload_hash {
                true => KeyRecall::Seen(seen.clone()),
                false => KeyRecall::Reused,
            };
        }
        match self.keys.first() {
            Some(oldest) if self.keys.len() >= ORDER_KEYS_MAX && !may_go(oldest, now) => {
                KeyRecall::Full
            }
            _ => KeyRecall::New,
        }
    }

    /// Remembers a key that [`Order::recall`] called new, with what its command led to, and
    /// forgets what it may. It becomes part of the version that the order has now.
    pub fn remember(&mut self, key: CommandKey, made: Option<String>, now: Timestamp) {
        self.keys.push(UsedKey {
            caller: key.caller,
            key: key.key_hash,
            payload: key.payload_hash,
            version: self.version,
            made,
            at: now,
        });
        let beyond = self.keys.len().saturating_sub(ORDER_KEYS_MIN);
        let old = self.keys.iter().take(beyond).take_while(|used| may_go(used, now)).count();
        self.keys.drain(..old);
    }
}

/// Older than it must be remembered. A clock that went back makes keys younger, never older.
fn may_go(used: &UsedKey, now: Timestamp) -> bool {
    now.since(used.at) > ORDER_KEY_AGE_MIN
}

impl OrderEvent {
    /// The id of what came into being.
    pub fn made(&self) -> Option<String> {
        Some(match self {
            OrderEvent::Fulfilled { fulfilment, .. } => fulfilment.to_string(),
            OrderEvent::ReturnRequested { id } => id.to_string(),
            OrderEvent::EditProposed { edit, .. } => edit.to_string(),
            OrderEvent::RefundRequested { refund, .. } => refund.to_string(),
            _ => return None,
        })
    }
}
