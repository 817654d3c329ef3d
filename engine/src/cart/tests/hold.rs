//! What a cart knows of the units that are reserved for it.

use std::time::Duration;

use proptest::prelude::*;

use super::checkout::{freeze, ready, total};
use super::*;

const TTL: Duration = Duration::from_secs(900);

/// A change, with what was reserved for it: all but these.
fn held(
    bench: &mut Bench,
    mut steps: Vec<CartStep>,
    short: &[(u32, u64)],
) -> Result<usize, CartRejectionCode> {
    let short = short.iter().map(|(n, available)| (sku(*n), *available)).collect();
    let until = Some(bench.now.plus(TTL));
    steps.push(CartStep::Hold(Holding { until, short }));
    bench.change(steps).map_err(|rejection| rejection.code)
}

/// The last units of a SKU: they are the cart's, so none is left for it in the catalog.
fn last_ones(quantity: u32) -> Bench {
    let mut bench = Bench::new();
    bench.stock(1, |_| {});
    bench.stock(2, |_| {});
    let add = bench.add(1, quantity);
    held(&mut bench, vec![add], &[]).unwrap();
    bench.stock(1, |sellable| sellable.units = Some(0));
    bench.freshen();
    bench
}

fn missing(bench: &mut Bench) -> Vec<(u32, u64)> {
    bench.freshen();
    let problems = bench.line_problems().into_iter();
    let missing = problems.filter_map(|problem| match problem {
        Problem::InsufficientStock { line, available, .. } => Some((line.0, available)),
        _ => None,
    });
    missing.collect()
}

#[test]
fn what_is_held_is_not_missing_until_the_hold_runs_out() {
    let mut bench = last_ones(2);
    assert_eq!(missing(&mut bench), []);
    let until = bench.cart.hold().unwrap().until;
    bench.now = Timestamp(until.0 - 1);
    assert_eq!(missing(&mut bench), []);
    bench.now = until;
    assert_eq!(missing(&mut bench), [(1, 0)], "the cart keeps the line, and says so");
    assert_eq!(bench.cart.lines().len(), 1);
    held(&mut bench, vec![contact("ada@example.com")], &[]).unwrap();
    assert_eq!(missing(&mut bench), [], "the next change has held it again");
}

#[test]
fn what_was_to_grow_and_cannot_be_held_refuses_the_change() {
    let mut bench = last_ones(2);
    let (more, other) = (bench.add(1, 1), bench.add(2, 4));
    let refused = |line: Option<u32>, requested, available| {
        let line = line.map(LineId);
        Err(CartRejectionCode::InsufficientStock { line, requested, available })
    };
    assert_eq!(held(&mut bench, vec![more], &[(1, 2)]), refused(Some(1), 3, 2));
    assert_eq!(held(&mut bench, vec![set(1, 5)], &[(1, 2)]), refused(Some(1), 5, 2));
    let steps = vec![contact("ada@example.com"), other];
    assert_eq!(held(&mut bench, steps, &[(2, 3)]), refused(None, 4, 3));
    assert_eq!(bench.cart.contact(), None, "nothing has changed");
    assert_eq!(bench.cart.lines().len(), 1);
}

#[test]
fn what_is_to_shrink_or_stay_does_so_though_it_is_not_held() {
    let mut bench = last_ones(5);
    bench.now = bench.now.plus(TTL);
    assert_eq!(held(&mut bench, vec![set(1, 4)], &[(1, 3)]), Ok(2));
    assert_eq!(missing(&mut bench), [(1, 0)]);
    let other = bench.add(2, 1);
    assert_eq!(held(&mut bench, vec![other], &[(1, 3)]), Ok(2));
    assert_eq!(missing(&mut bench), [(1, 0)], "the hold is without it");
    assert_eq!(held(&mut bench, vec![set(1, 3)], &[]), Ok(2));
    assert_eq!(missing(&mut bench), []);
    assert_eq!(held(&mut bench, vec![remove(1)], &[(1, 3)]), Ok(2), "what has gone is not short");
}

#[test]
fn what_comes_without_a_hold_is_not_held() {
    let mut bench = last_ones(1);
    bench.stock(2, |sellable| sellable.units = Some(0));
    let add = bench.add(2, 1);
    bench.step(add).unwrap();
    assert_eq!(missing(&mut bench), [(2, 0)]);
    bench.step(set(1, 2)).unwrap();
    assert_eq!(missing(&mut bench), [(1, 0), (2, 0)], "nor is what has grown");
    let lines = bench.cart.holdable(7).lines;
    assert_eq!(lines.iter().map(|line| line.held).collect::<Vec<_>>(), [false, false]);
}

