//! Every adapter against its port's suite, alone and inside each decorator; and what only the
//! embedded store promises: what is found again after a crash, and that damage is not served.

#![expect(clippy::unwrap_used, reason = "what does not go as planned fails the test")]

mod announced_stock;
mod backup;
mod contracts;
mod crash;
mod damage;
mod damage_anywhere;
#[cfg(unix)]
mod disk_full;
mod faults;
mod log;
mod opening;
#[path = "../shared/mod.rs"]
mod shared;
mod sqlite;
mod support;
