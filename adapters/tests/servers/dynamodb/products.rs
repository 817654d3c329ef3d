//! Products and their names: names belong to one product whatever happens in between, stores
//! that hand back a part of a batch are asked again, and what was written is recognised.

use std::collections::BTreeSet;
use std::sync::Arc;

use barrow_adapters::dynamodb::DynamoProductStore;
use barrow_engine::catalog::{Collection, Product, Sku, Slug};
use barrow_engine::ids::{CollectionId, ProductId};
use barrow_engine::ports::{ProductStore, ProductStoreError};
use base64::Engine;

use super::front::{Fate, Front};
use super::{client, in_process, local, table_prefix, with_tables};
use crate::support;

fn slug(text: &str) -> Slug {
    Slug::new(text).unwrap()
}

fn sku(text: &str) -> Sku {
    Sku::new(text).unwrap()
}

/// A product whose names are its slug, a foreign id and these SKUs.
fn product(name: &str, version: u64, skus: &[String]) -> Product {
    let product = support::product(ProductId::derived(name), version, name, skus);
    Product { external_id: Some(format!("ext {name}")), ..product }
}

fn skus(name: &str, range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|index| format!("{name}/{index}")).collect()
}

async fn put(store: &DynamoProductStore, product: Product) -> Result<(), ProductStoreError> {
    store.put(vec![product]).await.unwrap().remove(0)
}

fn taken(name: &str, owner: &str) -> Result<(), ProductStoreError> {
    Err(ProductStoreError::SkuTaken { sku: sku(name), owner: ProductId::derived(owner) })
}

async fn owner(store: &DynamoProductStore, name: &str) -> Option<ProductId> {
    store.by_sku(&sku(name)).await.unwrap()
}

/// Each of these SKUs leads to the product if it carries it, and else nowhere.
async fn check_names(store: &DynamoProductStore, name: &str, skus: &[String]) {
    let id = ProductId::derived(name);
    let stored = store.get(id).await.unwrap();
    let variants = stored.into_iter().flat_map(|product| product.variants);
    let carried: BTreeSet<String> = variants.map(|one| one.sku.as_str().to_owned()).collect();
    let asked = futures::future::join_all(skus.iter().map(|sku| owner(store, sku))).await;
    for (sku, owner) in skus.iter().zip(asked) {
        assert_eq!(owner, carried.contains(sku).then_some(id), "{sku} as {name} carries it");
    }
}

/// A server, a front before it, a store on the front and one that goes straight there.
async fn behind_a_front(server: &str) -> (Front, DynamoProductStore, DynamoProductStore) {
    let straight = DynamoProductStore::new(with_tables(server).await);
    let front = Front::before(server).await;
    let store = DynamoProductStore::new(client(&front.endpoint()).await);
    (front, store, straight)
}

const TRANSACTION: &str = "TransactWriteItems";

async fn check_many_names(server: &str) {
    let (front, store, _) = behind_a_front(server).await;
    let all = skus("sofa", 0..600);
    assert_eq!(put(&store, product("sofa", 1, &all[..500])).await, Ok(()));
    let transactions = front.seen().iter().filter(|one| *one == TRANSACTION).count();
    // 501 names: to claim, to write, to settle.
    assert_eq!(transactions, 6 + 1 + 6);
    check_names(&store, "sofa", &all).await;
    assert_eq!(store.by_slug(&slug("sofa")).await, Ok(Some(ProductId::derived("sofa"))));
    // 300 go, 100 come.
    assert_eq!(put(&store, product("sofa", 2, &all[300..])).await, Ok(()));
    check_names(&store, "sofa", &all).await;
    front.seen();
    owner(&store, &all[599]).await;
    assert_eq!(front.seen(), ["GetItem"], "names that are settled are found by one read");
    assert_eq!(put(&store, product("stool", 1, &all[..90])).await, Ok(()), "what went is free");
    let refused = put(&store, product("bench", 1, &all[250..400])).await;
    assert_eq!(refused, taken("sofa/300", "sofa"));
    assert_eq!(owner(&store, &all[260]).await, None, "a refused product has no name");
    let refused = put(&store, product("bench", 1, &skus("sofa", 60..300))).await;
    assert_eq!(refused, taken("sofa/60", "stool"));
    // The names that it claimed in vain are free, for all that were not refused.
    assert_eq!(put(&store, product("desk", 1, &all[90..300])).await, Ok(()));
    check_names(&store, "desk", &all[90..300]).await;
}

