//! The command `barrow`, run as its users run it: the real binary, its output and its exit codes.

mod command;

mod copies;
mod feeds;
mod serving;
mod settings;
