//! Our own CSV: what it reads, what it refuses and where, and that an export reads back.

use std::slice::from_ref;

use barrow_engine::catalog::Sku;
use barrow_engine::catalog::{AttributeValue, MediaKind, Oversell, ProductStatus};
use barrow_engine::ids::OrderId;
use barrow_engine::inventory::Wish;
use barrow_engine::time::Timestamp;
use barrow_feeds::export::{ExportFormat, ExportSummary, Source, export};
use barrow_feeds::import::ImportOptions;

use crate::shop::{Shop, options};

const HEADER: &str = "slug,external_id,title,description,brand,status,collections,facet.color,\
    attr.material,option1_name,option1_value,option2_name,option2_value,sku,price.EUR,\
    compare_at.EUR,price.USD,tax_category,weight_g,stock,oversell,images,manual,title.de,\
    description.de";

/// Two products: a shirt of two variants, a card of one without options.
fn two_products() -> String {
    format!(
        "{HEADER}\n\
         shirt,S-1,Linen shirt,\"Cool, \"\"airy\"\"\nand light\",Weber,active,shirts|summer,\
         white|sand,number:180 g,Size,S,Color,White,SHIRT-S,39.90,49.90,44.00,standard,180,12,\
         backorder,https://example.com/shirt.webp,,Leinenhemd,Kühl\n\
         shirt,,,,,,,,,,L,,White,SHIRT-L,39.90,,44.00,,190,,,,,,\n\
         gift-card,,Gift card,,,,,,,,,,,GIFT,25,,,zero,,,,,,,\n"
    )
}

