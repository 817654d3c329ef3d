//! `barrow cluster`: the nodes as the control table has them. It asks the table alone, so it works
//! from any machine that reaches it, whatever the nodes do.

mod choice;
mod drain;
mod form;
mod report;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use barrow_actors::runtime::newest_form;
use barrow_cluster::node::HEARTBEAT_PREFIX;
use barrow_cluster::{
    ControlError, ControlOutcome, ControlRow, ControlTable, MemberId, Peer, VIEW_KEY, View,
    ViewError,
};
use tokio::time::{Instant, sleep, timeout};

use crate::config::{Control, Loaded};
use crate::wiring;

use super::args::{ClusterArgs, ClusterCommand, ShardsArgs};
use super::failure::Failure;
use super::output;

use report::{Row, Shards, Status};

/// How long a call to the table may take.
const CALL_MAX: Duration = Duration::from_secs(5);

/// For how long the rows are watched: a node beats each second.
const WATCH_MAX: Duration = Duration::from_secs(2);

/// How often they are read meanwhile.
const WATCH_INTERVAL: Duration = Duration::from_millis(250);

/// The view is changed by every handoff: so often somebody else may have been first.
const TRIES_MAX: u32 = 20;

/// Between two of them.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Does what it says.
pub fn run(args: &ClusterArgs, loaded: &Loaded) -> Result<(), Failure> {
    let config = &loaded.config;
    if config.control() == Control::None {
        let what = "cluster.control is none: this is one node, on a store that no other reaches";
        let hint = "name the configuration of the nodes with --config";
        return Err(Failure::configuration(what).hint(hint));
    }
    super::runtime()?.block_on(async {
        let table = timeout(CALL_MAX, wiring::look_at_table(config)).await;
        let table = table.map_err(|_| away("it did not answer in time"))?;
        let table = Table(table.map_err(away)?);
        match &args.command {
            ClusterCommand::Status(args) => status(&table, args.json).await,
            ClusterCommand::Shards(args) => shards(&table, args).await,
            ClusterCommand::Drain(args) => drain::run(&table, args).await,
            ClusterCommand::RaiseForm(args) => form::run(&table, args.json).await,
        }
    })
}

fn away(reason: impl std::fmt::Display) -> Failure {
    Failure::unreachable(format!("the control table: {reason}"))
        .hint("barrow doctor says what is wrong")
}

/// The control table, for who only wants to know.
struct Table(Arc<dyn ControlTable>);

impl Table {
    async fn view(&self) -> Result<View, Failure> {
        let row = answered(self.0.load(VIEW_KEY)).await.map_err(away)?;
        row.map_or_else(|| Ok(View::default()), |row| decode(&row))
    }

    /// Replaces the version that the view was read at.
    async fn change(&self, view: &View) -> Result<ControlOutcome, ControlError> {
        answered(self.0.cas(VIEW_KEY, view.version, view.encode())).await
    }

    /// Replaces the view by what `next` makes of it, until that says that nothing is to be changed
    /// any more; answers the view as it is then.
    async fn amend(
        &self,
        next: impl Fn(&View) -> Result<Option<View>, Failure>,
    ) -> Result<View, Failure> {
        let mut failed = None;
        for _ in 0..TRIES_MAX {
            let view = self.view().await?;
            let Some(next) = next(&view)? else { return Ok(view) };
            match self.change(&next).await {
                Ok(ControlOutcome::Written) => return Ok(next),
                Ok(ControlOutcome::Conflict(_)) => {}
                // The next read tells whether it was made.
                Err(error @ ControlError::OutcomeUnknown(_)) => failed = Some(error),
                Err(error) => return Err(away(error)),
            }
            sleep(RETRY_INTERVAL).await;
        }
        Err(match failed {
            Some(error) => away(error),
            None => Failure::refused("others changed the view each time").hint("try again"),
        })
    }

    /// The heartbeat rows, with their versions.
    async fn rows(&self) -> Result<BTreeMap<MemberId, (u64, Option<Peer>)>, Failure> {
        let rows = answered(self.0.list(HEARTBEAT_PREFIX)).await.map_err(away)?;
        let known = rows.into_iter().filter_map(|(key, row)| {
            let id = key.strip_prefix(HEARTBEAT_PREFIX)?.parse().ok()?;
            Some((id, (row.version, serde_json::from_slice(&row.value).ok())))
        });
        Ok(known.collect())
    }
}

fn decode(row: &ControlRow) -> Result<View, Failure> {
    View::decode(row.version, &row.value, newest_form()).map_err(|error| match error {
        ViewError::FutureForm { .. } => Failure::too_old(error),
        ViewError::Damaged(_) => Failure::refused(error),
    })
}

/// A write that did not answer in time may have been made.
async fn answered<T>(
    call: impl Future<Output = Result<T, ControlError>>,
) -> Result<T, ControlError> {
    let late = |_| Err(ControlError::OutcomeUnknown("it did not answer in time".to_owned()));
    timeout(CALL_MAX, call).await.unwrap_or_else(late)
}

/// Watches whose rows grow. Ends as soon as all do.
async fn watch(table: &Table) -> Result<(View, BTreeMap<MemberId, Row>), Failure> {
    let first = table.rows().await?;
    let began = Instant::now();
    let mut last = first.clone();
    let mut beats: BTreeMap<MemberId, Instant> = BTreeMap::new();
    while began.elapsed() < WATCH_MAX && last.keys().any(|id| !beats.contains_key(id)) {
        sleep(WATCH_INTERVAL).await;
        let rows = table.rows().await?;
        for (id, (version, _)) in &rows {
            if last.get(id).is_none_or(|(before, _)| before < version) {
                beats.insert(*id, Instant::now());
            }
        }
        last = rows;
    }
    // The view before the rows: who is a member had made its row before.
    let view = table.view().await?;
    let rows = table.rows().await?.into_iter().map(|(id, (_, peer))| {
        let beat_age = beats.get(&id).map(Instant::elapsed);
        (id, Row { peer, beat_age })
    });
    Ok((view, rows.collect()))
}

async fn status(table: &Table, is_json: bool) -> Result<(), Failure> {
    let (view, rows) = watch(table).await?;
    let status = Status::of(&view, &rows);
    match is_json {
        true => output::json(&status),
        false => output::text(&status.text()),
    }
}

async fn shards(table: &Table, args: &ShardsArgs) -> Result<(), Failure> {
    let view = table.view().await?;
    let only = args.node.as_deref().map(|node| choice::choose(&view, node)).transpose()?;
    let shards = Shards::of(&view, only.map(|member| member.id));
    match args.json {
        true => output::json(&shards),
        false => output::text(&shards.text()),
    }
}

#[cfg(test)]
mod tests;
