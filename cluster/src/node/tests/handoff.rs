//! Handing over, leaving, and changes of the view that nobody knows the outcome of.

use super::*;

/// A node that owns everything, and has closed a batch for the other; with the batch.
fn handing_over(table: &mut Table) -> (Node, Node, Vec<u16>) {
    let [mut first] = cluster(table, [1]);
    let mut second = node(2);
    live(&mut second, table, 10 * SECOND);
    beats(&mut first, table, 11 * SECOND);
    first.take_effects();
    let Step::Drain(batch) = settle(&mut first, table, 11 * SECOND) else { panic!("no batch") };
    (first, second, batch)
}

#[test]
fn r5_a_shard_is_closed_then_drained_and_only_then_given_away() {
    let mut table = Table::default();
    let (mut first, _, batch) = handing_over(&mut table);
    assert_eq!(batch.len(), NodeSettings::default().batch);
    assert_eq!(first.take_effects().last(), Some(&Effect::Close(batch.clone())));
    for second in 12..16 {
        // However long it takes.
        beats(&mut first, &mut table, SECOND * second);
        assert!(matches!(settle(&mut first, &mut table, SECOND * second), Step::Wait(_)));
        assert_eq!(table.view().owner(batch[0]), Some(MemberId(1)));
    }
    first.drained(true, 16 * SECOND);
    beats(&mut first, &mut table, 16 * SECOND);
    settle(&mut first, &mut table, 16 * SECOND);
    let view = table.view();
    assert!(batch.iter().all(|shard| view.owner(*shard) == Some(MemberId(2))));
}

#[test]
fn a_batch_that_cannot_be_drained_is_taken_up_again_and_tried_later() {
    let mut table = Table::default();
    let (mut first, _, batch) = handing_over(&mut table);
    first.take_effects();
    first.drained(false, 11 * SECOND);
    assert_eq!(first.take_effects(), [Effect::Reopen(batch)]);
    assert!(matches!(settle(&mut first, &mut table, 11 * SECOND), Step::Wait(_)));
    beats(&mut first, &mut table, 12 * SECOND);
    assert!(matches!(settle(&mut first, &mut table, 12 * SECOND), Step::Drain(_)));
}

#[test]
fn a_drained_batch_that_has_to_go_nowhere_any_more_is_taken_up_again() {
    let mut table = Table::default();
    let (mut first, second, batch) = handing_over(&mut table);
    // The other one leaves meanwhile.
    let mut view = table.view();
    plan::leave(&mut view, MemberId(2));
    let row = ControlRow { version: view.version + 1, value: view.encode() };
    table.0.insert(VIEW_KEY.to_owned(), row);
    table.0.remove(&row_key(second.me.id));
    first.drained(true, 12 * SECOND);
    live(&mut first, &mut table, 12 * SECOND);
    assert!(first.take_effects().contains(&Effect::Reopen(batch)));
    assert_eq!(table.view().shards_of(MemberId(1)).count(), SHARDS);
}

#[test]
fn a_handoff_that_meets_another_view_is_tried_on_that_one() {
    let mut table = Table::default();
    let (mut first, _, batch) = handing_over(&mut table);
    first.drained(true, 11 * SECOND);
    let Step::Change(write) = first.next(11 * SECOND) else { panic!("no change") };
    live(&mut node(3), &mut table, 11 * SECOND);
    let answer = table.cas(&write);
    assert!(matches!(answer, Ok(ControlOutcome::Conflict(Some(_)))));
    first.take_effects();
    first.changed(&answer, 11 * SECOND);
    assert!(!has_reopened(&mut first), "they are still drained, and still wanted elsewhere");
    settle(&mut first, &mut table, 11 * SECOND);
    let view = table.view();
    let given = batch.iter().filter(|shard| view.owner(**shard) != Some(MemberId(1)));
    assert!(given.count() > 0 && view.members.len() == 3);
}

/// R8, whether the write comes at once, later, or never.
#[test]
fn r8_a_change_of_unknown_outcome_is_repeated_before_its_shards_are_served() {
    for comes in [Some(0), Some(2), None] {
        let mut table = Table::default();
        let (mut first, _, batch) = handing_over(&mut table);
        first.drained(true, 11 * SECOND);
        let Step::Change(write) = first.next(11 * SECOND) else { panic!("no change") };
        first.take_effects();
        for repeat in 0..3 {
            let now = 11 * SECOND + SECOND * repeat;
            if comes == Some(repeat) {
                assert_eq!(table.cas(&write), WRITTEN);
            }
            first.changed(&UNKNOWN, now);
            assert!(!has_reopened(&mut first), "nobody knows whose they are");
            let now = now + SECOND;
            beats(&mut first, &mut table, now);
            match first.next(now) {
                Step::Poll => first.polled(table.poll(), now),
                other => panic!("it looks first: {other:?}"),
            }
            match first.next(now) {
                Step::Change(again) => assert_eq!(again, write, "it is repeated as it was"),
                _ => {
                    assert!(table.view().version > write.expected, "it was seen");
                    break;
                }
            }
        }
        if first.change.is_some() {
            let answer = table.cas(&write);
            first.changed(&answer, 14 * SECOND);
        }
        assert_eq!(first.view.owner(batch[0]), Some(MemberId(2)), "{comes:?}");
    }
}