#[tokio::test]
async fn many_names_in_process() {
    check_many_names(&in_process().endpoint()).await;
}

#[tokio::test]
async fn many_names_against_dynamodb_local() {
    let Some(server) = local() else { return };
    check_many_names(&server.endpoint()).await;
}

/// A change that is refused at its last name gives back those that it claimed before.
#[tokio::test]
async fn a_refused_change_gives_its_claims_back() {
    let server = in_process();
    let (front, store, _) = behind_a_front(&server.endpoint()).await;
    assert_eq!(put(&store, product("first", 1, &[])).await, Ok(()));
    let all = skus("vain", 0..150);
    let rival = Product { slug: slug("first"), ..product("second", 1, &all) };
    let owner = ProductId::derived("first");
    let refused = Err(ProductStoreError::SlugTaken { slug: slug("first"), owner });
    assert_eq!(put(&store, rival).await, refused);
    front.seen();
    assert_eq!(put(&store, product("third", 1, &all[..50])).await, Ok(()));
    assert_eq!(front.seen(), ["BatchGetItem", TRANSACTION], "nothing was in its way");
}

/// The process ends as its request of that number is under way: `fate` is whether it arrived.
/// Answers whether it came so far.
async fn crash(
    front: &Front,
    store: &DynamoProductStore,
    at: usize,
    fate: Fate,
    new: Product,
) -> bool {
    let waiting = front.waiting();
    let mut requests = 0;
    front.judge(move |_| {
        requests += 1;
        if requests == at { fate } else { Fate::Pass }
    });
    tokio::select! {
        () = front.until_waiting(waiting + 1) => true,
        outcome = put(store, new) => {
            assert_eq!(outcome, Ok(()), "nothing was in its way");
            false
        }
    }
}

/// A change of more names than fit into a transaction ends after each of its requests, and
/// another product wants a name that came and one that went.
async fn check_crashes(server: &str) {
    let (front, store, straight) = behind_a_front(server).await;
    let mut crashes = 0;
    for fate in [Fate::Stuck, Fate::Silence] {
        for at in 1.. {
            let name = format!("{}-{at}", if fate == Fate::Stuck { "stuck" } else { "silent" });
            let all = skus(&name, 0..180);
            let first = product(&name, 1, &all[..120]);
            front.judge(|_| Fate::Pass);
            assert_eq!(put(&store, first).await, Ok(()));
            let second = product(&name, 2, &all[60..]);
            if !crash(&front, &store, at, fate, second.clone()).await {
                break;
            }
            crashes += 1;
            check_after_crash(&straight, &name, &all, second).await;
        }
    }
    assert!(crashes >= 2 * 6, "each request is a place to crash: {crashes}");
}

async fn check_after_crash(
    store: &DynamoProductStore,
    name: &str,
    all: &[String],
    second: Product,
) {
    check_names(store, name, all).await;
    let version = store.get(second.id).await.unwrap().unwrap().version;
    // One that went, one that came.
    let (old, new) = (all[0].clone(), all[179].clone());
    for (sku, is_carried) in [(old, version == 1), (new.clone(), version == 2)] {
        let heir = format!("heir-{}", sku.replace('/', "-"));
        let inherited = put(store, product(&heir, 1, std::slice::from_ref(&sku))).await;
        let expected = if is_carried { taken(&sku, name) } else { Ok(()) };
        assert_eq!(inherited, expected, "{sku} while {name} is at version {version}");
        let expected = if is_carried { name } else { &heir };
        assert_eq!(owner(store, &sku).await, Some(ProductId::derived(expected)));
    }
    let again = put(store, second.clone()).await;
    if version == 2 {
        assert_eq!(again, Err(ProductStoreError::VersionMismatch { current: 2 }));
        return;
    }
    let heir = format!("heir-{}", new.replace('/', "-"));
    assert_eq!(again, taken(&new, &heir));
    let mut rest = second;
    rest.variants.pop();
    assert_eq!(put(store, rest).await, Ok(()), "without the name that was lost it is written");
    let others: Vec<String> = all[1..179].to_vec();
    check_names(store, name, &others).await;
}

