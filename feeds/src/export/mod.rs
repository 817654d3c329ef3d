//! Export: writes the catalog in a form that import reads, so that reading it back changes
//! nothing.
//!
//! JSON Lines carries everything: collections, products, the stock of their variants and their
//! published reviews. CSV carries products, for people with spreadsheets; what it cannot hold is
//! told, with the number of times it was left out. The shop is read page by page, so a catalog
//! of any size passes through in bounded memory.

mod csv;
#[cfg(test)]
mod fuzz;
mod jsonl;

use std::collections::BTreeMap;
use std::io::{self, Write};

use barrow_engine::catalog::{BATCH_MAX, Product};
use barrow_engine::ports::{CommerceError, ProductStore, ProductStoreError, StockLedger};
use futures::FutureExt;
use futures::future::BoxFuture;

/// The formats of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    JsonLines,
    Csv,
}

/// What an export wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct ExportSummary {
    pub products: u64,
    pub collections: u64,
    pub stock_levels: u64,
    pub reviews: u64,
    /// What the format cannot hold, and how often it was left out. Reading the file back into
    /// this shop leaves it as it is; into another it will be missing.
    pub left_out: BTreeMap<String, u64>,
}

impl ExportSummary {
    fn leave_out(&mut self, what: &str, times: usize) {
        if times > 0 {
            *self.left_out.entry(what.to_owned()).or_default() += times as u64;
        }
    }
}

/// The export cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Products(#[from] ProductStoreError),
    #[error(transparent)]
    Stock(#[from] CommerceError),
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

impl From<::csv::Error> for ExportError {
    fn from(error: ::csv::Error) -> ExportError {
        ExportError::Write(error.into())
    }
}

/// Where an export reads.
#[derive(Clone, Copy)]
pub struct Source<'s> {
    pub products: &'s dyn ProductStore,
    pub stock: &'s dyn StockLedger,
}

/// Writes the catalog to `out`; `progress` is told how many products are written.
///
/// # Errors
/// [`ExportError`] where a store does not answer or `out` takes no more.
pub async fn export(
    source: Source<'_>,
    format: ExportFormat,
    out: &mut (dyn Write + Send),
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<ExportSummary, ExportError> {
    let summary = match format {
        ExportFormat::JsonLines => jsonl::export(source, out, progress).await?,
        ExportFormat::Csv => csv::export(source, out, progress).await?,
    };
    out.flush()?;
    Ok(summary)
}

/// Products, page by page in the order of their ids.
struct Pages<'s> {
    products: &'s dyn ProductStore,
    after: Option<barrow_engine::ids::ProductId>,
    ended: bool,
}

impl<'s> Pages<'s> {
    fn of(source: Source<'s>) -> Pages<'s> {
        Pages { products: source.products, after: None, ended: false }
    }

    /// The next page; empty at the end.
    fn next(&mut self) -> BoxFuture<'_, Result<Vec<Product>, ProductStoreError>> {
        async {
            if self.ended {
                return Ok(Vec::new());
            }
            let page = self.products.scan(self.after, BATCH_MAX).await?;
            self.ended = page.len() < BATCH_MAX;
            self.after = page.last().map(|product| product.id);
            Ok(page)
        }
        .boxed()
    }
}
