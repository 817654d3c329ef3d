//! What there is to filter by: for each facet its values, with how many products each would
//! show. A facet's own choice does not count against its other values, so that a shopper who
//! chose red sees how many are blue.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::query::{FacetCount, FacetCounts};
use super::tags::{TagId, Tags};

/// Facets in a reply: a page with more filters than that is a form.
pub const FACETS_SHOWN_MAX: usize = 30;

/// Values of a facet in a reply, most frequent first; those chosen are always told.
pub const FACET_VALUES_SHOWN_MAX: usize = 100;

/// Counting by rows reads every tag of each row, counting by bitmaps looks at each tag. A look
/// at a bitmap costs about as much as so many rows.
const ROWS_PER_TAG: u64 = 12;

/// Counting by bitmaps is slow where rows are scattered thinly: from one in eight on they lie
/// densely.
const DENSE_FROM: u64 = 8;

/// Rows whose tags are read at once.
const BLOCK: usize = 64;

/// A facet's name as people read it: `screen_size` is "Screen Size".
pub fn facet_label(code: &str) -> String {
    let words = code.split(['_', '-', ' ']).filter(|word| !word.is_empty());
    let capital = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_uppercase().to_string());
        first.unwrap_or_default() + letters.as_str()
    };
    words.map(capital).collect::<Vec<_>>().join(" ")
}

/// The filter of one facet: the values chosen, and the rows that have one of them.
#[derive(Debug)]
pub struct Chosen<'a> {
    pub code: &'a str,
    pub values: &'a [String],
    pub rows: RoaringBitmap,
}

/// Counts the values among `base` as the choices narrow it; `matches` is all of them together.
pub fn count(
    tags: &Tags,
    base: &RoaringBitmap,
    chosen: &[Chosen<'_>],
    matches: &RoaringBitmap,
) -> Vec<FacetCounts> {
    let counts = Counts::of(tags, matches);
    let mut facets: Vec<(u64, FacetCounts)> = Vec::new();
    for (code, values) in tags.facets() {
        let own = chosen.iter().find(|facet| facet.code == code);
        let facet = match own {
            None => shown(code, &[], values, &counts),
            Some(own) => {
                let others = chosen.iter().filter(|facet| facet.code != code);
                let rows = others.fold(base.clone(), |rows, facet| rows & &facet.rows);
                shown(code, own.values, values, &Counts::of(tags, &rows))
            }
        };
        let coverage = if own.is_some() { u64::MAX } else { sum(&facet) };
        if !facet.values.is_empty() {
            facets.push((coverage, facet));
        }
    }
    // Of too many facets those stay that say something of most products; they are in order of
    // their codes.
    if facets.len() > FACETS_SHOWN_MAX {
        facets.sort_by_key(|(coverage, _)| Reverse(*coverage));
        facets.truncate(FACETS_SHOWN_MAX);
        facets.sort_by(|(_, a), (_, b)| a.code.cmp(&b.code));
    }
    facets.into_iter().map(|(_, facet)| facet).collect()
}

fn sum(facet: &FacetCounts) -> u64 {
    facet.values.iter().map(|value| value.count).sum()
}

/// The values to show: those that some product has and those chosen.
fn shown(
    code: &str,
    chosen: &[String],
    values: &HashMap<Arc<str>, TagId>,
    counts: &Counts<'_>,
) -> FacetCounts {
    let is_chosen = |value: &str| chosen.iter().any(|one| one == value);
    let counted =
        values.iter().map(|(value, tag)| (&**value, counts.of_tag(*tag), is_chosen(value)));
    let mut list: Vec<_> = counted.filter(|(_, count, selected)| *count > 0 || *selected).collect();
    let rank = |a: &(&str, u64, bool), b: &(&str, u64, bool)| (b.1, a.0).cmp(&(a.1, b.0));
    if list.len() > FACET_VALUES_SHOWN_MAX {
        list.select_nth_unstable_by(FACET_VALUES_SHOWN_MAX, rank);
        let rest = list.split_off(FACET_VALUES_SHOWN_MAX);
        list.extend(rest.into_iter().filter(|(_, _, selected)| *selected));
    }
    list.sort_unstable_by(rank);
    let values = list.into_iter().map(|(value, count, selected)| FacetCount {
        value: value.to_owned(),
        label: value.to_owned(),
        count,
        selected,
    });
    FacetCounts { code: code.to_owned(), label: facet_label(code), values: values.collect() }
}

/// How often each tag occurs among some rows, found in the cheapest way.
enum Counts<'a> {
    /// Few rows, counted one by one.
    Of(Vec<u32>),
    /// Nearly all rows: what those that are left out have is taken off.
    AllBut(Vec<u32>, &'a Tags),
    /// Neither: bitmaps are laid upon each other when asked.
    Among(&'a Tags, &'a RoaringBitmap),
}

impl Counts<'_> {
    fn of<'a>(tags: &'a Tags, rows: &'a RoaringBitmap) -> Counts<'a> {
        let all = tags.tagged().len();
        let few = tags.len() as u64 * ROWS_PER_TAG + all / DENSE_FROM;
        if rows.len() <= few {
            Counts::Of(count_rows(tags, rows))
        } else if all - rows.len() <= few {
            Counts::AllBut(count_rows(tags, &(tags.tagged() - rows)), tags)
        } else {
            Counts::Among(tags, rows)
        }
    }

    fn of_tag(&self, tag: TagId) -> u64 {
        match self {
            Counts::Of(counts) => u64::from(counts[tag as usize]),
            Counts::AllBut(counts, tags) => tags.rows(tag).len() - u64::from(counts[tag as usize]),
            Counts::Among(tags, rows) => tags.rows(tag).intersection_len(rows),
        }
    }
}

fn count_rows(tags: &Tags, rows: &RoaringBitmap) -> Vec<u32> {
    let mut counts = vec![0; tags.len()];
    let mut rows = rows.iter();
    let mut lists: Vec<&[TagId]> = Vec::with_capacity(BLOCK);
    loop {
        lists.clear();
        lists.extend(rows.by_ref().take(BLOCK).map(|row| tags.of_row(row)));
        if lists.is_empty() {
            return counts;
        }
        // The first of each before the rest of any: that no read waits for another's list is
        // what makes it fast, since most lists come from far memory.
        for first in lists.iter().filter_map(|list| list.first()) {
            counts[*first as usize] += 1;
        }
        for tag in lists.iter().flat_map(|list| list.iter().skip(1)) {
            counts[*tag as usize] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_made_of_codes() {
        for (code, label) in [
            ("brand", "Brand"),
            ("screen_size", "Screen Size"),
            ("Ram-GB", "Ram GB"),
            ("élan", "Élan"),
            ("__", ""),
        ] {
            assert_eq!(facet_label(code), label);
        }
    }
}
