//! The shop under overload: all as in `barrow serve`, but for what lies around the entity store.
//! Writes wait for one of a few permits and hold it for a fixed time, so the peak is the same on
//! every machine that can do more; and rows with a mark in them are broken.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use async_trait::async_trait;
use barrow_api::config::{self, FlagValue, Sources};
use barrow_api::wiring::{self, Stores};
use barrow_engine::entity::{EntityKey, Shard};
use barrow_engine::ports::{CasOutcome, DueEntity, EntityStore, Expected, Row, StoreError};
use barrow_engine::time::Timestamp;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// A cart with this contact cannot be read any more, once it was written.
pub const UNREADABLE: &str = "unreadable@example.com";
/// A cart with this contact breaks whoever loads it, once it was written.
pub const BREAKING: &str = "breaking@example.com";

/// How slow the store is: so many writes at once, each takes so long.
#[derive(Debug, Clone, Copy)]
pub struct Slowness {
    pub permits: usize,
    pub delay: Duration,
}

impl Slowness {
    /// The command line of [`serve`].
    pub fn args(self) -> Vec<String> {
        let (permits, delay) = (self.permits.to_string(), self.delay.as_micros().to_string());
        vec!["serve".to_owned(), permits, delay]
    }
}

/// Serves the shop in `data` of the current folder until it is killed: `serve PERMITS DELAY_US
/// [--set KEY=VALUE]...`.
pub fn serve(args: &[String]) -> anyhow::Result<()> {
    let [permits, delay, settings @ ..] = args else { bail!("how slow is it to be?") };
    let slowness = Slowness {
        permits: permits.parse()?,
        delay: Duration::from_micros(delay.parse().context("DELAY_US")?),
    };
    let flags = settings.iter().filter(|arg| *arg != "--set").map(|setting| {
        let (key, text) = setting.split_once('=').context("KEY=VALUE")?;
        let flag = "--set".to_owned();
        anyhow::Ok(FlagValue { flag, key: key.to_owned(), text: text.to_owned() })
    });
    let sources = Sources { flags: flags.collect::<Result<_, _>>()?, ..Sources::default() };
    let config = config::load(&sources)?.config;
    let on_fatal = |reason: &str| {
        eprintln!("the store failed: {reason}");
        std::process::exit(1);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut stores = Stores::open(&config, Path::new("data"), Box::new(on_fatal)).await?;
        stores.wrap_entities(|inner| Arc::new(SlowStore::new(inner, slowness)));
        let running =
            wiring::start(&config, &stores, None, |_| {}, || std::process::exit(1)).await?;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on http://{}", listener.local_addr()?);
        let shop = barrow_api::routes::shop(running.app());
        barrow_api::edge::serve(listener, shop, CancellationToken::new()).await;
        Ok(())
    })
}

struct SlowStore {
    inner: Arc<dyn EntityStore>,
    permits: Semaphore,
    delay: Duration,
}

impl SlowStore {
    fn new(inner: Arc<dyn EntityStore>, slowness: Slowness) -> SlowStore {
        SlowStore { inner, permits: Semaphore::new(slowness.permits), delay: slowness.delay }
    }
}

fn carries(row: &Row, mark: &str) -> bool {
    row.blob.windows(mark.len()).any(|part| part == mark.as_bytes())
}

#[async_trait]
impl EntityStore for SlowStore {
    async fn load(&self, key: EntityKey) -> Result<Option<Row>, StoreError> {
        let row = self.inner.load(key).await?;
        if let Some(row) = &row {
            assert!(!carries(row, BREAKING), "broken on purpose");
            if carries(row, UNREADABLE) {
                return Err(StoreError::Damaged("unreadable on purpose".to_owned()));
            }
        }
        Ok(row)
    }

    async fn cas(
        &self,
        key: EntityKey,
        expected: Expected,
        row: Row,
    ) -> Result<CasOutcome, StoreError> {
        let _permit = self.permits.acquire().await.expect("nobody closes it");
        let ready_at = tokio::time::Instant::now() + self.delay;
        let is_marked = carries(&row, UNREADABLE) || carries(&row, BREAKING);
        let outcome = self.inner.cas(key, expected, row).await;
        tokio::time::sleep_until(ready_at).await;
        match is_marked {
            // Its actor is dropped, so that the next one loads the row.
            true => Err(StoreError::Damaged("it is marked".to_owned())),
            false => outcome,
        }
    }

    async fn due(
        &self,
        shards: &[Shard],
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueEntity>, StoreError> {
        self.inner.due(shards, before, limit).await
    }

    fn durability(&self) -> &'static str {
        self.inner.durability()
    }
}
