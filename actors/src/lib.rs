//! What is alive. Every cart and every session is an entity with one writer: an actor that keeps
//! its state hot in memory and answers only once what it answers is durable.
//!
//! [`runtime`] is generic over the entity and knows no commerce; [`carts`] and [`sessions`] are
//! the shop's entities on it; [`catalog`] answers what the catalog holds.

pub mod runtime;

pub mod carts;
pub mod checkout;
pub mod deliveries;
pub mod orders;
pub mod sessions;
pub mod stock;

pub mod catalog;
pub mod shelf;
