//! `barrow config` and `barrow completions`.

use clap::CommandFactory;

use crate::config::{self, Loaded};

use super::args::{Cli, CompletionsArgs, ConfigArgs};
use super::failure::Failure;
use super::output;

/// Prints the effective configuration.
pub fn print(args: &ConfigArgs, loaded: &Loaded) -> Result<(), Failure> {
    if args.json {
        return output::json(&loaded.config);
    }
    output::text(&config::to_toml(&loaded.config))
}

/// Prints every key with its default and its meaning.
pub fn print_manual() -> Result<(), Failure> {
    output::text(&config::manual())
}

/// Prints the completions for a shell.
pub fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "barrow", &mut script);
    output::text(&String::from_utf8_lossy(&script))
}
