//! The collections as a tree. A shop has at most a few thousand, so they lie in memory whole.

use std::collections::{BTreeMap, HashMap, HashSet};

use barrow_engine::catalog::{Collection, Slug};
use barrow_engine::ids::CollectionId;

/// All collections, by slug.
#[derive(Debug, Default)]
pub struct Collections {
    by_slug: BTreeMap<Slug, Collection>,
    slugs: HashMap<CollectionId, Slug>,
    children: HashMap<Slug, Vec<Slug>>,
}

impl Collections {
    /// A parent that does not exist makes a collection a root, as does one that lies below it.
    pub fn new(collections: Vec<Collection>) -> Collections {
        let by_slug: BTreeMap<Slug, Collection> =
            collections.into_iter().map(|one| (one.slug.clone(), one)).collect();
        let slugs = by_slug.values().map(|one| (one.id, one.slug.clone())).collect();
        let mut children: HashMap<Slug, Vec<Slug>> = HashMap::new();
        for (slug, collection) in &by_slug {
            if let Some(parent) = &collection.parent
                && by_slug.contains_key(parent)
                && !lies_below(&by_slug, parent, slug)
            {
                children.entry(parent.clone()).or_default().push(slug.clone());
            }
        }
        Collections { by_slug, slugs, children }
    }

    pub fn get(&self, slug: &Slug) -> Option<&Collection> {
        self.by_slug.get(slug)
    }

    pub fn get_by_id(&self, id: CollectionId) -> Option<&Collection> {
        self.slugs.get(&id).and_then(|slug| self.by_slug.get(slug))
    }

    /// The collection that this one lies in.
    pub fn parent(&self, collection: &Collection) -> Option<&Collection> {
        let parent = self.by_slug.get(collection.parent.as_ref()?)?;
        let siblings = self.children.get(&parent.slug)?;
        siblings.contains(&collection.slug).then_some(parent)
    }

    /// In the order of their slugs, after `after`.
    pub fn after(&self, after: Option<&Slug>) -> impl Iterator<Item = &Collection> {
        use std::ops::Bound::{Excluded, Unbounded};
        let start = after.map_or(Unbounded, Excluded);
        self.by_slug.range::<Slug, _>((start, Unbounded)).map(|(_, collection)| collection)
    }

    /// The collection and all that lie in it, at any depth; empty for an unknown one.
    pub fn within(&self, slug: &Slug) -> Vec<Slug> {
        let mut within = Vec::new();
        let mut open: Vec<&Slug> =
            self.by_slug.get_key_value(slug).map(|(s, _)| s).into_iter().collect();
        while let Some(slug) = open.pop() {
            open.extend(self.children.get(slug).into_iter().flatten());
            within.push(slug.clone());
        }
        within
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_slug.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_slug.is_empty()
    }
}

/// Whether `slug` lies below `ancestor`, or is it; parents that go round in a circle end.
fn lies_below(all: &BTreeMap<Slug, Collection>, slug: &Slug, ancestor: &Slug) -> bool {
    let mut seen = HashSet::new();
    let mut next = Some(slug);
    while let Some(current) = next {
        if current == ancestor {
            return true;
        }
        if !seen.insert(current) {
            return false;
        }
        next = all.get(current).and_then(|collection| collection.parent.as_ref());
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collections(pairs: &[(&str, Option<&str>)]) -> Collections {
        let made = pairs.iter().zip(1..).map(|((slug, parent), id)| Collection {
            id: CollectionId(id),
            slug: Slug::new(slug).unwrap(),
            title: slug.to_string(),
            parent: parent.map(|parent| Slug::new(parent).unwrap()),
            image: None,
        });
        Collections::new(made.collect())
    }

    fn within(collections: &Collections, slug: &str) -> Vec<String> {
        let mut slugs: Vec<String> =
            collections.within(&Slug::new(slug).unwrap()).iter().map(Slug::to_string).collect();
        slugs.sort();
        slugs
    }

    #[test]
    fn a_collection_holds_all_below_it() {
        let tree = collections(&[
            ("home", None),
            ("kitchen", Some("home")),
            ("pans", Some("kitchen")),
            ("garden", None),
            ("lost", Some("nowhere")),
        ]);
        assert_eq!(within(&tree, "home"), ["home", "kitchen", "pans"]);
        assert_eq!(within(&tree, "pans"), ["pans"]);
        assert_eq!(within(&tree, "nowhere"), [""; 0]);
        let lost = tree.get(&Slug::new("lost").unwrap()).unwrap();
        assert!(tree.parent(lost).is_none());
        let pans = tree.get_by_id(CollectionId(3)).unwrap();
        assert_eq!(tree.parent(pans).unwrap().slug.as_str(), "kitchen");
    }

    #[test]
    fn parents_in_a_circle_end() {
        let tree =
            collections(&[("a", Some("b")), ("b", Some("a")), ("c", Some("b")), ("d", Some("d"))]);
        assert_eq!(within(&tree, "a"), ["a"]);
        assert_eq!(within(&tree, "b"), ["b", "c"]);
        assert_eq!(within(&tree, "d"), ["d"]);
    }

    #[test]
    fn pages_go_on_after_a_slug() {
        let tree = collections(&[("b", None), ("a", None), ("c", None)]);
        let after = |slug: &str| -> Vec<String> {
            let slug = Slug::new(slug).unwrap();
            tree.after(Some(&slug)).map(|c| c.slug.to_string()).collect()
        };
        assert_eq!(after("a"), ["b", "c"]);
        // The one before may have gone since.
        assert_eq!(after("aa"), ["b", "c"]);
        assert_eq!(tree.after(None).count(), 3);
    }
}
