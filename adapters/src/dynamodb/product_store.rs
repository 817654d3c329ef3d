//! The catalog in DynamoDB: products as versioned JSON documents, one item each.
//!
//! Products lie in 64 partitions by the first bits of their ids, and within a partition in the
//! order of their ids: so the whole catalog has an order that can be paged through, and no
//! partition takes all of the load. Their names are items of their own (`product_names`).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use aws_sdk_dynamodb::types::Select;
use barrow_engine::catalog::{Collection, Product, Review, Sku, Slug};
use barrow_engine::ids::{ProductId, ReviewId};
use barrow_engine::ports::{ProductStore, ProductStoreError};
use barrow_engine::time::Timestamp;
use futures::stream::{StreamExt, TryStreamExt};

use super::batch::{read_all, write_all};
use super::client::Dynamo;
use super::errors::fault_of;
use super::items::{Item, id, id_of, item, number, number_of, text, text_of};
use super::product_names::owner_of;
use super::product_write::{Before, Write};
use super::reviews;
use super::tables::{COLLECTIONS, PRODUCTS};
use crate::catalog::document;
use crate::catalog::names::{Name, names_of};

pub(super) const PARTITION: &str = "part";
pub(super) const ID: &str = "id";
pub(super) const VERSION: &str = "version";
const DOCUMENT: &str = "document";
const FORMAT: &str = "format";

/// How many of the id's first bits name the partition. Part of stored keys: it never changes.
const PARTITION_BITS: u32 = 6;
const PARTITIONS: u32 = 1 << PARTITION_BITS;

/// What an item may hold, less its keys and the names of its attributes.
const DOCUMENT_BYTES_MAX: usize = 400 * 1024 - 1_024;

/// Products of one batch that are written at once.
const WRITES_AT_ONCE: usize = 32;

/// Partitions that are read at once.
const PARTITIONS_AT_ONCE: u32 = 16;

pub(super) type Result<T> = std::result::Result<T, ProductStoreError>;

/// Products, collections and reviews.
#[derive(Debug, Clone)]
pub struct DynamoProductStore {
    dynamo: Dynamo,
}

impl DynamoProductStore {
    pub fn new(dynamo: Dynamo) -> DynamoProductStore {
        DynamoProductStore { dynamo }
    }

    /// What is stored of these products.
    async fn read_many(&self, ids: &[ProductId]) -> Result<HashMap<ProductId, Item>> {
        let ids: BTreeSet<ProductId> = ids.iter().copied().collect();
        let keys = ids.into_iter().map(product_key).collect();
        let items = read_all(&self.dynamo, &self.dynamo.table(PRODUCTS.name), keys).await?;
        let by_id = items.into_iter().map(|item| match id_of(&item, ID) {
            Some(id) => Ok((ProductId(id), item)),
            None => Err(ProductStoreError::Damaged("a product's item has no id".to_owned())),
        });
        by_id.collect()
    }

    /// The products of a partition behind `after`, at most `limit`.
    async fn scan_partition(
        &self,
        partition: u32,
        after: Option<ProductId>,
        limit: usize,
    ) -> Result<Vec<Product>> {
        let mut found = Vec::new();
        let mut start = None;
        while found.len() < limit {
            let page = i32::try_from(limit - found.len()).unwrap_or(i32::MAX);
            let query = self.dynamo.reads().query().table_name(self.dynamo.table(PRODUCTS.name));
            let query = query
                .expression_attribute_names("#part", PARTITION)
                .expression_attribute_values(":part", number(partition))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .limit(page);
            let query = match after {
                None => query.key_condition_expression("#part = :part"),
                Some(after) => query
                    .key_condition_expression("#part = :part AND #id > :after")
                    .expression_attribute_names("#id", ID)
                    .expression_attribute_values(":after", id(after.0)),
            };
            let answer = query.send().await.map_err(|error| fault_of(&error))?;
            for item in answer.items() {
                found.push(decode_product(item)?);
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        Ok(found)
    }

    async fn count_partition(&self, partition: u32) -> Result<u64> {
        let mut count = 0;
        let mut start = None;
        loop {
            let query = self.dynamo.reads().query().table_name(self.dynamo.table(PRODUCTS.name));
            let query = query
                .key_condition_expression("#part = :part")
                .expression_attribute_names("#part", PARTITION)
                .expression_attribute_values(":part", number(partition))
                .consistent_read(true)
                .select(Select::Count)
                .set_exclusive_start_key(start);
            let answer = query.send().await.map_err(|error| fault_of(&error))?;
            count += u64::try_from(answer.count).unwrap_or(0);
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(count);
            }
        }
    }
}

#[async_trait]
impl ProductStore for DynamoProductStore {
    async fn get(&self, id: ProductId) -> Result<Option<Product>> {
        read_product(&self.dynamo, id).await
    }

