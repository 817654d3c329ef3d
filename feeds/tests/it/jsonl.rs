//! Our own JSON Lines: every field of PRODUCT, collections, stock and reviews.

use barrow_engine::catalog::{AttributeValue, RatingSummary};
use barrow_feeds::export::ExportFormat;

use crate::csv::exported;
use crate::shop::Shop;

/// Everything a line can say.
pub const RICH: &str = include_str!("../data/rich.jsonl");

#[tokio::test(flavor = "multi_thread")]
async fn every_field_is_read_and_reads_back() {
    let shop = Shop::new().await;
    let told = shop.import_text("a.jsonl", RICH).await;
    assert_eq!(told.errors(), []);
    assert_eq!(told.counts(), [7, 0, 0, 0]);
    let lamp = shop.product("arc-lamp").await;
    assert_eq!(lamp.rating, Some(RatingSummary { histogram: [0, 0, 1, 0, 1] }));
    assert_eq!(lamp.attributes.len(), 7);
    let count = AttributeValue::Number { value: "3".into(), unit: None };
    assert_eq!(lamp.attributes["count"], count);
    assert_eq!(lamp.variants[0].prices.len(), 4);
    assert_eq!(shop.product("old-arc-lamp").await.id, lamp.id, "a former slug leads there");
    assert_eq!(shop.on_hand("ARC-BLACK").await, Some(4));
    assert_eq!(shop.on_hand("PLAIN").await, Some(9));
    assert_eq!(shop.import_text("a.jsonl", RICH).await.counts(), [0, 0, 7, 0]);

    let (text, summary) = exported(&shop, ExportFormat::JsonLines).await;
    assert_eq!(summary.left_out.len(), 0, "JSON Lines holds everything");
    assert_eq!(
        (summary.collections, summary.products, summary.stock_levels, summary.reviews),
        (2, 2, 2, 2)
    );
    let before = shop.all().await;
    let told = shop.import_text("out.jsonl", &text).await;
    assert_eq!(told.errors(), []);
    assert_eq!(told.counts(), [0, 0, 8, 0]);
    assert_eq!(shop.all().await, before);

    let other = Shop::new().await;
    assert_eq!(other.import_text("out.jsonl", &text).await.counts(), [8, 0, 0, 0]);
    let (again, _) = exported(&other, ExportFormat::JsonLines).await;
    assert_eq!(again, text, "another shop holds the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_brings_back_what_it_found() {
    let shop = Shop::new().await;
    shop.import_text("a.jsonl", RICH).await;
    let (text, _) = exported(&shop, ExportFormat::JsonLines).await;
    let changed = "{\"type\":\"product\",\"slug\":\"plain\",\"brand\":\"Late\",\"featured\":1,\
        \"attributes\":{\"new\":\"x\"},\"translations\":{\"it\":{\"title\":\"Piano\"}}}";
    assert_eq!(shop.import_text("b.jsonl", changed).await.counts(), [0, 1, 0, 0]);
    assert_eq!(shop.product("plain").await.brand.as_deref(), Some("Late"));
    assert_eq!(shop.import_text("out.jsonl", &text).await.counts(), [0, 1, 7, 0]);
    let plain = shop.product("plain").await;
    assert_eq!((plain.brand, plain.featured, plain.version), (None, None, 3));
    assert!(plain.attributes.is_empty() && plain.translations.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_point_at_what_is_wrong() {
    let shop = Shop::new().await;
    let text = include_str!("../data/wrong.jsonl");
    let lines: Vec<&str> = text.lines().collect();
    let told = shop.import_text("a.jsonl", text).await;
    assert_eq!(told.counts(), [1, 0, 0, 12]);
    let mut errors = told.errors();
    errors.sort_by_key(|(row, _, _)| *row);
    assert_eq!(
        errors,
        [
            (1, "/variants/0/prices/0/amount/amount", "out_of_range"),
            (1, "/colour", "unknown_field"),
            (2, "/slug", "out_of_range"),
            (2, "/title", "wrong_type"),
            (3, "/slug", "required"),
            (4, "/variants/0/options/0/value", "unknown_reference"),
            (5, "/title", "required"),
            (6, "/type", "out_of_range"),
            (7, "", "malformed_json"),
            (8, "/sku", "unknown_sku"),
            (9, "/product", "unknown_product"),
            (10, "/status", "out_of_range"),
            (10, "/created_at", "out_of_range"),
            (12, "/parent", "out_of_range"),
            (13, "", "wrong_type"),
        ]
    );
    let failed = std::fs::read_to_string(&told.failed_files[0]).unwrap();
    assert_eq!(failed.lines().count(), 12);
    let mended = failed.replace(r#"{"type":"product","slug":"d"}"#, lines[10]);
    assert_eq!(shop.import_text("mended.jsonl", &mended).await.counts(), [0, 0, 1, 11]);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_lines_are_passed_over() {
    let shop = Shop::new().await;
    let mut text = b"{\"type\":\"product\",\"slug\":\"a\",\"title\":\"".to_vec();
    text.resize(5 * 1024 * 1024, b'x');
    text.extend_from_slice(b"\n{\"type\":\"product\",\"slug\":\"b\",\"title\":\"Gr\xfc\xdfe\"}\n");
    text.extend_from_slice("[".repeat(100_000).as_bytes());
    text.extend_from_slice(b"\n\n{\"type\":\"product\",\"slug\":\"c\",\"title\":\"C\"}");
    let path = shop.file("a.jsonl", [b"{\"type\":\"stock\"}\n".to_vec(), text].concat());
    let told = shop.import(&[path]).await;
    assert_eq!(told.counts(), [1, 0, 0, 4]);
    assert_eq!(
        told.errors(),
        [
            (1, "/sku", "required"),
            (1, "/on_hand", "required"),
            (2, "", "too_long"),
            (3, "", "not_utf8"),
            (4, "", "malformed_json"),
        ]
    );
}
