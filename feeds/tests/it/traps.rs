//! The traps of foreign files, in small files of our own making.

use std::slice::from_ref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use barrow_feeds::import::{ImageFetcher, ImportOptions};

use crate::shop::{Shop, options};

const LAMPS: &str = "\
# our own list, in the shape of another shop's
- id: a-1
  name: Night light
  category: cold light
  style: small
  description: Folds over
    two lines
  price: 100.00
  current_stock: 3
  image: nolight.jpg
  gender_affinity: F
  featured: true
- id: a-2
  name: Night light
  category: cold light
  description: ''
  price: 0.1
  current_stock: 0
- id: a-3
  name: 1984
  category: books
  description: |
    - not an item
  price: 9.99
  current_stock: 1
";

#[tokio::test(flavor = "multi_thread")]
async fn a_yaml_list_with_equal_names_and_numbers_for_names() {
    let shop = Shop::new().await;
    let told = shop.import_text("lamps.yaml", LAMPS).await;
    assert_eq!(told.errors, []);
    assert_eq!(told.counts(), [3, 0, 0, 0]);
    let first = shop.product("night-light").await;
    assert_eq!(first.external_id.as_deref(), Some("a-1"));
    assert_eq!(first.description, "Folds over two lines");
    assert_eq!(first.media, [], "a picture that is not there is none");
    let second = shop.product("night-light-2").await;
    assert_eq!(second.external_id.as_deref(), Some("a-2"));
    assert_eq!(second.variants[0].prices[0].amount.amount, 10);
    assert_eq!(shop.on_hand("a-2").await, Some(0));
    assert_eq!(shop.product("1984").await.title, "1984");
    // One more of that name, put first: the others keep their addresses.
    let more = LAMPS.replace("- id: a-1", "- id: a-0\n  name: Night light\n  price: 1\n- id: a-1");
    assert_eq!(shop.import_text("lamps.yaml", &more).await.counts(), [1, 0, 3, 0]);
    assert_eq!(shop.product("night-light-3").await.external_id.as_deref(), Some("a-0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yaml_list_tells_where_it_is_wrong_and_the_rest_is_taken() {
    let shop = Shop::new().await;
    let text = "- id: x\n  name: X\n  price: 1.005\n- id: y\n  name: [oops\n- name: Z\n  price: 1\n\
        - id: ok\n  name: Fine\n  price: 5\n";
    let told = shop.import_text("a.yaml", text).await;
    assert_eq!(told.counts(), [1, 0, 0, 3]);
    let errors: Vec<_> = told
        .errors()
        .iter()
        .map(|(row, column, code)| (*row, column.to_string(), code.to_string()))
        .collect();
    assert_eq!(errors[0], (1, "price".into(), "out_of_range".into()));
    assert_eq!(errors[1], (4, String::new(), "malformed_yaml".into()));
    assert_eq!(errors[2], (6, String::new(), "malformed_yaml".into()));
    assert!(told.errors[2].detail.contains("id"), "{}", told.errors[2]);
    let failed = std::fs::read_to_string(&told.failed_files[0]).unwrap();
    let mended = failed
        .replace("1.005", "1.05")
        .replace("[oops", "Y\n  price: 2")
        .replace("- name: Z", "- id: z\n  name: Z");
    assert_eq!(shop.import_text("mended.yaml", &mended).await.counts(), [3, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_json_list_with_equal_names_and_a_bad_item() {
    let shop = Shop::new().await;
    let text = r#"[
  {"Id": 7, "Type": "Tents", "Brand": "", "Name": "Tent", "Description": "[{\"", "Price": 19.9},
  {"Id": 8, "Type": "Tents", "Brand": "Ny", "Name": "Tent", "Description": null, "Price": "free"},
  {"Id": 9, "Type": "Tents", "Brand": "Ny", "Name": "Tent", "Price": 20}
]"#;
    let told = shop.import_text("catalog.json", text).await;
    assert_eq!(told.errors(), [(3, "", "wrong_type")]);
    assert_eq!(told.counts(), [2, 0, 0, 1]);
    assert_eq!(shop.product("tent").await.brand, None);
    assert_eq!(shop.product("tent-2").await.variants[0].sku.as_str(), "9");
    let failed = std::fs::read_to_string(&told.failed_files[0]).unwrap();
    let mended = failed.replace("\"free\"", "0");
    assert_eq!(shop.import_text("mended.json", &mended).await.counts(), [1, 0, 0, 0]);
}

const SHOES: &str = "\
slug,sku,name,price,compare_at_price,currency,status,category1,option1_name,option1_value,\
image1_src,inventory_count,weight,weight_unit
shoe,SHOE,Shoe,0,0,USD,active,Wear -> Shoes,,,https://example.com/s.webp,,,
shoe,SHOE-40,,50,60,USD,,,Size,40,https://example.com/40.webp,5,1,kg
shoe,SHOE-41,,50,0,USD,,,Size,41,,6,1.1,kg
sock,SOCK,Sock,5,,USD,active,Wear,,,,9,,
shoe,SHOE-40,,45,,EUR,,,,,,,,
sock,SOCK,,4.50,,EUR,,,,,,,,
";

#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_variant_rows_and_prices_further_down() {
    let shop = Shop::new().await;
    assert_eq!(shop.import_text("products.csv", SHOES).await.counts(), [2, 0, 0, 0]);
    let shoe = shop.product("shoe").await;
    assert_eq!(shoe.variants.len(), 2, "the product's row is no variant");
    assert_eq!(shoe.variants[0].prices.len(), 2);
    assert_eq!(shoe.variants[1].prices.len(), 1);
    assert_eq!(shoe.variants[0].media, ["https://example.com/40.webp"]);
    let sock = shop.product("sock").await;
    assert_eq!(sock.variants.len(), 1, "a product row without variant rows is a variant");
    assert_eq!(sock.variants[0].prices.len(), 2);
    assert_eq!(shop.on_hand("SOCK").await, Some(9));
    let header = SHOES.lines().next().unwrap();
    let pounds = format!("{header}\nshoe,SHOE-41,,40,,GBP,,,,,,,,\n");
    assert_eq!(shop.import_text("pounds.csv", &pounds).await.counts(), [0, 1, 0, 0]);
    let shoe = shop.product("shoe").await;
    assert_eq!((shoe.title.as_str(), shoe.variants[1].prices.len()), ("Shoe", 2));
    let twice = format!("{header}\nshoe,SHOE-41,,40,,GBP,,,,,,,,\nshoe,SHOE-41,,41,,GBP,,,,,,,,\n");
    let told = shop.import_text("twice.csv", &twice).await;
    assert_eq!(told.errors(), [(3, "price", "duplicate")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn translations_fit_in_or_are_told() {
    let shop = Shop::new().await;
    let products = shop.file("products.csv", SHOES);
    let text = "slug,locale,name,description\nshoe,de,Schuh,\nshoe,xx_1,Y,\nboot,de,Stiefel,\n";
    let told = shop.import(&[shop.file("translations.csv", text), products]).await;
    assert_eq!(told.counts(), [2, 0, 0, 2]);
    let mut errors = told.errors();
    errors.sort();
    assert_eq!(errors, [(3, "locale", "out_of_range"), (4, "name", "required")]);
    assert_eq!(shop.product("shoe").await.translations["de"].title.as_deref(), Some("Schuh"));
    assert_eq!(told.failed_files.len(), 1, "{:?}", told.failed_files);
}

/// Answers one picture, and counts how often it is asked.
struct OnePicture(AtomicUsize);

#[async_trait]
impl ImageFetcher for OnePicture {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, String> {
        self.0.fetch_add(1, Ordering::Relaxed);
        assert!(url.starts_with("https://example.com/"));
        // A GIF of 3 x 2 pixels.
        Ok(b"GIF89a\x03\x00\x02\x00\x80\x00\x00".to_vec())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_are_fetched_once_and_only_when_wanted() {
    let shop = Shop::new().await;
    let path = shop.file("products.csv", SHOES);
    shop.import(from_ref(&path)).await;
    assert_eq!(shop.product("shoe").await.media[0].key, "https://example.com/s.webp");
    let fetcher = Arc::new(OnePicture(AtomicUsize::new(0)));
    let fetching = ImportOptions { fetcher: Some(fetcher.clone()), ..options() };
    assert_eq!(shop.import_with(from_ref(&path), fetching.clone()).await.counts(), [0, 1, 1, 0]);
    let shoe = shop.product("shoe").await;
    assert_eq!((shoe.media[0].width, shoe.media[0].height), (Some(3), Some(2)));
    assert_eq!(shoe.media[0].mime, "image/gif");
    let stored = shop.stores.media.info(&shoe.media[0].key).await.unwrap();
    assert_eq!(stored.unwrap().bytes, 13);
    assert_eq!(shoe.variants[0].media, [shoe.media[1].key.clone()]);
    assert_eq!(fetcher.0.load(Ordering::Relaxed), 2);
    assert_eq!(shop.import_with(from_ref(&path), fetching).await.counts(), [0, 0, 2, 0]);
    assert_eq!(fetcher.0.load(Ordering::Relaxed), 2, "what is there is not fetched again");
    assert_eq!(shop.import(from_ref(&path)).await.counts(), [0, 0, 2, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_sees_what_comes_twice() {
    let shop = Shop::new().await;
    let text = "slug,title,sku\na,A,ONE\nb,B,ONE\na,Aa,ONE\nc,C,TWO\na,Aa,ONE\n";
    let path = shop.file("a.csv", text);
    let dry = ImportOptions { dry_run: true, ..options() };
    let told = shop.import_with(from_ref(&path), dry).await;
    assert_eq!(told.counts(), [2, 1, 1, 1]);
    assert_eq!(shop.all().await, []);
    let real = shop.import(from_ref(&path)).await;
    assert_eq!((real.counts(), real.errors()), (told.counts(), told.errors()));
}
