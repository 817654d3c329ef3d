//! The shop on servers beside the process, each real and started for the test.

mod cluster;
mod degraded;
mod doctor;
mod failover;
mod ground;
mod migrate;
mod operators;
mod rounds;
mod shop;
mod shoppers;
