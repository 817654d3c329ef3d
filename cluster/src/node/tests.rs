//! Each rule of membership, by name, on machines without a runtime.

mod form;
mod handoff;

use std::time::Duration;

use super::*;
use crate::{BEAT_INTERVAL, LEASE, SHARDS, plan};

const SECOND: Duration = Duration::from_secs(1);
const UNKNOWN: Answer = Err(ControlError::OutcomeUnknown(String::new()));
const AWAY: Answer = Err(ControlError::Unavailable(String::new()));
const WRITTEN: Answer = Ok(ControlOutcome::Written);

/// The control table: the same promises, without a runtime.
#[derive(Default)]
struct Table(BTreeMap<String, ControlRow>);

impl Table {
    fn cas(&mut self, write: &Write) -> Answer {
        let found = self.0.get(&write.key);
        if found.map_or(0, |row| row.version) != write.expected {
            return Ok(ControlOutcome::Conflict(found.cloned()));
        }
        let row = ControlRow { version: write.expected + 1, value: write.value.clone() };
        self.0.insert(write.key.clone(), row);
        WRITTEN
    }

    fn delete(&mut self, removal: &Removal) -> Answer {
        let found = self.0.get(&removal.key);
        if found.map(|row| row.version) != Some(removal.expected) {
            return Ok(ControlOutcome::Conflict(found.cloned()));
        }
        self.0.remove(&removal.key);
        WRITTEN
    }

    fn poll(&self) -> Option<Poll> {
        let rows = self.0.iter().filter(|(key, _)| key.starts_with(HEARTBEAT_PREFIX));
        let rows = rows.map(|(key, row)| (key.clone(), row.clone())).collect();
        Some(Poll { view: self.0.get(VIEW_KEY).cloned(), rows })
    }

    fn view(&self) -> View {
        let row = &self.0[VIEW_KEY];
        View::decode(row.version, &row.value, u8::MAX).unwrap()
    }

    fn has_row(&self, id: u128) -> bool {
        self.0.contains_key(&row_key(MemberId(id)))
    }
}

fn node(id: u128) -> Node {
    node_reading(id, 1)
}

/// Of a build that reads forms up to that one.
fn node_reading(id: u128, reads: u8) -> Node {
    let (id, name) = (MemberId(id), format!("node {id}"));
    let build = reads.to_string();
    let me = Member { id, name: name.clone(), weight: 1, build, reads, draining: false };
    let (address, unreachable) = ("host:1".to_owned(), Vec::new());
    let peer = Peer { id, name, address, certificate: Vec::new(), unreachable };
    Node::new(me, peer, NodeSettings { form_wait: form::WAIT, ..NodeSettings::default() })
}

fn beat(node: &mut Node, now: Duration) -> Write {
    match node.beat(now) {
        Pulse::Send(beat) => beat,
        other => panic!("no beat: {other:?}"),
    }
}

/// Beats if a beat is due.
fn beats(node: &mut Node, table: &mut Table, now: Duration) {
    if let Pulse::Send(beat) = node.beat(now) {
        let answer = table.cas(&beat);
        node.beaten(&answer, now);
    }
}

/// Takes steps until there is nothing to do at this moment; what it waits for, drains or how it
/// ends is answered. Nothing goes wrong.
fn settle(node: &mut Node, table: &mut Table, now: Duration) -> Step {
    for _ in 0..100 {
        match node.next(now) {
            Step::Poll => node.polled(table.poll(), now),
            Step::Change(write) => {
                let answer = table.cas(&write);
                node.changed(&answer, now);
            }
            Step::Kill(removal) => {
                let answer = table.delete(&removal);
                node.killed(&answer, now);
            }
            Step::Remove(removal) => {
                let answer = table.delete(&removal);
                node.removed(&answer);
            }
            step => return step,
        }
    }
    panic!("it does not come to rest");
}

/// Beats, and does all there is to do; what is to be drained is drained at once.
fn live(node: &mut Node, table: &mut Table, now: Duration) -> Step {
    beats(node, table, now);
    loop {
        match settle(node, table, now) {
            Step::Drain(_) => node.drained(true, now),
            step => return step,
        }
    }
}

/// Members with these ids, who have shared out the shards by second 10.
fn cluster<const N: usize>(table: &mut Table, ids: [u128; N]) -> [Node; N] {
    let mut nodes = ids.map(node);
    for second in 1..=10 {
        nodes.iter_mut().for_each(|node| drop(live(node, table, SECOND * second)));
    }
    nodes
}

fn lease(node: &Node) -> Duration {
    node.heart.valid_until()
}

fn has_reopened(node: &mut Node) -> bool {
    node.take_effects().iter().any(|effect| matches!(effect, Effect::Reopen(_)))
}

