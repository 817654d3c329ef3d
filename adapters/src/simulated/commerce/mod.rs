//! Stock and orders in memory: the tables of a database, and its transactions one after the
//! other. What is decided is decided by the same flow as on SQLite and Postgres, and the tables
//! refuse what their constraints refuse there. Its outbox tells of what was written.

mod order_store;
mod outbox;
mod stock_ledger;
mod transaction;

use std::collections::BTreeMap;
use std::sync::Arc;

use barrow_engine::catalog::{Location, Sku};
use barrow_engine::ids::{CartId, MovementId, OrderId, PaymentId, ReturnId};
use barrow_engine::inventory::{Claim, Level, Movement};
use barrow_engine::orders::{Order, OrderNumber};
use barrow_engine::ports::{Clock, CommerceError};
use barrow_engine::time::Timestamp;
use futures::FutureExt;
use parking_lot::Mutex;

use crate::commerce::events::Written;
use crate::commerce::writes::{Outcome, Write, write_all};
use crate::commerce::{End, Fault};
use outbox::Outgoing;

/// One database, as an order store, a stock ledger and an outbox. A change is in force when its
/// call returns.
pub struct SimulatedCommerce {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Told when there is something for the consumers of events.
    written: Written,
}

#[derive(Default)]
struct State {
    tables: Tables,
    /// Transactions that wrote something.
    commits: u64,
}

impl State {
    fn commit(&mut self, tables: Tables) {
        self.tables = tables;
        self.commits += 1;
    }
}

/// A transaction works on a copy, of which what it does not touch is shared with the original.
#[derive(Clone, Default)]
struct Tables {
    levels: Arc<BTreeMap<(Sku, Location), Level>>,
    claims: Arc<BTreeMap<(OrderId, Sku, Location), Claim>>,
    movements: Arc<BTreeMap<MovementId, Movement>>,
    orders: Arc<BTreeMap<OrderId, Arc<StoredOrder>>>,
    carts: Arc<BTreeMap<CartId, OrderId>>,
    numbers: Arc<BTreeMap<OrderNumber, OrderId>>,
    payments: Arc<BTreeMap<PaymentId, OrderId>>,
    returns: Arc<BTreeMap<ReturnId, OrderId>>,
    next_number: i64,
    outgoing: Outgoing,
    /// When the transaction began.
    now: Timestamp,
}

/// An order as it reads back from its document, and the columns that find it.
struct StoredOrder {
    order: Order,
    email: String,
    last_name: String,
    changed_at: Timestamp,
    settled: bool,
}

/// All that is stored at one moment.
#[derive(Debug, Clone, Default)]
pub struct CommerceRows {
    pub orders: Vec<Order>,
    pub levels: Vec<Level>,
    pub claims: Vec<Claim>,
    pub movements: Vec<Movement>,
}

impl SimulatedCommerce {
    pub fn new(clock: Arc<dyn Clock>) -> SimulatedCommerce {
        SimulatedCommerce { clock, state: Mutex::default(), written: Written::default() }
    }

    /// For comparing with what was acknowledged.
    pub fn rows(&self) -> CommerceRows {
        let tables = self.tables();
        CommerceRows {
            orders: tables.orders.values().map(|stored| stored.order.clone()).collect(),
            levels: tables.levels.values().cloned().collect(),
            claims: tables.claims.values().cloned().collect(),
            movements: tables.movements.values().cloned().collect(),
        }
    }

    /// Counts transactions that wrote something: while it stands still all rows do.
    pub fn commits(&self) -> u64 {
        self.state.lock().commits
    }

    /// As they are committed.
    fn tables(&self) -> Tables {
        self.state.lock().tables.clone()
    }

    /// Makes one write in a transaction of its own.
    fn write_alone(&self, write: Write) -> Result<Outcome, CommerceError> {
        let writes = [write];
        let written = self.write(async |tables: &mut Tables| write_all(tables, &writes).await)?;
        let outcome = written.and_then(|mut outcomes| outcomes.pop());
        outcome.ok_or_else(|| CommerceError::Damaged("a write of none".to_owned()))
    }

    /// Runs a transaction, alone.
    fn write<T>(
        &self,
        change: impl AsyncFnOnce(&mut Tables) -> Result<End<T>, Fault>,
    ) -> Result<T, CommerceError> {
        let mut state = self.state.lock();
        let mut changed = Tables { now: self.clock.now(), ..state.tables.clone() };
        let ran = change(&mut changed).now_or_never();
        match ran.expect("nothing in memory is waited for") {
            Ok(End::Rollback(answer)) => Ok(answer),
            Ok(End::Commit(answer)) => {
                state.commit(changed);
                Ok(answer)
            }
            Ok(End::Announce(answer)) => {
                state.commit(changed);
                self.written.bump();
                Ok(answer)
            }
            Err(Fault::Damaged(what)) => Err(CommerceError::Damaged(what)),
            Err(fault @ (Fault::Database(_) | Fault::Again)) => {
                unreachable!("nobody comes between, and there is no server: {fault:?}")
            }
        }
    }
}
