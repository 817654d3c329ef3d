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

/// The books. They outlive every process of the shop.
#[derive(Default)]
pub struct Books(Mutex<BTreeMap<OperationKey, (OperationKind, i64)>>);

impl Books {
    /// What is held of an order's buyer: authorized and not let go.
    pub fn held(&self, order: OrderId) -> i64 {
        let books = self.0.lock();
        let of_order = books.iter().filter(|(key, _)| key.order == order);
        let signed = of_order.map(|(_, (kind, amount))| match kind {
            OperationKind::Authorize => *amount,
            OperationKind::Void => -*amount,
            OperationKind::Capture | OperationKind::Refund => 0,
        });
        signed.sum()
    }

    pub fn authorizations(&self, order: OrderId) -> usize {
        let books = self.0.lock();
        let of_order = books.iter().filter(|(key, _)| key.order == order);
        of_order.filter(|(_, (kind, _))| *kind == OperationKind::Authorize).count()
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
        self.gateway.key_memory()
    }

    async fn ask(&self, request: &PaymentRequest) -> Result<GatewayAnswer, GatewayError> {
        let answer = self.gateway.ask(request).await;
        // The money of an ambiguous payment is taken, and the answer lost.
        let has_succeeded = matches!(
            answer,
            Ok(GatewayAnswer::Known(PaymentOutcome::Succeeded { .. }))
                | Err(GatewayError::OutcomeUnknown(_))
        );
        if has_succeeded {
            self.books.0.lock().insert(request.key, (request.kind, request.amount.amount));
        }
        answer
    }

    async fn look_up(&self, request: &PaymentRequest) -> Result<GatewayAnswer, GatewayError> {
        self.ask(request).await
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
