//! Entities, products, stock, orders and API keys in Postgres.
//!
//! All stores of a process share one pool of connections to the primary, which is found among
//! the hosts of the URL and followed when another one takes over ([`Postgres`]). A condition that
//! guards a write is never read from a standby.

mod api_keys;
mod control_table;
mod entity_store;
mod errors;
mod hosts;
mod limits;
mod order_rows;
mod order_store;
mod outbox;
mod primary;
mod probe;
mod product_store;
mod reviews;
mod stock_ledger;
mod transaction;
mod write_batch;

pub use api_keys::PostgresApiKeys;
pub use control_table::PostgresControlTable;
pub use entity_store::PostgresEntityStore;
pub use errors::ConnectError;
pub use order_store::PostgresOrderStore;
pub use outbox::PostgresOutbox;
pub use primary::{Postgres, PostgresOptions};
pub use product_store::PostgresProductStore;
pub use stock_ledger::PostgresStockLedger;
