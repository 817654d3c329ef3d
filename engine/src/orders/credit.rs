//! Exchanges: the value of what came back, set against another order.
//!
//! The new order is paid at a gateway of the house's own, which is the old order: what it
//! authorizes is a credit there. So all the money stays where the buyer paid it, and goes back
//! from there if the new order is cancelled or returned.

use serde::{Deserialize, Serialize};

use super::{OperationKey, Order, RefundLine, RefundStatus};
use crate::cart::LineId;
use crate::ids::{OrderId, ReturnId};
use crate::time::Timestamp;

/// The name of that gateway in orders. No client can name it.
pub const EXCHANGE_GATEWAY: &str = "exchange";

/// Which return an order was made in exchange for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExchangeOf {
    pub order: OrderId,
    #[serde(rename = "return")]
    pub of_return: ReturnId,
}

/// Money of this order that pays for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credit {
    /// The other order's operation that asked for it.
    pub key: OperationKey,
    pub for_return: ReturnId,
    pub amount: i64,
    /// The units whose value it is, with what is paid back of it as money.
    pub lines: Vec<RefundLine>,
    pub at: Timestamp,
}

impl Order {
    /// What other orders hold of this one's money.
    pub fn credited(&self) -> i64 {
        let given: i64 = self.credits.iter().map(|credit| credit.amount).sum();
        let standing = self.refunds.iter().filter(|refund| refund.status != RefundStatus::Failed);
        let back = standing.filter(|refund| refund.for_credit.is_some());
        given - back.map(|refund| refund.amount).sum::<i64>()
    }

    /// What was counted for units of a line in exchanges.
    pub(super) fn exchanged_for(&self, line: LineId) -> i64 {
        let lines = self.credits.iter().flat_map(|credit| &credit.lines);
        lines.filter(|units| units.line == line).map(|units| units.amount).sum()
    }
}
