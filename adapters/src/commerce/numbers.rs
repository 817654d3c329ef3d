//! Order numbers are drawn from their sequence by the block: each draw is a commit of its own,
//! which an order would wait for as long as for itself.

use std::collections::VecDeque;

use barrow_engine::orders::OrderNumber;
use barrow_engine::ports::CommerceError;
use tokio::sync::Mutex;

use super::order_row::number_of;

/// Numbers of one draw.
pub(crate) const NUMBERS_DRAWN: i64 = 64;

/// Drawn, and not given yet. What a crash leaves of them is never given.
#[derive(Default)]
pub(crate) struct Numbers(Mutex<VecDeque<i64>>);

impl Numbers {
    pub async fn next(
        &self,
        draw: impl AsyncFnOnce() -> Result<Vec<i64>, CommerceError>,
    ) -> Result<OrderNumber, CommerceError> {
        let mut numbers = self.0.lock().await;
        if numbers.is_empty() {
            numbers.extend(draw().await?);
        }
        let next = numbers.pop_front();
        number_of(next.ok_or_else(|| CommerceError::Damaged("a sequence gave nothing".into()))?)
    }
}
