//! A long list of rows kept in order: chunks of a few hundred, so that putting one in moves
//! little memory, and four to eight bytes a row. It knows rows by number only; what is before
//! what the caller says, by a comparison that must not change while rows are in it.

use std::cmp::Ordering;

/// Rows in a chunk before it is cut in two: moving two kilobytes costs as much as finding the
/// place.
const CHUNK_MAX: usize = 512;

#[derive(Debug, Clone, Default)]
pub struct Order {
    /// None is empty.
    chunks: Vec<Vec<u32>>,
}

/// A place between two rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    chunk: usize,
    index: usize,
}

impl Order {
    /// Of rows that are in order.
    pub fn from_sorted(rows: &[u32]) -> Order {
        // Room for as many again, so that the first rows put in do not cut every chunk.
        Order { chunks: rows.chunks(CHUNK_MAX / 2).map(<[u32]>::to_vec).collect() }
    }

    /// The place behind all rows for which `is_before` holds; they are the first ones.
    pub fn place(&self, is_before: impl Fn(u32) -> bool) -> Place {
        let starts_before = |chunk: &Vec<u32>| is_before(chunk[0]);
        let chunk = self.chunks.partition_point(starts_before).saturating_sub(1);
        let index = self.chunks.get(chunk).map_or(0, |c| c.partition_point(|row| is_before(*row)));
        Place { chunk, index }
    }

    /// Puts a row in; `compare` tells how another stands to it.
    pub fn insert(&mut self, row: u32, compare: impl Fn(u32) -> Ordering) {
        let Place { chunk, index } = self.place(|other| compare(other) == Ordering::Less);
        let Some(rows) = self.chunks.get_mut(chunk) else {
            self.chunks.push(vec![row]);
            return;
        };
        rows.insert(index, row);
        if rows.len() > CHUNK_MAX {
            let upper = rows.split_off(CHUNK_MAX / 2);
            self.chunks.insert(chunk + 1, upper);
        }
    }

    /// Takes a row out; `compare` as it was when the row was put in.
    pub fn remove(&mut self, row: u32, compare: impl Fn(u32) -> Ordering) {
        let place = self.place(|other| compare(other) == Ordering::Less);
        let Place { chunk, index } = self.first_at(place);
        let found = self.chunks.get(chunk).and_then(|rows| rows.get(index)).copied();
        assert_eq!(found, Some(row), "a row's key was changed while it was in order");
        self.chunks[chunk].remove(index);
        if self.chunks[chunk].is_empty() {
            self.chunks.remove(chunk);
        }
    }

    /// The first row that compares equal, if any.
    pub fn find(&self, compare: impl Fn(u32) -> Ordering) -> Option<u32> {
        let place = self.place(|other| compare(other) == Ordering::Less);
        let row = self.iter_from(place).next()?;
        (compare(row) == Ordering::Equal).then_some(row)
    }

    /// How many rows lie from one place to a later one.
    pub fn count_between(&self, from: Place, to: Place) -> usize {
        let skipped = self.chunks[from.chunk.min(self.chunks.len())..to.chunk].iter();
        (skipped.map(Vec::len).sum::<usize>() + to.index).saturating_sub(from.index)
    }

    pub fn start(&self) -> Place {
        Place { chunk: 0, index: 0 }
    }

    pub fn end(&self) -> Place {
        Place { chunk: self.chunks.len(), index: 0 }
    }

    /// The rows behind a place, in order.
    pub fn iter_from(&self, place: Place) -> impl Iterator<Item = u32> {
        let Place { chunk, index } = place;
        let first = self.chunks.get(chunk).map_or(&[][..], |rows| &rows[index..]);
        let rest = self.chunks.iter().skip(chunk + 1).flatten();
        first.iter().chain(rest).copied()
    }

    /// The rows before a place, last first.
    pub fn iter_back(&self, place: Place) -> impl Iterator<Item = u32> {
        let Place { chunk, index } = place;
        let last = self.chunks.get(chunk).map_or(&[][..], |rows| &rows[..index]);
        let rest = self.chunks[..chunk.min(self.chunks.len())].iter().rev();
        last.iter().rev().chain(rest.flat_map(|rows| rows.iter().rev())).copied()
    }

    /// The same place, named by the row behind it.
    fn first_at(&self, place: Place) -> Place {
        match self.chunks.get(place.chunk) {
            Some(rows) if place.index == rows.len() => Place { chunk: place.chunk + 1, index: 0 },
            _ => place,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_longer_than_a_chunk_stays_in_order_while_it_grows_and_shrinks() {
        let mut order = Order::default();
        let rows = 0..5_000u32;
        // 7919 is prime to 5000, so that this visits every row, in a wild order.
        let wild = || rows.clone().map(|n| n * 7919 % 5_000);
        for row in wild() {
            order.insert(row, |other| other.cmp(&row));
        }
        assert!(order.iter_from(order.start()).eq(rows.clone()));
        assert!(order.iter_back(order.end()).eq(rows.clone().rev()));
        for row in wild().filter(|row| row % 3 != 0) {
            order.remove(row, |other| other.cmp(&row));
        }
        assert!(order.iter_from(order.start()).eq(rows.clone().filter(|row| row % 3 == 0)));
        for row in wild().filter(|row| row % 3 == 0) {
            order.remove(row, |other| other.cmp(&row));
        }
        assert_eq!(order.iter_from(order.start()).next(), None);
        assert_eq!(order.iter_back(order.end()).next(), None);
    }

    proptest! {
        #[test]
        fn every_place_splits_the_rows(bound in 0..2_000u32, length in 0..2_000u32) {
            let rows: Vec<u32> = (0..length).collect();
            let order = Order::from_sorted(&rows);
            let place = order.place(|row| row < bound);
            let split = bound.min(length) as usize;
            prop_assert!(order.iter_from(place).eq(rows[split..].iter().copied()));
            prop_assert_eq!(order.count_between(order.start(), place), split);
            prop_assert_eq!(order.count_between(place, order.end()), rows.len() - split);
            prop_assert!(order.iter_back(place).eq(rows[..split].iter().rev().copied()));
            prop_assert_eq!(order.find(|row| row.cmp(&bound)), (bound < length).then_some(bound));
        }
    }
}