    async fn get_many(&self, ids: &[ProductId]) -> Result<Vec<Option<Product>>> {
        let found = self.read_many(ids).await?;
        ids.iter().map(|id| found.get(id).map(decode_product).transpose()).collect()
    }

    async fn by_slug(&self, slug: &Slug) -> Result<Option<ProductId>> {
        owner_of(&self.dynamo, &Name::slug(slug)).await
    }

    async fn by_sku(&self, sku: &Sku) -> Result<Option<ProductId>> {
        owner_of(&self.dynamo, &Name::sku(sku)).await
    }

    async fn by_external_id(&self, id: &str) -> Result<Option<ProductId>> {
        owner_of(&self.dynamo, &Name::external_id(id)).await
    }

    async fn put(&self, products: Vec<Product>) -> Result<Vec<Result<()>>> {
        let ids: Vec<ProductId> = products.iter().map(|product| product.id).collect();
        let stored = self.read_many(&ids).await?;
        let chains = futures::stream::iter(chains(&products, &stored))
            .map(|chain| put_chain(&self.dynamo, &products, chain, &stored));
        let outcomes: Vec<Vec<_>> = chains.buffer_unordered(WRITES_AT_ONCE).collect().await;
        let outcomes: BTreeMap<usize, Result<()>> = outcomes.into_iter().flatten().collect();
        Ok(outcomes.into_values().collect())
    }

