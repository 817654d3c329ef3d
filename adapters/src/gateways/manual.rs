//! An invoice that the buyer pays by themselves: placed at once, booked by staff when the money
//! has come.

use std::time::Duration;

use async_trait::async_trait;
use barrow_engine::orders::PaymentOutcome;
use barrow_engine::ports::{
    GatewayAnswer, GatewayError, Notice, PaymentGateway, PaymentRequest, WebhookError,
};
use barrow_engine::time::Timestamp;

/// Whatever it is asked has happened: a capture is what staff has seen on the account.
pub struct ManualPayment;

#[async_trait]
impl PaymentGateway for ManualPayment {
    fn methods(&self) -> &[&str] {
        &["invoice"]
    }

    fn key_memory(&self) -> Duration {
        Duration::MAX
    }

    async fn ask(&self, request: &PaymentRequest) -> Result<GatewayAnswer, GatewayError> {
        let reference = Some(format!("manual/{}", request.key.order));
        Ok(GatewayAnswer::Known(PaymentOutcome::Succeeded { reference }))
    }

    async fn look_up(&self, request: &PaymentRequest) -> Result<GatewayAnswer, GatewayError> {
        self.ask(request).await
    }

    fn notices(
        &self,
        _header: &(dyn for<'a> Fn(&'a str) -> Option<String> + Sync),
        _body: &[u8],
        _now: Timestamp,
    ) -> Result<Vec<Notice>, WebhookError> {
        Err(WebhookError::NotSigned)
    }
}
