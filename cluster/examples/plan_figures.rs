//! What a plan costs, and how large the view is: `cargo run --release -p barrow-cluster --example
//! plan_figures`.

use std::time::{Duration, Instant};

use barrow_cluster::plan::{apply, bury, join, plan};
use barrow_cluster::{Member, MemberId, View};

/// A plan is made that often for one figure; the median is told.
const ROUNDS: usize = 101;

fn main() {
    println!("nodes  join: moves, plan  death: moves, bury  bytes of the view");
    for nodes in [2, 3, 10, 30, 100, 1_000] {
        let mut view = View::default();
        for id in 1..nodes {
            enter(&mut view, id);
            let moves = plan(&view);
            apply(&mut view, &moves);
        }
        enter(&mut view, nodes);
        let moves = plan(&view);
        let planned = median(|| plan(&view).len());
        apply(&mut view, &moves);
        let dead = MemberId(u128::from(nodes / 2));
        let lost = view.shards_of(dead).count();
        let buried = median(|| {
            let mut after = view.clone();
            bury(&mut after, dead);
            after.members.len()
        });
        let bytes = view.encode().len();
        println!("{nodes:5}  {:11} {planned:8.1?}  {lost:12} {buried:8.1?}  {bytes}", moves.len());
    }
}

fn enter(view: &mut View, id: u32) {
    let id = MemberId(u128::from(id));
    let (name, build) = (format!("ip-10-0-0-{}.internal", id.0), "2026.11.1-abcdef0".to_owned());
    let member = Member { id, name, weight: 4, build, reads: 1, draining: false };
    join(view, member).expect("there is room");
}

#[expect(clippy::disallowed_methods, reason = "it measures real time")]
fn median(run: impl Fn() -> usize) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            std::hint::black_box(run());
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[ROUNDS / 2]
}
