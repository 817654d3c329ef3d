//! Stock: how many units lie where, who holds how many of them, and how they came and went.
//!
//! What is on hand changes by movements, which are never altered: the ledger. An order first
//! reserves units, for a while; placed, it has them allocated until they leave the house. What is
//! neither is available. A level is never promised beyond itself and what may be sold before it
//! comes (I7); whatever a store keeps of it is changed by a [`Ledger`] inside its transaction, and
//! the database's own constraints stand behind that.

mod claim;
mod ledger;
mod level;
mod movement;
mod standing;

#[cfg(test)]
mod tests;

pub use claim::{Claim, Held, Kept, Wish};
pub use ledger::{Ledger, LedgerChanges, StockRefusal};
pub use level::{DEFAULT_LOCATION, Level, UNITS_MAX, default_location};
pub use movement::{MOVEMENT_REASON_CHARS_MAX, Movement, MovementDraft};
pub use standing::{Standing, StockNews};
