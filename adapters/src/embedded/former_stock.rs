//! Units on hand as they were kept before stock had a ledger: one number per SKU. Whoever opens
//! the store books them there, once, and has them forgotten here. A level is a format number and
//! four bytes, little-endian.

use barrow_engine::catalog::Sku;
use fjall::Readable;

use super::EmbeddedStore;

const FORMAT: u8 = 1;

impl EmbeddedStore {
    /// The levels that are still here, at most `limit` of them.
    ///
    /// # Errors
    /// Where they cannot be read, or are damaged.
    pub fn former_stock(&self, limit: usize) -> Result<Vec<(Sku, u32)>, String> {
        let tables = &self.shared.tables;
        let snapshot = tables.db.snapshot();
        let entries = snapshot.iter(&tables.stock).take(limit);
        entries
            .map(|guard| {
                let (key, value) = guard.into_inner().map_err(|error| error.to_string())?;
                let sku = std::str::from_utf8(&key).ok().and_then(|text| Sku::new(text).ok());
                let sku = sku.ok_or("a level has no SKU")?;
                let units = decode_level(&value, &sku)?;
                Ok((sku, units))
            })
            .collect()
    }

    /// They lie in the ledger now.
    ///
    /// # Errors
    /// Where the store can no longer be written.
    pub fn forget_former_stock(&self, levels: &[(Sku, u32)]) -> Result<(), String> {
        let mut batch = self.shared.tables.batch();
        for (sku, _) in levels {
            batch.remove(&self.shared.tables.stock, sku.as_str());
        }
        let what = "forgetting former stock";
        batch.commit().map_err(|error| self.shared.write_failed(what, &error))
    }
}

#[cfg(test)]
pub(super) fn encode_level(units: u32) -> [u8; 5] {
    let [a, b, c, d] = units.to_le_bytes();
    [FORMAT, a, b, c, d]
}

pub(super) fn decode_level(bytes: &[u8], sku: &Sku) -> Result<u32, String> {
    match bytes {
        [FORMAT, a, b, c, d] => Ok(u32::from_le_bytes([*a, *b, *c, *d])),
        _ => Err(format!("the level of {sku} is damaged")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::EmbeddedOptions;

    fn sku(n: u32) -> Sku {
        Sku::new(&format!("SKU-{n}")).unwrap()
    }

    #[test]
    fn former_levels_are_handed_over_once() {
        let dir = tempfile::tempdir().unwrap();
        let open =
            || EmbeddedStore::open(dir.path(), EmbeddedOptions::new(Box::new(|_| {}))).unwrap();
        let store = open();
        let tables = &store.shared.tables;
        let mut batch = tables.batch();
        for n in 1..=5 {
            batch.insert(&tables.stock, sku(n).as_str(), encode_level(n * 100_000));
        }
        batch.commit().unwrap();
        drop(store);
        let store = open();
        let level = |n| (sku(n), n * 100_000);
        let some = store.former_stock(3).unwrap();
        assert_eq!(some, [1, 2, 3].map(level));
        store.forget_former_stock(&some).unwrap();
        assert_eq!(store.former_stock(3).unwrap(), [4, 5].map(level));
        drop(store);
        let store = open();
        let rest = store.former_stock(3).unwrap();
        assert_eq!(rest, [4, 5].map(level), "what was not booked yet stays");
        store.forget_former_stock(&rest).unwrap();
        assert_eq!(store.former_stock(3), Ok(vec![]));
    }

    #[test]
    fn a_damaged_level_is_not_booked() {
        let dir = tempfile::tempdir().unwrap();
        let store =
            EmbeddedStore::open(dir.path(), EmbeddedOptions::new(Box::new(|_| {}))).unwrap();
        let tables = &store.shared.tables;
        let mut batch = tables.batch();
        batch.insert(&tables.stock, "SKU-1", [FORMAT, 1]);
        batch.commit().unwrap();
        assert!(store.former_stock(10).is_err());
    }
}
