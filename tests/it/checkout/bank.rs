//! What a gateway's own books say: each key once, whatever was answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barrow_engine::ids::OrderId;
use barrow_engine::orders::{OperationKey, OperationKind, PaymentOutcome};
use barrow_engine::ports::{
    GatewayAnswer, GatewayError, Notice, PaymentGateway, PaymentRequest, WebhookError,
};
use barrow_engine::time::Timestamp;
use parking_lot::Mutex;

/// The books, and how the bank is disposed. They outlive every process of the shop.
#[derive(Default)]
pub struct Books {
    entries: Mutex<BTreeMap<OperationKey, (OperationKind, i64)>>,
    /// Refused for good.
    refused: Mutex<Vec<OperationKind>>,
    /// Done, but its answer is lost.
    lost: Mutex<Vec<OperationKind>>,
    /// Each operation that was asked, every time.
    asked: Mutex<Vec<OperationKey>>,
    key_memory: Mutex<Option<Duration>>,
}

impl Books {
    pub fn refuse(&self, kinds: &[OperationKind]) {
        *self.refused.lock() = kinds.to_vec();
    }

    pub fn lose(&self, kinds: &[OperationKind]) {
        *self.lost.lock() = kinds.to_vec();
    }

    pub fn forget_keys_after(&self, memory: Duration) {
        *self.key_memory.lock() = Some(memory);
    }

    pub fn times_asked(&self, key: OperationKey) -> usize {
        self.asked.lock().iter().filter(|one| **one == key).count()
    }

    /// What a buyer did on the bank's own page.
    pub fn record(&self, key: OperationKey, kind: OperationKind, amount: i64) {
        self.entries.lock().insert(key, (kind, amount));
    }

    /// Sum and number of what was done of a kind for an order.
    pub fn done(&self, order: OrderId, kind: OperationKind) -> (i64, usize) {
        let books = self.entries.lock();
        let done = books.iter().filter(|(key, (own, _))| key.order == order && *own == kind);
        done.fold((0, 0), |(sum, count), (_, (_, amount))| (sum + amount, count + 1))
    }

    /// What was taken of an order's buyer and not paid back.
    pub fn taken(&self, order: OrderId) -> i64 {
        self.done(order, OperationKind::Capture).0 - self.done(order, OperationKind::Refund).0
    }

    /// What is held of an order's buyer: authorized and not let go.
    pub fn held(&self, order: OrderId) -> i64 {
        let books = self.entries.lock();
        let of_order = books.iter().filter(|(key, _)| key.order == order);
        let signed = of_order.map(|(_, (kind, amount))| match kind {
            OperationKind::Authorize => *amount,
            OperationKind::Void => -*amount,
            OperationKind::Capture | OperationKind::Refund => 0,
        });
        signed.sum()
    }

    pub fn authorizations(&self, order: OrderId) -> usize {
        self.done(order, OperationKind::Authorize).1
    }
}

/// A gateway that keeps books.
pub struct Bank {
    pub gateway: Arc<dyn PaymentGateway>,
    pub books: Arc<Books>,
}

#[async_trait]
impl PaymentGateway for Bank {
    fn methods(&self) -> &[&str] {
        self.gateway.methods()
    }

    fn key_memory(&self) -> Duration {
        self.books.key_memory.lock().unwrap_or_else(|| self.gateway.key_memory())
    }

    async fn ask(&self, request: &PaymentRequest) -> Result<GatewayAnswer, GatewayError> {
        self.books.asked.lock().push(request.key);
        if self.books.refused.lock().contains(&request.kind) {
            let failed = PaymentOutcome::Failed { code: "refused".to_owned() };
            return Ok(GatewayAnswer::Known(failed));
        }
        let answer = self.gateway.ask(request).await;
        // The money of an ambiguous payment is taken, and the answer lost.
        let has_succeeded = matches!(
            answer,
            Ok(GatewayAnswer::Known(PaymentOutcome::Succeeded { .. }))
                | Err(GatewayError::OutcomeUnknown(_))
        );
        if has_succeeded {
            self.books.record(request.key, request.kind, request.amount.amount);
        }
        if self.books.lost.lock().contains(&request.kind) {
            return Err(GatewayError::OutcomeUnknown("the answer was lost".to_owned()));
        }
        answer
    }

    async fn look_up(&self, request: &PaymentRequest) -> Result<GatewayAnswer, GatewayError> {
        let is_known = self.books.entries.lock().contains_key(&request.key);
        let reference = request.reference.clone();
        Ok(match is_known {
            true => GatewayAnswer::Known(PaymentOutcome::Succeeded { reference }),
            false => GatewayAnswer::NeverAsked,
        })
    }

    fn notices(
        &self,
        header: &(dyn for<'a> Fn(&'a str) -> Option<String> + Sync),
        body: &[u8],
        now: Timestamp,
    ) -> Result<Vec<Notice>, WebhookError> {
        self.gateway.notices(header, body, now)
    }
}
