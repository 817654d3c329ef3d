//! By which names a product is found: its slugs, its SKUs and its foreign id, each an entry of
//! one table that leads to the product.

use std::collections::BTreeSet;

use barrow_engine::catalog::{Product, Sku, Slug};
use barrow_engine::ids::ProductId;
use barrow_engine::ports::ProductStoreError;
use sha2::{Digest, Sha256};

/// A name as the table's key: a letter for its kind, then the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name(Vec<u8>);

const SLUG: u8 = b's';
const SKU: u8 = b'k';
const EXTERNAL_ID: u8 = b'x';
const LONG_EXTERNAL_ID: u8 = b'X';

/// Foreign ids come in any length, keys do not: beyond this a digest stands for the id.
const EXTERNAL_ID_BYTES_MAX: usize = 512;

impl Name {
    pub fn slug(slug: &Slug) -> Name {
        Name::new(SLUG, slug.as_str().as_bytes())
    }

    pub fn sku(sku: &Sku) -> Name {
        Name::new(SKU, sku.as_str().as_bytes())
    }

    pub fn external_id(id: &str) -> Name {
        if id.len() <= EXTERNAL_ID_BYTES_MAX {
            Name::new(EXTERNAL_ID, id.as_bytes())
        } else {
            Name::new(LONG_EXTERNAL_ID, &Sha256::digest(id.as_bytes()))
        }
    }

    fn new(kind: u8, text: &[u8]) -> Name {
        let mut key = Vec::with_capacity(1 + text.len());
        key.push(kind);
        key.extend_from_slice(text);
        Name(key)
    }

    pub fn key(&self) -> &[u8] {
        &self.0
    }

    /// Whether only one product may have it. A foreign id is not exclusive: it leads to the
    /// product that was last written with it.
    #[cfg(feature = "dynamodb")]
    pub fn is_exclusive(&self) -> bool {
        matches!(self.0.first(), Some(&SLUG | &SKU))
    }

    /// Why a product cannot have the name while that other one does; nothing where it is not
    /// exclusive.
    pub fn taken_by(&self, owner: ProductId) -> Option<ProductStoreError> {
        let (kind, text) = self.0.split_first()?;
        let text = std::str::from_utf8(text).ok()?;
        match *kind {
            SLUG => Some(ProductStoreError::SlugTaken { slug: Slug::new(text).ok()?, owner }),
            SKU => Some(ProductStoreError::SkuTaken { sku: Sku::new(text).ok()?, owner }),
            _ => None,
        }
    }
}

/// All names of a product. Slugs: today's, former ones and those of its translations.
pub(crate) fn names_of(product: &Product) -> BTreeSet<Name> {
    let translated = product.translations.values().filter_map(|t| t.slug.as_ref());
    let slugs = std::iter::once(&product.slug).chain(&product.former_slugs).chain(translated);
    slugs
        .map(Name::slug)
        .chain(product.variants.iter().map(|variant| Name::sku(&variant.sku)))
        .chain(product.external_id.as_deref().map(Name::external_id))
        .collect()
}