#[tokio::test]
async fn crashes_in_process() {
    check_crashes(&in_process().endpoint()).await;
}

#[tokio::test]
async fn crashes_against_dynamodb_local() {
    let Some(server) = local() else { return };
    check_crashes(&server.endpoint()).await;
}

/// A change in steps stands still before its last step while another product takes one of the
/// names that it claims: it must not be written any more.
#[tokio::test]
async fn a_change_that_lost_a_name_is_not_written() {
    let server = in_process();
    let (front, slow, straight) = behind_a_front(&server.endpoint()).await;
    let all = skus("slow", 0..150);
    let mut transactions = 0;
    front.judge(move |operation| {
        transactions += usize::from(operation == TRANSACTION);
        let is_last = operation == TRANSACTION && transactions == 3;
        if is_last { Fate::Held } else { Fate::Pass }
    });
    let change = product("slow", 1, &all);
    let slow = Arc::new(slow);
    let changing = tokio::spawn({
        let slow = Arc::clone(&slow);
        async move { put(&slow, change).await }
    });
    front.until_waiting(1).await;
    check_names(&straight, "slow", &all).await;
    assert_eq!(put(&straight, product("quick", 1, &all[7..8])).await, Ok(()));
    front.release();
    assert_eq!(changing.await.unwrap(), taken(&all[7], "quick"));
    assert_eq!(owner(&straight, &all[7]).await, Some(ProductId::derived("quick")));
    assert_eq!(straight.get(ProductId::derived("slow")).await, Ok(None));
    assert_eq!(put(&straight, product("other", 1, &all[8..])).await, Ok(()), "the rest is free");
}

/// Of many that want the same thing at the same time one gets it.
async fn check_contention(server: &str) {
    let store = Arc::new(DynamoProductStore::new(with_tables(server).await));
    let rivals = (0..12).map(|index| {
        let store = Arc::clone(&store);
        let mut rival = product(&format!("rival-{index}"), 1, &skus("rivals", 0..3));
        rival.external_id = None;
        tokio::spawn(async move { (rival.id, put(&store, rival).await) })
    });
    let outcomes = futures::future::join_all(rivals).await;
    let outcomes: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
    let won: Vec<_> = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).collect();
    assert_eq!(won.len(), 1, "{outcomes:?}");
    let winner = won[0].0;
    for (id, outcome) in &outcomes {
        let expected = Err(ProductStoreError::SkuTaken { sku: sku("rivals/0"), owner: winner });
        assert!(*id == winner || *outcome == expected, "{outcome:?}");
    }
    let writers = (0..12).map(|index| {
        let store = Arc::clone(&store);
        let mut changed = product("contended", 1, &skus("contended", 0..2));
        changed.title = format!("By {index}");
        tokio::spawn(async move { put(&store, changed).await })
    });
    let outcomes = futures::future::join_all(writers).await;
    let outcomes: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
    let mismatch = Err(ProductStoreError::VersionMismatch { current: 1 });
    let refused = outcomes.iter().filter(|outcome| **outcome == mismatch).count();
    assert_eq!(refused, 11, "a version is written once: {outcomes:?}");
}

#[tokio::test]
async fn contention_in_process() {
    check_contention(&in_process().endpoint()).await;
}

#[tokio::test]
async fn contention_against_dynamodb_local() {
    let Some(server) = local() else { return };
    check_contention(&server.endpoint()).await;
}

