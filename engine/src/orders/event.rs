//! What has happened to an order: the lines of its timeline, as they are stored, and what the
//! outside is told.

use serde::{Deserialize, Serialize};

use super::command::Actor;
use super::{LineUnits, OperationKind, OrderNumber, ReturnStatus};
use crate::ids::{EditId, FulfilmentId, OrderId, PaymentId, RefundId, ReturnId};
use crate::time::Timestamp;

/// An event with its time and who caused it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    pub at: Timestamp,
    pub by: Actor,
    pub event: OrderEvent,
}

/// The names in quotes are what timelines call them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", deny_unknown_fields)]
pub enum OrderEvent {
    #[serde(rename = "order.opened")]
    Opened,
    #[serde(rename = "order.reopened")]
    Reopened,
    #[serde(rename = "order.placed")]
    Placed { number: OrderNumber },
    #[serde(rename = "order.abandoned")]
    Abandoned { reason: String },
    #[serde(rename = "order.cancelled")]
    Cancelled { reason: String },
    #[serde(rename = "order.completed")]
    Completed,
    #[serde(rename = "order.held")]
    Held,
    #[serde(rename = "order.released")]
    Released,
    #[serde(rename = "order.noted")]
    Noted { text: String },

    #[serde(rename = "payment.started")]
    PaymentStarted { payment: PaymentId, gateway: String, method: String },
    /// The buyer has to do something first.
    #[serde(rename = "payment.action_required")]
    ActionRequired { payment: PaymentId },
    /// Asked of the gateway from now on.
    #[serde(rename = "payment.requested")]
    OperationRequested { payment: PaymentId, kind: OperationKind, amount: i64 },
    #[serde(rename = "payment.succeeded")]
    OperationSucceeded { payment: PaymentId, kind: OperationKind, amount: i64 },
    #[serde(rename = "payment.failed")]
    OperationFailed { payment: PaymentId, kind: OperationKind, amount: i64, code: String },
    #[serde(rename = "refund.requested")]
    RefundRequested { refund: RefundId, amount: i64, reason: String },

    #[serde(rename = "fulfilment.created")]
    Fulfilled { fulfilment: FulfilmentId, lines: Vec<LineUnits> },
    #[serde(rename = "fulfilment.delivered")]
    Delivered { fulfilment: FulfilmentId },
    #[serde(rename = "fulfilment.cancelled")]
    FulfilmentCancelled { fulfilment: FulfilmentId },

    #[serde(rename = "order.edit_proposed")]
    EditProposed { edit: EditId, difference: i64 },
    #[serde(rename = "order.edited")]
    Edited { edit: EditId, difference: i64 },
    /// What came back pays for another order.
    #[serde(rename = "order.credited")]
    Credited { id: ReturnId, order: OrderId, amount: i64 },

    #[serde(rename = "return.requested")]
    ReturnRequested { id: ReturnId },
    #[serde(rename = "return.changed")]
    ReturnChanged { id: ReturnId, status: ReturnStatus },
}
