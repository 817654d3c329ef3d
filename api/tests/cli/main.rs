//! The command `barrow`, run as its users run it: the real binary, its output and its exit codes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod command;

mod copies;
mod feeds;
mod keys;
mod migrate;
mod seeding;
mod serving;
mod settings;
