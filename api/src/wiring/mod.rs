//! The one place that names adapters: it reads the configuration and puts the parts together.

mod stores;

pub use stores::{OpenError, Stores, load};
