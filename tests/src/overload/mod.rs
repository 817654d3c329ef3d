//! More requests than a shop can serve: a shop whose store is slow on purpose, so that it has a
//! known peak, and clients that do not wait for replies before they send more.

mod carts;
mod client;
mod measure;
mod rounds;
mod shop;
mod watch;

pub use carts::{Account, Carts};
pub use client::{Answer, Connection, request, stall};
pub use measure::{Extent, measure};
pub use rounds::{Pick, Round, Sent, closed, next_key, open};
pub use shop::{BREAKING, Slowness, UNREADABLE, serve};
pub use watch::{Seen, in_flight, watch};
