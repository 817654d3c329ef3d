//! A cluster of real processes on real stores, while it is used: whatever happens to one of its
//! nodes, nothing acknowledged is lost, nothing happens twice, and nobody reads what is no more.

mod cables;
mod crowd;
mod fleet;
mod isolation;
mod lanes;
mod log;
mod measures;
mod rounds;
mod upgrade;
