//! What gateways tell on their own. It is written before the gateway is thanked; what follows
//! from it, nobody waits for.

use std::sync::Arc;

use barrow_engine::orders::{OperationKey, Order, OrderRejection};
use barrow_engine::ports::Notice;

use super::book::BookError;
use super::{Inner, OrderDeskError, Orders};

impl Orders {
    /// Takes in what a gateway told, each notice once however often it is told. What is about no
    /// operation of that gateway is none of ours.
    ///
    /// # Errors
    /// The gateway has to tell all of it again.
    pub async fn notice(&self, gateway: &str, notices: Vec<Notice>) -> Result<(), OrderDeskError> {
        for notice in notices {
            self.inner.take_in(gateway, notice).await?;
        }
        Ok(())
    }
}

impl Inner {
    async fn take_in(
        self: &Arc<Self>,
        gateway: &str,
        notice: Notice,
    ) -> Result<(), OrderDeskError> {
        let Notice { key, outcome } = notice;
        let order = self.book.orders.get(key.order).await?;
        let Some(order) = order.filter(|order| is_asked_at(order, key, gateway)) else {
            tracing::warn!(gateway, operation = %key, "a gateway tells of an unknown operation");
            return Ok(());
        };
        let before = order.version;
        match self.book.record_outcome(order, key, outcome, gateway.to_owned()).await {
            Ok(order) if order.version == before => Ok(()),
            Ok(order) => {
                self.wake(order);
                Ok(())
            }
            Err(BookError::Rejected(OrderRejection::UnknownOperation)) => {
                tracing::warn!(gateway, operation = %key, "a gateway tells of what was not asked");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Goes on with an order at once.
    fn wake(self: &Arc<Self>, order: Order) {
        let inner = self.clone();
        self.tasks.spawn(async move {
            let id = order.id;
            if let Err(error) = inner.go_on(order).await {
                tracing::warn!(%error, order.id = %id, "an order does not go on after a notice");
            }
        });
    }
}

/// Whether it is a payment at that gateway: no gateway is believed of another one's money.
fn is_asked_at(order: &Order, key: OperationKey, gateway: &str) -> bool {
    let place = usize::try_from(key.attempt).unwrap_or(usize::MAX).checked_sub(1);
    let payment = place.and_then(|place| order.payments.get(place));
    payment.is_some_and(|payment| payment.gateway == gateway)
}