#[test]
fn r8_a_change_that_lost_to_another_is_decided_by_the_later_view() {
    let mut table = Table::default();
    let (mut first, second, batch) = handing_over(&mut table);
    first.drained(true, 11 * SECOND);
    let Step::Change(_) = first.next(11 * SECOND) else { panic!("no change") };
    first.changed(&UNKNOWN, 11 * SECOND);
    first.take_effects();
    let mut view = table.view();
    plan::leave(&mut view, MemberId(2));
    let row = ControlRow { version: view.version + 1, value: view.encode() };
    table.0.insert(VIEW_KEY.to_owned(), row);
    table.0.remove(&row_key(second.me.id));
    live(&mut first, &mut table, 12 * SECOND);
    assert!(first.take_effects().contains(&Effect::Reopen(batch)), "it was not ours");
}

#[test]
fn a_node_that_leaves_hands_everything_over_in_batches() {
    let mut table = Table::default();
    let [mut first, mut second] = cluster(&mut table, [1, 2]);
    first.begin_leave(40 * SECOND);
    let (batch_max, mut drains) = (NodeSettings::default().draining_batch, 0);
    let batches = table.view().shards_of(MemberId(1)).count().div_ceil(batch_max);
    for second_count in 11..40 {
        let now = SECOND * second_count;
        beats(&mut first, &mut table, now);
        while let Step::Drain(batch) = settle(&mut first, &mut table, now) {
            assert!(batch.len() <= batch_max);
            drains += usize::from(!batch.is_empty());
            first.drained(true, now);
        }
        live(&mut second, &mut table, now);
    }
    assert_eq!(first.ended(), Some(Ended::Left));
    assert_eq!(drains, batches);
    assert!(!table.has_row(1));
    assert_eq!(table.view().shards_of(MemberId(2)).count(), SHARDS);
    assert_eq!(second.ended(), None);
}

#[test]
fn the_last_node_leaves_its_shards_ownerless_and_the_next_one_takes_them_at_once() {
    let mut table = Table::default();
    let [mut last] = cluster(&mut table, [1]);
    last.begin_leave(40 * SECOND);
    assert_eq!(live(&mut last, &mut table, 11 * SECOND), Step::End(Ended::Left));
    assert!(table.view().members.is_empty() && !table.has_row(1));
    live(&mut node(2), &mut table, 12 * SECOND);
    assert_eq!(table.view().shards_of(MemberId(2)).count(), SHARDS);
}

#[test]
fn a_node_that_cannot_leave_in_time_ends_all_the_same() {
    let mut table = Table::default();
    let [mut first] = cluster(&mut table, [1]);
    first.begin_leave(12 * SECOND);
    while first.next(11 * SECOND) == Step::Poll {
        first.polled(None, 11 * SECOND);
    }
    assert_eq!(first.next(12 * SECOND), Step::End(Ended::TimedOut));
    assert_eq!(lease(&first), Duration::ZERO);
    assert!(table.has_row(1), "the others wait until its lease has ended");
}

#[test]
fn who_leaves_before_it_has_joined_removes_its_row() {
    let (mut table, mut joiner) = (Table::default(), node(1));
    beats(&mut joiner, &mut table, SECOND);
    joiner.begin_leave(9 * SECOND);
    assert_eq!(settle(&mut joiner, &mut table, SECOND), Step::End(Ended::Left));
    assert!(table.0.is_empty());
}

#[test]
fn a_view_of_a_later_build_is_left_as_it_is_and_the_last_known_one_served() {
    let mut table = Table::default();
    let [mut first] = cluster(&mut table, [1]);
    first.take_effects();
    let row = ControlRow { version: 99, value: vec![200] };
    table.0.insert(VIEW_KEY.to_owned(), row.clone());
    for second in 11..30 {
        live(&mut first, &mut table, SECOND * second);
    }
    assert_eq!(first.ended(), None);
    assert_eq!(table.0[VIEW_KEY], row);
    assert_eq!(lease(&first), 29 * SECOND + LEASE);
    let is_lease = |effect: &Effect| matches!(effect, Effect::Lease(_));
    assert!(first.take_effects().iter().all(is_lease), "nothing else happens");
}

#[test]
fn a_node_without_a_lease_changes_nothing_for_others() {
    let mut table = Table::default();
    let [_, mut second] = cluster(&mut table, [1, 2]);
    // It reads, but its beats do not get through.
    for tenth in 0..200 {
        let now = 15 * SECOND + SECOND * tenth / 10;
        match second.next(now) {
            Step::Poll => second.polled(table.poll(), now),
            Step::Wait(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_table_that_has_lost_the_view_ends_the_node() {
    let mut table = Table::default();
    let [mut first] = cluster(&mut table, [1]);
    table.0.remove(VIEW_KEY);
    assert_eq!(live(&mut first, &mut table, 11 * SECOND), Step::End(Ended::Evicted));
    assert!(!table.0.contains_key(VIEW_KEY), "it does not make it anew");
}
