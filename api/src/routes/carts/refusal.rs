//! What a cart's refusals are called in replies.

use std::time::Duration;

use barrow_actors::carts::CartError;
use barrow_actors::runtime::CommandError;
use barrow_engine::cart::{
    CartRejection, CartRejectionCode, CartStatus, LineId, next_of, order_of,
};
use barrow_engine::ids::CartId;
use serde_json::json;

use crate::edge::{Code, FieldError, More, Problem};

/// Keys are forgotten after five minutes; most of that has gone by when memory is full.
const MEMORY_RETRY: Duration = Duration::from_secs(60);
/// An unknown outcome is settled by repeating, and that may begin at once.
const OUTCOME_RETRY: Duration = Duration::from_secs(1);

/// Where the steps of a command stand in the body it came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The body is the one step.
    Body,
    /// The line is named by the address: a wrong one is 404.
    Address,
    /// `/actions/N`.
    Actions,
}

impl Place {
    /// The pointer to a field of a step.
    pub fn pointer(self, step: usize, field: &str) -> String {
        match self {
            Place::Actions => format!("/actions/{step}{field}"),
            Place::Body | Place::Address => field.to_owned(),
        }
    }
}

/// The problem that answers it, and how its outcome is called in the figures.
pub fn problem(cart: CartId, error: CartError, place: Place) -> (Problem, &'static str) {
    match error {
        CommandError::Rejected(rejection) => {
            (rejected(cart, rejection, place), rejection.code.code())
        }
        CommandError::VersionMismatch { current } => {
            (Problem::version_mismatch(current), "version_mismatch")
        }
        CommandError::KeyReused => {
            let detail = "the idempotency key was used for another request to this cart";
            (Problem::new(Code::IdempotencyKeyReused, detail), "key_reused")
        }
        CommandError::KeyMemoryFull => {
            let detail = "this cart was sent too many idempotency keys in five minutes";
            let problem = Problem::new(Code::IdempotencyMemoryFull, detail);
            (problem.retry_after(MEMORY_RETRY), "key_memory_full")
        }
        CommandError::Overloaded { retry_after } => {
            let problem = Problem::new(Code::Overloaded, "too much is under way for this cart");
            (problem.retry_after(retry_after), "overloaded")
        }
        CommandError::Unavailable { retry_after } => {
            (Problem::unavailable("the cart cannot be reached now", retry_after), "unavailable")
        }
        CommandError::OutcomeUnknown => {
            let detail = "the change may or may not be made: repeat it with the same key";
            let problem = Problem::new(Code::OutcomeUnknown, detail).retry_after(OUTCOME_RETRY);
            (problem, "outcome_unknown")
        }
        CommandError::Unreadable => {
            let detail = "the stored cart cannot be read; it is left as it is";
            (Problem::unavailable(detail, MEMORY_RETRY), "unreadable")
        }
    }
}

fn rejected(cart: CartId, rejection: CartRejection, place: Place) -> Problem {
    use CartRejectionCode as Why;

    let why = rejection.code;
    let step = rejection.step.unwrap_or(0);
    let pointer = |field: &str| place.pointer(step, field);
    let field = why.pointer().unwrap_or_default();
    let with_code = |code: Code| Problem::new(code, why.detail()).at(pointer(field));
    match why {
        Why::NotFound => Problem::not_found(why.detail()),
        Why::UnknownLine if place == Place::Address => Problem::not_found(why.detail()),
        Why::UnknownLine => invalid(pointer(field), "unknown_line", why.detail()),
        Why::UnknownShippingMethod | Why::UnknownCountry => {
            invalid(pointer(field), why.code(), why.detail())
        }
        Why::NoPrice => with_code(Code::NoPrice),
        Why::VariantUnavailable => with_code(Code::VariantUnavailable),
        Why::QuantityLimit => with_code(Code::QuantityLimit),
        Why::LineLimit => with_code(Code::LineLimit),
        Why::InsufficientStock { line, requested, available } => {
            too_few(line, requested, available, why.detail())
        }
        // It can still be read, so it is no 404; but nothing can change now, or any more.
        Why::Closed(CartStatus::Ordered) => ordered(cart),
        Why::Closed(status) => Problem::new(closed(status), why.detail()),
        Why::NotReady => Problem::new(Code::CartNotReady, why.detail()),
        Why::TotalChanged => Problem::new(Code::CartChanged, why.detail()),
        Why::CreatedDifferently => Problem::new(Code::IdempotencyKeyReused, why.detail()),
    }
}

