//! `/v1/products`: the shop window.

mod list;
mod page;
mod reviews;
