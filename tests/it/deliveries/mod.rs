//! Events of orders and stock reach each consumer in order, whatever fails on the way: on SQLite
//! and on Postgres, from two nodes at once, over their deaths.

mod ground;
mod order;
mod trouble;
mod witness;
