//! Rows that nobody needs any more: the table's TTL is turned on, each way of writing says when
//! a row expires, and the server removes it.

use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, TimeToLiveSpecification};
use barrow_adapters::dynamodb::DynamoEntityStore;
use barrow_adapters::dynamodb::tables::{Step, TABLES, create, plan};
use barrow_engine::ports::{CasOutcome, EntityStore, Expected, Row};
use barrow_engine::time::Timestamp;
use barrow_servers::{ACCESS_KEY, REGION, SECRET_KEY};

use super::entities::{behind_a_front, key, present, row};
use super::front::{Fate, Front};
use super::{client, in_process, local, table_prefix, with_tables};
use crate::support::eventually;

/// In a hundred years: nothing that is on the way to be removed.
const LATER: Timestamp = Timestamp(4_800_000_000_001);

fn entities() -> String {
    format!("{}entities", table_prefix())
}

/// The SDK, past the adapter.
async fn sdk(url: &str) -> Client {
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "named in full");
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(url)
        .region(Region::new(REGION))
        .credentials_provider(credentials);
    Client::new(&loader.load().await)
}

async fn turn(sdk: &Client, attribute: &str, enabled: bool) {
    let wanted = TimeToLiveSpecification::builder().attribute_name(attribute).enabled(enabled);
    let wanted = wanted.build().unwrap();
    let update = sdk.update_time_to_live().table_name(entities());
    update.time_to_live_specification(wanted).send().await.unwrap();
}

/// Of that table: the attribute by which its items expire.
async fn attribute_of(sdk: &Client, table: &str) -> Option<String> {
    let answer = sdk.describe_time_to_live().table_name(table).send().await.unwrap();
    answer.time_to_live_description.and_then(|found| found.attribute_name)
}

async fn check_setup(url: &str) {
    let (dynamo, sdk) = (with_tables(url).await, sdk(url).await);
    for table in TABLES {
        let found = attribute_of(&sdk, &format!("{}{}", table_prefix(), table.name)).await;
        let expected = (table.name == "entities").then_some("x");
        assert_eq!(found.as_deref(), expected, "{}", table.name);
    }
    assert_eq!(plan(&dynamo).await, Ok(vec![]));
    turn(&sdk, "x", false).await;
    let missing = vec![Step::EnableTtl { table: entities(), attribute: "x" }];
    assert_eq!(plan(&dynamo).await, Ok(missing.clone()));
    assert_eq!(attribute_of(&sdk, &entities()).await, None, "a plan changes nothing");
    assert_eq!(create(&dynamo).await, Ok(missing), "what was planned is done");
    assert_eq!(attribute_of(&sdk, &entities()).await.as_deref(), Some("x"));
    assert_eq!(plan(&dynamo).await, Ok(vec![]));

    turn(&sdk, "x", false).await;
    turn(&sdk, "other", true).await;
    let found = create(&dynamo).await.unwrap();
    let [Step::Differs { table, how }] = &found[..] else { panic!("{found:?}") };
    assert_eq!(*table, entities());
    assert!(how.contains("'other' instead of 'x'"), "{how}");
    let still = attribute_of(&sdk, &entities()).await;
    assert_eq!(still.as_deref(), Some("other"), "what somebody wanted stays as it is");
}

/// Two processes set up at once: the second is refused what the first has done.
async fn check_setup_beside_another(url: &str) {
    with_tables(url).await;
    turn(&sdk(url).await, "x", false).await;
    let front = Front::before(url).await;
    let mut replies_lost = 1;
    front.judge(move |operation| match operation {
        "UpdateTimeToLive" if replies_lost > 0 => {
            replies_lost -= 1;
            Fate::ReplyLost
        }
        _ => Fate::Pass,
    });
    let dynamo = client(&front.endpoint()).await;
    let done = vec![Step::EnableTtl { table: entities(), attribute: "x" }];
    assert_eq!(create(&dynamo).await, Ok(done));
    let updates = front.seen().into_iter().filter(|one| one == "UpdateTimeToLive").count();
    assert_eq!(updates, 2, "the second came after it was on");
    assert_eq!(plan(&dynamo).await, Ok(vec![]));
}

/// A server that imitates DynamoDB and knows no TTL is set up all the same, and it is said.
#[tokio::test]
async fn a_server_without_ttl_is_set_up_and_told_of() {
    let server = in_process();
    let front = Front::before(&server.endpoint()).await;
    front.judge(|operation| match operation {
        "DescribeTimeToLive" | "UpdateTimeToLive" => {
            Fate::Refused(400, "UnknownOperationException")
        }
        _ => Fate::Pass,
    });
    let dynamo = client(&front.endpoint()).await;
    create(&dynamo).await.unwrap();
    let found = plan(&dynamo).await.unwrap();
    let [Step::Differs { how, .. }] = &found[..] else { panic!("{found:?}") };
    assert!(how.contains("knows no TTL"), "{how}");
    let store = DynamoEntityStore::new(dynamo);
    let expiring = Row { expires: Some(LATER), ..row(1, 1, None) };
    assert_eq!(store.cas(key(1), Expected::Absent, expiring).await, Ok(CasOutcome::Written));
}