#[test]
fn the_first_node_makes_the_view_and_owns_everything() {
    let mut table = Table::default();
    let [first] = cluster(&mut table, [1]);
    let view = table.view();
    assert_eq!(view.members, std::slice::from_ref(&first.me));
    assert_eq!(view.shards_of(MemberId(1)).count(), SHARDS);
}

#[test]
fn a_later_node_joins_and_is_handed_its_share() {
    let mut table = Table::default();
    cluster(&mut table, [1, 2, 3]);
    let view = table.view();
    let loads: Vec<_> = (1..=3).map(|id| view.shards_of(MemberId(id)).count()).collect();
    assert_eq!(loads.iter().sum::<usize>(), SHARDS);
    assert!(loads.iter().all(|load| *load > SHARDS / 4), "{loads:?}");
    assert_eq!(plan::plan(&view), []);
}

#[test]
fn a_lease_counts_from_when_its_beat_was_sent() {
    let (mut table, mut node) = (Table::default(), node(1));
    let first = beat(&mut node, SECOND);
    assert!(matches!(node.beat(SECOND), Pulse::Wait(_)), "one is under way at a time");
    let answer = table.cas(&first);
    node.beaten(&answer, 3 * SECOND);
    assert_eq!(lease(&node), SECOND + LEASE);
    assert_eq!(node.take_effects(), [Effect::Lease(SECOND + LEASE)]);
    assert!(matches!(node.beat(3 * SECOND), Pulse::Send(_)), "the next was due after a second");
}

#[test]
fn a_beat_found_written_is_a_lease_from_the_first_that_may_have_been() {
    let (mut table, mut node) = (Table::default(), node(1));
    let first = beat(&mut node, SECOND);
    node.beaten(&AWAY, SECOND);
    assert_eq!(beat(&mut node, 2 * SECOND), first, "it is repeated as it was");
    assert_eq!(table.cas(&first), WRITTEN);
    node.beaten(&UNKNOWN, 3 * SECOND);
    node.note_unreachable(vec!["another".to_owned()]);
    let again = beat(&mut node, 4 * SECOND);
    assert_eq!(again, first, "whatever happens meanwhile");
    let answer = table.cas(&again);
    node.beaten(&answer, 4 * SECOND);
    assert_eq!(lease(&node), 2 * SECOND + LEASE);
    let next = beat(&mut node, 4 * SECOND);
    assert_eq!(next.expected, 1, "it is known again, and the next leaves at once");
    let told: Peer = serde_json::from_slice(&next.value).unwrap();
    assert_eq!(told.unreachable, ["another"]);
}

#[test]
fn a_node_is_no_member_while_a_copy_of_each_of_its_beats_may_come() {
    let (mut table, mut node) = (Table::default(), node(1));
    for second in 1..10 {
        let now = SECOND * second;
        let Pulse::Send(sent) = node.beat(now) else { continue };
        // Each is written, and its answer is lost.
        let answer = match table.cas(&sent) {
            Ok(ControlOutcome::Written) => UNKNOWN,
            found => found,
        };
        node.beaten(&answer, now);
        assert!(matches!(node.next(now), Step::Wait(_)));
    }
    assert!(table.0.len() == 1, "it has a row, and no view");
    live(&mut node, &mut table, 10 * SECOND);
    live(&mut node, &mut table, 11 * SECOND);
    assert_eq!(table.view().members.len(), 1, "a beat was sent once, and written");
}

#[test]
fn a_node_whose_row_is_gone_serves_nothing_and_ends() {
    let mut table = Table::default();
    let [mut first] = cluster(&mut table, [1]);
    table.0.remove(&row_key(MemberId(1)));
    beats(&mut first, &mut table, 11 * SECOND);
    assert_eq!(first.take_effects().last(), Some(&Effect::Lease(Duration::ZERO)));
    assert_eq!(first.next(11 * SECOND), Step::End(Ended::Evicted));
    assert_eq!(first.beat(20 * SECOND), Pulse::Over, "nothing is revived");
    assert!(!table.has_row(1));
}

#[test]
fn a_node_that_the_view_does_not_name_any_more_ends() {
    let mut table = Table::default();
    let [mut first, _] = cluster(&mut table, [1, 2]);
    let mut view = table.view();
    plan::bury(&mut view, MemberId(1));
    let row = ControlRow { version: view.version + 1, value: view.encode() };
    table.0.insert(VIEW_KEY.to_owned(), row);
    assert_eq!(live(&mut first, &mut table, 11 * SECOND), Step::End(Ended::Evicted));
    assert_eq!(lease(&first), Duration::ZERO);
}

