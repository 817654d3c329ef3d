//! The protocol keeps its promises in all that is explored, and breaks one for each mutant.

use stateright::{Checker, HasDiscoveries, Model};

use super::{Budget, ControlModel, FENCED, HANDED_OVER, Mutant, Scenario, TAKEN_OVER};

/// More than the largest world has; who changes the model learns that it has outgrown the test.
const STATES_MAX: usize = 100_000_000;

const NOTHING: Budget =
    Budget { slow: 0, pauses: 0, crashes: 0, lost_rows: 0, outages: 0, handoffs: 0 };

const CALM: Scenario = Scenario {
    budget: NOTHING,
    has_skew: false,
    is_prompt: false,
    has_crashed: false,
    ticks: None,
    sometimes: &[],
};

fn faults(budget: Budget, sometimes: &'static [&'static str]) -> Scenario {
    Scenario { budget, sometimes, ..CALM }
}

fn skewed(budget: Budget, sometimes: &'static [&'static str]) -> Scenario {
    Scenario { has_skew: true, ..faults(budget, sometimes) }
}

/// Each pair of things that go wrong, and clocks apart with each of them alone.
fn worlds() -> Vec<Scenario> {
    vec![
        faults(Budget { slow: 1, pauses: 1, ..NOTHING }, &[TAKEN_OVER, FENCED]),
        faults(Budget { slow: 1, handoffs: 1, ..NOTHING }, &[HANDED_OVER]),
        faults(Budget { slow: 1, crashes: 1, ..NOTHING }, &[TAKEN_OVER]),
        faults(Budget { slow: 1, lost_rows: 1, ..NOTHING }, &[TAKEN_OVER, FENCED]),
        faults(Budget { pauses: 1, handoffs: 1, ..NOTHING }, &[TAKEN_OVER, HANDED_OVER]),
        faults(Budget { pauses: 1, outages: 1, ..NOTHING }, &[TAKEN_OVER, FENCED]),
        skewed(Budget { pauses: 1, crashes: 1, ..NOTHING }, &[TAKEN_OVER, FENCED]),
        skewed(Budget { lost_rows: 1, ..NOTHING }, &[TAKEN_OVER]),
        skewed(Budget { handoffs: 1, ..NOTHING }, &[HANDED_OVER]),
    ]
}

/// All three of the worst at once, and slow calls with clocks apart: some minutes, and 2 GB.
fn large_worlds() -> Vec<Scenario> {
    vec![
        faults(Budget { slow: 2, ..NOTHING }, &[]),
        faults(Budget { slow: 1, handoffs: 1, crashes: 1, ..NOTHING }, &[HANDED_OVER, TAKEN_OVER]),
        faults(Budget { slow: 1, handoffs: 1, pauses: 1, ..NOTHING }, &[HANDED_OVER, FENCED]),
        skewed(Budget { slow: 1, ..NOTHING }, &[]),
    ]
}

/// Explores all of it, and says what is wrong.
fn explore(scenario: Scenario) {
    let model = ControlModel { scenario, mutant: None };
    let checker = model.checker().threads(2).target_state_count(STATES_MAX).spawn_bfs().join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    let Scenario { budget, has_skew, .. } = scenario;
    println!("{states} states, {depth} deep: clocks apart {has_skew}, {budget:?}");
    checker.assert_properties();
    assert!(checker.state_count() < STATES_MAX, "that was not all of it");
}

#[test]
fn the_protocol_keeps_its_promises_in_every_order_of_events() {
    worlds().into_iter().for_each(explore);
    if std::env::var("BARROW_TEST_LONG").is_ok_and(|long| long == "1") {
        large_worlds().into_iter().for_each(explore);
    }
}

/// A watch of four ticks, and one to learn of the new owner. A call that is slow costs the wait
/// for a row that is merely gone, at the worst.
#[test]
fn the_shards_of_a_crashed_node_are_served_again_in_time() {
    for (slow, ticks) in [(0, 6), (1, 9), (2, 10)] {
        let budget = Budget { slow, ..NOTHING };
        let sometimes = &[TAKEN_OVER];
        let prompt = Scenario { is_prompt: true, has_crashed: true, ..faults(budget, sometimes) };
        explore(Scenario { ticks: Some(ticks), ..prompt });
    }
}

/// Each rule that is broken, in the smallest world that shows it.
fn mutants() -> Vec<(Mutant, Scenario)> {
    let only = |budget| faults(budget, &[]);
    let slow = Budget { slow: 1, ..NOTHING };
    let pause = Budget { pauses: 1, ..NOTHING };
    let both = Budget { slow: 1, pauses: 1, ..NOTHING };
    let handoff = Budget { handoffs: 1, ..NOTHING };
    vec![
        (Mutant::EarlyTakeOver, only(NOTHING)),
        (Mutant::NoMargin, skewed(pause, &[])),
        (Mutant::UnconditionalKill, only(pause)),
        (Mutant::GoneGrantedAtOnce, only(Budget { lost_rows: 1, ..NOTHING })),
        (Mutant::FailedPollsCounted, only(Budget { outages: 1, ..NOTHING })),
        (Mutant::UnknownChangeServed, only(Budget { handoffs: 1, ..slow })),
        (Mutant::HandoffUndrained, only(handoff)),
        (Mutant::LeaseFromAnswer, only(both)),
        (Mutant::LeaseFromRepeat, only(both)),
        (Mutant::UnconditionalChange, only(Budget { handoffs: 2, ..slow })),
    ]
}

#[test]
fn each_rule_that_is_broken_has_a_counterexample() {
    for (mutant, scenario) in mutants() {
        let model = ControlModel { scenario, mutant: Some(mutant) };
        let checker = model.checker().target_state_count(STATES_MAX);
        let checker = checker.finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        let found = checker.discoveries().into_iter();
        let found = found.map(|(promise, path)| (path.into_actions(), promise));
        let shortest = found.min_by_key(|(steps, promise)| (steps.len(), *promise));
        let Some((steps, promise)) = shortest else { panic!("{mutant:?} breaks no promise") };
        println!("{mutant:?} after {} steps, not kept: {promise}", steps.len());
        steps.iter().for_each(|step| println!("    {step:?}"));
    }
}