/// What DynamoDB goes by, in seconds.
async fn stored(sdk: &Client, id: u128) -> Option<String> {
    let key = AttributeValue::B(Blob::new(key(id).to_bytes()));
    let get = sdk.get_item().table_name(entities()).key("k", key).consistent_read(true);
    let item = get.send().await.unwrap().item.expect("the row is there");
    item.get("x").map(|value| value.as_n().unwrap().clone())
}

/// Alone and among others: a write says when its row expires, and the next one takes it back.
async fn check_writes(url: &str) {
    let (front, _) = behind_a_front(url).await;
    let store = Arc::new(DynamoEntityStore::bounded(client(&front.endpoint()).await, 1));
    let sdk = sdk(url).await;
    let expiring = |row: Row, yes: bool| Row { expires: yes.then_some(LATER), ..row };
    let seconds = |yes: bool| yes.then(|| "4800000001".to_owned());
    // The first goes alone each time, the others share a request.
    for (version, flip) in [(1, true), (2, false), (3, true)] {
        front.judge(move |operation| match operation {
            "PutItem" if version > 1 => Fate::Held,
            _ => Fate::Pass,
        });
        front.seen();
        let held = front.waiting();
        let mut writes = Vec::new();
        for id in 0..5u128 {
            let expected = match version {
                1 => Expected::Absent,
                _ => present(&row(version - 1, id, None)),
            };
            let next = expiring(row(version, id, None), id.is_multiple_of(2) == flip);
            let store = Arc::clone(&store);
            writes.push(tokio::spawn(async move { store.cas(key(id), expected, next).await }));
            if id == 0 && version > 1 {
                front.until_waiting(held + 1).await;
            }
        }
        if version > 1 {
            tokio::task::yield_now().await;
            front.release();
        }
        for write in writes {
            assert_eq!(write.await.unwrap(), Ok(CasOutcome::Written));
        }
        if version > 1 {
            assert_eq!(front.seen(), ["PutItem", "BatchExecuteStatement"]);
        }
        for id in 0..5 {
            assert_eq!(stored(&sdk, id).await, seconds(id.is_multiple_of(2) == flip), "{id}");
            assert_eq!(store.load(key(id)).await, Ok(Some(row(version, id, None))));
        }
    }
}

#[tokio::test]
async fn ttl_in_process() {
    let server = in_process();
    check_setup(&server.endpoint()).await;
}

#[tokio::test]
async fn ttl_beside_another_in_process() {
    check_setup_beside_another(&in_process().endpoint()).await;
}

#[tokio::test]
async fn expiring_writes_in_process() {
    check_writes(&in_process().endpoint()).await;
}

#[tokio::test]
async fn ttl_against_dynamodb_local() {
    let Some(server) = local() else { return };
    check_setup(&server.endpoint()).await;
}

/// Here the second update is refused: the TTL is on already.
#[tokio::test]
async fn ttl_beside_another_against_dynamodb_local() {
    let Some(server) = local() else { return };
    check_setup_beside_another(&server.endpoint()).await;
}

#[tokio::test]
async fn expiring_writes_against_dynamodb_local() {
    let Some(server) = local() else { return };
    check_writes(&server.endpoint()).await;
}

/// DynamoDB itself takes days for it, DynamoDB Local some seconds.
#[tokio::test]
async fn an_expired_row_goes_by_itself_and_its_neighbours_stay() {
    let Some(server) = local() else { return };
    let store = DynamoEntityStore::new(with_tables(&server.endpoint()).await);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    // What expired more than five years ago would never go.
    let an_hour_ago = Timestamp((now - Duration::from_secs(3_600)).as_millis() as i64);
    let kept = [row(1, 1, Some(5)), Row { expires: Some(LATER), ..row(1, 2, None) }];
    let expired = Row { expires: Some(an_hour_ago), ..row(1, 3, Some(5)) };
    for (row, id) in kept.iter().chain([&expired]).zip(1..) {
        let written = store.cas(key(id), Expected::Absent, row.clone()).await;
        assert_eq!(written, Ok(CasOutcome::Written));
    }
    let gone = || async { store.load(key(3)).await.unwrap().is_none() };
    eventually(Duration::from_secs(60), "the expired row is gone", gone).await;
    assert!(store.load(key(1)).await.unwrap().is_some());
    assert!(store.load(key(2)).await.unwrap().is_some());
    let due = store.due(&[key(3).shard()], Timestamp(5), 1_000).await.unwrap();
    assert!(due.iter().all(|entity| entity.key != key(3)), "it is due no more");
    let stale = store.cas(key(3), present(&expired), row(2, 4, None)).await;
    assert_eq!(stale, Ok(CasOutcome::Conflict(None)), "who still has it is told that it is gone");
}
