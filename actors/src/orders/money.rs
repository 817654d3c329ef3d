//! What gateways are asked.

use std::collections::BTreeSet;

use barrow_engine::money::Money;
use barrow_engine::orders::{
    Actor, EXCHANGE_GATEWAY, ExchangeOf, Operation, OperationKey, Order, OrderCommand, Payment,
    PaymentOutcome,
};
use barrow_engine::ports::{GatewayAnswer, GatewayError, PaymentRequest};

use super::book::{BookError, OrderBook, TRIES_MAX, Written};

impl OrderBook {
    /// Asks gateways what is to be asked, each operation once, and writes what they answer; the
    /// order as it is then. What an answer leads to is asked as well.
    pub async fn settle_money(&self, mut order: Order) -> Result<Order, BookError> {
        let mut asked: BTreeSet<OperationKey> = BTreeSet::new();
        loop {
            let mut pending = order.pending_operations();
            let Some((key, payment, operation)) = pending.find(|(key, ..)| !asked.contains(key))
            else {
                drop(pending);
                return Ok(order);
            };
            asked.insert(key);
            let (payment, operation) = (payment.clone(), operation.clone());
            drop(pending);
            let answer = self.answer(&order, key, &payment, &operation).await;
            let (Some(outcome), name) = (answer, payment.gateway) else { continue };
            order = self.record_outcome(order, key, outcome, name).await?;
        }
    }

    /// What came of an operation of an order; `None` while nobody knows.
    pub async fn answer(
        &self,
        order: &Order,
        key: OperationKey,
        payment: &Payment,
        operation: &Operation,
    ) -> Option<PaymentOutcome> {
        let request = request_of(order, key, payment, operation);
        let exchange = order.exchange_of.filter(|_| payment.gateway == EXCHANGE_GATEWAY);
        match exchange {
            Some(exchange) => self.ask_order(exchange, request).await,
            None => self.ask(&payment.gateway, request).await,
        }
    }

    /// Writes what a gateway answered or told, on top of whatever others write meanwhile.
    pub async fn record_outcome(
        &self,
        mut order: Order,
        key: OperationKey,
        outcome: PaymentOutcome,
        gateway: String,
    ) -> Result<Order, BookError> {
        let by = Actor::Gateway { name: gateway };
        for _ in 0..TRIES_MAX {
            let record = OrderCommand::RecordOutcome { key, outcome: outcome.clone() };
            order = match self.write(&order, record, by.clone(), None).await? {
                Written::Done(order) => return Ok(order),
                Written::Stale | Written::Refused(_) => self.look(order.id).await?,
            };
        }
        Err(BookError::Busy)
    }

    /// The same of one that a gateway answers.
    async fn ask(&self, gateway: &str, request: PaymentRequest) -> Option<PaymentOutcome> {
        let Some(gateway) = self.gateways.get(gateway) else {
            tracing::error!(gateway, "an order has a payment at a gateway that is not configured");
            return None;
        };
        let age = self.clock.now().since(request.at);
        let is_remembered = age < gateway.key_memory();
        let answer = async {
            match is_remembered {
                true => gateway.ask(&request).await,
                false => gateway.look_up(&request).await,
            }
        };
        let answer = tokio::time::timeout(self.answer_max, answer).await;
        match answer {
            Ok(Ok(answer)) => outcome_of(answer),
            Err(_) => None,
            Ok(Err(error @ (GatewayError::Unavailable(_) | GatewayError::OutcomeUnknown(_)))) => {
                tracing::warn!(%error, operation = %request.key, "a payment is not settled yet");
                None
            }
        }
    }

    /// The same of an operation that another order answers.
    async fn ask_order(
        &self,
        exchange: ExchangeOf,
        request: PaymentRequest,
    ) -> Option<PaymentOutcome> {
        match self.ask_exchange(exchange, &request).await {
            Ok(answer) => outcome_of(answer),
            Err(error) => {
                tracing::warn!(?error, operation = %request.key, "an exchange is not settled yet");
                None
            }
        }
    }
}

fn outcome_of(answer: GatewayAnswer) -> Option<PaymentOutcome> {
    match answer {
        GatewayAnswer::Known(outcome) => Some(outcome),
        GatewayAnswer::NeverAsked => {
            Some(PaymentOutcome::Failed { code: "never_asked".to_owned() })
        }
        GatewayAnswer::Pending => None,
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
