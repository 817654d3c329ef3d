//! Checkouts on the real carts, a real SQLite or Postgres and the gateway for tests, from a full
//! cart to an order or back; with crashes at every step.

pub mod bank;
mod buying;
mod crashes;
mod expiry;
mod failover;
mod flash_sale;
pub mod fuse;
mod holds;
mod rush;
pub mod shop;