/// A reply is lost, or the service is busy: the write is looked for, and repeated if need be.
#[tokio::test]
async fn a_write_outlives_a_bad_moment() {
    let server = in_process();
    let (front, store, straight) = behind_a_front(&server.endpoint()).await;
    let fates = [
        Fate::ReplyLost,
        Fate::RequestLost,
        Fate::ReplyCut,
        Fate::Refused(500, "InternalServerError"),
        Fate::Refused(400, "ThrottlingException"),
        Fate::Refused(400, "TransactionConflictException"),
    ];
    for (index, fate) in fates.into_iter().enumerate() {
        let name = format!("bad-{index}");
        for version in 1..=2 {
            let mut is_first = true;
            front.judge(move |operation| {
                let is_write = [TRANSACTION, "PutItem"].contains(&operation);
                let meets = is_write && std::mem::take(&mut is_first);
                if meets { fate } else { Fate::Pass }
            });
            let new = product(&name, version, &skus(&name, 0..2));
            assert_eq!(put(&store, new.clone()).await, Ok(()), "{fate:?} at version {version}");
            assert_eq!(straight.get(new.id).await, Ok(Some(new)), "{fate:?}");
        }
    }
}

/// A change that touches no name is one write, not a transaction.
#[tokio::test]
async fn a_change_without_names_is_one_write() {
    let server = in_process();
    let (front, store, _) = behind_a_front(&server.endpoint()).await;
    assert_eq!(put(&store, product("plain", 1, &skus("plain", 0..5))).await, Ok(()));
    assert_eq!(front.seen(), ["BatchGetItem", TRANSACTION]);
    let mut next = product("plain", 2, &skus("plain", 0..5));
    next.title = "Renamed".to_owned();
    assert_eq!(put(&store, next).await, Ok(()));
    // The foreign id may have gone to another product meanwhile: that is one small read.
    assert_eq!(front.seen(), ["BatchGetItem", "GetItem", "PutItem"]);
}

/// A foreign id leads to who was written with it last, and stays there when the other drops it.
#[tokio::test]
async fn a_foreign_id_follows_the_last_write() {
    let server = in_process();
    let (_front, store, _) = behind_a_front(&server.endpoint()).await;
    let with = |name: &str, version, id: Option<&str>| Product {
        external_id: id.map(str::to_owned),
        ..product(name, version, &[])
    };
    let by = async || store.by_external_id("shared").await.unwrap();
    assert_eq!(put(&store, with("one", 1, Some("shared"))).await, Ok(()));
    assert_eq!(put(&store, with("two", 1, Some("shared"))).await, Ok(()));
    assert_eq!(by().await, Some(ProductId::derived("two")));
    assert_eq!(put(&store, with("one", 2, Some("shared"))).await, Ok(()));
    assert_eq!(by().await, Some(ProductId::derived("one")));
    assert_eq!(put(&store, with("two", 2, None)).await, Ok(()));
    assert_eq!(by().await, Some(ProductId::derived("one")));
    assert_eq!(put(&store, with("one", 3, None)).await, Ok(()));
    assert_eq!(by().await, None);
}

