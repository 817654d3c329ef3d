//! What a click costs the business alone: decide, apply and the new total.

use std::hint::black_box;
use std::time::Instant;

use barrow_engine::cart::workload::{add_line, cart_of, click};

use crate::options::{Case, Options};
use crate::report::{Report, Target};

/// A cart may hold 1,000 lines; the measured add is the last one.
const LARGE: u32 = 999;
const SMALL: u32 = 10;
const SAMPLES: usize = 301;

pub fn run(options: &Options) {
    if !options.wants(Case::Quote) {
        return;
    }
    let (small_ns, large_ns) = (add_to(SMALL), add_to(LARGE));
    Report::new("decide and quote, 1,000-line cart / 10-line cart")
        .target("ratio", large_ns / small_ns, Target::AtMost(2.0))
        .figure("small_ns", small_ns)
        .figure("large_ns", large_ns)
        .print(options.form());
}

/// The median over many carts of the same size, each built before it is measured.
fn add_to(lines: u32) -> f64 {
    let mut samples: Vec<f64> = (0..SAMPLES)
        .map(|_| {
            let mut cart = cart_of(lines);
            let command = add_line(lines);
            let started = Instant::now();
            black_box(click(&mut cart, black_box(command)));
            started.elapsed().as_nanos() as f64
        })
        .collect();
    samples.sort_by(f64::total_cmp);
    samples[SAMPLES / 2]
}
