//! What comes in from gateways, and what their pages need to know.

use barrow_engine::money::Money;
use barrow_engine::orders::{OperationKey, Payment};
use barrow_engine::ports::WebhookError;

use super::{OrderDeskError, Orders};

/// Why a gateway's call is not taken.
#[derive(Debug, thiserror::Error)]
pub enum NoticeRefusal {
    #[error("there is no such gateway")]
    UnknownGateway,
    #[error(transparent)]
    NotBelieved(#[from] WebhookError),
    /// It has to call again.
    #[error(transparent)]
    NotTaken(#[from] OrderDeskError),
}

impl Orders {
    /// Takes in what is said to come from a gateway, once its signature proves that it does.
    /// `header` looks a header up by its name in lower case.
    pub async fn webhook(
        &self,
        gateway: &str,
        header: &(dyn for<'a> Fn(&'a str) -> Option<String> + Sync),
        body: &[u8],
    ) -> Result<(), NoticeRefusal> {
        let book = &self.inner.book;
        let known = book.gateways.get(gateway).ok_or(NoticeRefusal::UnknownGateway)?;
        let notices = known.notices(header, body, book.clock.now())?;
        Ok(self.notice(gateway, notices).await?)
    }

    /// The payment that an operation belongs to, and how much the operation is about.
    pub async fn payment(
        &self,
        key: OperationKey,
    ) -> Result<Option<(Payment, Money)>, OrderDeskError> {
        let Some(order) = self.inner.book.orders.get(key.order).await? else { return Ok(None) };
        let at = |number: u32| usize::try_from(number).ok()?.checked_sub(1);
        let payment = at(key.attempt).and_then(|place| order.payments.get(place));
        let Some(payment) = payment else { return Ok(None) };
        let operation = at(key.operation).and_then(|place| payment.operations.get(place));
        let amount = operation.map(|operation| Money::new(operation.amount, order.currency));
        Ok(amount.map(|amount| (payment.clone(), amount)))
    }
}
