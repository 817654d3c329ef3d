//! The catalog in Postgres: products as JSON documents by id, with their version beside them, and
//! a row for each name that leads to one.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use barrow_engine::catalog::{BATCH_MAX, Collection, Product, Review, Sku, Slug};
use barrow_engine::ids::{ProductId, ReviewId};
use barrow_engine::ports::{ProductStore, ProductStoreError};
use barrow_engine::time::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, FromRow};

use super::errors::CallError;
use super::primary::Postgres;
use super::reviews;
use crate::catalog::document;
use crate::catalog::names::{Name, names_of};
use crate::catalog::plan::{Plan, Stored};

type Result<T> = std::result::Result<T, ProductStoreError>;
type Answer<T> = std::result::Result<T, sqlx::Error>;

/// The lock of whoever writes products: a batch is checked against what is stored, and nobody may
/// change that meanwhile. Staff and imports write; shoppers never wait for it.
const WRITER: i64 = 0x6261_7272_6f77_0001;

/// Products, collections and reviews.
pub struct PostgresProductStore {
    postgres: Postgres,
}

impl PostgresProductStore {
    pub fn new(postgres: &Postgres) -> PostgresProductStore {
        PostgresProductStore { postgres: postgres.clone() }
    }

    async fn owner(&self, name: &Name) -> Result<Option<ProductId>> {
        let found = self.postgres.call(async |connection| owners(connection, &[name]).await).await;
        Ok(found.map_err(unavailable)?.into_values().next())
    }

    async fn put_batch(&self, products: Vec<Product>) -> Result<Vec<Result<()>>> {
        let put = async |connection: &mut PgConnection| put(connection, products).await;
        let put = self.postgres.call_batch(put).await;
        put.map_err(unavailable)?
    }
}

pub(super) fn unavailable(error: CallError) -> ProductStoreError {
    ProductStoreError::Unavailable(error.to_string())
}

/// A stored document.
#[derive(FromRow)]
pub(super) struct Document {
    format: i16,
    document: String,
}

impl Document {
    pub fn decode<T: DeserializeOwned>(&self, what: &str) -> Result<T> {
        let format = u8::try_from(self.format).unwrap_or(u8::MAX);
        document::from_json(format, self.document.as_bytes(), what)
    }
}

#[async_trait]
impl ProductStore for PostgresProductStore {
    async fn get(&self, id: ProductId) -> Result<Option<Product>> {
        Ok(self.get_many(&[id]).await?.pop().flatten())
    }

    async fn get_many(&self, ids: &[ProductId]) -> Result<Vec<Option<Product>>> {
        let found = self.postgres.call(async |connection| products(connection, ids).await).await;
        let found = found.map_err(unavailable)??;
        Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
    }

    async fn by_slug(&self, slug: &Slug) -> Result<Option<ProductId>> {
        self.owner(&Name::slug(slug)).await
    }

    async fn by_sku(&self, sku: &Sku) -> Result<Option<ProductId>> {
        self.owner(&Name::sku(sku)).await
    }

    async fn by_external_id(&self, id: &str) -> Result<Option<ProductId>> {
        self.owner(&Name::external_id(id)).await
    }

    async fn put(&self, products: Vec<Product>) -> Result<Vec<Result<()>>> {
        let mut outcomes = Vec::with_capacity(products.len());
        let mut products = products.into_iter().peekable();
        while products.peek().is_some() {
            let batch = products.by_ref().take(BATCH_MAX).collect();
            outcomes.extend(self.put_batch(batch).await?);
        }
        Ok(outcomes)
    }

    async fn scan(&self, after: Option<ProductId>, limit: usize) -> Result<Vec<Product>> {
        const SCAN: &str = "SELECT format, document::text FROM product
            WHERE $1::bytea IS NULL OR id > $1 ORDER BY id LIMIT $2";
        let after = after.map(|id| id.0.to_be_bytes());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let found: std::result::Result<Vec<Document>, _> = self
            .postgres
            .call(async |connection| {
                sqlx::query_as(SCAN).bind(after).bind(limit).fetch_all(connection).await
            })
            .await;
        found.map_err(unavailable)?.into_iter().map(|found| found.decode("product")).collect()
    }

