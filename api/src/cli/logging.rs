//! The log, on standard error: for people as text, for machines as one JSON object a line.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Loaded, LogFormat, Origin};

use super::failure::colours;

/// The database tells much of its inner life; whoever wants it names it in `log.level`.
const QUIET: &str = "fjall=warn,lsm_tree=warn";

/// Starts the log. `fallback` is the level where none was asked for: a server tells what it
/// does, a command that a person watches only what goes wrong.
pub fn start(loaded: &Loaded, fallback: &str) {
    let log = &loaded.config.log;
    let level = match loaded.origins.of("log.level") {
        Origin::Default => fallback,
        _ => log.level.as_str(),
    };
    let filter = EnvFilter::new(format!("{QUIET},{level}"));
    let builder = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    // A second call, as tests make it, leaves the first one in force.
    let _ = match log.format {
        LogFormat::Text => builder.with_ansi(colours(&std::io::stderr())).finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    };
}
