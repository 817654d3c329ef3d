//! A batch of products as it comes together: each is checked against the store and against those
//! before it, and stands alone.

use std::collections::{BTreeSet, HashMap};

use barrow_engine::catalog::Product;
use barrow_engine::ids::ProductId;
use barrow_engine::ports::ProductStoreError;

use super::names::{Name, names_of};

type Result<T> = std::result::Result<T, ProductStoreError>;

/// What is stored at the moment. Nobody else may write while a batch is planned.
pub(crate) trait Stored {
    fn product(&self, id: ProductId) -> Result<Option<Product>>;

    fn owner(&self, name: &Name) -> Result<Option<ProductId>>;
}

/// What a batch comes to.
pub(crate) struct Plan<S> {
    stored: S,
    pub products: HashMap<ProductId, Product>,
    /// Whom the names lead to that this batch changes; `None` for nobody any more.
    pub names: HashMap<Name, Option<ProductId>>,
    /// How many products are new.
    pub new: u64,
}

impl<S: Stored> Plan<S> {
    pub fn new(stored: S) -> Plan<S> {
        Plan { stored, products: HashMap::new(), names: HashMap::new(), new: 0 }
    }

    /// Takes a product in, or refuses it; the others are not touched by that.
    pub fn add(&mut self, product: Product) -> Result<()> {
        let id = product.id;
        let of = |before: &Product| (before.version, names_of(before));
        let (current, names_before) = match self.products.get(&id) {
            Some(planned) => of(planned),
            None => self.stored.product(id)?.as_ref().map_or((0, BTreeSet::new()), of),
        };
        if product.version != current + 1 {
            return Err(ProductStoreError::VersionMismatch { current });
        }
        let names = names_of(&product);
        for name in names.difference(&names_before) {
            if let Some(owner) = self.owner(name)?.filter(|owner| *owner != id)
                && let Some(refusal) = name.taken_by(owner)
            {
                return Err(refusal);
            }
        }
        let mut freed = Vec::new();
        for name in names_before.difference(&names) {
            // A foreign id may have gone to another product since.
            if self.owner(name)? == Some(id) {
                freed.push((name.clone(), None));
            }
        }
        self.names.extend(freed);
        self.names.extend(names.into_iter().map(|name| (name, Some(id))));
        self.new += u64::from(current == 0);
        self.products.insert(id, product);
        Ok(())
    }

    fn owner(&self, name: &Name) -> Result<Option<ProductId>> {
        match self.names.get(name) {
            Some(owner) => Ok(*owner),
            None => self.stored.owner(name),
        }
    }
}
