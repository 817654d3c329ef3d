//! `barrow cluster drain`: marks a node as leaving, and waits until it has handed its shards over.
//! The node does so by itself, as it would at its end; it goes on to answer, and is a member until
//! it is stopped.

use std::time::Duration;

use barrow_cluster::{MemberId, View, plan};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::cli::args::DrainArgs;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::progress::Progress;

use super::{Table, choice};

/// How often is looked how far it has come.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// A node hands over a batch within a few seconds, or not at all.
const STALL_MAX: Duration = Duration::from_secs(60);

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    id: String,
    name: String,
    /// How many it had.
    shards: usize,
    shards_left: usize,
}

pub async fn run(table: &Table, args: &DrainArgs) -> Result<(), Failure> {
    let report = drain(table, args, STALL_MAX).await?;
    if args.json {
        return output::json(&report);
    }
    let Report { id, name, shards, shards_left } = report;
    output::line(&match shards_left {
        0 => format!("{name} ({id}) has handed over {shards} shards, and may be stopped"),
        left => format!("{name} ({id}) is marked, and has {left} shards to hand over"),
    })
}

/// Gives up once it gives nothing away for so long.
pub(super) async fn drain(
    table: &Table,
    args: &DrainArgs,
    stall_max: Duration,
) -> Result<Report, Failure> {
    let view = table.view().await?;
    let member = choice::choose(&view, &args.node)?.clone();
    let view = mark(table, member.id).await?;
    let shards = view.shards_of(member.id).count();
    let shards_left = match args.no_wait {
        true => shards,
        false => wait(table, member.id, shards, stall_max).await?,
    };
    Ok(Report { id: member.id.to_string(), name: member.name, shards, shards_left })
}

/// Marks the node, unless it is marked; answers the view in which it is.
pub(super) async fn mark(table: &Table, id: MemberId) -> Result<View, Failure> {
    let marked = |view: &View| {
        let member = view.member(id).ok_or_else(|| Failure::refused("it has left meanwhile"))?;
        if member.draining {
            return Ok(None);
        }
        let mut others = view.members.iter().filter(|other| other.id != id);
        if !others.any(|other| other.takes_shards()) && view.shards_of(id).next().is_some() {
            let what = "no other node takes shards: nothing would leave this one";
            return Err(Failure::refused(what).hint("start another node first"));
        }
        let mut next = view.clone();
        plan::drain(&mut next, id);
        Ok(Some(next))
    };
    table.amend(marked).await
}

/// Waits until it has none left.
async fn wait(
    table: &Table,
    id: MemberId,
    shards: usize,
    stall_max: Duration,
) -> Result<usize, Failure> {
    let mut progress = Progress::start("handing over", "shards", Some(shards as u64));
    let (mut left, mut moved_at) = (shards, Instant::now());
    while left > 0 {
        let view = table.view().await?;
        let found = view.shards_of(id).count();
        if found < left {
            moved_at = Instant::now();
        }
        left = found;
        progress.set(shards.saturating_sub(left) as u64, None);
        if left > 0 && moved_at.elapsed() >= stall_max {
            progress.finish();
            let what = format!("it gives no shard away any more, and still has {left}");
            return Err(Failure::refused(what)
                .hint("it stays marked; `barrow cluster status` tells whether it beats"));
        }
        if left > 0 {
            sleep(LOOK_INTERVAL).await;
        }
    }
    progress.finish();
    Ok(left)
}
