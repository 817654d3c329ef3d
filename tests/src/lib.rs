//! What the tests share: a node in a simulation, a server on a free port, a client.

pub mod cluster_simulation;
pub mod host;
pub mod overload;
pub mod probe;
pub mod scripted_store;
pub mod server;
pub mod simulation;
