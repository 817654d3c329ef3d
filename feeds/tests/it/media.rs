//! Pictures that lie in the media store and are shared by many products: each is looked at once
//! or a few times, never once for each product.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use barrow_engine::catalog::{MediaKind, Sku, Slug};
use barrow_engine::ports::{MediaError, MediaInfo, MediaStore, SignedRequest, Upload};
use barrow_feeds::import::import;
use barrow_feeds::record::{
    Field, MediaContent, MediaRecord, ProductRecord, Record, Row, SlugSource, StockRecord,
    VariantRecord,
};
use bytes::Bytes;

use crate::shop::{Ignore, Shop, options};

/// So many products' pictures are taken in at once. The first of them cannot know of each
/// other; everyone after them knows.
const LOOKS_MAX: usize = 8;
/// Several batches, so that what one of them found is seen to last for the next.
const PRODUCTS: usize = 2_000;

/// The files of a shop, with every look at them counted.
struct Counted {
    inner: Arc<dyn MediaStore>,
    reads: AtomicUsize,
    infos: AtomicUsize,
}

#[async_trait]
impl MediaStore for Counted {
    async fn put(&self, key: &str, content: Bytes) -> Result<(), MediaError> {
        self.inner.put(key, content).await
    }

    async fn info(&self, key: &str) -> Result<Option<MediaInfo>, MediaError> {
        self.infos.fetch_add(1, Ordering::Relaxed);
        self.inner.info(key).await
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>, MediaError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.get(key, range).await
    }

    async fn remove(&self, key: &str) -> Result<(), MediaError> {
        self.inner.remove(key).await
    }

    async fn sign_upload(
        &self,
        upload: &Upload,
        ttl: Duration,
    ) -> Result<SignedRequest, MediaError> {
        self.inner.sign_upload(upload, ttl).await
    }

    async fn sign_download(&self, key: &str, ttl: Duration) -> Result<String, MediaError> {
        self.inner.sign_download(key, ttl).await
    }
}

/// A GIF's header with its width and height, made longer to be told from others.
fn gif(width: u8, height: u8, bytes: usize) -> Vec<u8> {
    let mut gif = b"GIF89a\x00\x00\x00\x00\x80\x00\x00".to_vec();
    (gif[6], gif[8]) = (width, height);
    gif.resize(bytes, 0);
    gif
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_thousands_share_is_looked_at_a_few_times() {
    let mut shop = Shop::new().await;
    let pictures = [("shared/a.gif", 30, 20, 400), ("shared/b.gif", 5, 7, 90)];
    for (key, width, height, bytes) in pictures {
        let content = gif(width, height, bytes);
        shop.stores.media.put(key, content.into()).await.unwrap();
    }
    let counted = Arc::new(Counted {
        inner: shop.stores.media.clone(),
        reads: AtomicUsize::new(0),
        infos: AtomicUsize::new(0),
    });
    shop.stores.media = counted.clone();
    let lines = (0..PRODUCTS).map(|n| {
        let key = pictures[n % 2].0;
        format!(
            "{{\"type\":\"product\",\"slug\":\"p-{n}\",\"title\":\"P\",\
             \"media\":[{{\"key\":\"{key}\"}}]}}\n"
        )
    });
    let told = shop.import_text("a.jsonl", &lines.collect::<String>()).await;
    assert_eq!(told.errors(), []);
    assert_eq!(told.counts(), [PRODUCTS as u64, 0, 0, 0]);

    let reads = counted.reads.load(Ordering::Relaxed);
    let infos = counted.infos.load(Ordering::Relaxed);
    assert!((pictures.len()..=LOOKS_MAX).contains(&reads), "{reads} reads");
    assert!((pictures.len()..=LOOKS_MAX).contains(&infos), "{infos} looks");
    let products = shop.all().await;
    assert_eq!(products.len(), PRODUCTS);
    for product in products {
        let number: usize = product.slug.as_str()[2..].parse().unwrap();
        let (key, width, height, bytes) = pictures[number % 2];
        let [media] = &product.media[..] else { panic!("{:?}", product.media) };
        assert_eq!((media.key.as_str(), media.bytes), (key, bytes as u64));
        let size = (Some(u32::from(width)), Some(u32::from(height)));
        assert_eq!((media.width, media.height), size);
        assert_eq!(media.mime, "image/gif");
    }
}

/// A product with one picture and one variant, both named by its slug.
fn product(slug: &str, picture: MediaRecord) -> Record {
    let mut record = ProductRecord::new(SlugSource::Given(Slug::new(slug).unwrap()));
    record.title = Field::Set(slug.to_owned());
    record.media = Field::Set(vec![picture]);
    record.variants = vec![VariantRecord::new(Sku::new(slug).unwrap())];
    Record::Product(Box::new(record))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_the_import_replaces_is_known_anew() {
    let shop = Shop::new().await;
    let key = "shared/a.gif";
    shop.stores.media.put(key, gif(3, 2, 40).into()).await.unwrap();
    let lies = || MediaRecord::at(MediaKind::Image, key);
    let made = MediaContent::Made(Arc::new(|| Ok(gif(30, 20, 50))));
    // Stock between products: what stands before it is written before what comes after.
    let stock = || {
        let (sku, location) = (Sku::new("before").unwrap(), "default".parse().unwrap());
        Record::Stock(StockRecord { sku, location, on_hand: 1 })
    };
    let records = [
        product("before", lies()),
        stock(),
        product("replacing", MediaRecord { content: made, ..lies() }),
        stock(),
        product("after", lies()),
    ];
    let name = "made".into();
    let rows: Vec<Row> =
        records.into_iter().zip(1..).map(|(record, n)| Row::made(&name, n, record)).collect();
    let stores = shop.stores.clone();
    import(rows.into_iter(), stores, options(), &mut Ignore).await.unwrap();
    for (slug, width, bytes) in [("before", 3, 40), ("replacing", 30, 50), ("after", 30, 50)] {
        let media = &shop.product(slug).await.media[0];
        assert_eq!((media.width, media.bytes), (Some(width), bytes), "{slug}");
    }
}
