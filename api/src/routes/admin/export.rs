//! `GET /admin/v1/orders/export`: the orders of a query as one file, however many they are. They
//! are read page by page as the file is taken, so that no more than a page is in memory.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use barrow_documents::{csv_header, csv_rows, json_line};
use barrow_engine::orders::Order;
use barrow_engine::ports::{OrderQuery, OrderStore};
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use tokio::sync::OwnedSemaphorePermit;

use super::orders::query;
use super::{choice, office};
use crate::app::SharedApp;
use crate::auth::Staff;
use crate::edge::{Params, Problem};
use crate::routes::orders::refusal::store_problem;
use crate::routes::papers::attachment;

/// Orders that are read at once. A large order has some 100 KiB.
const PAGE: usize = 50;

/// What the file is made of.
#[derive(Debug, Clone, Copy)]
pub enum Format {
    /// A row a line of an order, for spreadsheets.
    Csv,
    /// An order a line, for programs.
    Jsonl,
}

pub const FORMATS: [(&str, Format); 2] = [("csv", Format::Csv), ("jsonl", Format::Jsonl)];

/// A file on its way.
struct Export {
    orders: Arc<dyn OrderStore>,
    /// For the next page.
    query: OrderQuery,
    format: Format,
    /// What was read and not written.
    page: Option<Vec<Order>>,
    is_over: bool,
    _place: OwnedSemaphorePermit,
}

pub async fn export(
    State(app): State<SharedApp>,
    _: Staff,
    mut params: Params,
) -> Result<Response, Problem> {
    let format = choice(&mut params, "format", &FORMATS)?.unwrap_or(Format::Csv);
    let query = OrderQuery { limit: PAGE, ..query(&mut params)? };
    params.finish()?;
    let place = app.papers.export()?;
    let orders = Arc::clone(&office(&app)?.orders);
    // Before anything is answered: what cannot be read at all is refused as it should be.
    let first = orders.list(&query).await.map_err(|error| store_problem(&error))?;
    let export = Export { orders, query, format, page: Some(first), is_over: false, _place: place };
    let (kind, name, header) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "orders.csv", Some(csv_header())),
        Format::Jsonl => ("application/jsonl", "orders.jsonl", None),
    };
    let rows = stream::try_unfold(export, Export::next);
    let body = stream::iter(header.map(|header| Ok(Bytes::from(header)))).chain(rows);
    Ok(attachment(kind, name, Body::from_stream(body)))
}

impl Export {
    /// The next page as it is written. A reader of a file that cannot be ended is cut off: half
    /// of it must not look like all.
    async fn next(mut self) -> std::io::Result<Option<(Bytes, Export)>> {
        if self.is_over {
            return Ok(None);
        }
        let page = match self.page.take() {
            Some(page) => page,
            None => self.orders.list(&self.query).await.map_err(|error| {
                tracing::warn!(%error, "an export of orders ended in the middle");
                std::io::Error::other(error)
            })?,
        };
        let Some(last) = page.last() else { return Ok(None) };
        self.query.after = Some((last.created_at, last.id));
        self.is_over = page.len() < PAGE;
        let format = self.format;
        // Some thousand rows are too much work among those who answer.
        let written = tokio::task::spawn_blocking(move || write(&page, format)).await;
        Ok(Some((written.map_err(std::io::Error::other)?, self)))
    }
}

fn write(page: &[Order], format: Format) -> Bytes {
    let rows = page.iter().map(|order| match format {
        Format::Csv => csv_rows(order),
        Format::Jsonl => json_line(order),
    });
    rows.collect::<String>().into()
}
