//! What a click costs, counted in lines looked at: an add to a cart of a thousand lines does the
//! work of an add to a cart of ten. What that is in time the benchmarks measure.

use std::cell::Cell;

use super::*;

thread_local! {
    static LOOKED_AT: Cell<u32> = const { Cell::new(0) };
}

/// A line was priced, taxed, copied or examined.
pub fn count_line() {
    LOOKED_AT.with(|count| count.set(count.get() + 1));
}

/// How many times a line is looked at while that is done.
fn lines_looked_at(work: impl FnOnce()) -> u32 {
    let before = LOOKED_AT.with(Cell::get);
    work();
    LOOKED_AT.with(Cell::get) - before
}

fn check(name: &str, steps: impl Fn(&Bench) -> Vec<CartStep>, most: u32) {
    let cost = |lines: u32| {
        let mut bench = Bench::new();
        (0..=lines).for_each(|n| bench.stock(n, |_| {}));
        bench.change((0..lines).map(|n| bench.add(n, 1)).collect()).unwrap();
        // One of the lines has a problem, and stays out of it.
        bench.stock(0, |sellable| sellable.units = Some(0));
        bench.stock(lines, |_| {});
        bench.freshen();
        let action = CartAction::Change(steps(&bench));
        let command = CartCommand { by: By::Shopper(OWNER), action };
        lines_looked_at(|| {
            workload::click(&mut bench.cart, command);
            assert_eq!(bench.line_problems().len(), 1);
        })
    };
    let (small, large) = (cost(10), cost(999));
    assert_eq!(small, large, "{name}");
    assert!((1..=most).contains(&large), "{name} looks at {large} lines");
}

#[test]
fn a_change_costs_what_it_changes() {
    let newest = |bench: &Bench| bench.cart.lines().len() as u32;
    check("a new line", |bench| vec![bench.add(newest(bench), 1)], 6);
    check("more of a line", |bench| vec![bench.add(5, 1)], 8);
    check("another quantity", |_| vec![set(5, 7)], 8);
    check("one line less", |_| vec![remove(5)], 6);
    check("a shipping method", |_| vec![method("express")], 6);
    check("a contact", |_| vec![contact("ada@example.com")], 6);
    check("nothing to accept", |_| vec![CartStep::AcceptPrices], 6);
}
