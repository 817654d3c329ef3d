//! What gateways are asked.

use barrow_engine::money::Money;
use barrow_engine::orders::{
    Actor, Operation, OperationKey, Order, OrderCommand, Payment, PaymentOutcome,
};
use barrow_engine::ports::{GatewayAnswer, GatewayError, PaymentRequest};

use super::steps::Written;
use super::{CheckoutError, Inner};

impl Inner {
    /// Asks gateways what is to be asked, each operation once, and writes what they answer; the
    /// order as it is then.
    pub(super) async fn settle_money(&self, mut order: Order) -> Result<Order, CheckoutError> {
        let asked: Vec<OperationKey> = order.pending_operations().map(|(key, ..)| key).collect();
        for key in asked {
            let operation = order.pending_operations().find(|(pending, ..)| *pending == key);
            let Some((_, payment, operation)) = operation else { continue };
            let request = request_of(&order, key, payment, operation);
            let name = payment.gateway.clone();
            let Some(outcome) = self.ask(&name, request).await else { continue };
            let record = OrderCommand::RecordOutcome { key, outcome };
            order = match self.write(&order, record, Actor::Gateway { name }).await? {
                Written::Done(next) => next,
                // Somebody else was told as well, and may have written it.
                Written::Stale | Written::Refused(_) => self.look(order.id).await?,
            };
        }
        Ok(order)
    }

    /// What came of an operation; `None` while nobody knows.
    async fn ask(&self, gateway: &str, request: PaymentRequest) -> Option<PaymentOutcome> {
        let Some(gateway) = self.parts.gateways.get(gateway) else {
            tracing::error!(gateway, "an order has a payment at a gateway that is not configured");
            return None;
        };
        let age = self.parts.clock.now().since(request.at);
        let is_remembered = age < gateway.key_memory();
        let answer = async {
            match is_remembered {
                true => gateway.ask(&request).await,
                false => gateway.look_up(&request).await,
            }
        };
        let answer = tokio::time::timeout(self.parts.settings.answer_max, answer).await;
        match answer {
            Ok(Ok(GatewayAnswer::Known(outcome))) => Some(outcome),
            Ok(Ok(GatewayAnswer::NeverAsked)) => {
                Some(PaymentOutcome::Failed { code: "never_asked".to_owned() })
            }
            Ok(Ok(GatewayAnswer::Pending)) | Err(_) => None,
            Ok(Err(error @ (GatewayError::Unavailable(_) | GatewayError::OutcomeUnknown(_)))) => {
                tracing::warn!(%error, operation = %request.key, "a payment is not settled yet");
                None
            }
        }
    }
}

fn request_of(
    order: &Order,
    key: OperationKey,
    payment: &Payment,
    operation: &Operation,
) -> PaymentRequest {
    PaymentRequest {
        key,
        kind: operation.kind,
        amount: Money::new(operation.amount, order.currency),
        method: payment.method.clone(),
        reference: payment.reference.clone(),
        return_url: payment.return_url.clone(),
        at: operation.at,
    }
}
