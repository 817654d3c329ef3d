//! Imports and exports against real stores: the embedded ones, in a folder of their own.

#![expect(clippy::unwrap_used, reason = "a test that finds no value has failed")]

mod catalogs;
mod csv;
mod fetch;
mod jsonl;
mod media;
mod round_trip;
mod run;
mod shop;
mod traps;
mod web;