/// The shop holds what is in a cart, and cannot hold that.
fn too_few(line: Option<LineId>, requested: u32, available: u64, detail: &'static str) -> Problem {
    let told = format!("Only {available} of {requested} are available.");
    let line = line.map(|line| line.to_string());
    let problem = json!({"code": "insufficient_stock", "line_id": line, "detail": told,
        "requested": requested, "available": available});
    let more = More { problems: Some(json!([problem])), ..More::default() };
    Problem::new(Code::InsufficientStock, detail).with(more)
}

/// The cart was bought: what became of it, and where its shopper goes on.
pub fn ordered(cart: CartId) -> Problem {
    let (order_id, next_cart_id) = (Some(order_of(cart)), Some(next_of(cart)));
    let why = CartRejectionCode::Closed(CartStatus::Ordered);
    let more = More { order_id, next_cart_id, ..More::default() };
    Problem::new(Code::CartOrdered, why.detail()).with(more)
}

fn closed(status: CartStatus) -> Code {
    match status {
        CartStatus::CheckingOut => Code::CheckoutInProgress,
        CartStatus::Ordered => Code::CartOrdered,
        CartStatus::Open | CartStatus::Expired => Code::CartExpired,
    }
}

/// 422 about one field.
pub fn invalid(pointer: String, code: &'static str, detail: &str) -> Problem {
    Problem::invalid(vec![FieldError::new(pointer, code, detail)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: CartRejectionCode, place: Place, expected: Code, pointer: Option<(&str, &str)>) {
        let (problem, _) = problem(CartId(1), CommandError::Rejected(code.at_step(3)), place);
        assert_eq!(problem.code(), expected, "{code:?} {place:?}");
        let found = problem.errors().first().map(|e| (e.pointer.as_str(), e.code));
        assert_eq!(found, pointer, "{code:?} {place:?}");
    }

    #[test]
    fn refusals_point_at_what_is_to_blame() {
        use CartRejectionCode as Why;

        check(Why::NoPrice, Place::Body, Code::NoPrice, Some(("/sku", "no_price")));
        check(Why::NoPrice, Place::Actions, Code::NoPrice, Some(("/actions/3/sku", "no_price")));
        check(
            Why::QuantityLimit,
            Place::Address,
            Code::QuantityLimit,
            Some(("/quantity", "quantity_limit")),
        );
        check(Why::UnknownLine, Place::Address, Code::NotFound, None);
        check(
            Why::UnknownLine,
            Place::Actions,
            Code::ValidationFailed,
            Some(("/actions/3/line_id", "unknown_line")),
        );
        check(
            Why::UnknownShippingMethod,
            Place::Body,
            Code::ValidationFailed,
            Some(("/id", "unknown_shipping_method")),
        );
        check(Why::NotFound, Place::Actions, Code::NotFound, None);
        check(Why::Closed(CartStatus::Expired), Place::Actions, Code::CartExpired, None);
        check(Why::Closed(CartStatus::Ordered), Place::Body, Code::CartOrdered, None);
        let in_checkout = Why::Closed(CartStatus::CheckingOut);
        check(in_checkout, Place::Body, Code::CheckoutInProgress, None);
        check(Why::NotReady, Place::Body, Code::CartNotReady, None);
        check(Why::TotalChanged, Place::Body, Code::CartChanged, None);
    }
}
