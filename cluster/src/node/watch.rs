//! Watching the other nodes' heartbeat rows: whose silence has lasted, and who may be buried.
//!
//! A row stands for a live node until no new version of it was seen for a lease, a twentieth of
//! it and a beat, on the watcher's own clock; clocks run at different speeds, by far less than a
//! twentieth. Silence counts between reads that succeed: a watcher that did not look does not
//! know whether the others could beat.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::planted::{Bug, is_planted};
use crate::{BEAT_INTERVAL, LEASE, MemberId, View};

/// When every lease has ended, on every clock, whose last beat was sent before.
const LEASE_OVER: Duration = LEASE.saturating_mul(105).checked_div(100).expect("100 is not 0");

/// Reads further apart than that leave a gap: this node was paused, and the others may have been.
const GAP_MAX: Duration = LEASE;

/// How long each node lets those of lower ids go first, so that not all write at once.
const STEP_IN: Duration = Duration::from_millis(500);

/// The most nodes that one lets go first.
const STEP_IN_MAX: u32 = 10;

#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    rows: BTreeMap<MemberId, Seen>,
    /// Members without a row, and since when that is known.
    gone: BTreeMap<MemberId, Duration>,
    /// Members whose row was removed by this node, for certain, after it had watched the silence.
    killed: BTreeSet<MemberId>,
    /// The last read, if it succeeded.
    read_at: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    version: u64,
    /// Since when it is watched at that version, without a gap.
    since: Duration,
}

fn silence() -> Duration {
    match is_planted(Bug::EarlyTakeOver) {
        true => LEASE / 2,
        false => LEASE_OVER + BEAT_INTERVAL,
    }
}

fn gone_wait() -> Duration {
    match is_planted(Bug::GoneGrantedAtOnce) {
        true => Duration::ZERO,
        false => LEASE_OVER,
    }
}

impl Watch {
    /// The last read succeeded.
    pub fn is_current(&self) -> bool {
        self.read_at.is_some()
    }

    /// A read failed: the silence of everybody begins anew with the next one.
    pub fn missed(&mut self) {
        self.read_at = None;
    }

    /// What `me` read: first the view, then the versions of the others' rows.
    pub fn observe(
        &mut self,
        view: &View,
        rows: &BTreeMap<MemberId, u64>,
        me: MemberId,
        uptime: Duration,
    ) {
        let last = self.read_at.replace(uptime);
        let has_no_gap = last.is_some_and(|last| uptime.saturating_sub(last) <= GAP_MAX)
            || is_planted(Bug::FailedPollsCounted);
        let seen = |(id, version): (&MemberId, &u64)| {
            let known = self.rows.get(id).filter(|seen| seen.version == *version && has_no_gap);
            let since = known.map_or(uptime, |seen| seen.since);
            (*id, Seen { version: *version, since })
        };
        self.rows = rows.iter().map(seen).collect();
        // A row is made before its node joins, and was read after the view: it has been removed.
        let gone = view.members.iter().map(|member| member.id);
        let gone = gone.filter(|id| *id != me && !rows.contains_key(id));
        self.gone = gone.map(|id| (id, *self.gone.get(&id).unwrap_or(&uptime))).collect();
        self.killed.retain(|id| view.member(*id).is_some());
    }

    fn silent_for(&self, id: MemberId, uptime: Duration) -> Option<Duration> {
        self.rows.get(&id).map(|seen| uptime.saturating_sub(seen.since))
    }

    /// How long this node lets others go first: by its place among those that live.
    pub fn delay(&self, view: &View, me: MemberId, uptime: Duration) -> Duration {
        let lower = view.members.iter().filter(|member| member.id < me);
        let living = lower.filter(|member| {
            self.silent_for(member.id, uptime).is_some_and(|silent| silent < silence())
        });
        STEP_IN * u32::try_from(living.count()).unwrap_or(u32::MAX).min(STEP_IN_MAX)
    }

    /// A node that has been silent for long enough, and the version it stopped at. It need not be
    /// a member: a row that nobody beats is removed, too.
    pub fn silent(&self, uptime: Duration, delay: Duration) -> Option<(MemberId, u64)> {
        let mut rows = self.rows.iter();
        let is_over =
            |seen: &Seen| uptime.saturating_sub(seen.since) >= silence().saturating_add(delay);
        rows.find(|(_, seen)| is_over(seen)).map(|(id, seen)| (*id, seen.version))
    }

    /// R7: who may be buried. The one that killed it watched the full wait and grants at once;
    /// whoever merely finds no row waits until any lease has ended.
    pub fn buriable(&self, view: &View, uptime: Duration, delay: Duration) -> Vec<MemberId> {
        let members = view.members.iter().map(|member| member.id);
        let is_over = |since: Duration| uptime.saturating_sub(since) >= gone_wait() + delay;
        let dead = members.filter(|id| {
            self.killed.contains(id) || self.gone.get(id).is_some_and(|since| is_over(*since))
        });
        dead.collect()
    }

    /// A node has been silent for longer than a lease, or has no row: its shards will have new
    /// owners soon.
    pub fn is_tense(&self, uptime: Duration) -> bool {
        let mut rows = self.rows.values();
        !self.gone.is_empty() || rows.any(|seen| uptime.saturating_sub(seen.since) >= LEASE)
    }

    /// When something of that is due which is not yet.
    pub fn deadline(&self, uptime: Duration, delay: Duration) -> Option<Duration> {
        let rows = self.rows.values().map(|seen| seen.since + silence() + delay);
        let gone = self.gone.values().map(|since| *since + gone_wait() + delay);
        rows.chain(gone).filter(|due| *due > uptime).min()
    }

    /// Its row was removed at the version that was watched, for certain. Who is no member yet
    /// may make it once more, and join.
    pub fn killed(&mut self, id: MemberId, view: &View) {
        self.rows.remove(&id);
        if view.member(id).is_some() {
            self.killed.insert(id);
        }
    }

    /// Its row was at this version when it was to be removed.
    pub fn survived(&mut self, id: MemberId, version: u64, uptime: Duration) {
        if let Some(seen) = self.rows.get_mut(&id) {
            seen.version = version;
            if !is_planted(Bug::UnconditionalKill) {
                seen.since = uptime;
            }
        }
    }

    /// Its row was gone when it was to be removed.
    pub fn vanished(&mut self, id: MemberId, uptime: Duration) {
        self.rows.remove(&id);
        self.gone.entry(id).or_insert(uptime);
    }
}
