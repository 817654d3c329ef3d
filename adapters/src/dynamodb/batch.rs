//! Many items in few requests. DynamoDB does as much of a batch as it can and hands the rest
//! back; the rest is asked for again, after a wait that grows and is never the same for two.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::{KeysAndAttributes, PutRequest, WriteRequest};
use barrow_engine::ports::Entropy;
use futures::stream::{StreamExt, TryStreamExt};

use super::client::Dynamo;
use super::errors::{Fault, fault_of};
use super::items::Item;
use crate::host::SystemEntropy;

/// What one request may read, and write.
const READ_MAX: usize = 100;
const WRITE_MAX: usize = 25;

/// Requests of one call in flight.
const AT_ONCE: usize = 8;

/// How often it is tried; the waits come to some five seconds at most.
pub(super) const ATTEMPTS_MAX: u32 = 10;

const DELAY_FIRST: Duration = Duration::from_millis(20);
const DELAY_MAX: Duration = Duration::from_secs(1);

/// Waits before the attempt of that number; before the first (0) not at all.
pub(super) async fn pause(attempt: u32) {
    if attempt == 0 {
        return;
    }
    let longest = DELAY_FIRST.saturating_mul(2u32.saturating_pow(attempt - 1)).min(DELAY_MAX);
    let longest_us = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
    let delay = Duration::from_micros(SystemEntropy.next_u64() % longest_us.saturating_add(1));
    tokio::time::sleep(delay).await;
}

/// The items of these keys, each asked once, in no order; those that are missing are left out.
/// They are as of the moment, not of some time ago.
pub(super) async fn read_all(
    dynamo: &Dynamo,
    table: &str,
    keys: Vec<Item>,
) -> Result<Vec<Item>, Fault> {
    let chunks: Vec<Vec<Item>> = keys.chunks(READ_MAX).map(<[Item]>::to_vec).collect();
    let read = futures::stream::iter(chunks).map(|chunk| read_chunk(dynamo, table, chunk));
    let found: Vec<Vec<Item>> = read.buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn read_chunk(dynamo: &Dynamo, table: &str, keys: Vec<Item>) -> Result<Vec<Item>, Fault> {
    let mut found = Vec::with_capacity(keys.len());
    let mut rest = keys;
    let mut attempt = 0;
    loop {
        pause(attempt).await;
        let asked = rest.len();
        let wanted = KeysAndAttributes::builder().set_keys(Some(rest)).consistent_read(true);
        let wanted = wanted.build().expect("the keys are set");
        let answer = dynamo.reads().batch_get_item().request_items(table, wanted).send().await;
        let mut answer = answer.map_err(|error| fault_of(&error))?;
        found.extend(
            answer.responses.as_mut().and_then(|all| all.remove(table)).unwrap_or_default(),
        );
        let left = answer.unprocessed_keys.and_then(|mut left| left.remove(table));
        rest = left.map(|left| left.keys).unwrap_or_default();
        if rest.is_empty() {
            return Ok(found);
        }
        // A page of large items is cut by its bytes, which is no sign of load.
        attempt = if rest.len() < asked { 0 } else { attempt + 1 };
        if attempt == ATTEMPTS_MAX {
            return Err(Fault::Throttled);
        }
    }
}

/// Writes items, each of another key, whatever is there. It may be repeated at will.
pub(super) async fn write_all(dynamo: &Dynamo, table: &str, items: Vec<Item>) -> Result<(), Fault> {
    let put = |item: Item| {
        let put = PutRequest::builder().set_item(Some(item)).build().expect("the item is set");
        WriteRequest::builder().put_request(put).build()
    };
    let requests: Vec<WriteRequest> = items.into_iter().map(put).collect();
    let chunks: Vec<Vec<WriteRequest>> =
        requests.chunks(WRITE_MAX).map(<[WriteRequest]>::to_vec).collect();
    let written = futures::stream::iter(chunks).map(|chunk| write_chunk(dynamo, table, chunk));
    written.buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    Ok(())
}

async fn write_chunk(
    dynamo: &Dynamo,
    table: &str,
    requests: Vec<WriteRequest>,
) -> Result<(), Fault> {
    let mut rest = requests;
    let mut last = Fault::Throttled;
    for attempt in 0..ATTEMPTS_MAX {
        pause(attempt).await;
        let all = HashMap::from([(table.to_owned(), rest.clone())]);
        match dynamo.writes().batch_write_item().set_request_items(Some(all)).send().await {
            Ok(answer) => {
                rest =
                    answer.unprocessed_items.and_then(|mut l| l.remove(table)).unwrap_or_default();
                last = Fault::Throttled;
            }
            Err(error) => match fault_of(&error) {
                fault @ Fault::NotWritten(_) => return Err(fault),
                fault => last = fault,
            },
        }
        if rest.is_empty() {
            return Ok(());
        }
    }
    Err(last)
}
