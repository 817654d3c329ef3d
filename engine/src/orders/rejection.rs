//! Why an order refuses a command.

use super::{FulfilmentProgress, OrderStatus};
use crate::cart::LineId;

/// A refusal; the order is as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderRejection {
    /// Not in this state.
    State(OrderStatus),
    /// Nothing leaves the house while it is held.
    OnHold,
    /// Some of it has left the house.
    AlreadyFulfilled(FulfilmentProgress),
    /// An earlier payment may still hold money, or come to hold some.
    PaymentOpen,
    /// Nothing was authorized that would pay for it.
    NotPaid,
    UnknownOperation,
    UnknownLine(LineId),
    UnknownFulfilment,
    UnknownReturn,
    UnknownEdit,
    /// The order has changed since the edit was proposed.
    EditOutdated {
        current: u64,
    },
    /// The parcel or the return is in no state for this.
    WrongStep,
    /// No units, or a line named twice.
    InvalidLines,
    InvalidAmount,
    CaptureExceedsAuthorized {
        left: i64,
    },
    RefundExceedsCaptured {
        left: i64,
    },
    /// More units than were fulfilled and are not on their way back.
    ReturnExceedsFulfilled {
        line: LineId,
        left: u32,
    },
    /// More units than are still to be fulfilled, or paid back.
    QuantityExceedsLeft {
        line: LineId,
        left: u32,
    },
    /// Texts, parcels, returns or payments beyond what an order may hold.
    TooMany(&'static str),
}

impl OrderRejection {
    /// The stable code of the problem reply.
    pub fn code(&self) -> &'static str {
        match self {
            OrderRejection::AlreadyFulfilled(_) => "already_fulfilled",
            OrderRejection::State(_)
            | OrderRejection::OnHold
            | OrderRejection::PaymentOpen
            | OrderRejection::NotPaid
            | OrderRejection::WrongStep => "order_state",
            OrderRejection::UnknownOperation
            | OrderRejection::UnknownFulfilment
            | OrderRejection::UnknownReturn
            | OrderRejection::UnknownEdit => "not_found",
            OrderRejection::EditOutdated { .. } => "version_mismatch",
            OrderRejection::CaptureExceedsAuthorized { .. } => "capture_exceeds_authorized",
            OrderRejection::RefundExceedsCaptured { .. } => "refund_exceeds_captured",
            OrderRejection::ReturnExceedsFulfilled { .. } => "return_exceeds_fulfilled",
            OrderRejection::UnknownLine(_)
            | OrderRejection::InvalidLines
            | OrderRejection::InvalidAmount
            | OrderRejection::QuantityExceedsLeft { .. }
            | OrderRejection::TooMany(_) => "validation_failed",
        }
    }
}
