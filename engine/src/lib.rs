//! The business: what a catalog, a price, a cart and an order are, and what may happen to them.
//!
//! Pure Rust. Nothing in here reads a clock, draws a random number, opens a file or a socket, or
//! knows a runtime: time, ids and the answers of the world come in as arguments, decisions go
//! out as data. What the business needs from the world it names in [`ports`].

pub mod codec;
pub mod entity;
pub mod ids;
pub mod money;
pub mod quantity;
pub mod time;

pub mod catalog;
pub mod pricing;

pub mod access;
pub mod cart;
pub mod inventory;
pub mod orders;
pub mod session;

pub mod ports;

#[cfg(test)]
mod fuzz;
