//! What is measured, and for how long.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::report::Form;

/// Prints figures beside limits that are measured in the same run.
#[derive(Parser)]
#[command(name = "./dev bench")]
pub struct Options {
    /// Only these cases.
    #[arg(long, value_name = "CASE", value_delimiter = ',')]
    only: Vec<Case>,
    /// Fewer and shorter rounds: all cases in three minutes.
    #[arg(long)]
    pub quick: bool,
    /// One JSON object a line and case.
    #[arg(long)]
    json: bool,
    /// One row of a table a case, as in docs/performance.md.
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// How many rounds a figure is the median of.
    #[arg(long)]
    rounds: Option<usize>,
    /// How long a round of load is.
    #[arg(long)]
    seconds: Option<f64>,
    /// Where the stores lie while they are measured; by default where the system keeps
    /// temporary files.
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
}

/// What can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// Decide and quote in process: a large cart beside a small one.
    Quote,
    /// Adds to 10,000 carts over 64 connections.
    Add64,
    /// Adds to 10,000 carts over 256 connections.
    Add256,
    /// Adds to one cart.
    Hot,
    /// Reads of carts.
    Get,
    /// Reads of product pages.
    Page,
    /// Adds at half of the peak: how long they take.
    Half,
    /// What a cart in memory takes, and what passivation gives back.
    Memory,
    /// A start with 1,000,000 carts in the store.
    Start,
    /// Each entity store beside the bare client of its server.
    Stores,
    /// Checkouts to a placed order, beside a transaction by hand on the same database.
    Checkout,
    /// Reservations of one SKU, beside buyers who lock its row.
    HotSku,
    /// Requests to a node of two, at the owner of their cart and at the other.
    Cluster,
    /// The same adds to axum with Redis and to axum with Postgres.
    Peers,
    /// What the parts of the runtime do alone.
    Micro,
}

impl Options {
    pub fn form(&self) -> Form {
        match (self.json, self.markdown) {
            (true, _) => Form::Json,
            (_, true) => Form::Markdown,
            _ => Form::Text,
        }
    }

    pub fn wants_any(&self, cases: &[Case]) -> bool {
        cases.iter().any(|case| self.wants(*case))
    }

    pub fn wants(&self, case: Case) -> bool {
        self.only.is_empty() || self.only.contains(&case)
    }

    pub fn dir(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(std::env::temp_dir)
    }

    pub fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 3 } else { 5 }).max(1)
    }

    pub fn round(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.unwrap_or(if self.quick { 1.0 } else { 4.0 }))
    }
}
