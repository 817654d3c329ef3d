//! Requests that were made before: the order remembers the key of each that came as far as a
//! payment. What ended sooner changed nothing, and is decided anew.

use barrow_engine::orders::{OperationState, Order, OrderStatus, RequestKey};

use super::{CheckoutError, Progress, is_over};

/// What is known of a request that was made before.
#[expect(clippy::large_enum_variant, reason = "it is looked at, and lives no longer")]
pub(super) enum Told {
    Ended(Progress),
    /// Its payment is not settled: it is driven on.
    UnderWay,
}

/// # Errors
/// Where something else was asked under this key.
pub(super) fn told_before(
    order: &Order,
    request: Option<RequestKey>,
) -> Result<Option<Told>, CheckoutError> {
    let Some(asked) = request else { return Ok(None) };
    let is_it = |known: RequestKey| known.key == asked.key;
    let payment = order.payments.iter().find(|payment| payment.request.is_some_and(is_it));
    let Some(payment) = payment else { return Ok(None) };
    if payment.request != Some(asked) {
        return Err(CheckoutError::KeyReused);
    }
    if is_over(order) {
        return Ok(Some(Told::Ended(Progress::Placed { order: order.clone(), before: true })));
    }
    let refusal = payment.operations.first().and_then(|first| match &first.state {
        OperationState::Failed { code } => Some(code.clone()),
        OperationState::Pending | OperationState::Succeeded => None,
    });
    Ok(Some(match (refusal, order.status) {
        (_, OrderStatus::Draft) => Told::UnderWay,
        (Some(code), _) => {
            Told::Ended(Progress::Declined { order: order.clone(), code, before: true })
        }
        (None, _) => Told::Ended(Progress::GivenUp(order.clone())),
    }))
}