#[test]
fn each_change_renews_and_the_same_once_more_changes_nothing() {
    let mut bench = last_ones(1);
    assert_eq!(held(&mut bench, vec![], &[]), Ok(0), "it was held until then before");
    bench.now = Timestamp(bench.now.0 + 1);
    assert_eq!(held(&mut bench, vec![set(1, 1)], &[]), Ok(1));
    assert_eq!(bench.cart.hold().unwrap().until, bench.now.plus(TTL));
    let nothing = Holding::default();
    assert_eq!(bench.change(vec![remove(1), CartStep::Hold(nothing)]), Ok(2));
    assert_eq!(bench.cart.hold(), None);
}

#[test]
fn who_gives_a_checkout_up_holds_nothing() {
    let mut bench = ready();
    held(&mut bench, vec![], &[]).unwrap();
    bench.stock(1, |sellable| sellable.units = Some(0));
    bench.freshen();
    let agreed = total(&bench);
    freeze(&mut bench, agreed).unwrap();
    bench.now = bench.now.plus(TTL);
    assert_eq!(missing(&mut bench), [], "its order has what it needs");
    bench.give(By::System, CartAction::Unfreeze { freeze: 1 }).unwrap();
    assert_eq!(bench.cart.hold(), None);
    assert_eq!(missing(&mut bench), [(1, 0)]);
    assert_eq!(freeze(&mut bench, agreed), Err(CartRejectionCode::NotReady));
    held(&mut bench, vec![], &[]).unwrap();
    assert_eq!(freeze(&mut bench, agreed), Ok(1));
    bench.give(By::System, CartAction::MarkOrdered).unwrap();
    assert_eq!(bench.cart.hold(), None);
}

#[test]
fn a_hold_travels() {
    for short in [vec![], vec![(sku(1), 0), (sku(2), u64::MAX)]] {
        for until in [None, Some(workload::NOW)] {
            let steps = vec![set(1, 3), CartStep::Hold(Holding { until, short: short.clone() })];
            let command = CartCommand { by: By::Shopper(OWNER), action: CartAction::Change(steps) };
            let mut bytes = Vec::new();
            encode_command(&command, &mut bytes);
            assert_eq!(bytes[0], 3, "a build before it does not know it");
            let arrived = SentCommand::decode(&bytes).unwrap();
            let arrived = arrived.complete(&Arc::new(Shop::sample()), Vec::new()).unwrap();
            assert_eq!(format!("{arrived:?}"), format!("{command:?}"));
        }
    }
    for line in [None, Some(LineId(7))] {
        let code = CartRejectionCode::InsufficientStock { line, requested: 9, available: 300 };
        for rejection in [code.at_step(100), code.into()] {
            let mut bytes = Vec::new();
            encode_rejection(&rejection, &mut bytes);
            assert_eq!(decode_rejection(&bytes), Ok(rejection));
        }
    }
}

proptest! {
    /// Whatever is changed and held, a cart takes for held only what somebody said is, and that
    /// until it runs out.
    #[test]
    fn nothing_is_taken_for_held_that_is_not(
        turns in prop::collection::vec(
            (1..4u32, 0..4u32, prop::option::of(0..8u32), 0..1_200u64), 1..30
        ),
    ) {
        let mut bench = Bench::new();
        (1..4).for_each(|n| bench.stock(n, |sellable| sellable.units = Some(0)));
        // What the ledger has by SKU, and until when.
        let mut ledger: BTreeMap<Sku, u32> = BTreeMap::new();
        let mut until = bench.now;
        for (n, quantity, hold, seconds) in turns {
            bench.now = bench.now.plus(Duration::from_secs(seconds));
            let line = bench.cart.line_of(sku(n).as_str()).map(|line| line.id().0);
            let step = match line {
                Some(line) => set(line, quantity),
                None => bench.add(n, quantity + 1),
            };
            let Some(mask) = hold else {
                bench.step(step).unwrap();
                continue;
            };
            let short: Vec<(u32, u64)> =
                (1..4).filter(|n| mask & (1 << (n - 1)) != 0).map(|n| (n, 0)).collect();
            if held(&mut bench, vec![step], &short).is_ok() {
                until = bench.now.plus(TTL);
                let has = |line: &&Line| !short.iter().any(|(n, _)| sku(*n) == *line.sku());
                let lines = bench.cart.lines().filter(has);
                ledger = lines.map(|line| (line.sku().clone(), line.quantity().get())).collect();
            }
        }
        let missing: Vec<u32> = missing(&mut bench).into_iter().map(|(line, _)| line).collect();
        for line in bench.cart.lines() {
            let has = ledger.get(line.sku()).copied().unwrap_or(0);
            let is_there = bench.now < until && has >= line.quantity().get();
            prop_assert!(is_there || missing.contains(&line.id().0), "{:?}", line.id());
        }
    }
}