/// In one batch a product gives a name away and a later one takes it; among many others.
#[tokio::test]
async fn a_name_changes_hands_within_a_batch() {
    let server = in_process();
    let (_front, store, _) = behind_a_front(&server.endpoint()).await;
    let giver = skus("given", 0..2);
    assert_eq!(put(&store, product("giver", 1, &giver)).await, Ok(()));
    let mut batch = vec![product("early", 1, &giver[1..]), product("giver", 2, &giver[..1])];
    batch.extend((0..100).map(|index| product(&format!("crowd-{index}"), 1, &[])));
    batch.push(product("taker", 1, &giver[1..]));
    let outcomes = store.put(batch).await.unwrap();
    assert_eq!(outcomes[0], taken("given/1", "giver"), "it was not free yet");
    assert!(outcomes[1..].iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(owner(&store, "given/1").await, Some(ProductId::derived("taker")));
    assert_eq!(store.count().await, Ok(103 - 1));
}

#[tokio::test]
async fn a_product_that_fits_in_no_item_is_refused() {
    let server = in_process();
    let (front, store, _) = behind_a_front(&server.endpoint()).await;
    let of = |bytes| Product { description: "x".repeat(bytes), ..product("large", 1, &[]) };
    let refused = put(&store, of(410_000)).await;
    let is_too_large = matches!(refused, Err(ProductStoreError::TooLarge { bytes, limit })
        if bytes > 410_000 && limit < 409_600);
    assert!(is_too_large, "{refused:?}");
    assert_eq!(front.seen(), ["BatchGetItem"], "it is not sent");
    assert_eq!(put(&store, of(400_000)).await, Ok(()));
    assert_eq!(put(&store, product("after", 1, &[])).await, Ok(()));
    // More of them than one answer holds.
    let many =
        (0..60).map(|i| Product { id: ProductId(i), slug: slug(&format!("l-{i}")), ..of(300_000) });
    let many: Vec<_> = many.map(|one| Product { external_id: None, ..one }).collect();
    let outcomes = store.put(many.clone()).await.unwrap();
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let ids: Vec<_> = many.iter().map(|one| one.id).collect();
    let found = store.get_many(&ids).await.unwrap();
    assert!(found.into_iter().eq(many.into_iter().map(Some)), "each in the order asked");
    assert_eq!(store.scan(None, 55).await.unwrap().len(), 55);
    assert_eq!(store.count().await, Ok(62));
}

/// What DynamoDB hands back of a batch is asked for again.
#[tokio::test]
async fn the_rest_of_a_batch_is_asked_for_again() {
    let server = in_process();
    with_tables(&server.endpoint()).await;
    let front = Front::before(&server.endpoint()).await;
    let store = DynamoProductStore::new(client(&front.endpoint()).await);
    let lamps = Collection {
        id: CollectionId(7),
        slug: slug("lamps"),
        title: "Lamps".to_owned(),
        parent: None,
        image: None,
    };
    let item = serde_json::json!({
        "id": {"B": "AAAAAAAAAAAAAAAAAAAABw=="},
        "format": {"N": "1"},
        "document": {"S": serde_json::to_string(&lamps).unwrap()},
    });
    let collections = format!("{}collections", table_prefix());
    let left_over = serde_json::json!({
        "UnprocessedItems": {collections: [{"PutRequest": {"Item": item}}]},
    });
    let mut fates = vec![
        Fate::Refused(400, "ProvisionedThroughputExceededException"),
        Fate::ReplyLost,
        Fate::Answered(left_over.to_string().leak()),
    ];
    front.judge(move |operation| match operation {
        "BatchWriteItem" => fates.pop().unwrap_or(Fate::Pass),
        _ => Fate::Pass,
    });
    store.put_collections(vec![lamps.clone()]).await.unwrap();
    let writes = front.seen().iter().filter(|one| *one == "BatchWriteItem").count();
    assert_eq!(writes, 4);
    assert_eq!(store.collections().await, Ok(vec![lamps.clone()]));

    let chair = product("chair", 1, &skus("chair", 0..1));
    put(&store, chair.clone()).await.unwrap();
    let unread: &str = serde_json::json!({"Responses": {}, "UnprocessedKeys": {
        format!("{}products", table_prefix()): {"Keys": [key_of(&chair)], "ConsistentRead": true},
    }})
    .to_string()
    .leak();
    drop(front.seen());
    let mut is_first = true;
    front.judge(move |_| match std::mem::take(&mut is_first) {
        true => Fate::Answered(unread),
        false => Fate::Pass,
    });
    assert_eq!(store.get_many(&[chair.id]).await, Ok(vec![Some(chair.clone())]));
    assert_eq!(front.seen(), ["BatchGetItem"; 2]);
    front.judge(|_| Fate::Pass);
    let many: Vec<_> = (0..60)
        .map(|n| Collection {
            id: CollectionId(100 + n),
            slug: slug(&format!("c-{n}")),
            ..lamps.clone()
        })
        .collect();
    store.put_collections(many).await.unwrap();
    assert_eq!(store.collections().await.unwrap().len(), 61, "more than one request holds");
}

/// The key of a product's item as it goes over the wire.
fn key_of(product: &Product) -> serde_json::Value {
    let partition = product.id.0 >> (128 - 6);
    let id = base64::engine::general_purpose::STANDARD.encode(product.id.0.to_be_bytes());
    serde_json::json!({"part": {"N": partition.to_string()}, "id": {"B": id}})
}
