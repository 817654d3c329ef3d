//! The formats a catalog arrives in, each read into the same records: our own JSON Lines and
//! CSV, and the files of other shops as they are.

pub mod json;
pub mod jsonl;
mod jsonl_product;
pub mod limits;
pub mod lines;
