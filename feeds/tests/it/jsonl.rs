//! Our own JSON Lines: every field of PRODUCT, collections, stock and reviews.

use barrow_engine::catalog::{AttributeValue, RatingSummary};
use barrow_feeds::export::ExportFormat;

use crate::csv::exported;
use crate::shop::Shop;

/// Everything a line can say.
pub const RICH: &str = r#"{"type":"collection","slug":"lamps","title":"Lamps & light","parent":"home"}
{"type":"collection","slug":"home","title":"Home"}
{"type":"product","slug":"arc-lamp","external_id":"L-1","title":"Arc lamp","description":"Bends","brand":"Lux","status":"active","publish_at":"2026-01-01T00:00:00Z","channels":["web"],"collections":["lamps"],"facets":{"color":["black","brass"]},"attributes":{"power":{"type":"number","value":"12.50","unit":"W"},"dimmable":true,"socket":{"type":"choice","value":"E27"},"since":{"type":"date","value":"2025-03-01"},"rooms":["living","office"],"note":"Oak","count":3},"options":[{"name":"Color","values":["Black","Brass"]}],"media":[{"key":"lamps/arc.webp","alt":"The lamp","mime":"image/webp","width":800,"height":600,"bytes":4321},{"type":"manual","key":"lamps/arc.pdf"},{"type":"video","key":"https://example.com/arc.mp4"}],"variants":[{"sku":"ARC-BLACK","options":[{"name":"Color","value":"Black"}],"prices":[{"amount":{"amount":19900,"currency":"EUR"},"compare_at":{"amount":24900,"currency":"EUR"}},{"amount":{"amount":17900,"currency":"EUR"},"min_quantity":10},{"amount":{"amount":15000,"currency":"EUR"},"channel":"web","customer_group":"trade","valid_from":"2026-01-01T00:00:00Z","valid_until":"2026-02-01T00:00:00Z"},{"sku":"ARC-BLACK","amount":{"amount":21900,"currency":"USD"}}],"stock":{"track":true,"oversell":"preorder","oversell_limit":20,"expected_at":"2026-12-01T00:00:00Z","max_per_customer":2},"tax_category":"standard","weight_g":4200,"media":["lamps/arc.webp"],"attributes":{"finish":"matt"},"on_hand":4},{"sku":"ARC-BRASS","options":[{"name":"Color","value":"Brass"}],"prices":[]}],"translations":{"de":{"title":"Bogenlampe","description":"Biegt sich","slug":"bogenlampe"},"fr":{"title":"Lampe arc"}},"seo":{"title":"Arc lamp | Lux","description":null},"featured":3,"former_slugs":["old-arc-lamp"],"created_at":"2025-06-01T00:00:00Z"}
{"type":"product","slug":"plain","title":"Plain","variants":[{"sku":"PLAIN","prices":[{"amount":{"amount":500,"currency":"EUR"}}]}]}
{"type":"stock","sku":"PLAIN","location":"default","on_hand":9}
{"type":"review","product":"arc-lamp","rating":5,"title":"Bright","body":"Very bright.","author":"Ada L.","verified":true,"created_at":"2026-02-03T04:05:06Z"}
{"type":"review","product_external_id":"L-1","rating":3,"body":"Tips over.","author":"Bo","status":"published","created_at":"2026-02-04T04:05:06Z"}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn every_field_is_read_and_reads_back() {
    let shop = Shop::new();
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

    let other = Shop::new();
    assert_eq!(other.import_text("out.jsonl", &text).await.counts(), [8, 0, 0, 0]);
    let (again, _) = exported(&other, ExportFormat::JsonLines).await;
    assert_eq!(again, text, "another shop holds the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_brings_back_what_it_found() {
    let shop = Shop::new();
    shop.import_text("a.jsonl", RICH).await;
    let (text, _) = exported(&shop, ExportFormat::JsonLines).await;
    let changed = r#"{"type":"product","slug":"plain","brand":"Late","attributes":{"new":"x"},"featured":1,"translations":{"it":{"title":"Piano"}}}"#;
    assert_eq!(shop.import_text("b.jsonl", changed).await.counts(), [0, 1, 0, 0]);
    assert_eq!(shop.product("plain").await.brand.as_deref(), Some("Late"));
    assert_eq!(shop.import_text("out.jsonl", &text).await.counts(), [0, 1, 7, 0]);
    let plain = shop.product("plain").await;
    assert_eq!((plain.brand, plain.featured, plain.version), (None, None, 3));
    assert!(plain.attributes.is_empty() && plain.translations.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_point_at_what_is_wrong() {
    let shop = Shop::new();
    let lines = [
        r#"{"type":"product","slug":"a","title":"A","colour":"red","variants":[{"sku":"A","prices":[{"amount":{"amount":1.5,"currency":"EUR"}}]}]}"#,
        r#"{"type":"product","slug":"B b","title":7}"#,
        r#"{"type":"product","title":"nameless"}"#,
        r#"{"type":"product","slug":"c","title":"C","options":[{"name":"Size","values":["S"]}],"variants":[{"sku":"C","options":[{"name":"Size","value":"M"}]}]}"#,
        r#"{"type":"product","slug":"d"}"#,
        r#"{"type":"wish"}"#,
        r#"not json"#,
        r#"{"type":"stock","sku":"NONE","on_hand":1}"#,
        r#"{"type":"review","product":"none","rating":5,"body":"","author":"A","created_at":"2026-01-01T00:00:00Z"}"#,
        r#"{"type":"review","product":"e","rating":6,"body":"","author":"A","status":"pending","created_at":"soon"}"#,
        r#"{"type":"product","slug":"e","title":"E"}"#,
        r#"{"type":"collection","slug":"loop","title":"Loop","parent":"loop"}"#,
        r#"[]"#,
    ];
    let told = shop.import_text("a.jsonl", &(lines.join("\n") + "\n")).await;
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
    let shop = Shop::new();
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
