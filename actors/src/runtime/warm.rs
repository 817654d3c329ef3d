//! The warm tier: rows of passivated entities, kept in memory so that coming back is cheap.
//!
//! A row is put here only by an actor that ended with nothing in flight, and is taken out, not
//! looked at, by the next activation: it is never put back after a failed or unknown write. It
//! counts only under the term of office (epoch) in which it was put.

use barrow_engine::ports::Row;

use super::planted::{Bug, is_planted};

pub(super) struct Warm {
    rows: moka::sync::Cache<u128, (u64, Row), ahash::RandomState>,
}

impl Warm {
    pub fn new(bytes_max: u64, hasher: ahash::RandomState) -> Warm {
        let rows = moka::sync::Cache::builder()
            .max_capacity(bytes_max)
            .weigher(|_, (_, row): &(u64, Row)| row.blob.len() as u32 + 96)
            .build_with_hasher(hasher);
        Warm { rows }
    }

    pub fn put(&self, id: u128, epoch: u64, row: Row) {
        self.rows.insert(id, (epoch, row));
    }

    pub fn take(&self, id: u128, epoch: u64) -> Option<Row> {
        let taken = match is_planted(Bug::WarmTierKept) {
            false => self.rows.remove(&id),
            true => self.rows.get(&id),
        };
        taken.filter(|(put_in, _)| *put_in == epoch).map(|(_, row)| row)
    }

    pub fn len(&self) -> u64 {
        self.rows.entry_count()
    }
}
