//! The command `barrow`: what each subcommand does, how it reports, and how it ends.

mod api_key;
mod args;
mod backup;
mod cluster;
mod control;
mod copies;
mod data_dir;
mod doctor;
mod draw;
mod export;
mod failure;
mod import;
mod logging;
mod migrate;
mod output;
mod progress;
mod seed;
mod serve;
mod settings;
mod setup;
mod steward;
mod stop;

use std::process::ExitCode;

use clap::Parser;

use crate::config::{self, Config, Loaded};
use crate::wiring::{OnFatal, OpenError, Stores};

use args::{Cli, Command, Settings};
use data_dir::DataDir;
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
        Some(Command::Doctor(args)) => doctor::run(args, config::load(&settings.sources())),
        Some(Command::Import(args)) => import::run(args, &quiet(settings)?),
        Some(Command::Export(args)) => export::run(args, &quiet(settings)?),
        Some(Command::Backup(args)) => copies::backup(args, &quiet(settings)?).map(done),
        Some(Command::Restore(args)) => copies::restore(args, &quiet(settings)?).map(done),
        Some(Command::ApiKey(args)) => api_key::run(args, &quiet(settings)?).map(done),
        Some(Command::Cluster(args)) => cluster::run(args, &quiet(settings)?).map(done),
        Some(Command::Migrate(args)) => migrate::run(args, &quiet(settings)?),
        Some(Command::Setup(args)) => setup::run(args, &quiet(settings)?).map(done),
        None | Some(Command::Serve) => serve(settings),
        Some(Command::Seed(args)) => seed::run(args, &quiet(settings)?),
    }
}

fn serve(settings: &Settings) -> Result<Exit, Failure> {
    let loaded = config::load(&settings.sources())?;
    logging::start(&loaded, &loaded.config.log.level);
    serve::serve(&loaded)
}

/// Reads the configuration for a command that a person watches.
fn quiet(settings: &Settings) -> Result<Loaded, Failure> {
    let loaded = config::load(&settings.sources())?;
    logging::start(&loaded, "warn");
    Ok(loaded)
}

/// The runtime of a command: a thread for each core.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("barrow")
        .build()
        .map_err(|error| Failure::refused(format!("no threads could be started: {error}")))
}

/// Opens the stores of a directory whose lock is held. If one of them fails later on, nobody
/// knows what is on the disk, so the process ends itself; the next start reads what is there.
async fn open_stores(config: &Config, data: &DataDir) -> Result<Stores, Failure> {
    Stores::open(config, data.path(), on_fatal()).await.map_err(open_failure)
}

/// Ends the process.
fn on_fatal() -> OnFatal {
    Box::new(|reason: &str| {
        let failure = Failure::refused(format!("the store failed: {reason}"))
            .hint("look at the disk (barrow doctor), then start again; what was answered is safe");
        failure.report();
        std::process::exit(failure.exit as i32);
    })
}

fn open_failure(error: OpenError) -> Failure {
    match error.is_unreachable() {
        true => Failure::unreachable(error).hint("barrow doctor says what is wrong"),
        false => Failure::refused(error),
    }
}
