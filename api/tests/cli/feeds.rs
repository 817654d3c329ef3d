//! Import and export at the command line; what the formats hold is tested with the feeds.

use rustix::process::{Pid, Signal, kill_process};

use crate::command::{Home, SMALL_CATALOG, text, until, wait};

#[test]
fn an_import_ends_with_its_summary_and_again_changes_nothing() {
    let home = Home::new();
    home.write("small.jsonl", SMALL_CATALOG);
    let last_line =
        |ended: crate::command::Ended| ended.check(0).out.lines().last().unwrap().to_owned();
    let dry = last_line(home.run(&["import", "small.jsonl", "--dry-run"]));
    assert!(dry.starts_with("5 rows: "), "{dry}");
    assert_eq!(last_line(home.run(&["import", "small.jsonl"])), dry);
    let again = last_line(home.run(&["import", "small.jsonl"]));
    assert_eq!(again, "5 rows: 0 created, 0 updated, 5 unchanged, 0 failed");
}

#[test]
fn what_fails_is_told_with_its_place_and_kept() {
    let home = Home::new();
    let bad = r#"{"type":"product","slug":"bad","titel":"typing error"}"#;
    home.write("mixed.jsonl", &format!("{SMALL_CATALOG}{bad}\n"));
    let ended = home.run(&["import", "mixed.jsonl", "--failed", "failed.jsonl"]).check(1);
    let ended = ended.says(&["mixed.jsonl: row 6", "titel", "failed.jsonl"]);
    assert!(ended.out.trim_end().ends_with("1 failed"), "{ended:?}");
    assert_eq!(std::fs::read_to_string(home.path("failed.jsonl")).unwrap().trim(), bad);

    let report = home.run(&["import", "mixed.jsonl", "--json"]).check(1).json();
    assert_eq!(report["problems"][0]["row"], 6);
    assert_eq!(report["problems"][0]["code"], "unknown_field");
    assert_eq!(report["summary"]["unchanged"], 5);
    assert_eq!(report["summary"]["failed"], 1);
}

#[test]
fn many_errors_are_told_in_json_and_only_the_first_to_people() {
    let home = Home::new();
    home.write("bad.jsonl", &"{\"type\":\"product\"}\n".repeat(200));
    let ended = home.run(&["import", "bad.jsonl"]).check(1).says(&["more; --json tells all"]);
    assert!(ended.err.lines().count() < 30, "{ended:?}");
    let report = home.run(&["import", "bad.jsonl", "--json"]).check(1).json();
    assert!(report["problems"].as_array().unwrap().len() >= 200);
}

#[test]
fn a_file_that_is_not_there_is_refused() {
    let home = Home::new();
    home.run(&["import", "missing.csv"]).check(1).says(&["missing.csv"]);
    assert!(!home.path("data").exists(), "nothing was made");
}

#[test]
fn an_export_is_read_back_without_a_change() {
    let home = Home::new();
    home.import_small_catalog();
    let printed = home.run(&["export"]).check(0).out;
    assert!(printed.contains("\"mug\"") && printed.contains("MUG-1"), "{printed}");
    for format in ["jsonl", "csv"] {
        let file = home.path(&format!("catalog.{format}"));
        let args = ["export", "--format", format, "--output", text(&file), "--json"];
        assert_eq!(home.run(&args).check(0).json()["products"], 2);
        let ended = home.run(&["import", text(&file), "--set-stock"]).check(0);
        assert!(ended.out.contains(" 0 created, 0 updated, "), "{format}: {ended:?}");
    }
    assert_eq!(std::fs::read_to_string(home.path("catalog.jsonl")).unwrap(), printed);
}

#[test]
fn ctrl_c_ends_an_import_after_the_batch() {
    let home = Home::new();
    let rows = 60_000;
    let products: String = (0..rows)
        .map(|n| format!("{{\"type\":\"product\",\"slug\":\"p{n}\",\"title\":\"P {n}\"}}\n"))
        .collect();
    home.write("large.jsonl", &products);
    let mut command = home.command(&["import", "large.jsonl", "--json"]);
    let output = std::process::Stdio::piped;
    let mut child = command.stdout(output()).stderr(output()).spawn().unwrap();
    until("the store is there", || home.path("data/store/db").exists());
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let status = wait(&mut child);
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{err}");
    assert!(err.contains("stopping after the batch"), "{err}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["stopped"], true);
    let taken = report["summary"]["rows"].as_u64().unwrap();
    assert!(taken < rows, "all {taken} rows were taken before the signal came");
    // The same file takes up where it was left.
    let again = home.run(&["import", "large.jsonl", "--json"]).check(0).json();
    assert_eq!(again["summary"]["unchanged"].as_u64().unwrap(), taken);
    assert_eq!(again["summary"]["created"].as_u64().unwrap(), rows - taken);
}
