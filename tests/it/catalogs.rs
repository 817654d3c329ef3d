//! The real catalogs of three other shops, through the binary: as they are, again, out and in
//! again, and served. Where the files are absent this is told loudly.

use std::io::Write;
use std::path::{Path, PathBuf};

use barrow_tests::server::{Launch, run};
use serde_json::json;

use crate::support::Client;
use crate::support::client::{list, text};
use crate::tidy;

/// The folder of the real catalogs, if it is there.
fn catalogs() -> Option<PathBuf> {
    let named = std::env::var_os("BARROW_TEST_CATALOGS").map(PathBuf::from);
    let folder = tidy::root().join(named.unwrap_or_else(|| PathBuf::from("../shared/data")));
    if folder.is_dir() {
        return Some(folder);
    }
    // Not by `eprintln`, which is not shown of a test that passes.
    let told = format!(
        "SKIP: the real catalogs are not at {}; set BARROW_TEST_CATALOGS\n",
        folder.display()
    );
    std::io::stderr().write_all(told.as_bytes()).expect("there is somewhere to tell it");
    None
}

/// Runs the binary in a folder; expects that all goes well; answers its last line.
fn done(folder: &Path, args: &[&str]) -> String {
    let ended = run(folder, args);
    assert_eq!(ended.code, Some(0), "{args:?}: {ended:#?}");
    ended.out.lines().last().unwrap_or_default().to_owned()
}

/// Imports the files twice, exports and imports them again, and serves them.
async fn check(files: &[&str], products: usize, others: usize) {
    let Some(catalogs) = catalogs() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let paths: Vec<String> =
        files.iter().map(|file| catalogs.join(file).display().to_string()).collect();
    let import: Vec<&str> =
        ["import"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    let rows = products + others;
    let line = |created: usize, unchanged: usize| {
        format!("{rows} rows: {created} created, 0 updated, {unchanged} unchanged, 0 failed")
    };
    assert_eq!(done(folder, &[&import[..], &["--dry-run"]].concat()), line(rows, 0));
    assert_eq!(done(folder, &import), line(rows, 0));
    assert_eq!(done(folder, &import), line(0, rows), "the same again changes nothing");

    for format in ["jsonl", "csv"] {
        let file = format!("out.{format}");
        done(folder, &["export", "--format", format, "--output", &file]);
        let again = done(folder, &["import", &file, "--set-stock"]);
        assert!(
            again.contains(" 0 created, 0 updated, ") && again.ends_with(" 0 failed"),
            "{again}"
        );
    }
    // What went out makes the same shop elsewhere.
    done(folder, &["import", "out.jsonl", "--data", "elsewhere"]);
    done(folder, &["export", "--data", "elsewhere", "--output", "again.jsonl"]);
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert!(read("out.jsonl") == read("again.jsonl"), "{files:?}");
    serve(folder, products).await;
}

/// Every product is listed, has its page, and can be put into a cart.
async fn serve(folder: &Path, products: usize) {
    let server = Launch::at(folder).start();
    let guest = Client::of(&server.url).guest().await;
    let first = guest.read("/v1/products?limit=100&sort=title").await;
    let total = json!({"count": products, "exact": true});
    assert_eq!(first["total"], total);
    let cart = guest.cart().await;
    let mut held = 0;
    for item in list(&first["items"]).iter().step_by(10) {
        let page = guest.read(&format!("/v1/products/{}", text(&item["slug"]))).await;
        for media in list(&page["media"]) {
            let url = text(&media["url"]);
            if url.starts_with('/') {
                let file = guest.get(url).send().await.is(200);
                assert_eq!(file.body.len() as u64, media["bytes"].as_u64().unwrap());
            }
        }
        let variant = &page["variants"][0];
        if !variant["price"].is_null() {
            held += 1;
            let added = cart.add(text(&variant["sku"]), 1).ok().await;
            assert_eq!(list(&added["lines"]).len(), held);
        }
    }
    assert!(held > 0, "something of it can be bought");
}

#[tokio::test]
async fn retail_demo_store() {
    let files = ["retail-demo-store/products.yaml", "retail-demo-store/categories.yaml"];
    check(&files, 2_465, 20).await;
}

#[tokio::test]
async fn eshop() {
    check(&["eshop/catalog.json"], 101, 0).await;
}

#[tokio::test]
async fn spree() {
    check(&["spree/product_translations.csv", "spree/products.csv"], 37, 0).await;
}
