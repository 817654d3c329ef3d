//! Each importer on its real file, as it is. Where the files are absent this is told loudly.

use std::path::PathBuf;
use std::time::Instant;

use barrow_engine::catalog::{AttributeValue, MediaKind, Slug};
use barrow_engine::money::Currency;
use barrow_feeds::formats::foreign::ForeignOptions;
use barrow_feeds::import::ImportOptions;
use barrow_feeds::open::Inputs;

use crate::shop::{Shop, catalogs, options};

/// Imports the files dry, for real and again, and tells how fast; answers what was there.
async fn import_thrice(shop: &Shop, files: &[PathBuf], products: u64, others: u64) {
    let rows = products + others;
    let currency = Currency::from_code("USD").unwrap();
    let inputs = Inputs::open(files, None, ForeignOptions { currency }).unwrap();
    let start = Instant::now();
    assert_eq!(inputs.rows().filter(|row| row.outcome.is_ok()).count() as u64, rows);
    let parsed = start.elapsed();
    let start = Instant::now();
    let dry = shop.import_with(files, ImportOptions { dry_run: true, ..options() }).await;
    let dry_took = start.elapsed();
    assert_eq!(dry.errors, []);
    assert_eq!(dry.counts(), [rows, 0, 0, 0], "a dry run tells what would be");
    assert_eq!(shop.stores.products.count().await.unwrap(), 0, "a dry run writes nothing");
    assert_eq!(shop.stores.products.collections().await.unwrap(), []);
    let start = Instant::now();
    let real = shop.import(files).await;
    let real_took = start.elapsed();
    assert_eq!(real.errors, []);
    assert_eq!(real.counts(), [rows, 0, 0, 0]);
    assert_eq!(shop.stores.products.count().await.unwrap(), products);
    let before = shop.all().await;
    let later =
        ImportOptions { now: options().now.plus(std::time::Duration::from_secs(9)), ..options() };
    let start = Instant::now();
    let again = shop.import_with(files, later).await;
    let again_took = start.elapsed();
    assert_eq!(again.counts(), [0, 0, rows, 0], "the same file again changes nothing");
    assert_eq!(shop.all().await, before);
    let rate = |took: std::time::Duration| (rows as f64 / took.as_secs_f64()) as u64;
    eprintln!(
        "{}: rows/s: read {}, dry run {}, imported {}, again {}",
        files[0].display(),
        rate(parsed),
        rate(dry_took),
        rate(real_took),
        rate(again_took)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn retail_demo_store() {
    let Some(folder) = catalogs() else { return };
    let shop = Shop::new().await;
    let files =
        ["products.yaml", "categories.yaml"].map(|f| folder.join("retail-demo-store").join(f));
    import_thrice(&shop, &files, 2465, 20).await;
    let collections = shop.stores.products.collections().await.unwrap();
    assert_eq!(collections.len(), 20);
    assert!(
        collections
            .iter()
            .any(|it| it.slug.as_str() == "hot-dispensed" && it.title == "Hot dispensed")
    );
    let id = "6579c22f-be2b-444c-a52b-0116dd82df6c";
    let product = shop.product("adventure-ready-expedition-backpack").await;
    assert_eq!(product.external_id.as_deref(), Some(id));
    assert_eq!(product.variants[0].sku.as_str(), id, "without a SKU the id is it");
    assert_eq!(product.variants[0].prices[0].amount.amount, 12_999);
    assert_eq!(product.facets["style"], ["backpack"]);
    assert_eq!(product.facets["gender"], ["women"]);
    assert!(product.description.ends_with("on any excursion."), "{}", product.description);
    assert_eq!(shop.on_hand(id).await, Some(15));
    let featured = shop.all().await.iter().filter(|product| product.featured.is_some()).count();
    assert_eq!(featured, 16);
    let numbered = shop.all().await.iter().filter(|p| p.slug.as_str().ends_with("-2")).count();
    assert!(numbered > 50, "98 names come more than once: {numbered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn retail_demo_store_products_alone_make_their_categories() {
    let Some(folder) = catalogs() else { return };
    let shop = Shop::new().await;
    let files = [folder.join("retail-demo-store/products.yaml")];
    let told = shop.import(&files).await;
    let line = "2465 rows: 2465 created, 0 updated, 0 unchanged, 0 failed";
    assert_eq!(told.summary.to_string(), line);
    let collections = shop.stores.products.collections().await.unwrap();
    assert_eq!(collections.len(), 20);
    let again = shop.import(&[folder.join("retail-demo-store/categories.yaml")]).await;
    assert_eq!(again.counts(), [0, 0, 20, 0], "made by name as the list has them");
}

#[tokio::test(flavor = "multi_thread")]
async fn eshop_with_its_pictures() {
    let Some(folder) = catalogs() else { return };
    let shop = Shop::new().await;
    import_thrice(&shop, &[folder.join("eshop/catalog.json")], 101, 0).await;
    let boots = shop.product("wanderer-black-hiking-boots").await;
    assert_eq!(boots.external_id.as_deref(), Some("1"));
    assert_eq!(boots.brand.as_deref(), Some("Daybird"));
    assert_eq!(boots.variants[0].prices[0].amount.amount, 10_999);
    let picture = &boots.media[0];
    let info = shop.stores.media.info(&picture.key).await.unwrap().unwrap();
    assert_eq!((picture.mime.as_str(), picture.bytes, info.bytes), ("image/webp", 47_496, 47_496));
    assert!(picture.width.is_some() && picture.height.is_some());
    assert_eq!(shop.on_hand("1").await, None, "the file knows no stock");
    let poles = ["carbon-fiber-trekking-poles", "carbon-fiber-trekking-poles-2"];
    let ids = [shop.product(poles[0]).await, shop.product(poles[1]).await]
        .map(|product| product.external_id.unwrap().parse::<u32>().unwrap());
    assert!(ids[0] < ids[1], "equal slugs are numbered in file order");
    let collections = shop.stores.products.collections().await.unwrap();
    assert!(collections.iter().any(|it| it.slug.as_str() == "ski-boarding"));
}

#[tokio::test(flavor = "multi_thread")]
async fn spree_with_variants_currencies_and_translations() {
    let Some(folder) = catalogs() else { return };
    let shop = Shop::new().await;
    let files = ["product_translations.csv", "products.csv"].map(|f| folder.join("spree").join(f));
    import_thrice(&shop, &files, 37, 0).await;
    let machine = shop.product("automatic-espresso-machine").await;
    assert_eq!(machine.external_id, None);
    let skus: Vec<&str> = machine.variants.iter().map(|v| v.sku.as_str()).collect();
    assert_eq!(skus.len(), 3, "a product row that has variant rows is no variant: {skus:?}");
    let black = &machine.variants[0];
    assert_eq!(black.options[0].value, "Matte Black");
    let mut prices: Vec<String> =
        black.prices.iter().map(|p| format!("{:?} {:?}", p.amount, p.compare_at)).collect();
    prices.sort();
    assert_eq!(prices, ["81999 EUR None", "87999 USD None"]);
    assert_eq!(black.weight_g, Some(8981));
    let unit = Some("in".to_owned());
    let width = AttributeValue::Number { value: "13.8".to_owned(), unit };
    assert_eq!(black.attributes["width"], width);
    assert_eq!(black.media.len(), 1);
    assert_eq!(machine.media.len(), 4);
    assert!(machine.media.iter().all(|it| it.kind == MediaKind::Image && it.mime == "image/webp"));
    let wattage = AttributeValue::Text { value: "1400W".to_owned() };
    assert_eq!(machine.attributes["wattage"], wattage);
    let german = &machine.translations["de"];
    assert_eq!(german.title.as_deref(), Some("Kaffeevollautomat"));
    assert_eq!(machine.translations.len(), 2);
    assert_eq!(shop.on_hand("AUTOMATIC-ESPRESSO-MACHINE-MATTE-BLACK").await, Some(5000));
    let collections = shop.stores.products.collections().await.unwrap();
    let machines = collections.iter().find(|it| it.slug.as_str() == "kitchen-coffee-machines");
    let kitchen = Slug::new("kitchen").unwrap();
    assert_eq!(machines.unwrap().parent.as_ref(), Some(&kitchen));
    assert_eq!(machine.collections[0], kitchen);
    let variants: usize = shop.all().await.iter().map(|product| product.variants.len()).sum();
    assert_eq!(variants, 87);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_real_catalogs_live_in_one_shop() {
    let Some(folder) = catalogs() else { return };
    let shop = Shop::new().await;
    let files = ["eshop/catalog.json", "spree/products.csv", "retail-demo-store/products.yaml"]
        .map(|file| folder.join(file));
    let told = shop.import(&files).await;
    assert_eq!(told.errors, []);
    assert_eq!(told.counts(), [101 + 37 + 2465, 0, 0, 0]);
    assert_eq!(shop.import(&files).await.counts(), [0, 0, 101 + 37 + 2465, 0]);
    let spree = [folder.join("spree/product_translations.csv")];
    assert_eq!(shop.import(&spree).await.counts(), [0, 37, 0, 0], "translations may come later");
    assert_eq!(shop.import(&spree).await.counts(), [0, 0, 37, 0]);
}
