//! The formats a catalog arrives in, each read into the same records: our own JSON Lines and
//! CSV, and the files of other shops as they are.

pub mod cells;
pub mod columns;
pub mod csv;
mod csv_product;
pub mod eshop;
pub mod foreign;
pub mod items;
pub mod json;
pub mod jsonl;
mod jsonl_product;
pub mod limits;
pub mod lines;
pub mod retail_demo;
pub mod spree;
mod spree_product;
pub mod table;