pub async fn exported(shop: &Shop, format: ExportFormat) -> (String, ExportSummary) {
    let source =
        Source { products: shop.stores.products.as_ref(), stock: shop.stores.stock.as_ref() };
    let mut out = Vec::new();
    let summary = export(source, format, &mut out, &mut |_| {}).await.unwrap();
    (String::from_utf8(out).unwrap(), summary)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_a_variant_and_the_first_one_has_the_product() {
    let shop = Shop::new().await;
    let told = shop.import_text("a.csv", &two_products()).await;
    assert_eq!(told.errors(), []);
    assert_eq!(told.summary.to_string(), "2 rows: 2 created, 0 updated, 0 unchanged, 0 failed");
    let shirt = shop.product("shirt").await;
    assert_eq!(shirt.description, "Cool, \"airy\"\nand light");
    assert_eq!(
        shirt.collections.iter().map(|s| s.as_str()).collect::<Vec<_>>(),
        ["shirts", "summer"]
    );
    assert_eq!(shirt.facets["color"], ["white", "sand"]);
    let weight = AttributeValue::Number { value: "180".into(), unit: Some("g".into()) };
    assert_eq!(shirt.attributes["material"], weight);
    assert_eq!(shirt.options[0].values, ["S", "L"]);
    assert_eq!(shirt.variants[1].options[1].value, "White");
    let prices: Vec<_> =
        shirt.variants[0].prices.iter().map(|p| (p.amount, p.compare_at)).collect();
    assert_eq!(format!("{prices:?}"), "[(3990 EUR, Some(4990 EUR)), (4400 USD, None)]");
    assert_eq!(shirt.variants[0].stock.oversell, Oversell::Backorder);
    assert_eq!(shirt.media[0].kind, MediaKind::Image);
    assert_eq!(shirt.translations["de"].title.as_deref(), Some("Leinenhemd"));
    assert_eq!(shop.on_hand("SHIRT-S").await, Some(12));
    assert_eq!(shop.on_hand("SHIRT-L").await, None);
    let card = shop.product("gift-card").await;
    assert_eq!(card.variants[0].tax_category, "zero");
    assert_eq!(card.variants[0].prices[0].amount.amount, 2500);
    assert_eq!(shop.import_text("a.csv", &two_products()).await.counts(), [0, 0, 2, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_is_there_decides_and_one_that_is_not_leaves() {
    let shop = Shop::new().await;
    shop.import_text("a.csv", &two_products()).await;
    let before = shop.product("shirt").await;
    let prices = "slug;sku;price.EUR\nshirt;SHIRT-L;35.00\n";
    assert_eq!(shop.import_text("prices.csv", prices).await.counts(), [0, 1, 0, 0]);
    let mut expected = before.clone();
    expected.variants[1].prices[0].amount.amount = 3500;
    expected.version += 1;
    assert_eq!(shop.product("shirt").await, expected, "a price, and nothing else");
    let cleared = "slug,brand,sku,price.USD\nshirt,,SHIRT-S,\n";
    assert_eq!(shop.import_text("clear.csv", cleared).await.counts(), [0, 1, 0, 0]);
    let shirt = shop.product("shirt").await;
    assert_eq!(shirt.brand, None);
    assert_eq!(shirt.variants[0].prices.len(), 1);
    assert_eq!(shirt.variants[1].prices.len(), 2);
    let pictures = "slug,manual\nshirt,https://example.com/care.pdf\n";
    assert_eq!(shop.import_text("manual.csv", pictures).await.counts(), [0, 1, 0, 0]);
    assert_eq!(shop.product("shirt").await.media.len(), 2, "the picture stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_tell_row_and_column_and_good_rows_are_taken() {
    let shop = Shop::new().await;
    let text = "slug,title,option1_name,option1_value,sku,price.EUR,stock,status\n\
        good,Good,,,GOOD,1.00,1,\n\
        bad,Bad,Size,S,BAD-S,1.001,1,\n\
        bad,Worse,,,BAD-M,1.00,many,\n\
        no title,X,,,NT,1.00,,\n\
        untitled,,,,UT,1.00,,\n\
        twin,Twin,,,GOOD,1.00,,\n\
        odd,Odd,,,ODD,1.00,,sold\n\
        short,Short\n\
        fine,Fine,,,FINE,-1,,\n\
        last,Last,,,LAST,2,,\n";
    let told = shop.import_text("a.csv", text).await;
    assert_eq!(told.counts(), [2, 0, 0, 7]);
    assert_eq!(
        told.errors(),
        [
            (3, "price.EUR", "out_of_range"),
            (4, "title", "out_of_range"),
            (4, "option1_value", "required"),
            (4, "stock", "out_of_range"),
            (5, "slug", "out_of_range"),
            (8, "status", "out_of_range"),
            (9, "", "wrong_width"),
            (10, "price.EUR", "out_of_range"),
            (6, "title", "required"),
            (7, "sku", "sku_taken"),
        ]
    );
    assert!(told.errors[0].to_string().contains("a.csv: row 3, column price.EUR"));
    // The file of failed rows has the header and all rows of what failed, and mends well.
    let failed = std::fs::read_to_string(&told.failed_files[0]).unwrap();
    let lines: Vec<&str> = failed.lines().collect();
    assert_eq!(lines[0], text.lines().next().unwrap());
    assert_eq!(lines.len(), 1 + 8, "{failed}");
    let mended = failed.replace("sold", "draft");
    let told = shop.import_text("mended.csv", &mended).await;
    assert_eq!(told.counts(), [1, 0, 0, 6]);
    assert_eq!(shop.product("odd").await.status, ProductStatus::Draft);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_and_double_columns_refuse_the_file() {
    let shop = Shop::new().await;
    let told = shop.import_text("a.csv", "slug,title,colour,title,prize.EUR\na,A,,A,\n").await;
    assert_eq!(told.counts(), [0, 0, 0, 1]);
    assert_eq!(
        told.errors(),
        [
            (1, "colour", "unknown_field"),
            (1, "title", "duplicate"),
            (1, "prize.EUR", "unknown_field"),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_tables_are_refused_with_their_place() {
    let shop = Shop::new().await;
    let latin = shop.file("latin.csv", b"slug,title\na,Gr\xfc\xdfe\nb,B\n");
    let told = shop.import(&[latin]).await;
    assert_eq!(told.errors(), [(2, "title", "not_utf8")]);
    assert_eq!(told.counts(), [1, 0, 0, 1]);
    let mut open_quote = b"slug,title\nc,C\nd,\"".to_vec();
    open_quote.resize(20 * 1024 * 1024, b'x');
    let path = shop.file("quote.csv", open_quote);
    let told = shop.import(from_ref(&path)).await;
    assert_eq!(told.errors(), [(3, "", "too_long")]);
    assert_eq!(told.counts(), [1, 0, 0, 1], "what stands before the broken row is taken");
    let excel = shop.file("excel.csv", b"\xef\xbb\xbfslug;title\r\ne;\"E; f\"\r\n");
    assert_eq!(shop.import(&[excel]).await.counts(), [1, 0, 0, 0]);
    assert_eq!(shop.product("e").await.title, "E; f");
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_is_set_once_unless_it_is_wanted() {
    let shop = Shop::new().await;
    let path = shop.file("a.csv", two_products());
    shop.import(from_ref(&path)).await;
    shop.book("SHIRT-S", -9).await;
    assert_eq!(shop.import(from_ref(&path)).await.counts(), [0, 0, 2, 0]);
    assert_eq!(shop.on_hand("SHIRT-S").await, Some(3), "what was sold does not come back");
    let set_stock = ImportOptions { set_stock: true, ..options() };
    let dry = ImportOptions { dry_run: true, ..set_stock.clone() };
    assert_eq!(shop.import_with(from_ref(&path), dry).await.counts(), [0, 1, 1, 0]);
    assert_eq!(shop.on_hand("SHIRT-S").await, Some(3));
    assert_eq!(shop.import_with(from_ref(&path), set_stock.clone()).await.counts(), [0, 1, 1, 0]);
    assert_eq!(shop.on_hand("SHIRT-S").await, Some(12));
    assert_eq!(shop.import_with(from_ref(&path), set_stock.clone()).await.counts(), [0, 0, 2, 0]);
    let sku: Sku = "SHIRT-S".parse().unwrap();
    let moved = shop.stores.stock.movements(&sku, None, 10).await.unwrap();
    let mut moved: Vec<_> = moved.iter().map(|it| it.draft.quantity).collect();
    moved.sort_unstable();
    assert_eq!(moved, [-9, 9, 12], "what differs is booked");

    // Elsewhere it lies too: only what the file speaks of is set.
    let line = |place: &str, on_hand: u32| {
        format!("{{\"type\":\"stock\",\"sku\":\"SHIRT-S\"{place},\"on_hand\":{on_hand}}}\n")
    };
    let lines = |berlin| line(",\"location\":\"berlin\"", berlin) + &line("", 10);
    let path = shop.file("stock.jsonl", lines(4));
    assert_eq!(shop.import(from_ref(&path)).await.counts(), [1, 0, 1, 0], "one was stocked before");
    assert_eq!(shop.on_hand("SHIRT-S").await, Some(16));
    let path = shop.file("stock.jsonl", lines(0));
    assert_eq!(shop.import_with(from_ref(&path), set_stock).await.counts(), [0, 2, 0, 0]);
    assert_eq!(shop.on_hand("SHIRT-S").await, Some(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_taken_out_than_was_promised_to_nobody() {
    let shop = Shop::new().await;
    shop.import(&[shop.file("a.csv", two_products())]).await;
    let wish = Wish { order: OrderId(1), quantity: 5, expires_at: Timestamp(i64::MAX) };
    let sku: Sku = "SHIRT-S".parse().unwrap();
    shop.stores.stock.reserve(&sku, Some(0), &[wish]).await.unwrap();
    let set_stock = ImportOptions { set_stock: true, ..options() };
    let line = |on_hand: u32| {
        format!("{{\"type\":\"stock\",\"sku\":\"SHIRT-S\",\"on_hand\":{on_hand}}}\n")
    };
    let told = shop.import_with(&[shop.file("b.jsonl", line(4))], set_stock.clone()).await;
    assert_eq!(told.errors(), [(1, "/on_hand", "stock_below_zero")]);
    assert_eq!(told.counts(), [0, 0, 0, 1]);
    let csv = "slug,title,sku,stock\nshirt,Shirt,SHIRT-S,4\n";
    let told = shop.import_with(&[shop.file("c.csv", csv)], set_stock.clone()).await;
    assert_eq!(told.errors(), [(2, "stock", "stock_below_zero")]);
    let told = shop.import_with(&[shop.file("b.jsonl", line(5))], set_stock).await;
    assert_eq!(told.counts(), [0, 1, 0, 0]);
    assert_eq!(shop.on_hand("SHIRT-S").await, Some(0), "all that lies there is somebody's");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_reads_back_without_change_and_into_another_shop() {
    let shop = Shop::new().await;
    let formulas = "slug,title,description,attr.note,sku,price.EUR,price.JPY,stock,\
        title.de,title.pt-BR\n\
        calc,=SUM(A1),@brand,'=quoted,+SKU,0.05,500,7,-minus,Olá\n\
        lines,\"q\"\"q\",\"a\nb\r\nc\",text:number:7,LINES,1.00,,0,,\n\
        bare,Bare,,,,,,,,\n";
    assert_eq!(shop.import_text("f.csv", formulas).await.errors(), []);
    shop.import_text("a.csv", &two_products()).await;
    assert_eq!(shop.product("calc").await.title, "=SUM(A1)");
    assert_eq!(
        shop.product("calc").await.attributes["note"],
        AttributeValue::Text { value: "=quoted".into() },
        "a guard is taken off"
    );
    let (csv, summary) = exported(&shop, ExportFormat::Csv).await;
    assert_eq!(summary.products, 5);
    assert!(
        csv.starts_with(
            "slug,external_id,title,description,brand,status,collections,\
        facet.color,attr.material,attr.note,option1_name,option1_value,option2_name,\
        option2_value,sku,price.EUR,compare_at.EUR,price.JPY,"
        ),
        "{csv}"
    );
    assert!(csv.contains("'=SUM(A1)") && csv.contains("'+SKU") && csv.contains("'@brand"));
    let before = shop.all().await;
    let told = shop.import_text("out.csv", &csv).await;
    assert_eq!(told.errors(), []);
    assert_eq!(told.counts(), [0, 0, 5, 0], "{csv}");
    assert_eq!(shop.all().await, before);
    let other = Shop::new().await;
    assert_eq!(other.import_text("out.csv", &csv).await.counts(), [5, 0, 0, 0]);
    let (again, _) = exported(&other, ExportFormat::Csv).await;
    assert_eq!(again, csv, "another shop exports the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_table_cannot_hold_is_told_and_left_as_it_is() {
    let shop = Shop::new().await;
    shop.import_text("a.jsonl", crate::jsonl::RICH).await;
    let (csv, summary) = exported(&shop, ExportFormat::Csv).await;
    let left_out: Vec<&str> = summary.left_out.keys().map(String::as_str).collect();
    assert_eq!(
        left_out,
        [
            "alternative texts of media",
            "attributes of variants",
            "channels of products",
            "former slugs",
            "media of variants",
            "places among featured products",
            "prices of channels, customer groups, quantities and times",
            "publishing times",
            "reviews",
            "stock rules beyond 'oversell'",
            "texts for search engines",
            "titles, parents and pictures of collections",
            "translated slugs",
            "videos",
        ]
    );
    let before = shop.all().await;
    assert_eq!(shop.import_text("out.csv", &csv).await.counts(), [0, 0, 2, 0], "{csv}");
    assert_eq!(shop.all().await, before);
}