#[test]
fn r5_a_silent_node_is_taken_over_from_only_after_its_lease() {
    let mut table = Table::default();
    let [mut first, mut second] = cluster(&mut table, [1, 2]);
    let mut now = 10 * SECOND;
    while table.view().members.len() == 2 {
        now += SECOND / 10;
        live(&mut second, &mut table, now);
        assert!(now < 18 * SECOND, "it takes over within eight seconds");
    }
    let wait = LEASE.mul_f64(1.05) + BEAT_INTERVAL;
    assert!(now >= 10 * SECOND + wait, "{now:?}");
    assert!(lease(&first) < now && !table.has_row(1));
    assert_eq!(table.view().shards_of(MemberId(2)).count(), SHARDS);
    // It wakes, and learns it.
    beats(&mut first, &mut table, now);
    assert_eq!(first.ended(), Some(Ended::Evicted));
}

#[test]
fn r7_a_node_that_beat_after_all_is_not_killed() {
    let mut table = Table::default();
    let [mut first, mut second] = cluster(&mut table, [1, 2]);
    let mut now = 10 * SECOND;
    let removal = loop {
        now += SECOND / 10;
        beats(&mut second, &mut table, now);
        match second.next(now) {
            Step::Poll => second.polled(table.poll(), now),
            Step::Kill(removal) => break removal,
            _ => {}
        }
    };
    beats(&mut first, &mut table, now);
    let answer = table.delete(&removal);
    assert!(matches!(answer, Ok(ControlOutcome::Conflict(Some(_)))));
    second.killed(&answer, now);
    live(&mut second, &mut table, now);
    assert!(table.has_row(1) && table.view().members.len() == 2, "it is watched anew");
}

#[test]
fn r7_who_merely_finds_a_row_gone_waits_until_any_lease_has_ended() {
    let mut table = Table::default();
    let [_, mut second] = cluster(&mut table, [1, 2]);
    table.0.remove(&row_key(MemberId(1)));
    let seen = 11 * SECOND;
    let mut now = seen;
    while table.view().members.len() == 2 {
        live(&mut second, &mut table, now);
        now += SECOND / 10;
    }
    assert!(now - seen > LEASE.mul_f64(1.05), "{now:?}");
    assert!(now - seen < LEASE.mul_f64(1.05) + SECOND, "{now:?}");
}

#[test]
fn r7_a_kill_of_unknown_outcome_is_no_right_to_grant_at_once() {
    let mut table = Table::default();
    let [_, mut second] = cluster(&mut table, [1, 2]);
    let mut now = 10 * SECOND;
    let killed_at = loop {
        now += SECOND / 10;
        beats(&mut second, &mut table, now);
        match second.next(now) {
            Step::Poll => second.polled(table.poll(), now),
            Step::Kill(removal) => {
                assert_eq!(table.delete(&removal), WRITTEN);
                second.killed(&UNKNOWN, now);
                break now;
            }
            _ => {}
        }
    };
    while table.view().members.len() == 2 {
        now += SECOND / 10;
        live(&mut second, &mut table, now);
    }
    assert!(now - killed_at >= LEASE.mul_f64(1.05), "it treats the row as merely gone");
}

#[test]
fn silence_does_not_count_while_the_table_cannot_be_read() {
    let mut table = Table::default();
    let [_, mut second] = cluster(&mut table, [1, 2]);
    let mut now = 10 * SECOND;
    for _ in 0..100 {
        now += SECOND / 5;
        beats(&mut second, &mut table, now);
        match second.next(now) {
            // One of three reads fails.
            Step::Poll if now.as_secs().is_multiple_of(3) => second.polled(None, now),
            Step::Poll => second.polled(table.poll(), now),
            Step::Kill(_) => panic!("it was not watched for so long"),
            _ => {}
        }
    }
}

#[test]
fn a_row_that_nobody_beats_is_removed_even_if_it_is_no_members() {
    let mut table = Table::default();
    let [mut first] = cluster(&mut table, [1]);
    let mut joiner = node(2);
    beats(&mut joiner, &mut table, 10 * SECOND);
    assert!(table.has_row(2));
    for second in 11..20 {
        live(&mut first, &mut table, SECOND * second);
    }
    assert!(!table.has_row(2));
}

#[test]
fn those_of_lower_ids_go_first() {
    let mut table = Table::default();
    let [mut first, mut second, mut third] = cluster(&mut table, [1, 2, 3]);
    let version = table.view().version;
    let mut now = 10 * SECOND;
    while table.view().version == version {
        now += SECOND / 10;
        // The highest asks first, and leaves it to the lowest that lives.
        for node in [&mut third, &mut second] {
            live(node, &mut table, now);
        }
    }
    assert_eq!(second.view.version, version + 1, "the lowest has done it");
    assert!(third.view.version == version);
    drop(live(&mut first, &mut table, now));
}
