//! The command `barrow`: what each subcommand does, how it reports, and how it ends.

mod args;
mod backup;
mod control;
mod data_dir;
mod doctor;
mod failure;
mod logging;
mod output;
mod progress;
mod settings;

use std::process::ExitCode;

use clap::Parser;

use crate::config::{self, Loaded};

use args::{Cli, Command, Settings};
use failure::{Exit, Failure};

/// Reads the command line, does what it says, and answers the exit code.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let exit = match dispatch(&cli) {
        Ok(exit) => exit,
        Err(failure) => {
            failure.report();
            failure.exit
        }
    };
    exit.into()
}

fn dispatch(cli: &Cli) -> Result<Exit, Failure> {
    let settings = &cli.settings;
    let done = |()| Exit::Done;
    match &cli.command {
        Some(Command::Completions(args)) => settings::completions(args).map(done),
        Some(Command::Config(args)) if args.manual => settings::print_manual().map(done),
        Some(Command::Config(args)) => settings::print(args, &quiet(settings)?).map(done),
        Some(Command::Doctor(args)) => {
            doctor::run(args, config::load(&settings.sources()), |_| Ok(0))
        }
        _ => Ok(Exit::Done),
    }
}

/// Reads the configuration for a command that a person watches.
fn quiet(settings: &Settings) -> Result<Loaded, Failure> {
    let loaded = config::load(&settings.sources())?;
    logging::start(&loaded, "warn");
    Ok(loaded)
}
