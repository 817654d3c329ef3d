//! Reviews, newest first for each product.
//!
//! A review lies under its product, at a place made of whether it is published, its time counted
//! backwards, and its id. A second table remembers the place of each id, so that a review that
//! changes leaves its old place; both change in one transaction.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, TransactWriteItem};
use barrow_engine::catalog::{Review, ReviewStatus};
use barrow_engine::ids::{ProductId, ReviewId};
use barrow_engine::ports::ProductStoreError;
use barrow_engine::time::Timestamp;
use futures::stream::{StreamExt, TryStreamExt};

use super::batch::{ATTEMPTS_MAX, pause, read_all};
use super::client::Dynamo;
use super::errors::{Fault, fault_of};
use super::items::{Item, binary, binary_of, id, id_of, item};
use super::product_store::{Result, decode_document, encode_document, insert_document};
use super::tables::{REVIEW_PLACES, REVIEWS};

pub(super) const PRODUCT: &str = "product";
pub(super) const PLACE: &str = "place";
pub(super) const ID: &str = "id";

const PUBLISHED: u8 = 0;
const HIDDEN: u8 = 1;

/// Reviews in one transaction: each takes up to three of its hundred actions.
const REVIEWS_AT_ONCE: usize = 33;

/// Transactions of one call in flight.
const TRANSACTIONS_AT_ONCE: usize = 4;

/// Shelf, time, id.
type Place = [u8; 1 + 8 + 16];

fn place(shelf: u8, created_at: Timestamp, id: ReviewId) -> Place {
    let mut place = [0; _];
    place[0] = shelf;
    // The sign bit turned makes the order that of unsigned numbers; all bits turned reverses it.
    let backwards = !((created_at.as_millis() as u64) ^ (1 << 63));
    place[1..9].copy_from_slice(&backwards.to_be_bytes());
    place[9..].copy_from_slice(&id.0.to_be_bytes());
    place
}

fn place_of(review: &Review) -> Place {
    let is_published = review.status == ReviewStatus::Published;
    place(if is_published { PUBLISHED } else { HIDDEN }, review.created_at, review.id)
}

/// The next place in order, as numbers are counted up.
fn behind(mut place: Place) -> Place {
    for byte in place.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            break;
        }
    }
    place
}

pub(super) async fn read(
    dynamo: &Dynamo,
    product: ProductId,
    after: Option<(Timestamp, ReviewId)>,
    limit: usize,
) -> Result<Vec<Review>> {
    let first = match after {
        None => place(PUBLISHED, Timestamp::MAX, ReviewId(0)),
        Some((created_at, id)) => behind(place(PUBLISHED, created_at, id)),
    };
    let last = place(PUBLISHED, Timestamp::MIN, ReviewId(u128::MAX));
    if first > last {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let mut start = None;
    while found.len() < limit {
        let query = dynamo.reads().query().table_name(dynamo.table(REVIEWS.name));
        let query = query
            .key_condition_expression("#product = :product AND #place BETWEEN :first AND :last")
            .expression_attribute_names("#product", PRODUCT)
            .expression_attribute_names("#place", PLACE)
            .expression_attribute_values(":product", id(product.0))
            .expression_attribute_values(":first", binary(first))
            .expression_attribute_values(":last", binary(last))
            .consistent_read(true)
            .set_exclusive_start_key(start)
            .limit(i32::try_from(limit - found.len()).unwrap_or(i32::MAX));
        let answer = query.send().await.map_err(|error| fault_of(&error))?;
        for item in answer.items() {
            found.push(decode_document(item, "review")?);
        }
        start = answer.last_evaluated_key;
        if start.is_none() {
            break;
        }
    }
    Ok(found)
}

pub(super) async fn write(dynamo: &Dynamo, reviews: Vec<Review>) -> Result<()> {
    // Of several with one id the last holds.
    let newest: HashMap<ReviewId, Review> = reviews.into_iter().map(|r| (r.id, r)).collect();
    let newest: Vec<Review> = newest.into_values().collect();
    let chunks: Vec<_> =
        newest.chunks(REVIEWS_AT_ONCE).map(|some| write_some(dynamo, some)).collect();
    let written = futures::stream::iter(chunks).buffer_unordered(TRANSACTIONS_AT_ONCE);
    written.try_collect::<Vec<()>>().await?;
    Ok(())
}

async fn write_some(dynamo: &Dynamo, reviews: &[Review]) -> Result<()> {
    let mut last = Fault::Busy;
    for attempt in 0..ATTEMPTS_MAX {
        pause(attempt).await;
        let keys = reviews.iter().map(|review| item([(ID, id(review.id.0))])).collect();
        let before = read_all(dynamo, &dynamo.table(REVIEW_PLACES.name), keys).await?;
        let before: HashMap<u128, Item> =
            before.into_iter().filter_map(|item| Some((id_of(&item, ID)?, item))).collect();
        let mut actions = Vec::new();
        for review in reviews {
            actions.extend(actions_of(dynamo, review, before.get(&review.id.0))?);
        }
        let request = dynamo.writes().transact_write_items().set_transact_items(Some(actions));
        match request.send().await {
            Ok(_) => return Ok(()),
            // A review moved meanwhile, or DynamoDB is busy with it.
            Err(SdkError::ServiceError(refused)) if is_contention(refused.err()) => {}
            Err(error) => match fault_of(&error) {
                Fault::NotWritten(text) => return Err(ProductStoreError::Unavailable(text)),
                // Repeated, it writes the same.
                fault => last = fault,
            },
        }
    }
    Err(last.into())
}

fn is_contention(error: &TransactWriteItemsError) -> bool {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
        return error.is_transaction_in_progress_exception();
    };
    let invalid = cancelled.cancellation_reasons().iter();
    !invalid.filter_map(|reason| reason.code()).any(|code| code == "ValidationError")
}

