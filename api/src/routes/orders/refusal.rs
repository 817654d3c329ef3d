//! What refusals of orders are called in replies.

use std::time::Duration;

use barrow_actors::orders::OrderDeskError;
use barrow_engine::inventory::StockRefusal;
use barrow_engine::orders::OrderRejection;
use barrow_engine::ports::CommerceError;

use crate::edge::{Code, FieldError, Problem};

/// When to come again while the store does not answer, or others are faster.
const RETRY: Duration = Duration::from_secs(1);

/// Keys are forgotten after a month.
const MEMORY_RETRY: Duration = Duration::from_secs(24 * 60 * 60);

/// What a client is told of a store of orders that fails.
pub fn store_problem(error: &CommerceError) -> Problem {
    match error {
        CommerceError::Unavailable(_) => {
            tracing::warn!(%error, "the commerce store does not answer");
            Problem::unavailable("orders cannot be reached now", RETRY)
        }
        CommerceError::OutcomeUnknown(_) => outcome_unknown(),
        CommerceError::Damaged(_) => {
            tracing::error!(%error, "the commerce store is damaged");
            Problem::unavailable("the order cannot be read; it is left as it is", RETRY)
        }
    }
}

pub fn outcome_unknown() -> Problem {
    let detail = "what came of it is not known: repeat it with the same key";
    Problem::new(Code::OutcomeUnknown, detail).retry_after(RETRY)
}

pub fn no_order() -> Problem {
    Problem::not_found("There is no such order.")
}

/// The problem that answers what the desk does not do.
pub fn desk_problem(error: OrderDeskError) -> Problem {
    match error {
        OrderDeskError::NotFound => no_order(),
        // Buyers are never let as far as to what only staff may ask.
        OrderDeskError::Forbidden => no_order(),
        OrderDeskError::Rejected(rejection) => rejected(&rejection),
        OrderDeskError::Stock(refusal) => out_of_stock(&refusal),
        OrderDeskError::UnknownSku(sku) => {
            let detail = format!("the catalog has no {sku}");
            Problem::invalid(vec![FieldError::new("", "unknown_sku", detail)])
        }
        OrderDeskError::Unavailable(sku) => {
            Problem::new(Code::VariantUnavailable, format!("{sku} is not sold here"))
        }
        OrderDeskError::NoPrice(sku) => {
            Problem::new(Code::NoPrice, format!("{sku} has no price here"))
        }
        OrderDeskError::Catalog(error) => {
            tracing::error!(%error, "the catalog could not be read");
            Problem::unavailable("the catalog cannot be read now", RETRY)
        }
        OrderDeskError::VersionMismatch { current } => Problem::version_mismatch(current),
        OrderDeskError::KeyReused => {
            let detail = "the idempotency key was used for another request to this order";
            Problem::new(Code::IdempotencyKeyReused, detail)
        }
        OrderDeskError::KeyMemoryFull => {
            let detail = "this order was sent too many idempotency keys in 30 days";
            Problem::new(Code::IdempotencyMemoryFull, detail).retry_after(MEMORY_RETRY)
        }
        OrderDeskError::Busy => {
            let problem = Problem::new(Code::Overloaded, "the order is being changed by others");
            problem.retry_after(RETRY)
        }
        OrderDeskError::Store(error) => store_problem(&error),
    }
}

fn rejected(rejection: &OrderRejection) -> Problem {
    let left = |left: i64| format!("at most {left} (in minor units) are left");
    let invalid = |pointer: &str, code, detail: String| {
        Problem::invalid(vec![FieldError::new(pointer, code, detail)])
    };
    match rejection {
        OrderRejection::State(status) => {
            let status = status.as_str();
            Problem::new(Code::OrderState, format!("the order is {status}"))
        }
        OrderRejection::OnHold => Problem::new(Code::OrderState, "the order is on hold"),
        OrderRejection::PaymentOpen => {
            Problem::new(Code::OrderState, "a payment of the order is not settled yet")
        }
        OrderRejection::NotPaid => Problem::new(Code::OrderState, "the order is not paid for"),
        OrderRejection::WrongStep => {
            Problem::new(Code::OrderState, "the parcel or return is in no state for this")
        }
        OrderRejection::AlreadyFulfilled(_) => {
            Problem::new(Code::AlreadyFulfilled, "some of it has left the house")
        }
        OrderRejection::UnknownOperation => Problem::not_found("There is no such payment."),
        OrderRejection::UnknownFulfilment => Problem::not_found("There is no such parcel."),
        OrderRejection::UnknownReturn => Problem::not_found("There is no such return."),
        OrderRejection::UnknownEdit => Problem::not_found("There is no such edit."),
        OrderRejection::EditOutdated { current } => Problem::version_mismatch(*current),
        OrderRejection::CaptureExceedsAuthorized { left: most } => {
            Problem::new(Code::CaptureExceedsAuthorized, left(*most)).at("/amount")
        }
        OrderRejection::RefundExceedsCaptured { left: most } => {
            Problem::new(Code::RefundExceedsCaptured, left(*most))
        }
        OrderRejection::ReturnExceedsFulfilled { line, left } => {
            let detail = format!("of {line} at most {left} can be sent back");
            Problem::new(Code::ReturnExceedsFulfilled, detail).at("/lines")
        }
        OrderRejection::UnknownLine(line) => {
            invalid("/lines", "unknown_line", format!("the order has no {line}"))
        }
        OrderRejection::InvalidLines => {
            let detail = "name at least one line, each once, with units";
            invalid("/lines", "invalid_lines", detail.to_owned())
        }
        OrderRejection::InvalidAmount => {
            invalid("/amount", "out_of_range", "it must be more than 0".to_owned())
        }
        OrderRejection::QuantityExceedsLeft { line, left } => {
            invalid("/lines", "out_of_range", format!("of {line} at most {left} are left"))
        }
        OrderRejection::TooMany(what) => {
            invalid("", "too_many", format!("the order cannot hold more: {what}"))
        }
    }
}

fn out_of_stock(refusal: &StockRefusal) -> Problem {
    Problem::new(Code::InsufficientStock, refusal.to_string())
}
