//! What the product stores have in common: the names that lead to a product, the rules of a
//! batch, and the stored form of a document.

pub(crate) mod document;
pub(crate) mod names;
pub(crate) mod plan;
