//! The papers of an order: invoice and packing slip as PDF, and orders as tables for other
//! programs. Pure functions of an order: the same order is the same bytes, at any time.

mod export;
mod invoice;
mod packing_slip;
mod paper;
mod table;

pub use export::{CSV_COLUMNS, csv_header, csv_rows, json_line};
pub use invoice::invoice;
pub use packing_slip::packing_slip;

/// Who sells, as it has to stand on an invoice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seller {
    pub name: String,
    /// The lines of the address.
    pub address: Vec<String>,
    /// The number that tax is paid under.
    pub tax_number: Option<String>,
    /// What stands at the foot of each page: bank account, register, terms.
    pub footer: Option<String>,
}

/// An order that there is no such paper of.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    #[error("the order was not placed")]
    NotPlaced,
    #[error("the page cannot be written: {0}")]
    Page(String),
}
