//! A write that fails ends the process, and what was acknowledged before is found again.
//!
//! The test runs itself a second time under a limit on the size of files, which makes the
//! journal's writes fail as a full disk does.

use std::path::Path;
use std::process::Command;

use barrow_adapters::embedded::{EmbeddedOptions, EmbeddedStore};
use barrow_engine::ports::{CasOutcome, EntityStore, Expected, Row};
use bytes::Bytes;

use crate::support::{key, open, row};

const DIRECTORY: &str = "BARROW_TEST_DISK_FULL";
const EXIT_CODE: i32 = 86;

fn big_row(id: u128) -> Row {
    Row { blob: Bytes::from(vec![id as u8; 8_000]), ..row(1, id) }
}

/// Writes until it cannot, telling each acknowledgement.
async fn write_until_the_end(dir: &Path) {
    let on_fatal = Box::new(|_: &str| std::process::exit(EXIT_CODE));
    let store = EmbeddedStore::open(dir, EmbeddedOptions::new(on_fatal)).unwrap();
    for id in 1..10_000 {
        let outcome = store.entities().cas(key(id), Expected::Absent, big_row(id)).await;
        assert_eq!(outcome, Ok(CasOutcome::Written));
        println!("\nacknowledged {id}");
    }
}

#[tokio::test]
async fn a_full_disk_ends_the_process_and_loses_nothing() {
    if let Some(dir) = std::env::var_os(DIRECTORY) {
        return write_until_the_end(Path::new(&dir)).await;
    }
    let dir = tempfile::tempdir().unwrap();
    // Made and opened once more without a limit: the journal is as long as its content then.
    drop(open(dir.path()));
    drop(open(dir.path()));
    let limited = "trap '' XFSZ; ulimit -f 600; exec \"$0\" \"$@\"";
    let this_test = "disk_full::a_full_disk_ends_the_process_and_loses_nothing";
    let output = Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", this_test, "--nocapture"])
        .env(DIRECTORY, dir.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(EXIT_CODE), "{told}\n{errors}");
    let acknowledged: u128 = told
        .lines()
        .filter_map(|line| line.strip_prefix("acknowledged ")?.parse().ok())
        .max()
        .expect("some writes fitted");
    assert!(acknowledged > 5, "{acknowledged} of some thirty");

    let entities = open(dir.path()).entities();
    for id in 1..=acknowledged {
        assert_eq!(entities.load(key(id)).await, Ok(Some(big_row(id))), "row {id}");
    }
    assert_eq!(entities.load(key(acknowledged + 2)).await, Ok(None), "nothing was tried after");
    let written = entities.cas(key(20_000), Expected::Absent, big_row(20_000)).await;
    assert_eq!(written, Ok(CasOutcome::Written), "with room again it goes on");
}
