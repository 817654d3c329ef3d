//! Why a cart refuses a command.

use super::{CartStatus, LineId};

/// A refusal; the cart is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CartRejection {
    pub code: CartRejectionCode,
    /// Which step of the change was refused, from 0; `None` where it is not about a step.
    pub step: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CartRejectionCode {
    /// There is no such cart, or it is somebody else's: the two look the same from outside.
    NotFound,
    /// The cart has no such line.
    UnknownLine,
    /// The SKU has no price in the cart's currency and channel.
    NoPrice,
    /// The SKU is not sold in the cart's channel now.
    VariantUnavailable,
    /// More units than a line may hold, or a line worth more than can be added up exactly.
    QuantityLimit,
    /// More lines than a cart may hold.
    LineLimit,
    /// No such shipping method, or it does not reach the place or channel.
    UnknownShippingMethod,
    /// The cart's channel does not ship to the country of the shipping address.
    UnknownCountry,
    /// The shop holds what is in a cart, and there is less than the change wants.
    InsufficientStock {
        /// `None` for a line that was to come.
        line: Option<LineId>,
        requested: u32,
        /// How many the cart could have.
        available: u64,
    },
    /// Something keeps it from being bought: its problems.
    NotReady,
    /// It costs something else than the shopper agreed to.
    TotalChanged,
    /// The cart takes no changes in this state.
    Closed(CartStatus),
    /// The cart exists with another currency, channel or locale.
    CreatedDifferently,
}

impl CartRejectionCode {
    /// The stable code: that of the problem reply where it has a page of its own, else that of
    /// the field named by [`CartRejectionCode::pointer`].
    pub fn code(self) -> &'static str {
        match self {
            CartRejectionCode::NotFound | CartRejectionCode::UnknownLine => "not_found",
            CartRejectionCode::NoPrice => "no_price",
            CartRejectionCode::VariantUnavailable => "variant_unavailable",
            CartRejectionCode::QuantityLimit => "quantity_limit",
            CartRejectionCode::LineLimit => "line_limit",
            CartRejectionCode::UnknownShippingMethod => "unknown_shipping_method",
            CartRejectionCode::UnknownCountry => "unknown_country",
            CartRejectionCode::InsufficientStock { .. } => "insufficient_stock",
            CartRejectionCode::NotReady => "cart_not_ready",
            CartRejectionCode::TotalChanged => "cart_changed",
            CartRejectionCode::Closed(CartStatus::CheckingOut) => "checkout_in_progress",
            CartRejectionCode::Closed(CartStatus::Ordered) => "cart_ordered",
            CartRejectionCode::Closed(CartStatus::Open | CartStatus::Expired) => "cart_expired",
            CartRejectionCode::CreatedDifferently => "idempotency_key_reused",
        }
    }

    /// The field of the step that is to blame, as a JSON pointer into the step's body.
    pub fn pointer(self) -> Option<&'static str> {
        match self {
            CartRejectionCode::UnknownLine => Some("/line_id"),
            CartRejectionCode::NoPrice | CartRejectionCode::VariantUnavailable => Some("/sku"),
            CartRejectionCode::LineLimit => Some("/sku"),
            CartRejectionCode::QuantityLimit => Some("/quantity"),
            CartRejectionCode::UnknownShippingMethod => Some("/id"),
            CartRejectionCode::UnknownCountry => Some("/shipping/country"),
            CartRejectionCode::NotFound
            | CartRejectionCode::InsufficientStock { .. }
            | CartRejectionCode::NotReady
            | CartRejectionCode::TotalChanged
            | CartRejectionCode::Closed(_)
            | CartRejectionCode::CreatedDifferently => None,
        }
    }

    /// What is told to a person.
    pub fn detail(self) -> &'static str {
        match self {
            CartRejectionCode::NotFound => "There is no such cart.",
            CartRejectionCode::UnknownLine => "The cart has no such line.",
            CartRejectionCode::NoPrice => {
                "The SKU has no price in the cart's currency and channel."
            }
            CartRejectionCode::VariantUnavailable => {
                "The SKU is not for sale in the cart's channel."
            }
            CartRejectionCode::QuantityLimit => "A line may not hold that many units of the SKU.",
            CartRejectionCode::LineLimit => "The cart holds as many lines as a cart may hold.",
            CartRejectionCode::UnknownShippingMethod => {
                "There is no such shipping method for the cart's channel and country."
            }
            CartRejectionCode::UnknownCountry => "The cart's channel does not ship to the country.",
            CartRejectionCode::InsufficientStock { .. } => {
                "There is less of it than the cart is to hold."
            }
            CartRejectionCode::NotReady => "The cart has problems that keep it from being bought.",
            CartRejectionCode::TotalChanged => "The cart costs something else by now.",
            CartRejectionCode::Closed(CartStatus::CheckingOut) => {
                "The cart is being bought; give that up first."
            }
            CartRejectionCode::Closed(CartStatus::Ordered) => "The cart was bought.",
            CartRejectionCode::Closed(CartStatus::Open | CartStatus::Expired) => {
                "The cart has expired; open a new one."
            }
            CartRejectionCode::CreatedDifferently => {
                "The cart was created with another currency, channel or locale."
            }
        }
    }

    /// This refusal, of the step with that index.
    pub fn at_step(self, step: usize) -> CartRejection {
        CartRejection { code: self, step: Some(step) }
    }
}

impl From<CartRejectionCode> for CartRejection {
    fn from(code: CartRejectionCode) -> CartRejection {
        CartRejection { code, step: None }
    }
}
