//! What all test programs of the adapters share: a store in its dressings, rows, waiting.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use barrow_adapters::decorators::{Faults, Faulty, Measured, Retries, Retrying};
use barrow_adapters::host::{SystemClock, SystemEntropy, TokioSleeper};
use barrow_engine::access::{ApiKeyDraft, KeyHash, Scope};
use barrow_engine::catalog::{Product, ProductStatus, Seo, Sku, Slug, StockPolicy, Variant};
use barrow_engine::entity::{EntityKey, EntityKind};
use barrow_engine::ids::{ApiKeyId, ProductId, VariantId};
use barrow_engine::ports::{
    API_KEYS_MAX, ApiKeyStore, CasOutcome, EntityStore, Expected, KeyMade, Row, contract,
};
use barrow_engine::time::Timestamp;

pub fn wait(duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(tokio::time::sleep(duration))
}

/// A healthy network: some latency, no fault.
pub fn slow() -> Faults {
    Faults { latency_max: Duration::from_millis(1), ..Faults::default() }
}

/// Runs the suites over the store itself, and inside each decorator.
pub async fn check_entity_store(store: Arc<dyn EntityStore>) {
    let clock = || Arc::new(SystemClock);
    let sleeper = || Arc::new(TokioSleeper);
    let measured = Measured::<dyn EntityStore>::new(Arc::clone(&store), clock());
    let entropy = Arc::new(SystemEntropy);
    let retrying = Retrying::new(Arc::clone(&store), Retries::default(), entropy, sleeper());
    let faulty = Faulty::new(Arc::clone(&store), clock(), sleeper(), 1, slow());
    let dressed: [(&str, Arc<dyn EntityStore>); 4] = [
        ("bare", store),
        ("measured", Arc::new(measured)),
        ("retrying", Arc::new(retrying)),
        ("faulty", Arc::new(faulty)),
    ];
    for (seed, (name, store)) in (1..).zip(dressed) {
        println!("{name}");
        contract::entity_store(&*store, seed, &wait).await;
        contract::entity_store_race(store, seed).await;
    }
}

pub fn key(id: u128) -> EntityKey {
    EntityKey::new(EntityKind::Probe, id)
}

pub fn present(row: &Row) -> Expected {
    Expected::Present { version: row.version, write_id: row.write_id }
}

/// Writes a new row, which must be acknowledged.
pub async fn write(store: &dyn EntityStore, id: u128, row: Row) -> Row {
    let outcome = store.cas(key(id), Expected::Absent, row.clone()).await;
    assert_eq!(outcome, Ok(CasOutcome::Written));
    row
}

/// A product of which nothing is known but its names.
pub fn product(id: ProductId, version: u64, slug: &str, skus: &[String]) -> Product {
    Product {
        id,
        version,
        slug: Slug::new(slug).expect("a slug"),
        former_slugs: vec![],
        external_id: None,
        title: format!("Product {slug}"),
        description: String::new(),
        brand: None,
        status: ProductStatus::Active,
        publish_at: None,
        channels: vec![],
        collections: vec![],
        facets: Default::default(),
        attributes: Default::default(),
        options: vec![],
        media: vec![],
        variants: skus.iter().map(|sku| variant(sku)).collect(),
        translations: Default::default(),
        seo: Seo::default(),
        featured: None,
        rating: None,
        created_at: Timestamp(1),
        updated_at: Timestamp(2),
    }
}

fn variant(sku: &str) -> Variant {
    Variant {
        id: VariantId::derived(sku),
        sku: Sku::new(sku).expect("a SKU"),
        options: vec![],
        prices: vec![],
        stock: StockPolicy::default(),
        tax_category: "standard".to_owned(),
        weight_g: None,
        media: vec![],
        attributes: Default::default(),
    }
}

/// Of a store that holds no key that is not revoked.
pub async fn keys_are_bounded_in_number(store: &dyn ApiKeyStore) {
    let draft = |number: usize| {
        let mut hash = [9; 32];
        hash[..8].copy_from_slice(&number.to_be_bytes());
        ApiKeyDraft {
            id: ApiKeyId(number as u128),
            hash: KeyHash(hash),
            name: "one of many".into(),
            scopes: [Scope::CatalogRead].into_iter().collect(),
            created_at: Timestamp(1),
            expires_at: None,
        }
    };
    for number in 0..API_KEYS_MAX {
        assert_eq!(store.create(&draft(number)).await, Ok(KeyMade::Done), "{number}");
    }
    let one_more = draft(API_KEYS_MAX);
    assert_eq!(store.create(&one_more).await, Ok(KeyMade::Full));
    assert_eq!(store.create(&draft(0)).await, Ok(KeyMade::Done), "it is there already");
    store.revoke(ApiKeyId(7), Timestamp(2)).await.unwrap().expect("it is there");
    assert_eq!(store.create(&one_more).await, Ok(KeyMade::Done), "there is room again");
    assert_eq!(store.unrevoked().await.unwrap().len(), API_KEYS_MAX);
}
