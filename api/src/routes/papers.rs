//! The papers of orders, and files made of many of them: each is for whoever may see the orders
//! in it, and kept by nobody on the way. Writing one is work of a processor, so it is done beside
//! the threads that answer, a few at a time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use barrow_documents::{DocumentError, Seller, invoice, packing_slip};
use barrow_engine::orders::{Fulfilment, Order};
use http::{HeaderValue, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::edge::{Code, Problem};

/// Papers that are written at once: more would take turns on the processors of a small machine.
const AT_ONCE: usize = 2;

/// Papers that are asked for at once, with those that wait for their turn.
const ASKED_MAX: usize = 32;

/// Exports that run at once: each holds a page of orders, for as long as its reader takes.
const EXPORTS_MAX: usize = 4;

/// When to come back where too many are asked for.
const PAPER_RETRY: Duration = Duration::from_secs(1);
const EXPORT_RETRY: Duration = Duration::from_secs(10);

/// Where papers are written.
pub struct Papers {
    seller: Arc<Seller>,
    asked: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    exports: Arc<Semaphore>,
}

impl Papers {
    pub fn new(seller: Seller) -> Papers {
        Papers {
            seller: Arc::new(seller),
            asked: Arc::new(Semaphore::new(ASKED_MAX)),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            exports: Arc::new(Semaphore::new(EXPORTS_MAX)),
        }
    }

    /// 200 with the invoice of an order.
    pub async fn invoice(&self, order: Order) -> Result<Response, Problem> {
        let name = name("invoice", &order)?;
        let pdf = self.write(move |seller| invoice(&order, seller)).await?;
        Ok(attachment("application/pdf", &name, Body::from(pdf)))
    }

    /// 200 with the packing slip of a parcel, or of what has not left the house yet.
    pub async fn packing_slip(
        &self,
        order: Order,
        parcel: Option<Fulfilment>,
    ) -> Result<Response, Problem> {
        let name = name("packing-slip", &order)?;
        let pdf = self.write(move |seller| packing_slip(&order, parcel.as_ref(), seller)).await?;
        Ok(attachment("application/pdf", &name, Body::from(pdf)))
    }

    async fn write(
        &self,
        write: impl FnOnce(&Seller) -> Result<Vec<u8>, DocumentError> + Send + 'static,
    ) -> Result<Vec<u8>, Problem> {
        let place = Arc::clone(&self.asked).try_acquire_owned().map_err(|_| {
            let problem = Problem::new(Code::Overloaded, "too many papers are asked for at once");
            problem.retry_after(PAPER_RETRY)
        })?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.expect("nobody closes it");
        let seller = Arc::clone(&self.seller);
        let written = tokio::task::spawn_blocking(move || {
            // Kept until it is written, though whoever asked may be gone.
            let _held = (place, turn);
            write(&seller)
        });
        match written.await {
            Ok(Ok(pdf)) => Ok(pdf),
            Ok(Err(DocumentError::NotPlaced)) => Err(not_placed()),
            Ok(Err(error)) => Err(unwritten(&error)),
            Err(error) => Err(unwritten(&error)),
        }
    }

    /// Room for an export, as long as it is kept.
    pub fn export(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.exports).try_acquire_owned().map_err(|_| {
            let problem = Problem::new(Code::Overloaded, "too many exports run at once");
            problem.retry_after(EXPORT_RETRY)
        })
    }
}

fn not_placed() -> Problem {
    Problem::new(Code::OrderState, "the order was not placed, so there are no papers of it")
}

fn unwritten(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "a paper could not be written");
    Problem::unavailable("the paper cannot be written", PAPER_RETRY)
}

/// What a paper of a placed order is called.
fn name(kind: &str, order: &Order) -> Result<String, Problem> {
    let number = order.number.filter(|_| order.placed_at.is_some()).ok_or_else(not_placed)?;
    Ok(format!("{kind}-{number}.pdf"))
}

/// 200 with a file that nobody on the way may keep.
pub fn attachment(kind: &'static str, name: &str, body: Body) -> Response {
    let is_safe = |c: &char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(c);
    let name: String = name.chars().filter(is_safe).collect();
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_DISPOSITION, disposition.expect("the name is visible ASCII"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn papers_beyond_the_bound_are_refused_and_the_others_written() {
        let papers = Papers::new(Seller::default());
        let busy: Vec<_> =
            (0..ASKED_MAX).map(|_| papers.asked.clone().try_acquire_owned().unwrap()).collect();
        let refused = papers.write(|_| Ok(Vec::new())).await.unwrap_err();
        assert_eq!(refused.code(), Code::Overloaded);
        drop(busy);
        let of_all = (0..ASKED_MAX).map(|it| papers.write(move |_| Ok(vec![it as u8])));
        for (place, written) in futures::future::join_all(of_all).await.into_iter().enumerate() {
            assert_eq!(written.unwrap(), [place as u8]);
        }
    }

    #[tokio::test]
    async fn a_paper_that_cannot_be_written_leaves_room_for_the_next() {
        let papers = Papers::new(Seller::default());
        for _ in 0..=ASKED_MAX {
            let refused = papers.write(|_| Err(DocumentError::NotPlaced)).await.unwrap_err();
            assert_eq!(refused.code(), Code::OrderState);
            let refused = papers.write(|_| Err(DocumentError::Page("x".into()))).await.unwrap_err();
            assert_eq!(refused.code(), Code::Unavailable);
        }
        let held: Vec<_> = (0..EXPORTS_MAX).map(|_| papers.export().unwrap()).collect();
        assert_eq!(papers.export().unwrap_err().code(), Code::Overloaded);
        drop(held);
        drop(papers.export().unwrap());
    }

    #[test]
    fn a_name_cannot_break_out_of_its_header() {
        let response = attachment("text/csv", "a\"\r\n/../ö-1_b.csv", Body::empty());
        let found = &response.headers()[header::CONTENT_DISPOSITION];
        assert_eq!(found, "attachment; filename=\"a..-1_b.csv\"");
    }
}
