//! The collections, held whole while an import runs: a shop has at most a few thousand.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use barrow_engine::catalog::{Collection, Media, Slug};
use barrow_engine::ports::{ProductStore, ProductStoreError};

use super::Outcome;
use crate::record::{CollectionRecord, CollectionRef, Field, Problem};
use crate::{derive, slug};

/// The most collections a shop may have: all of them are held in memory, and shown in one list.
const COLLECTIONS_MAX: usize = 10_000;

pub struct Collections {
    all: BTreeMap<Slug, Collection>,
    changed: BTreeSet<Slug>,
    /// Made in this import because something named them; a record of theirs makes them anew.
    implied: HashSet<Slug>,
}

impl Collections {
    pub async fn load(store: &dyn ProductStore) -> Result<Collections, ProductStoreError> {
        let stored = store.collections().await?;
        let all = stored.into_iter().map(|it| (it.slug.clone(), it)).collect();
        Ok(Collections { all, changed: BTreeSet::new(), implied: HashSet::new() })
    }

    pub fn image_of(&self, slug: &Slug) -> Option<&Media> {
        self.all.get(slug).and_then(|collection| collection.image.as_ref())
    }

    /// Takes a record in; `image` is its picture, where it has one.
    pub fn take(
        &mut self,
        record: CollectionRecord,
        image: Option<Media>,
    ) -> Result<Outcome, Problem> {
        let CollectionRecord { slug, title, parent, image: said_image } = record;
        let known = self.all.get(&slug);
        if known.is_none() && title == Field::Keep {
            return Err(Problem::new("/title", "required", "a new collection needs a title"));
        }
        if let Some(parent) = parent.as_set().and_then(Option::as_ref) {
            self.refuse_circle(&slug, parent)?;
        }
        let is_new = known.is_none() || self.implied.remove(&slug);
        let mut collection = self.all.get(&slug).cloned().unwrap_or_else(|| blank(&slug));
        title.put_into(&mut collection.title);
        if collection.title.trim().is_empty() {
            return Err(Problem::new("/title", "out_of_range", "a title is not empty"));
        }
        parent.put_into(&mut collection.parent);
        if said_image != Field::Keep {
            collection.image = image;
        }
        let same = self.all.get(&slug) == Some(&collection);
        if let Some(parent) = collection.parent.clone() {
            self.imply(&CollectionRef::of_slug(parent))?;
        }
        if !same {
            self.room_for(&slug)?;
            self.all.insert(slug.clone(), collection);
            self.changed.insert(slug);
        }
        Ok(match (is_new, same) {
            (true, _) => Outcome::Created,
            (false, true) => Outcome::Unchanged,
            (false, false) => Outcome::Updated,
        })
    }

    /// Makes the collection that something names, if there is none.
    pub fn imply(&mut self, named: &CollectionRef) -> Result<(), Problem> {
        if self.all.contains_key(&named.slug) {
            return Ok(());
        }
        self.room_for(&named.slug)?;
        let mut collection = blank(&named.slug);
        if let Some(parent) = &named.parent {
            self.imply(parent)?;
            collection.parent = Some(parent.slug.clone());
        }
        if let Some(title) = &named.title {
            collection.title.clone_from(title);
        }
        self.all.insert(named.slug.clone(), collection);
        self.changed.insert(named.slug.clone());
        self.implied.insert(named.slug.clone());
        Ok(())
    }

    pub fn waiting(&self) -> usize {
        self.changed.len()
    }

    /// What is to be written.
    pub fn take_changed(&mut self) -> Vec<Collection> {
        let changed = std::mem::take(&mut self.changed);
        changed.iter().filter_map(|slug| self.all.get(slug)).cloned().collect()
    }

    fn room_for(&self, slug: &Slug) -> Result<(), Problem> {
        if self.all.len() < COLLECTIONS_MAX || self.all.contains_key(slug) {
            return Ok(());
        }
        let detail = format!("a shop has at most {COLLECTIONS_MAX} collections");
        Err(Problem::new("/collections", "out_of_range", detail))
    }

    fn refuse_circle(&self, slug: &Slug, parent: &Slug) -> Result<(), Problem> {
        let mut above = Some(parent);
        let mut steps = 0;
        while let Some(current) = above {
            steps += 1;
            if current == slug || steps > COLLECTIONS_MAX {
                let detail = format!("'{slug}' would lie in itself");
                return Err(Problem::new("/parent", "out_of_range", detail));
            }
            above = self.all.get(current).and_then(|collection| collection.parent.as_ref());
        }
        Ok(())
    }
}

fn blank(slug: &Slug) -> Collection {
    Collection {
        id: derive::collection_id(slug),
        slug: slug.clone(),
        title: slug::to_title(slug),
        parent: None,
        image: None,
    }
}
