//! A disk without room, and one that cannot be written: the server ends or refuses to start, says
//! why, and all that was acknowledged is there when the disk is well again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use barrow_tests::server::{Ended, Launch};

use super::clients::{Ledger, acknowledged, load};
use super::{files, stocked};

/// Ended by itself, for a reason that a person can act on.
fn said_why(ended: &Ended, words: &[&str]) {
    assert!(matches!(ended.code, Some(1 | 4)), "{ended:#?}");
    assert!(!ended.err.contains("panicked"), "{ended:#?}");
    for word in words {
        assert!(ended.err.contains(word), "no word of {word}: {ended:#?}");
    }
}

/// Where the written part of the largest file of the store ends; behind it may lie zeros.
fn written(folder: &Path) -> u64 {
    let end = |path: &Path| {
        let bytes = fs::read(path).unwrap_or_default();
        bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1)
    };
    files(&folder.join("data/store")).iter().map(|path| end(path)).max().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_under_load_ends_the_server_and_loses_nothing() {
    let (folder, launch) = stocked();
    let mut carts = Vec::new();
    // From one moment to the next there is no room at all; or a little, which ends within a write.
    for room in [0, 3_000, 20_000] {
        let mut server = launch.clone().refusing_large_files().start();
        let url = server.url.clone();
        let cart = Ledger::open(&url).await;
        carts.push(cart.clone());
        load(&url, std::slice::from_ref(&cart), async || {
            acknowledged(std::slice::from_ref(&cart), 50).await;
            server.limit_files(if room == 0 { 0 } else { written(folder.path()) + room });
            let ended = tokio::task::spawn_blocking(move || server.wait()).await.unwrap();
            said_why(&ended, &["error: the store failed", "disk"]);
        })
        .await;
        let server = launch.clone().start();
        for cart in &carts {
            cart.check(&server.url).await;
            cart.repeat(&server.url).await;
        }
    }
}

/// Sets the rights of a folder and of all below it.
fn set_rights(path: &Path, folder: u32, file: u32) {
    let is_folder = path.is_dir();
    // A folder is opened first and closed last.
    if is_folder {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
        for entry in fs::read_dir(path).unwrap() {
            set_rights(&entry.unwrap().path(), folder, file);
        }
    }
    let mode = if is_folder { folder } else { file };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_written_is_not_served_and_stays_as_it_is() {
    let (folder, launch) = stocked();
    let server = launch.clone().start();
    let url = server.url.clone();
    let cart = Ledger::open(&url).await;
    load(&url, std::slice::from_ref(&cart), async || {
        acknowledged(std::slice::from_ref(&cart), 100).await;
        tokio::task::spawn_blocking(|| server.kill()).await.unwrap();
    })
    .await;
    for below in ["data", "data/store"] {
        let path = folder.path().join(below);
        set_rights(&path, 0o500, 0o400);
        let Err(ended) = Launch::at(folder.path()).bound_by_rights().try_start() else {
            panic!("{below} is served, and cannot be written");
        };
        said_why(&ended, &[below, "ermission denied"]);
        set_rights(&path, 0o700, 0o600);
    }
    let server = launch.bound_by_rights().start();
    cart.check(&server.url).await;
    cart.repeat(&server.url).await;
}
