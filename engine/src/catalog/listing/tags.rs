//! What rows can be found by: channels, collections and the values of facets. Each is a tag
//! with the bitmap of its rows; each row knows its tags, so that it can be taken out again and
//! its facets counted.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::ListingEntry;
use super::tag_lists::TagLists;
use crate::catalog::{ChannelId, Slug};

/// The number of a tag. Numbers of tags that no row has are used again.
pub type TagId = u32;

#[derive(Debug, Clone)]
enum Name {
    Channel(ChannelId),
    Collection(Slug),
    Facet(Arc<str>, Arc<str>),
}

#[derive(Debug, Clone)]
struct Tag {
    name: Name,
    rows: RoaringBitmap,
}

#[derive(Debug, Clone, Default)]
pub struct Tags {
    list: Vec<Tag>,
    free: Vec<TagId>,
    channels: HashMap<ChannelId, TagId>,
    collections: HashMap<Slug, TagId>,
    facets: BTreeMap<Arc<str>, HashMap<Arc<str>, TagId>>,
    /// Each sorted.
    of_rows: TagLists,
    /// The rows that have a tag.
    tagged: RoaringBitmap,
}

impl Tags {
    pub fn channel(&self, id: &ChannelId) -> Option<&RoaringBitmap> {
        self.channels.get(id).map(|tag| self.rows(*tag))
    }

    pub fn collection(&self, slug: &Slug) -> Option<&RoaringBitmap> {
        self.collections.get(slug).map(|tag| self.rows(*tag))
    }

    pub fn facet(&self, code: &str, value: &str) -> Option<&RoaringBitmap> {
        let tag = self.facets.get(code)?.get(value)?;
        Some(self.rows(*tag))
    }

    /// All facets by code, each with its values.
    pub fn facets(&self) -> impl Iterator<Item = (&str, &HashMap<Arc<str>, TagId>)> {
        self.facets.iter().map(|(code, values)| (&**code, values))
    }

    pub fn rows(&self, tag: TagId) -> &RoaringBitmap {
        &self.list[tag as usize].rows
    }

    /// One more than the largest tag number.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn of_row(&self, row: u32) -> &[TagId] {
        self.of_rows.get(row)
    }

    /// The rows that have a tag.
    pub fn tagged(&self) -> &RoaringBitmap {
        &self.tagged
    }

    /// Makes a row have the tags of an entry and no others.
    pub fn set(&mut self, row: u32, entry: &ListingEntry) {
        let tags = self.tags_of(entry);
        self.replace(row, &tags);
        self.tagged.insert(row);
    }

    /// Takes all tags off a row.
    pub fn clear(&mut self, row: u32) {
        self.replace(row, &[]);
        self.tagged.remove(row);
    }

    fn replace(&mut self, row: u32, tags: &[TagId]) {
        let former = self.of_rows.get(row);
        if former == tags {
            return;
        }
        let is_gone = |tag: &TagId| tags.binary_search(tag).is_err();
        let gone: Vec<TagId> = former.iter().copied().filter(is_gone).collect();
        for tag in tags {
            self.list[*tag as usize].rows.insert(row);
        }
        for tag in gone {
            self.take_off(tag, row);
        }
        self.of_rows.set(row, tags);
    }

    fn take_off(&mut self, tag: TagId, row: u32) {
        let Tag { name, rows } = &mut self.list[tag as usize];
        rows.remove(row);
        if !rows.is_empty() {
            return;
        }
        match name {
            Name::Channel(id) => drop(self.channels.remove(id)),
            Name::Collection(slug) => drop(self.collections.remove(slug)),
            Name::Facet(code, value) => {
                if let Some(values) = self.facets.get_mut(code) {
                    values.remove(value);
                    if values.is_empty() {
                        self.facets.remove(code);
                    }
                }
            }
        }
        self.free.push(tag);
    }

    fn tags_of(&mut self, entry: &ListingEntry) -> Vec<TagId> {
        let mut tags = Vec::new();
        for id in &entry.channels {
            let known = self.channels.get(id).copied();
            tags.push(known.unwrap_or_else(|| self.add(Name::Channel(id.clone()))));
        }
        for slug in &entry.collections {
            let known = self.collections.get(slug).copied();
            tags.push(known.unwrap_or_else(|| self.add(Name::Collection(slug.clone()))));
        }
        for (code, values) in &entry.facets {
            for value in values {
                let known = self.facets.get(&**code).and_then(|v| v.get(&**value)).copied();
                tags.push(known.unwrap_or_else(|| self.add_facet(code, value)));
            }
        }
        tags.sort_unstable();
        tags.dedup();
        tags
    }

    fn add_facet(&mut self, code: &str, value: &str) -> TagId {
        let known = self.facets.get_key_value(code).map(|(code, _)| Arc::clone(code));
        let code = known.unwrap_or_else(|| code.into());
        self.add(Name::Facet(code, value.into()))
    }

    fn add(&mut self, name: Name) -> TagId {
        let tag = Tag { name: name.clone(), rows: RoaringBitmap::new() };
        let id = match self.free.pop() {
            Some(id) => {
                self.list[id as usize] = tag;
                id
            }
            None => {
                self.list.push(tag);
                u32::try_from(self.list.len() - 1).expect("tags are fewer than rows")
            }
        };
        match name {
            Name::Channel(channel) => drop(self.channels.insert(channel, id)),
            Name::Collection(slug) => drop(self.collections.insert(slug, id)),
            Name::Facet(code, value) => {
                self.facets.entry(code).or_default().insert(value, id);
            }
        }
        id
    }
}
