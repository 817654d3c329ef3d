//! `barrow setup aws`: the tables and buckets that the configured ports need, for development.
//! In production they come from infrastructure as code, and `--plan` tells whether they are as
//! they should be.

use serde::Serialize;

use crate::config::Loaded;
use crate::wiring;

use super::args::SetupArgs;
use super::failure::Failure;
use super::output;

#[derive(Debug, Serialize)]
struct Report {
    /// Whether it was only looked at.
    plan: bool,
    steps: Vec<String>,
}

/// Shows what has to be made, or makes it.
pub fn run(args: &SetupArgs, loaded: &Loaded) -> Result<(), Failure> {
    let plan = args.plan;
    let steps = super::runtime()?.block_on(wiring::setup(&loaded.config, plan));
    let steps = steps.map_err(|error| {
        Failure::unreachable(error).hint("look at AWS_REGION, the credentials and the endpoint")
    })?;
    if args.json {
        return output::json(&Report { plan, steps });
    }
    let outcome = match (plan, steps.is_empty()) {
        (_, true) => "everything is there",
        (true, false) => "to be done; `barrow setup aws` does it",
        (false, false) => "done",
    };
    let lines: String = steps.iter().map(|step| format!("{step}\n")).collect();
    output::text(&format!("{lines}{outcome}\n"))
}
