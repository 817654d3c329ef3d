//! Stock, orders and API keys in SQLite: a file beside the embedded store.
//!
//! One connection writes, since one transaction at a time can; others read beside it what is
//! committed. A second process may open the file too: the two wait for each other.

mod api_keys;
mod database;
mod limits;
mod order_store;
mod outbox;
mod stock_ledger;
mod transaction;

pub use api_keys::SqliteApiKeys;
pub use database::{Sqlite, SqliteError, SqliteOptions, copy, missing_migrations};
pub use order_store::SqliteOrderStore;
pub use outbox::{SqliteOutbox, dead_letters_in};
pub use stock_ledger::SqliteStockLedger;