    async fn collections(&self) -> Result<Vec<Collection>> {
        const ALL: &str = "SELECT format, document::text FROM collection ORDER BY id";
        let found: std::result::Result<Vec<Document>, _> = self
            .postgres
            .call(async |connection| sqlx::query_as(ALL).fetch_all(connection).await)
            .await;
        found.map_err(unavailable)?.into_iter().map(|found| found.decode("collection")).collect()
    }

    async fn put_collections(&self, collections: Vec<Collection>) -> Result<()> {
        const WRITE: &str = "INSERT INTO collection (id, format, document)
            SELECT id, $2, document::json FROM unnest($1::bytea[], $3::text[]) AS w (id, document)
            ON CONFLICT (id) DO UPDATE SET format = EXCLUDED.format, document = EXCLUDED.document";
        // Of several with one id the last holds.
        let newest: HashMap<_, _> = collections.iter().map(|c| (c.id, c)).collect();
        let ids: Vec<_> = newest.keys().map(|id| id.0.to_be_bytes()).collect();
        let documents = newest.values().map(document::to_json).collect::<Result<Vec<String>>>()?;
        let written = self
            .postgres
            .call(async |connection| {
                let query = sqlx::query(WRITE).bind(&ids[..]).bind(i16::from(document::FORMAT));
                query.bind(&documents[..]).execute(connection).await
            })
            .await;
        written.map(drop).map_err(unavailable)
    }

    async fn reviews(
        &self,
        product: ProductId,
        after: Option<(Timestamp, ReviewId)>,
        limit: usize,
    ) -> Result<Vec<Review>> {
        reviews::read(&self.postgres, product, after, limit).await
    }

    async fn put_reviews(&self, reviews: Vec<Review>) -> Result<()> {
        for some in reviews.chunks(BATCH_MAX) {
            reviews::write(&self.postgres, some).await?;
        }
        Ok(())
    }

    async fn count(&self) -> Result<u64> {
        const COUNT: &str = "SELECT count(*) FROM product";
        let count: std::result::Result<i64, _> = self
            .postgres
            .call(async |connection| sqlx::query_scalar(COUNT).fetch_one(connection).await)
            .await;
        Ok(u64::try_from(count.map_err(unavailable)?).unwrap_or(0))
    }
}

/// What is stored of a batch's products and names, read before it is planned.
struct Read {
    products: HashMap<ProductId, Product>,
    owners: HashMap<Name, ProductId>,
}

impl Stored for Read {
    fn product(&self, id: ProductId) -> Result<Option<Product>> {
        Ok(self.products.get(&id).cloned())
    }

    fn owner(&self, name: &Name) -> Result<Option<ProductId>> {
        Ok(self.owners.get(name).copied())
    }
}

/// Writes a batch in one transaction. The outer error is of the connection, the next one of what
/// is stored, the innermost of the product.
async fn put(
    connection: &mut PgConnection,
    batch: Vec<Product>,
) -> Answer<Result<Vec<Result<()>>>> {
    let mut transaction = connection.begin().await?;
    let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(WRITER);
    lock.execute(&mut *transaction).await?;
    let ids: Vec<ProductId> = batch.iter().map(|product| product.id).collect();
    let stored = match products(&mut transaction, &ids).await? {
        Ok(stored) => stored,
        Err(damaged) => return Ok(Err(damaged)),
    };
    let names: BTreeSet<Name> = batch.iter().chain(stored.values()).flat_map(names_of).collect();
    let names: Vec<&Name> = names.iter().collect();
    let owners = owners(&mut transaction, &names).await?;
    let mut plan = Plan::new(Read { products: stored, owners });
    let outcomes: Vec<Result<()>> = batch.into_iter().map(|product| plan.add(product)).collect();
    if let Err(unwritable) = write_products(&mut transaction, &plan.products).await? {
        return Ok(Err(unwritable));
    }
    write_names(&mut transaction, &plan.names).await?;
    transaction.commit().await?;
    Ok(Ok(outcomes))
}

