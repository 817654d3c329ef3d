//! One page of matches in order: found by walking along the order from where the last page
//! ended, or, where matches are so few that a walk would pass them by, by sorting them.

use std::cmp::Ordering;

use roaring::RoaringBitmap;

use super::columns::{Columns, OrderBy};
use super::order::Order;
use super::query::{Position, Sort, SortKey};

/// Sorting a match costs about as much as so many steps of a walk.
const STEPS_PER_SORTED: u64 = 4;

/// A walk along one order, in one direction.
pub struct Walk<'a> {
    pub columns: &'a Columns,
    pub order: &'a Order,
    pub by: OrderBy,
    pub backwards: bool,
}

impl Walk<'_> {
    /// The first `wanted` matches behind a position.
    pub fn take(
        &self,
        matches: &RoaringBitmap,
        after: Option<&Position>,
        wanted: usize,
    ) -> Vec<u32> {
        let all = self.columns.len() as u64;
        // Where matches lie evenly, this is how far a walk goes.
        let expected_steps = all.saturating_mul(wanted as u64) / matches.len().max(1);
        let sorting_steps = matches.len().saturating_mul(STEPS_PER_SORTED);
        if sorting_steps <= expected_steps {
            return self.sort(matches, after, wanted);
        }
        // They need not lie evenly: no walk may cost much more than sorting would have.
        let walked = self.walk(matches, after, wanted, sorting_steps);
        walked.unwrap_or_else(|| self.sort(matches, after, wanted))
    }

    /// `None` where the page is not full after so many steps.
    fn walk(
        &self,
        matches: &RoaringBitmap,
        after: Option<&Position>,
        wanted: usize,
        steps_max: u64,
    ) -> Option<Vec<u32>> {
        if self.backwards {
            let end = after.map_or(self.order.end(), |position| {
                self.order.place(|row| self.compare(row, position) == Ordering::Less)
            });
            return collect(self.order.iter_back(end), matches, wanted, steps_max);
        }
        let start = after.map_or(self.order.start(), |position| {
            self.order.place(|row| self.compare(row, position) != Ordering::Greater)
        });
        collect(self.order.iter_from(start), matches, wanted, steps_max)
    }

    fn sort(&self, matches: &RoaringBitmap, after: Option<&Position>, wanted: usize) -> Vec<u32> {
        let forward = if self.backwards { Ordering::Less } else { Ordering::Greater };
        let is_behind = |row: u32| after.is_none_or(|at| self.compare(row, at) == forward);
        let mut rows: Vec<u32> = matches.iter().filter(|row| is_behind(*row)).collect();
        let compare = |a: &u32, b: &u32| {
            let ordering = self.columns.compare(self.by, *a, *b);
            if self.backwards { ordering.reverse() } else { ordering }
        };
        if rows.len() > wanted {
            rows.select_nth_unstable_by(wanted, compare);
            rows.truncate(wanted);
        }
        rows.sort_unstable_by(compare);
        rows
    }

    fn compare(&self, row: u32, position: &Position) -> Ordering {
        self.columns.compare_position(self.by, row, position)
    }
}

fn collect(
    rows: impl Iterator<Item = u32>,
    matches: &RoaringBitmap,
    wanted: usize,
    steps_max: u64,
) -> Option<Vec<u32>> {
    let mut page = Vec::with_capacity(wanted);
    let mut steps = 0;
    for row in rows {
        if matches.contains(row) {
            page.push(row);
            if page.len() == wanted {
                break;
            }
        }
        steps += 1;
        if steps > steps_max {
            return None;
        }
    }
    Some(page)
}

/// Where the list goes on behind a row.
pub fn position(columns: &Columns, by: OrderBy, sort: Sort, row: u32) -> Position {
    let key = columns.key(by, row).map_or(SortKey::Unpriced, |key| key.to_sort_key());
    Position { sort, key, id: columns.id(row) }
}
