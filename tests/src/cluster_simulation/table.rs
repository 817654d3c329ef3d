//! The control table as one machine reaches it, with what goes wrong on the way.

use std::sync::Arc;

use async_trait::async_trait;
use barrow_cluster::{ControlError, ControlOutcome, ControlRow, ControlTable};

use super::ground::Ground;

/// How often what happens to a call, in a hundred.
#[derive(Debug, Default, Clone, Copy)]
pub struct TableFaults {
    pub failed: u64,
    pub answer_lost: u64,
    /// A write comes after its answer said that nobody knows.
    pub late: u64,
    /// A removal takes as long as a call may.
    pub slow_removals: u64,
    pub is_out: bool,
}

const LATENCY_MS_MAX: u64 = 15;
const LATE_MS_MAX: u64 = 4_000;
const SLOW_MS_MAX: u64 = 1_950;

pub struct TableFromMachine {
    pub ground: Arc<Ground>,
    pub machine: usize,
}

enum Call {
    Cas(String, u64, Vec<u8>),
    Delete(String, u64),
}

type Answer = Result<ControlOutcome, ControlError>;

fn away<T>() -> Result<T, ControlError> {
    Err(ControlError::Unavailable("it is away".to_owned()))
}

fn unknown<T>() -> Result<T, ControlError> {
    Err(ControlError::OutcomeUnknown("nobody knows".to_owned()))
}

async fn apply(ground: &Ground, call: Call) -> Answer {
    match call {
        Call::Cas(key, expected, value) => ground.table.cas(&key, expected, value).await,
        Call::Delete(key, expected) => ground.table.delete(&key, expected).await,
    }
}

/// The way to the table: whether the call arrives.
async fn arrives(ground: &Ground, machine: usize) -> bool {
    tokio::time::sleep(ground.up_to_ms(LATENCY_MS_MAX)).await;
    let is_cut = ground.cuts(machine).table || ground.table_faults.lock().is_out;
    if is_cut && ground.dice.chance(50) {
        // Nobody answers; whoever called gives up by itself.
        std::future::pending().await
    }
    let failed = ground.table_faults.lock().failed;
    !is_cut && !ground.dice.chance(failed)
}

async fn write(ground: Arc<Ground>, machine: usize, call: Call) -> Answer {
    if !arrives(&ground, machine).await {
        return away();
    }
    let faults = *ground.table_faults.lock();
    if matches!(call, Call::Delete(..)) && ground.dice.chance(faults.slow_removals) {
        tokio::time::sleep(ground.up_to_ms(SLOW_MS_MAX)).await;
    }
    if ground.dice.chance(faults.late) {
        let after = ground.up_to_ms(LATE_MS_MAX);
        let later = ground.clone();
        ground.outside.spawn(async move {
            tokio::time::sleep(after).await;
            drop(apply(&later, call).await);
        });
        return unknown();
    }
    let answer = apply(&ground, call).await;
    tokio::time::sleep(ground.up_to_ms(LATENCY_MS_MAX)).await;
    match ground.dice.chance(faults.answer_lost) || ground.cuts(machine).table {
        true => unknown(),
        false => answer,
    }
}

impl TableFromMachine {
    async fn write(&self, call: Call) -> Answer {
        self.ground.beyond(write(self.ground.clone(), self.machine, call)).await
    }
}

#[async_trait]
impl ControlTable for TableFromMachine {
    async fn load(&self, key: &str) -> Result<Option<ControlRow>, ControlError> {
        let (ground, machine, key) = (self.ground.clone(), self.machine, key.to_owned());
        let read = async move {
            if !arrives(&ground, machine).await {
                return away();
            }
            let found = ground.table.load(&key).await;
            tokio::time::sleep(ground.up_to_ms(LATENCY_MS_MAX)).await;
            found
        };
        self.ground.beyond(read).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, ControlRow)>, ControlError> {
        let (ground, machine, prefix) = (self.ground.clone(), self.machine, prefix.to_owned());
        let read = async move {
            if !arrives(&ground, machine).await {
                return away();
            }
            let found = ground.table.list(&prefix).await;
            tokio::time::sleep(ground.up_to_ms(LATENCY_MS_MAX)).await;
            found
        };
        self.ground.beyond(read).await
    }

    async fn cas(&self, key: &str, expected: u64, value: Vec<u8>) -> Answer {
        self.write(Call::Cas(key.to_owned(), expected, value)).await
    }

    async fn delete(&self, key: &str, expected: u64) -> Answer {
        self.write(Call::Delete(key.to_owned(), expected)).await
    }
}

/// Without a fault.
pub const NO_FAULTS: TableFaults =
    TableFaults { failed: 0, answer_lost: 0, late: 0, slow_removals: 0, is_out: false };
