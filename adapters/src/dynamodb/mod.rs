//! Entities and products in DynamoDB.
//!
//! An entity is one item, and a change of it is one conditional write that is never repeated
//! behind the caller's back. A product is one item, and each of its names another one, so that a
//! name belongs to one product and is found at once. [`tables`] says which tables there must be.

mod batch;
mod client;
mod control_table;
mod due;
mod entity_store;
mod errors;
mod items;
mod name_claims;
mod probe;
mod product_names;
mod product_store;
mod product_write;
mod reviews;
mod row_codec;
pub mod tables;
mod ttl;
mod write_queue;

pub use client::{Dynamo, DynamoEndpoint, TABLE_PREFIX};
pub use control_table::DynamoControlTable;
pub use entity_store::{DynamoEntityStore, DynamoFigures, WRITE_REQUESTS_MAX};
pub use product_store::DynamoProductStore;
