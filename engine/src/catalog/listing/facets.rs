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

/// Counting by rows reads every tag of each match, counting by bitmaps every match of each tag.
/// A look at a bitmap costs about as much as so many rows.
const ROWS_PER_TAG: u64 = 16;

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
            None => shown(code, &[], values, |tag| counts.count(tags, matches, tag)),
            Some(own) => {
                let others = chosen.iter().filter(|facet| facet.code != code);
                let rows = others.fold(base.clone(), |rows, facet| rows & &facet.rows);
                shown(code, own.values, values, |tag| tags.rows(tag).intersection_len(&rows))
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
    count: impl Fn(TagId) -> u64,
) -> FacetCounts {
    let is_chosen = |value: &str| chosen.iter().any(|one| one == value);
    let counted = values.iter().map(|(value, tag)| (&**value, count(*tag), is_chosen(value)));
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

/// How often each tag occurs among the matches.
enum Counts {
    ByRows(Vec<u32>),
    /// Counted when asked for.
    ByBitmaps,
}

impl Counts {
    fn of(tags: &Tags, matches: &RoaringBitmap) -> Counts {
        if matches.len() > tags.len() as u64 * ROWS_PER_TAG {
            return Counts::ByBitmaps;
        }
        let mut counts = vec![0; tags.len()];
        for tag in matches.iter().flat_map(|row| tags.of_row(row)) {
            counts[*tag as usize] += 1;
        }
        Counts::ByRows(counts)
    }

    fn count(&self, tags: &Tags, matches: &RoaringBitmap, tag: TagId) -> u64 {
        match self {
            Counts::ByRows(counts) => u64::from(counts[tag as usize]),
            Counts::ByBitmaps => tags.rows(tag).intersection_len(matches),
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
