//! `kill -9` in the middle of an import: the same file takes up where it was left, and the shop
//! is the one that an undisturbed import makes.

use std::path::Path;
use std::time::Duration;

use barrow_tests::server::{run, run_and_kill};
use serde_json::{Value, json};

use crate::support::{goods, times};

/// Many batches.
const PRODUCTS: usize = 6_000;

fn records() -> String {
    let product = |n: usize| {
        json!({
            "type": "product",
            "slug": format!("made-{n}"),
            "title": format!("Made {n}"),
            "collections": [format!("shelf-{}", n % 40)],
            "variants": [{
                "sku": format!("MADE-{n}"),
                "prices": [goods::price(100 + n as i64, "EUR")],
                "on_hand": 1 + n % 50,
            }],
        })
    };
    goods::lines(&(0..PRODUCTS).map(product).collect::<Vec<Value>>())
}

/// What the shop exports, without when it was made.
fn exported(folder: &Path) -> Vec<Value> {
    let ended = run(folder, &["export"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let mut records: Vec<Value> =
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for record in &mut records {
        record.as_object_mut().unwrap().shift_remove("created_at");
    }
    records
}

fn products(records: &[Value]) -> usize {
    records.iter().filter(|record| record["type"] == "product").count()
}

fn import(folder: &Path) -> Value {
    let ended = run(folder, &["import", "many.jsonl", "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    report["summary"].clone()
}

#[test]
fn an_import_that_was_killed_is_taken_up() {
    let whole = tempfile::tempdir().unwrap();
    let killed = tempfile::tempdir().unwrap();
    for folder in [&whole, &killed] {
        std::fs::write(folder.path().join("many.jsonl"), records()).unwrap();
    }
    import(whole.path());
    let expected = exported(whole.path());
    assert_eq!(products(&expected), PRODUCTS);
    // A little later each time, so that some kills come in the middle on any machine.
    let mut in_the_middle = 0;
    let mut before = 0;
    for wait in (20..).step_by(30).map(Duration::from_millis) {
        run_and_kill(killed.path(), &["import", "many.jsonl"], wait);
        let found = match killed.path().join("data/store").exists() {
            true => products(&exported(killed.path())),
            false => 0,
        };
        assert!(found >= before, "{found} products after {before}");
        before = found;
        if found == PRODUCTS {
            break;
        }
        in_the_middle += usize::from(found > 0);
    }
    assert!(in_the_middle > 0, "no kill came in the middle");
    let summary = import(killed.path());
    assert_eq!((&summary["failed"], &summary["created"]), (&json!(0), &json!(0)), "{summary}");
    assert!(exported(killed.path()) == expected, "the shop is not the one it should be");
}

#[test]
fn a_first_start_may_be_cut_off_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("one.jsonl"), goods::lines(&goods::bulk()[..1])).unwrap();
    let mut made = 0;
    for wait in 0..times(20, 300) {
        let data = format!("data-{wait}");
        let import = ["import", "one.jsonl", "--data", &data];
        // Making the store takes some milliseconds; this goes through them.
        run_and_kill(folder.path(), &import, Duration::from_micros(750 * wait as u64));
        made += usize::from(folder.path().join(&data).join("store/STORE").exists());
        let ended = run(folder.path(), &import);
        assert_eq!(ended.code, Some(0), "killed at step {wait}: {ended:#?}");
    }
    assert!(made < times(20, 300), "no kill came before the store was made");
}
