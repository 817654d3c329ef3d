//! How a command ends: its exit code, what happened, and what to do about it.

use std::fmt;
use std::io::IsTerminal;
use std::process::ExitCode;

use crate::config::ConfigError;

/// The exit codes, which scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    /// Refused, or some rows failed.
    Refused = 1,
    /// The command line was wrong.
    Usage = 2,
    Configuration = 3,
    /// Something Barrow depends on cannot be reached or does not answer.
    Unreachable = 4,
    /// What is stored is of a later build: no restart of this one mends it.
    TooOld = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command could not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    /// What happened, as a sentence without its full stop.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Failure {
    pub fn refused(what: impl fmt::Display) -> Failure {
        Failure { exit: Exit::Refused, what: what.to_string(), hint: None }
    }

    pub fn usage(what: impl fmt::Display) -> Failure {
        Failure { exit: Exit::Usage, what: what.to_string(), hint: None }
    }

    pub fn configuration(what: impl fmt::Display) -> Failure {
        Failure { exit: Exit::Configuration, what: what.to_string(), hint: None }
    }

    pub fn unreachable(what: impl fmt::Display) -> Failure {
        Failure { exit: Exit::Unreachable, what: what.to_string(), hint: None }
    }

    pub fn too_old(what: impl fmt::Display) -> Failure {
        let hint =
            "use the later build: what is stored does not go back (docs/operations/cluster.md)";
        Failure { exit: Exit::TooOld, what: what.to_string(), hint: None }.hint(hint)
    }

    pub fn hint(mut self, hint: impl fmt::Display) -> Failure {
        self.hint = Some(hint.to_string());
        self
    }

    /// Tells the person at the terminal.
    pub fn report(&self) {
        let (red, plain) =
            if colours(&std::io::stderr()) { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        let hint = self.hint.iter().map(|hint| format!("\n  {hint}")).collect::<String>();
        super::output::complain(&format!("{red}error:{plain} {}{hint}", self.what));
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure::configuration(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::refused(error)
    }
}

/// Whether colours are wanted: on a terminal, and `NO_COLOR` is not set.
pub fn colours(stream: &impl IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !refused
}
