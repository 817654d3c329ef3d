//! Being told to end, and being started twice.

use std::time::{Duration, Instant};

use barrow_tests::server::run;
use rustix::process::Signal;

use super::clients::{Ledger, acknowledged, load};
use super::{END_MAX, stocked};
use crate::support::times;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_ends_in_time_and_loses_nothing() {
    let (_folder, launch) = stocked();
    let server = launch.clone().start();
    let url = server.url.clone();
    let carts = [Ledger::open(&url).await, Ledger::open(&url).await];
    load(&url, &carts, async || {
        acknowledged(&carts, 200).await;
        let told = Instant::now();
        let ended = tokio::task::spawn_blocking(|| server.stop()).await.unwrap();
        assert!(told.elapsed() < END_MAX, "{:?}", told.elapsed());
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert!(!ended.err.contains("panicked"), "{ended:#?}");
    })
    .await;
    let server = launch.start();
    for cart in &carts {
        cart.check(&server.url).await;
        cart.repeat(&server.url).await;
    }
}

#[tokio::test]
async fn the_same_data_is_not_served_twice() {
    let (folder, launch) = stocked();
    let first = launch.clone().start();
    let cart = Ledger::open(&first.url).await;
    let refused = tokio::task::spawn_blocking(move || launch.try_start()).await.unwrap();
    let Err(ended) = refused else { panic!("a second server serves the same data") };
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.err.contains("in use"), "{ended:#?}");
    assert!(ended.err.contains(&first.process().to_string()), "who has it: {ended:#?}");
    for command in [&["import", "records.jsonl"][..], &["export"], &["seed", "--products", "10"]] {
        let ended = run(folder.path(), command);
        assert_eq!(ended.code, Some(1), "{command:?}: {ended:#?}");
        assert!(ended.err.contains("in use"), "{command:?}: {ended:#?}");
    }
    cart.check(&first.url).await;
}

#[tokio::test]
async fn a_paused_process_goes_on_as_if_nothing_was() {
    let (_folder, launch) = stocked();
    let server = launch.start();
    let url = server.url.clone();
    let carts = [Ledger::open(&url).await];
    load(&url, &carts, async || {
        // The last is longer than a lease; where there is time, longer than a write may take.
        for (count, pause_ms) in [(50, 400), (100, 400), (150, times(6_000, 35_000))] {
            acknowledged(&carts, count).await;
            server.signal(Signal::STOP);
            tokio::time::sleep(Duration::from_millis(pause_ms as u64)).await;
            server.signal(Signal::CONT);
        }
        acknowledged(&carts, 250).await;
    })
    .await;
    assert!(!server.said().contains("WARN"), "{}", server.said());
    carts[0].check(&url).await;
    carts[0].repeat(&url).await;
}
