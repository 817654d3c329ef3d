//! A fuzzer that knows the API by its own description alone: whatever it sends, no answer is a
//! 5xx, and each is one that is described.

use std::path::Path;
use std::time::Duration;

use barrow_servers::{Schemathesis, or_skip};
use barrow_tests::server::run;

use crate::support::{Client, small_shop, times};

/// How long it may send requests, for each kind of caller.
fn longest() -> Duration {
    Duration::from_secs(times(25, 600) as u64)
}

fn check(url: &str, who: &str, token: &str) {
    let description = format!("{url}/openapi.json");
    let fuzzer =
        Schemathesis { description, token, without: &["endSession"], seed: 1, longest: longest() };
    let Some(ended) = or_skip("schemathesis", fuzzer.run()) else { return };
    let said = String::from_utf8_lossy(&ended.stdout);
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{who}:\n{said}\n{errors}");
    assert!(said.contains("No issues found"), "{who}: it tried nothing:\n{said}");
}

fn api_key(folder: &Path) -> String {
    let ended = run(folder, &["api-key", "create", "--scope", "*"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.out.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_ends_in_a_server_error_or_an_answer_that_is_not_described() {
    let folder = tempfile::tempdir().unwrap();
    let key = api_key(folder.path());
    let server = small_shop(folder.path()).start();
    let guest = Client::of(&server.url).guest().await;
    let token = guest.token.clone().unwrap();
    let url = server.url.clone();
    let checks = tokio::task::spawn_blocking(move || {
        check(&url, "a guest", &token);
        check(&url, "a program of the house", &key);
    });
    checks.await.unwrap();
}
