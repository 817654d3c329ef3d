//! The files a catalog arrives in and leaves by: import, export, the sample catalog.
//!
//! A file is looked at ([`open`]), read into records ([`formats`], [`record`]), each record is
//! decided against what the shop has ([`plan`]) and written in batches ([`import`]). The sample
//! catalog and the generator make records too, and go the same way.

pub mod derive;
pub mod detect;
pub mod export;
pub mod failed;
pub mod formats;
pub mod generate;
pub mod import;
pub mod open;
pub mod plan;
pub mod record;
pub mod sample;
pub mod slug;

#[cfg(test)]
mod fuzz;
