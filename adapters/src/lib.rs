//! How the world answers: the stores, caches and clocks behind the engine's ports.
//!
//! [`embedded`] keeps everything in the process and one folder. [`simulated`] keeps it in memory,
//! the same at every run, for simulations and tests. [`decorators`] add behaviour to any adapter:
//! they measure it, repeat what failed, or break it on purpose. [`host`] is the machine's clock
//! and randomness.

pub mod decorators;
pub mod embedded;
pub mod host;
pub mod simulated;
