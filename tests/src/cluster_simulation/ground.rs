//! What the nodes stand on and outlives them: the stores, the control table and the network. It
//! runs on a runtime of its own: what a process has sent still arrives after its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use barrow_adapters::decorators::Faulty;
use barrow_adapters::simulated::SimulatedEntityStore;
use barrow_cluster::{ControlTable, MemoryControlTable, VIEW_KEY};
use barrow_engine::entity::EntityKey;
use barrow_engine::ports::{EntityStore, Row};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::network::Network;
use super::selling::Selling;
use super::table::TableFaults;
use crate::host::{SeededEntropy, SimulatedClock};
use crate::simulation::history::History;

pub struct Ground {
    pub outside: Handle,
    pub dice: SeededEntropy,
    pub clock: Arc<SimulatedClock>,
    /// What is stored, without the faults of the way there.
    pub rows: Arc<SimulatedEntityStore>,
    pub store: Arc<Faulty<dyn EntityStore>>,
    pub table: MemoryControlTable,
    pub table_faults: Mutex<TableFaults>,
    pub network: Network,
    /// What each machine is cut off from.
    pub cuts: Mutex<Vec<Cuts>>,
    /// For how long all nodes have to read a later form before it is written.
    pub form_wait: Duration,
    /// Processes that did not become members, of a build that does not read the shop's form.
    pub refused: AtomicUsize,
    pub history: Arc<History>,
    /// Where the cluster sells.
    pub selling: Option<Arc<Selling>>,
    /// Processes that learned that they were taken for dead.
    pub(super) evictions: AtomicUsize,
}

#[derive(Debug, Default, Clone, Copy)]
pub struct Cuts {
    pub store: bool,
    pub table: bool,
    /// The database of stock and orders.
    pub commerce: bool,
}

impl Ground {
    /// Does it outside of the process that asks, and brings back what came of it.
    pub async fn beyond<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let (to, answer) = oneshot::channel();
        self.outside.spawn(async move { drop(to.send(work.await)) });
        match answer.await {
            Ok(answer) => answer,
            // The world ends.
            Err(_) => std::future::pending().await,
        }
    }

    /// What everything that is stored may be written in: the first byte of the view's row.
    pub async fn form(&self) -> u8 {
        let view = self.table.load(VIEW_KEY).await.expect("it is in memory");
        view.map_or(0, |view| view.value[0])
    }

    /// No row is written that a member might not read.
    pub async fn check_form(&self, key: EntityKey, row: &Row) {
        let (written, allowed) = (row.blob[0], self.form().await);
        if written > allowed {
            self.history.wrong(format!("{key} in form {written}, while form {allowed} is allowed"));
        }
    }

    pub fn evictions(&self) -> usize {
        self.evictions.load(Ordering::Relaxed)
    }

    pub fn count_eviction(&self) {
        self.evictions.fetch_add(1, Ordering::Relaxed);
    }

    pub fn cuts(&self, machine: usize) -> Cuts {
        self.cuts.lock()[machine]
    }

    pub fn cut(&self, machine: usize, change: impl FnOnce(&mut Cuts)) {
        change(&mut self.cuts.lock()[machine]);
    }

    pub fn up_to_ms(&self, longest: u64) -> Duration {
        Duration::from_millis(self.dice.below(longest))
    }
}