fn actions_of(
    dynamo: &Dynamo,
    review: &Review,
    before: Option<&Item>,
) -> Result<Vec<TransactWriteItem>> {
    let key = item([(PRODUCT, id(review.product_id.0)), (PLACE, binary(place_of(review)))]);
    let mut pointer = key.clone();
    pointer.insert(ID.to_owned(), id(review.id.0));
    let mut document = key.clone();
    insert_document(&mut document, &encode_document(review)?);
    let mut actions = vec![put(dynamo.table(REVIEWS.name), document)];
    match before {
        Some(before) if *before == pointer => actions.push(stays(dynamo, before)),
        before => {
            actions.push(point(dynamo, pointer, before));
            actions.extend(before.map(|before| leave(dynamo, before)));
        }
    }
    Ok(actions)
}

const IS_AS_BEFORE: &str = "#product = :product AND #place = :place";

fn names() -> HashMap<String, String> {
    HashMap::from([
        ("#product".to_owned(), PRODUCT.to_owned()),
        ("#place".to_owned(), PLACE.to_owned()),
    ])
}

fn values(before: &Item) -> Item {
    let product = binary_of(before, PRODUCT).unwrap_or_default();
    let place = binary_of(before, PLACE).unwrap_or_default();
    item([(":product", binary(product)), (":place", binary(place))])
}

/// Checks that the review is still at its place.
fn stays(dynamo: &Dynamo, before: &Item) -> TransactWriteItem {
    let check = ConditionCheck::builder()
        .table_name(dynamo.table(REVIEW_PLACES.name))
        .key(ID, before[ID].clone())
        .condition_expression(IS_AS_BEFORE)
        .set_expression_attribute_names(Some(names()))
        .set_expression_attribute_values(Some(values(before)));
    let check = check.build().expect("table, key and condition are set");
    TransactWriteItem::builder().condition_check(check).build()
}

/// Points the id to its new place, if it is where it was.
fn point(dynamo: &Dynamo, pointer: Item, before: Option<&Item>) -> TransactWriteItem {
    let put = Put::builder().table_name(dynamo.table(REVIEW_PLACES.name)).set_item(Some(pointer));
    let put = match before {
        None => put
            .condition_expression("attribute_not_exists(#id)")
            .expression_attribute_names("#id", ID),
        Some(before) => put
            .condition_expression(IS_AS_BEFORE)
            .set_expression_attribute_names(Some(names()))
            .set_expression_attribute_values(Some(values(before))),
    };
    let put = put.build().expect("table and item are set");
    TransactWriteItem::builder().put(put).build()
}

fn leave(dynamo: &Dynamo, before: &Item) -> TransactWriteItem {
    let mut key = before.clone();
    key.remove(ID);
    let delete = Delete::builder().table_name(dynamo.table(REVIEWS.name)).set_key(Some(key));
    let delete = delete.build().expect("table and key are set");
    TransactWriteItem::builder().delete(delete).build()
}

fn put(table: String, item: Item) -> TransactWriteItem {
    let put = Put::builder().table_name(table).set_item(Some(item));
    TransactWriteItem::builder().put(put.build().expect("table and item are set")).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_reviews_come_first_and_hidden_ones_behind_all() {
        let times = [Timestamp::MAX, Timestamp(5), Timestamp(0), Timestamp(-5), Timestamp::MIN];
        let places = times.map(|time| place(PUBLISHED, time, ReviewId(7)));
        assert!(places.is_sorted_by(|a, b| a < b));
        assert!(place(HIDDEN, Timestamp::MAX, ReviewId(0)) > places[4]);
    }

    #[test]
    fn behind_a_place_comes_the_next() {
        let first = place(PUBLISHED, Timestamp(5), ReviewId(u128::MAX));
        assert_eq!(behind(first), place(PUBLISHED, Timestamp(4), ReviewId(0)));
        let last = place(PUBLISHED, Timestamp::MIN, ReviewId(u128::MAX));
        assert!(behind(last) > last);
    }
}
