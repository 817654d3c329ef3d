//! Seeding: the sample on the first start, and a made-up catalog of any size.

use crate::command::{Home, until, wait};

#[test]
fn a_first_start_seeds_the_sample_once() {
    let home = Home::new();
    let server = home.serve();
    let (_, page) = server.get("/v1/products?limit=100");
    assert_eq!(page["items"].as_array().unwrap().len(), 100, "{page}");
    let picture = page["items"][0]["image"]["url"].as_str().unwrap();
    assert_eq!(server.get(picture).0, 200);
    let (_, collections) = server.get("/v1/collections");
    assert!(collections["items"].as_array().unwrap().len() >= 12, "{collections}");
    let ended = server.stop().check(0).says(&["seeding the sample", "0 failed"]);
    assert_eq!(ended.out, "", "standard output holds nothing but the one line");

    let again = home.run(&["seed"]).check(0);
    assert!(again.out.contains(" 0 created, 0 updated, ") && again.out.contains(" 0 failed"));
    let server = home.serve();
    assert_eq!(server.get("/v1/products?limit=100").1["items"], page["items"]);
    let ended = server.stop().check(0);
    assert!(!ended.err.contains("seeding"), "{ended:?}");
}

#[test]
fn a_first_start_that_was_cut_off_is_taken_up() {
    let home = Home::new();
    let unfinished = home.path("data/sample.unfinished");
    let mut child = home.command(&["serve", "--listen", "127.0.0.1:0"]).spawn().unwrap();
    until("it seeds", || unfinished.exists());
    child.kill().unwrap();
    wait(&mut child);
    assert!(unfinished.exists());
    // Some products are there by now; that alone must not pass for a whole sample.
    home.import_small_catalog();
    let server = home.serve();
    let (_, page) = server.get("/v1/products?limit=100");
    assert_eq!(page["items"].as_array().unwrap().len(), 100, "{page}");
    server.stop().check(0).says(&["going on", "0 failed"]);
    assert!(!unfinished.exists());
}

#[test]
fn a_made_up_catalog_is_the_same_each_time() {
    let home = Home::new();
    let seed = ["seed", "--products", "500", "--json"];
    let first = home.run(&seed).check(0).json();
    assert_eq!(first["stopped"], false);
    assert_eq!(first["failed"], 0);
    assert_eq!(first["created"], first["rows"]);
    let again = home.run(&seed).check(0).json();
    assert_eq!(again["unchanged"], first["rows"]);
    let exported = |data| home.run(&["export", "--data", data]).check(0).out;
    home.run(&["seed", "--products", "500", "--data", "other"]).check(0);
    // Times apart, which are those of the seeding.
    let without_times = |text: String| {
        let lines = text.lines().map(|line| {
            let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
            let fields = record.as_object_mut().unwrap();
            fields.retain(|name, _| !name.ends_with("_at"));
            record
        });
        lines.collect::<Vec<_>>()
    };
    assert_eq!(without_times(exported("other")), without_times(exported("data")));
}