async fn products(
    connection: &mut PgConnection,
    ids: &[ProductId],
) -> Answer<Result<HashMap<ProductId, Product>>> {
    const READ: &str = "SELECT format, document::text FROM product WHERE id = ANY($1)";
    let ids: Vec<_> = ids.iter().map(|id| id.0.to_be_bytes()).collect();
    let found: Vec<Document> = sqlx::query_as(READ).bind(&ids[..]).fetch_all(connection).await?;
    let products = found.into_iter().map(|found| found.decode("product"));
    Ok(products.map(|product: Result<Product>| product.map(|p| (p.id, p))).collect())
}

async fn owners(
    connection: &mut PgConnection,
    names: &[&Name],
) -> Answer<HashMap<Name, ProductId>> {
    const READ: &str = "SELECT wanted.place, product_name.product
        FROM unnest($1::bytea[]) WITH ORDINALITY AS wanted (name, place)
        JOIN product_name USING (name)";
    let keys: Vec<&[u8]> = names.iter().map(|name| name.key()).collect();
    let found: Vec<(i64, [u8; 16])> =
        sqlx::query_as(READ).bind(&keys[..]).fetch_all(connection).await?;
    let owner = |(place, id): (i64, [u8; 16])| {
        let name = names.get(usize::try_from(place - 1).ok()?)?;
        Some(((*name).clone(), ProductId(u128::from_be_bytes(id))))
    };
    Ok(found.into_iter().filter_map(owner).collect())
}

async fn write_products(
    connection: &mut PgConnection,
    products: &HashMap<ProductId, Product>,
) -> Answer<Result<()>> {
    const WRITE: &str = "INSERT INTO product (id, version, format, document)
        SELECT id, version, $3, document::json
            FROM unnest($1::bytea[], $2::int8[], $4::text[]) AS wanted (id, version, document)
        ON CONFLICT (id) DO UPDATE SET version = EXCLUDED.version, format = EXCLUDED.format,
            document = EXCLUDED.document";
    let documents: Result<Vec<String>> = products.values().map(document::to_json).collect();
    let documents = match documents {
        Ok(documents) => documents,
        Err(unwritable) => return Ok(Err(unwritable)),
    };
    let ids: Vec<_> = products.keys().map(|id| id.0.to_be_bytes()).collect();
    let versions: Vec<i64> = products.values().map(|product| product.version as i64).collect();
    let query = sqlx::query(WRITE).bind(&ids[..]).bind(&versions[..]);
    let query = query.bind(i16::from(document::FORMAT)).bind(&documents[..]);
    query.execute(connection).await?;
    Ok(Ok(()))
}

async fn write_names(
    connection: &mut PgConnection,
    names: &HashMap<Name, Option<ProductId>>,
) -> Answer<()> {
    const WRITE: &str = "INSERT INTO product_name (name, product)
        SELECT * FROM unnest($1::bytea[], $2::bytea[])
        ON CONFLICT (name) DO UPDATE SET product = EXCLUDED.product";
    const FREE: &str = "DELETE FROM product_name WHERE name = ANY($1)";
    let freed = names.iter().filter(|(_, owner)| owner.is_none()).map(|(name, _)| name.key());
    let freed: Vec<&[u8]> = freed.collect();
    sqlx::query(FREE).bind(&freed[..]).execute(&mut *connection).await?;
    let owned = names.iter().filter_map(|(name, owner)| Some((name.key(), (*owner)?)));
    let (names, owners): (Vec<&[u8]>, Vec<_>) =
        owned.map(|(name, owner)| (name, owner.0.to_be_bytes())).unzip();
    sqlx::query(WRITE).bind(&names[..]).bind(&owners[..]).execute(connection).await?;
    Ok(())
}
