//! The form of what is stored, with nodes of two builds.

use super::*;
use crate::FIRST_FORM;

/// For how long all have to read a later form.
pub(super) const WAIT: Duration = Duration::from_secs(600);

/// Lives through these seconds together.
fn live_all(nodes: &mut [Node], table: &mut Table, seconds: std::ops::RangeInclusive<u32>) {
    for second in seconds {
        nodes.iter_mut().for_each(|node| drop(live(node, table, SECOND * second)));
    }
}

/// Beats and reads once in a second, for as long as that: nothing else is left to do.
fn wait(nodes: &mut [Node], table: &mut Table, from: Duration, time: Duration) -> Duration {
    let mut now = from;
    while now < from + time {
        now += SECOND;
        nodes.iter_mut().for_each(|node| drop(live(node, table, now)));
    }
    now
}

#[test]
fn the_first_node_of_all_begins_in_the_newest_form_that_it_reads() {
    let (mut table, mut nodes) = (Table::default(), [node_reading(1, 3)]);
    live_all(&mut nodes, &mut table, 1..=3);
    assert_eq!(table.view().form, 3);
}

#[test]
fn the_form_is_raised_once_all_have_read_the_later_one_for_a_while() {
    let mut table = Table::default();
    let [old] = cluster(&mut table, [1]);
    let mut nodes = vec![old, node_reading(2, 2)];
    live_all(&mut nodes, &mut table, 11..=20);
    let now = wait(&mut nodes, &mut table, 20 * SECOND, 2 * WAIT);
    assert_eq!(table.view().members.len(), 2);
    assert_eq!(table.view().form, FIRST_FORM, "one of them does not read the later one");

    nodes[0].begin_leave(now + SECOND * 20);
    let now = wait(&mut nodes, &mut table, now, 10 * SECOND);
    assert_eq!(nodes[0].ended(), Some(Ended::Left));
    assert_eq!(table.view().members.len(), 1);
    let now = wait(&mut nodes[1..], &mut table, now, WAIT - 30 * SECOND);
    assert_eq!(table.view().form, FIRST_FORM, "builds may still go back");
    wait(&mut nodes[1..], &mut table, now, 30 * SECOND);
    assert_eq!(table.view().form, 2);
}

#[test]
fn whoever_comes_back_with_the_build_before_begins_the_wait_anew() {
    let mut table = Table::default();
    drop(cluster(&mut table, [1]));
    let mut nodes = vec![node_reading(2, 2)];
    // The one before is dead, and is buried.
    let now = wait(&mut nodes, &mut table, 10 * SECOND, WAIT - 30 * SECOND);
    assert_eq!(table.view().members.len(), 1);
    nodes.push(node(3));
    let now = wait(&mut nodes, &mut table, now, 40 * SECOND);
    nodes[1].begin_leave(now + SECOND * 20);
    let now = wait(&mut nodes, &mut table, now, 10 * SECOND);
    let now = wait(&mut nodes[..1], &mut table, now, WAIT - 30 * SECOND);
    assert_eq!(table.view().form, FIRST_FORM);
    wait(&mut nodes[..1], &mut table, now, 30 * SECOND);
    assert_eq!(table.view().form, 2);
}

#[test]
fn a_node_that_does_not_read_the_form_is_refused_and_leaves_nothing_behind() {
    let (mut table, mut first) = (Table::default(), node_reading(1, 2));
    (1..=5).for_each(|second| drop(live(&mut first, &mut table, SECOND * second)));
    let (before, mut late) = (table.view(), node(2));
    let mut ended = None;
    for second in 6..=9 {
        drop(live(&mut first, &mut table, SECOND * second));
        if let Step::End(end) = live(&mut late, &mut table, SECOND * second) {
            ended = Some(end);
        }
    }
    assert_eq!(ended, Some(Ended::TooOld { form: 2 }));
    assert!(!table.has_row(2));
    assert_eq!(table.view(), before);
    assert!(late.take_effects().iter().all(|effect| !matches!(effect, Effect::Install(..))));
}

/// It read the view before the form was raised, and its change comes after.
#[test]
fn a_join_that_comes_too_late_is_not_made() {
    let mut table = Table::default();
    let (mut first, mut late) = (node_reading(1, 2), node(2));
    (1..=5).for_each(|second| drop(live(&mut first, &mut table, SECOND * second)));
    let mut begun = View { form: 1, ..table.view() };
    table.0.get_mut(VIEW_KEY).unwrap().value = begun.encode();
    beats(&mut late, &mut table, SECOND * 6);
    let join = loop {
        match late.next(SECOND * 6) {
            Step::Poll => late.polled(table.poll(), SECOND * 6),
            Step::Change(write) => break write,
            other => panic!("{other:?}"),
        }
    };
    begun.form = 2;
    let raise = Write { value: begun.encode(), ..join.clone() };
    assert_eq!(table.cas(&raise), WRITTEN);
    late.changed(&UNKNOWN, SECOND * 6);
    let answer = table.cas(&join);
    late.changed(&answer, SECOND * 7);
    beats(&mut late, &mut table, SECOND * 8);
    assert_eq!(settle(&mut late, &mut table, SECOND * 8), Step::End(Ended::TooOld { form: 2 }));
    assert!(table.view().member(MemberId(2)).is_none());
}
