//! `barrow migrate`: what the tables lack is told without making it, then made.

use serde_json::json;

use crate::command::Home;

#[test]
fn tables_are_made_once_and_only_when_it_is_said() {
    let home = Home::new();
    let file = home.path("data/commerce/commerce.sqlite");
    for _ in 0..2 {
        let told = home.run(&["migrate", "--check"]).check(1);
        assert!(told.out.starts_with("sqlite 0001 commerce\nsqlite 0002 outbox\n"), "{told:?}");
        assert!(told.out.contains("barrow migrate"), "{told:?}");
        assert!(!file.exists(), "who only looks makes nothing");
    }
    let report = home.run(&["migrate", "--check", "--json"]).check(1).json();
    let first = json!({"database": "sqlite", "version": 1, "name": "commerce"});
    assert_eq!((&report["check"], &report["migrations"][0]), (&json!(true), &first));
    let made = home.run(&["migrate"]).check(0);
    assert!(made.out.contains("sqlite 0001 commerce\n") && made.out.ends_with("made\n"));
    assert!(file.exists());
    for args in [&["migrate"][..], &["migrate", "--check"]] {
        assert_eq!(home.run(args).check(0).out, "everything is there\n");
    }
    home.import_small_catalog();
    let server = home.serve();
    home.run(&["migrate", "--check"]).check(0);
    home.run(&["migrate"]).check(0);
    server.stop().check(0);
}

#[test]
fn what_is_no_database_is_refused() {
    let home = Home::new();
    std::fs::create_dir_all(home.path("data/commerce")).unwrap();
    home.write("data/commerce/commerce.sqlite", &"no database, ".repeat(100));
    for args in [&["migrate"][..], &["migrate", "--check"]] {
        home.run(args).check(1).says(&["commerce.sqlite"]);
    }
}
