//! The catalog as an import sees it: what is stored, and over it what the import has decided but
//! not (or, in a dry run, never) written.

use std::collections::HashMap;
use std::sync::Arc;

use barrow_engine::catalog::{Product, Sku, Slug};
use barrow_engine::ids::ProductId;
use barrow_engine::ports::{ProductStore, ProductStoreError};

use crate::record::{ProductRecord, SlugSource};

/// The most decided products a dry run holds whole; a product that comes again after so many
/// others is told as updated, without a look at whether it really differs.
const WHOLE_MAX: usize = 20_000;

/// The most names (slugs, SKUs, external ids) of decided products a dry run holds: about 200 MB.
/// Beyond it, names that come twice in the file are noticed by the real run alone.
const NAMES_MAX: usize = 5_000_000;

/// A hash of one of the names a product is known by.
pub struct Name;

impl Name {
    /// The kind is hashed with the text, not as a seed: seeds that differ in a bit and texts that
    /// differ in the same one hash alike.
    fn hash(kind: u8, text: &str) -> u64 {
        let mut hasher = xxhash_rust::xxh3::Xxh3Default::new();
        hasher.update(&[kind]);
        hasher.update(text.as_bytes());
        hasher.digest()
    }

    pub fn slug(slug: &Slug) -> u64 {
        Name::hash(1, slug.as_str())
    }

    pub fn sku(sku: &Sku) -> u64 {
        Name::hash(2, sku.as_str())
    }

    pub fn external_id(id: &str) -> u64 {
        Name::hash(3, id)
    }

    /// The names by which other records may mean the same product.
    pub fn all_of(record: &ProductRecord) -> Vec<u64> {
        let slug = match &record.slug {
            SlugSource::Given(slug) => Some(Name::slug(slug)),
            SlugSource::Made(_) => None,
        };
        let external_id = record.external_id.as_deref().map(Name::external_id);
        slug.into_iter().chain(external_id).collect()
    }
}

/// What is decided of a product.
enum Decided {
    Whole(Box<Product>),
    /// It is not held; see [`WHOLE_MAX`].
    Named,
}

/// A product as the view finds it.
#[derive(Debug)]
pub enum Found {
    Nothing,
    Product(Box<Product>),
    /// Decided before in this dry run, and not held.
    DecidedBefore,
}

pub struct View {
    store: Arc<dyn ProductStore>,
    dry_run: bool,
    decided: HashMap<ProductId, Decided>,
    names: HashMap<u64, ProductId>,
}

impl View {
    pub fn new(store: Arc<dyn ProductStore>, dry_run: bool) -> View {
        View { store, dry_run, decided: HashMap::new(), names: HashMap::new() }
    }

    pub async fn by_external_id(&self, id: &str) -> Result<Option<ProductId>, ProductStoreError> {
        match self.names.get(&Name::external_id(id)) {
            Some(product) => Ok(Some(*product)),
            None => self.store.by_external_id(id).await,
        }
    }

    pub async fn by_slug(&self, slug: &Slug) -> Result<Option<ProductId>, ProductStoreError> {
        match self.names.get(&Name::slug(slug)) {
            Some(product) => Ok(Some(*product)),
            None => self.store.by_slug(slug).await,
        }
    }

    pub async fn by_sku(&self, sku: &Sku) -> Result<Option<ProductId>, ProductStoreError> {
        match self.names.get(&Name::sku(sku)) {
            Some(product) => Ok(Some(*product)),
            None => self.store.by_sku(sku).await,
        }
    }

    pub async fn get(&self, id: ProductId) -> Result<Found, ProductStoreError> {
        Ok(match self.decided.get(&id) {
            Some(Decided::Whole(product)) => Found::Product(product.clone()),
            Some(Decided::Named) => Found::DecidedBefore,
            None => match self.store.get(id).await? {
                Some(product) => Found::Product(Box::new(product)),
                None => Found::Nothing,
            },
        })
    }

    /// The product will be as this, once the batch is written.
    pub fn decide(&mut self, product: &Product) {
        let slugs = std::iter::once(&product.slug).chain(&product.former_slugs).map(Name::slug);
        let skus = product.variants.iter().map(|variant| Name::sku(&variant.sku));
        let external_id = product.external_id.as_deref().map(Name::external_id);
        for name in slugs.chain(skus).chain(external_id) {
            if self.names.len() < NAMES_MAX || !self.dry_run {
                self.names.insert(name, product.id);
            }
        }
        if self.dry_run {
            let whole = self.decided.len() < WHOLE_MAX || self.decided.contains_key(&product.id);
            let decided =
                if whole { Decided::Whole(Box::new(product.clone())) } else { Decided::Named };
            if self.decided.len() < NAMES_MAX {
                self.decided.insert(product.id, decided);
            }
        }
    }

    /// The batch is written, and the store tells the rest.
    pub fn written(&mut self) {
        if !self.dry_run {
            self.names.clear();
            self.decided.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_different_kinds_never_mix() {
        let texts = (0..1000).map(|number| format!("a-{number}"));
        let mut all = std::collections::HashSet::new();
        for text in texts {
            assert!(all.insert(Name::external_id(&text)), "{text}");
            assert!(all.insert(Name::sku(&Sku::new(&text).expect("a SKU"))), "{text}");
            assert!(all.insert(Name::slug(&Slug::new(&text).expect("a slug"))), "{text}");
        }
    }
}
