//! The tags of each row, one list behind the other in one piece of memory: counting the facets
//! of a hundred thousand rows reads them in passing, and a row costs no allocation of its own.

use super::tags::TagId;

/// Below this length making the lists anew is not worth a thought.
const COMPACT_FROM: usize = 4096;

#[derive(Debug, Clone, Default)]
pub struct TagLists {
    tags: Vec<TagId>,
    spans: Vec<Span>,
    /// Tags in `tags` that belong to no row any more.
    unused: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: u32,
    len: u32,
}

impl Span {
    fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.start as usize + self.len as usize
    }
}

impl TagLists {
    pub fn get(&self, row: u32) -> &[TagId] {
        self.spans.get(row as usize).map_or(&[], |span| &self.tags[span.range()])
    }

    pub fn set(&mut self, row: u32, tags: &[TagId]) {
        let at = row as usize;
        if self.spans.len() <= at {
            self.spans.resize(at + 1, Span::default());
        }
        let len = u32::try_from(tags.len()).expect("a product has few tags");
        let span = &mut self.spans[at];
        if len <= span.len {
            self.unused += (span.len - len) as usize;
            span.len = len;
            let range = span.range();
            self.tags[range].copy_from_slice(tags);
            return;
        }
        self.unused += span.len as usize;
        let start = u32::try_from(self.tags.len()).expect("tags of millions, not of billions");
        *span = Span { start, len };
        self.tags.extend_from_slice(tags);
        if self.unused > self.tags.len() / 2 && self.tags.len() > COMPACT_FROM {
            self.compact();
        }
    }

    /// Writes the lists anew, in the order of rows and without gaps.
    fn compact(&mut self) {
        let mut tags = Vec::with_capacity(self.tags.len() - self.unused);
        for span in &mut self.spans {
            let start = u32::try_from(tags.len()).expect("it is shorter than before");
            tags.extend_from_slice(&self.tags[span.range()]);
            span.start = start;
        }
        self.tags = tags;
        self.unused = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_row_keeps_its_own_list_and_little_is_wasted(
            changes in proptest::collection::vec((0..400u32, 0..40usize), 0..1500),
        ) {
            let mut lists = TagLists::default();
            let mut model = BTreeMap::new();
            for (change, (row, length)) in changes.into_iter().enumerate() {
                let tags: Vec<TagId> = (0..length).map(|n| (change * 40 + n) as TagId).collect();
                lists.set(row, &tags);
                model.insert(row, tags);
            }
            for row in 0..400 {
                let expected = model.get(&row).map_or(&[][..], Vec::as_slice);
                prop_assert_eq!(lists.get(row), expected);
            }
            let used: usize = model.values().map(Vec::len).sum();
            prop_assert_eq!(lists.tags.len() - lists.unused, used);
        }
    }
}
