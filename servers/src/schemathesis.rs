//! Schemathesis: makes requests from an API's own description, good ones and bad ones, and holds
//! the replies to it.

use std::process::{Command, Output};
use std::time::Duration;

use anyhow::Context;

use crate::python;

const VERSION: &str = "4.32.5";

/// A run of it against one server.
#[derive(Debug)]
pub struct Schemathesis<'a> {
    /// Where the description is.
    pub description: String,
    /// What goes into `Authorization: Bearer`.
    pub token: &'a str,
    /// Calls that are left out, by their ids: what ends the caller's own session.
    pub without: &'a [&'a str],
    /// The same seed makes the same requests.
    pub seed: u64,
    pub longest: Duration,
}

impl Schemathesis<'_> {
    /// Makes the requests; what it printed. It fails where a reply was a 5xx, or is not described.
    pub fn run(&self) -> anyhow::Result<Output> {
        let program = python::program("schemathesis", VERSION)?;
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(program);
        command.current_dir(folder.path()).args(["--no-color", "run", &self.description]);
        command.args(["--phases", "examples,coverage,fuzzing", "--continue-on-failure"]);
        command.args(["--checks", CHECKS, "--max-time", &self.longest.as_secs().to_string()]);
        command.args(["--seed", &self.seed.to_string(), "--generation-database", "none"]);
        command.args(["--suppress-health-check", "all", "--warnings", "off"]);
        command.args(["--header", &format!("Authorization: Bearer {}", self.token)]);
        for call in self.without {
            command.args(["--exclude-operation-id", call]);
        }
        command.output().context("schemathesis runs")
    }
}

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance";