    /// One partition is asked first, then two, four, and so on: where there are many products,
    /// one holds the page; where there are few, the empty ones are soon behind.
    async fn scan(&self, after: Option<ProductId>, limit: usize) -> Result<Vec<Product>> {
        let mut found = Vec::new();
        let mut next = after.map_or(0, partition_of);
        let mut at_once = 1;
        while found.len() < limit && next < PARTITIONS {
            let some = next..(next + at_once).min(PARTITIONS);
            next = some.end;
            at_once = (at_once * 2).min(PARTITIONS_AT_ONCE);
            let missing = limit - found.len();
            let pages = some.map(|partition| self.scan_partition(partition, after, missing));
            for page in futures::future::try_join_all(pages).await? {
                found.extend(page);
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    async fn collections(&self) -> Result<Vec<Collection>> {
        let scan = self.dynamo.reads().scan().table_name(self.dynamo.table(COLLECTIONS.name));
        let mut pages = scan.consistent_read(true).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| fault_of(&error))?;
            for item in page.items() {
                found.push(decode_document(item, "collection")?);
            }
        }
        Ok(found)
    }

    async fn put_collections(&self, collections: Vec<Collection>) -> Result<()> {
        // Of several with one id the last holds.
        let newest: BTreeMap<_, _> = collections.iter().map(|one| (one.id, one)).collect();
        let items = newest.into_values().map(|collection| {
            let mut item = item([(ID, id(collection.id.0))]);
            insert_document(&mut item, &encode_document(collection)?);
            Ok(item)
        });
        let items = items.collect::<Result<Vec<Item>>>()?;
        Ok(write_all(&self.dynamo, &self.dynamo.table(COLLECTIONS.name), items).await?)
    }

    async fn reviews(
        &self,
        product: ProductId,
        after: Option<(Timestamp, ReviewId)>,
        limit: usize,
    ) -> Result<Vec<Review>> {
        reviews::read(&self.dynamo, product, after, limit).await
    }

    async fn put_reviews(&self, reviews: Vec<Review>) -> Result<()> {
        reviews::write(&self.dynamo, reviews).await
    }

    /// Reads all products, which costs as much as to read them: it is for operators.
    async fn count(&self) -> Result<u64> {
        let counts = (0..PARTITIONS).map(|partition| self.count_partition(partition));
        let counts = futures::stream::iter(counts).buffer_unordered(PARTITIONS_AT_ONCE as usize);
        counts.try_fold(0, async |sum, count| Ok(sum + count)).await
    }
}

/// Writes some products of a batch, one after the other.
async fn put_chain(
    dynamo: &Dynamo,
    products: &[Product],
    chain: Vec<usize>,
    stored: &HashMap<ProductId, Item>,
) -> Vec<(usize, Result<()>)> {
    let mut outcomes = Vec::with_capacity(chain.len());
    let mut changed = BTreeSet::new();
    for index in chain {
        let product = &products[index];
        // What was read for the batch is news for the first change of a product only.
        let before = if changed.insert(product.id) {
            let stored = stored.get(&product.id).map(decode_product).transpose();
            stored.map(|stored| Before::Read(stored.map(Box::new)))
        } else {
            Ok(Before::Unread)
        };
        let outcome = match before {
            Ok(before) => put_one(dynamo, product, before).await,
            Err(damaged) => Err(damaged),
        };
        outcomes.push((index, outcome));
    }
    outcomes
}

async fn put_one(dynamo: &Dynamo, product: &Product, before: Before) -> Result<()> {
    let document = encode_document(product)?;
    Write::new(dynamo, product, document).run(before).await
}

/// Which products of a batch have to be written one after the other, because they share an id or
/// a name: each chain in the order of the batch. Different chains have nothing in common.
fn chains(products: &[Product], stored: &HashMap<ProductId, Item>) -> Vec<Vec<usize>> {
    let mut chains: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut chain_of_id: HashMap<ProductId, usize> = HashMap::new();
    let mut chain_of_name: HashMap<Name, usize> = HashMap::new();
    for (index, product) in products.iter().enumerate() {
        let mut names = names_of(product);
        if let Some(Ok(before)) = stored.get(&product.id).map(decode_product) {
            // A name that this one gives away may be taken by a later one.
            names.extend(names_of(&before));
        }
        let of_names = names.iter().filter_map(|name| chain_of_name.get(name).copied());
        let joined: BTreeSet<usize> =
            of_names.chain(chain_of_id.get(&product.id).copied()).collect();
        let mut chain: Vec<usize> =
            joined.iter().filter_map(|joined| chains.remove(joined)).flatten().collect();
        chain.push(index);
        chain.sort_unstable();
        if !joined.is_empty() {
            let members = chain_of_name.values_mut().chain(chain_of_id.values_mut());
            members.filter(|member| joined.contains(member)).for_each(|member| *member = index);
        }
        chain_of_id.insert(product.id, index);
        chain_of_name.extend(names.into_iter().map(|name| (name, index)));
        chains.insert(index, chain);
    }
    chains.into_values().collect()
}

fn partition_of(id: ProductId) -> u32 {
    (id.0 >> (u128::BITS - PARTITION_BITS)) as u32
}

pub(super) fn product_key(product: ProductId) -> Item {
    item([(PARTITION, number(partition_of(product))), (ID, id(product.0))])
}

pub(super) fn product_item(product: &Product, document: &str) -> Item {
    let mut item = product_key(product.id);
    item.insert(VERSION.to_owned(), number(product.version));
    insert_document(&mut item, document);
    item
}

pub(super) async fn read_product(dynamo: &Dynamo, id: ProductId) -> Result<Option<Product>> {
    let get = dynamo.reads().get_item().table_name(dynamo.table(PRODUCTS.name));
    let get = get.set_key(Some(product_key(id))).consistent_read(true);
    let answer = get.send().await.map_err(|error| fault_of(&error))?;
    answer.item.as_ref().map(decode_product).transpose()
}

fn decode_product(item: &Item) -> Result<Product> {
    decode_document(item, "product")
}

/// The document as an item holds it, or why no item can.
pub(super) fn encode_document<T: serde::Serialize>(document: &T) -> Result<String> {
    let json = document::to_json(document)?;
    match json.len() {
        bytes if bytes > DOCUMENT_BYTES_MAX => {
            Err(ProductStoreError::TooLarge { bytes, limit: DOCUMENT_BYTES_MAX })
        }
        _ => Ok(json),
    }
}

/// Puts a document into its item, with the number of its form beside it.
pub(super) fn insert_document(item: &mut Item, document: &str) {
    item.insert(FORMAT.to_owned(), number(document::FORMAT));
    item.insert(DOCUMENT.to_owned(), text(document));
}

pub(super) fn decode_document<T: serde::de::DeserializeOwned>(
    item: &Item,
    what: &str,
) -> Result<T> {
    let json = text_of(item, DOCUMENT).ok_or_else(|| {
        ProductStoreError::Damaged(format!("the item of a {what} has no document"))
    })?;
    let format = number_of(item, FORMAT).ok_or_else(|| {
        ProductStoreError::Damaged(format!("the item of a {what} does not tell its format"))
    })?;
    document::from_json(format, json.as_bytes(), what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrow_engine::ids::CollectionId;

    /// The stored form is fixed: what older builds wrote must stay readable, and what a newer
    /// one wrote must not be taken for something else.
    #[test]
    fn a_document_tells_its_format() {
        let collection = Collection {
            id: CollectionId(7),
            slug: Slug::new("chairs").unwrap(),
            title: "Chairs".to_owned(),
            parent: None,
            image: None,
        };
        let mut stored = item([]);
        insert_document(&mut stored, &encode_document(&collection).unwrap());
        assert_eq!(number_of::<u8>(&stored, "format"), Some(1));
        let read = |item: &Item| decode_document::<Collection>(item, "collection");
        assert_eq!(read(&stored), Ok(collection));
        for format in [Some("2"), None] {
            stored.remove("format");
            stored.extend(format.map(|format| ("format".to_owned(), number(format))));
            assert!(matches!(read(&stored), Err(ProductStoreError::Damaged(_))), "{format:?}");
        }
    }
}
