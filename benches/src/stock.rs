//! Carts written straight into a store: a million come about in seconds.
//!
//! Some are made over HTTP by one session, so that they are what the shop makes; the rest are
//! copies of their rows under other ids, which the same session may read.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use barrow_adapters::embedded::{EmbeddedEntityStore, EmbeddedOptions, EmbeddedStore};
use barrow_adapters::host::SystemClock;
use barrow_engine::entity::{EntityKey, EntityKind};
use barrow_engine::ids::CartId;
use barrow_engine::ports::{CasOutcome, Clock, EntityStore, Expected, Row, StoreError, WriteId};
use tokio::task::JoinSet;

use crate::client::Client;
use crate::load::Target;
use crate::load::requests::Request;
use crate::server::Server;
use crate::shop::{ShopCart, fill_session};

/// Writes under way at once: enough to fill the commits.
const WRITERS: usize = 1_024;
/// Connections that read carts.
const READERS: usize = 32;

pub struct Stock {
    bearer: String,
    pub took: Duration,
}

impl Stock {
    /// So many carts in the data directory `data` of that folder, which has a catalog.
    pub async fn fill(folder: &Path, carts: usize) -> anyhow::Result<Stock> {
        let templates = templates(folder).await?;
        let began = Instant::now();
        let on_fatal = Box::new(|reason: &str| panic!("the store failed: {reason}"));
        let store = EmbeddedStore::open(
            &folder.join("data").join("store"),
            EmbeddedOptions::new(on_fatal),
        )?;
        let rows = load(&store.entities(), &templates).await?;
        let rows = Arc::new(rows);
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS.min(carts) {
            let (entities, rows) = (store.entities(), Arc::clone(&rows));
            writers.spawn(async move {
                for n in (writer..carts).step_by(WRITERS) {
                    copy(&entities, &rows[n % rows.len()], n).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(writer) = writers.join_next().await {
            writer??;
        }
        let bearer = templates[0].bearer.clone();
        Ok(Stock { bearer, took: began.elapsed() })
    }

    /// Reads one of the carts; those beyond the last begin anew.
    pub fn get(&self, n: usize) -> Request {
        Request::get(&format!("/v1/carts/{}", id(n)), &self.bearer)
    }
}

/// Spread over the key space, as ids are that were drawn.
fn id(n: usize) -> CartId {
    CartId((n as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

async fn templates(folder: &Path) -> anyhow::Result<Vec<ShopCart>> {
    let server = Server::shop(folder, &[])?;
    let mut client = Client::open(server.address()).await?;
    let mut carts = Vec::new();
    fill_session(&mut client, 0, &mut carts).await?;
    drop(client);
    // In order, so that what the carts had to tell their session was told.
    server.end()?;
    Ok(carts)
}

async fn load(entities: &EmbeddedEntityStore, carts: &[ShopCart]) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::with_capacity(carts.len());
    for cart in carts {
        let id: CartId = cart.id.parse().ok().context("an id that is none")?;
        let row = entities.load(EntityKey::new(EntityKind::Cart, id.0)).await?;
        let row = row.context("a cart was not stored")?;
        ensure!(row.due.is_none_or(|due| due > SystemClock.now()), "a cart has something to tell");
        rows.push(row);
    }
    Ok(rows)
}

async fn copy(entities: &EmbeddedEntityStore, row: &Row, n: usize) -> anyhow::Result<()> {
    let key = EntityKey::new(EntityKind::Cart, id(n).0);
    let row = Row { version: 1, write_id: WriteId(n as u128), ..row.clone() };
    loop {
        match entities.cas(key, Expected::Absent, row.clone()).await {
            Ok(CasOutcome::Written) => return Ok(()),
            Ok(CasOutcome::Conflict(_)) => bail!("a cart is there already"),
            Err(StoreError::Throttled) => tokio::task::yield_now().await,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Sends each once and has it answered.
pub async fn read_all(server: &Server, requests: &[Request]) -> anyhow::Result<()> {
    let mut readers = JoinSet::new();
    let requests: Arc<[Request]> = requests.into();
    let address = server.address();
    for reader in 0..READERS.min(requests.len()) {
        let requests = Arc::clone(&requests);
        readers.spawn(async move {
            let mut client = Client::open(address).await?;
            for request in requests.iter().skip(reader).step_by(READERS) {
                client.json(request).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(reader) = readers.join_next().await {
        reader??;
    }
    Ok(())
}
