//! Imports and exports against real stores: the embedded ones, in a folder of their own.

mod catalogs;
mod csv;
mod jsonl;
mod round_trip;
mod shop;
mod traps;
