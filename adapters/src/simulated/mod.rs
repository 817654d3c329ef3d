//! Stores in memory that do the same at every run, for simulations and for tests of what stands
//! above the ports. They pass the same suites as the real ones.

mod commerce;
mod entity_store;

pub use commerce::{CommerceRows, SimulatedCommerce};
pub use entity_store::SimulatedEntityStore;
