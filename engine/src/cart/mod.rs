//! The cart: what a shopper means to buy, and what keeps it from being bought.
//!
//! A pure decider. It promises that a change is made as a whole or not at all, that its quote is
//! exact to the minor unit and costs what the change costs, that a shopper is never charged a
//! price they did not see, and that a line's name is never used twice. It refuses what cannot be
//! sold at all; what merely cannot be sold *now*, too little stock or a changed price, it takes
//! and reports as a [`Problem`]. In a shop that reserves what is in a cart it refuses what cannot
//! be reserved, too ([`Hold`]).
//!
//! Its row holds SKUs, quantities and accepted prices. Everything else comes from the catalog's
//! snapshots ([`crate::catalog::Sellable`]) that the runtime hands in with [`Cart::refresh`].

mod command;
mod event;
mod rejection;
mod state;

mod decide;
mod draft;

mod line;
mod problems;
mod quote;
mod terms;

mod address;
mod contact;
mod form;

mod codec;
mod effect;
mod frozen;
mod hold;
pub mod policy;
mod sent;

#[cfg(any(test, feature = "workload"))]
pub mod workload;

#[cfg(test)]
mod tests;

pub use address::{
    ADDRESS_LINE_CHARS_MAX, ADDRESS_NAME_CHARS_MAX, Address, AddressForm, Addresses,
    POSTAL_CODE_CHARS_MAX,
};
pub use codec::VERSION as CODEC_VERSION;
pub use command::{By, CartAction, CartCommand, CartStep, Owner, STEPS_MAX};
pub use contact::{Contact, EMAIL_CHARS_MAX, EMAIL_LOCAL_CHARS_MAX, PHONE_CHARS_MAX};
pub use effect::{CheckoutNews, SessionNews};
pub use event::{CartChange, CartEvent};
pub use form::{FieldError, FieldErrorCode};
pub use hold::{Hold, Holdable, HoldableLine, HoldableStatus, Holding};
pub use line::{InvalidLineId, Line, LineId};
pub use problems::Problem;
pub use quote::{Adjustment, LINE_TOTAL_MAX, LINES_MAX, Quote, ShippingOption, Totals};
pub use rejection::{CartRejection, CartRejectionCode};
pub use sent::{
    SentCommand, UnknownSku, decode_by, decode_rejection, encode_by, encode_command,
    encode_rejection,
};
pub use state::{Cart, CartStatus};

use std::time::Duration;

use crate::entity::{Decision, DecodeError, Entity, EntityKey, EntityKind};
use crate::ids::{CartId, OrderId};
use crate::time::Timestamp;

pub(crate) use state::SkuIndex;

/// How long nobody has to touch a cart until it expires: a season. Shoppers come back to carts
/// after weeks; after a season the prices, and most of the goods, are others.
pub const CART_TTL: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How long an expired cart can still be read: a month, in which a shopper who comes back late
/// may take its lines over into a new one. After that its store may remove it.
pub const EXPIRED_CART_TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The entity of a cart.
pub fn key(id: CartId) -> EntityKey {
    EntityKey::new(EntityKind::Cart, id.0)
}

/// The order that a cart becomes.
pub fn order_of(id: CartId) -> OrderId {
    OrderId::derived(&id.to_string())
}

/// The cart that its shopper goes on with once it was bought.
pub fn next_of(id: CartId) -> CartId {
    CartId::derived(&id.to_string())
}

/// When an open cart expires if nobody touches it.
fn expires_at(cart: &Cart) -> Option<Timestamp> {
    let is_open = cart.exists() && cart.status() == CartStatus::Open;
    is_open.then(|| cart.updated_at().plus(CART_TTL))
}

/// The cart, to the runtime.
#[derive(Debug)]
pub struct CartEntity;

impl Entity for CartEntity {
    const KIND: EntityKind = EntityKind::Cart;

    type State = Cart;
    type Command = CartCommand;
    type Event = CartEvent;
    type Rejection = CartRejection;

    fn initial(id: u128) -> Cart {
        Cart::absent(CartId(id))
    }

    fn decide(
        cart: &Cart,
        command: CartCommand,
        now: Timestamp,
    ) -> Result<Decision<Self>, CartRejection> {
        decide::decide(cart, command, now)
    }

    fn apply(cart: &mut Cart, event: CartEvent) {
        cart.apply(event);
    }

    fn due(cart: &Cart) -> Option<Timestamp> {
        expires_at(cart)
    }

    fn timer(cart: &Cart, now: Timestamp) -> Option<CartCommand> {
        let is_due = expires_at(cart).is_some_and(|at| at <= now);
        is_due.then_some(CartCommand { by: By::System, action: CartAction::Expire })
    }

    /// The last change of an expired cart is that it expired.
    fn expires(cart: &Cart) -> Option<Timestamp> {
        let is_over = cart.exists() && cart.status() == CartStatus::Expired;
        is_over.then(|| cart.updated_at().plus(EXPIRED_CART_TTL))
    }

    /// Nobody sends a cart messages.
    fn receive(_source: EntityKey, _body: &[u8]) -> Result<CartCommand, DecodeError> {
        Err(DecodeError::Damaged("nobody sends it messages"))
    }

    fn encode(cart: &Cart, out: &mut Vec<u8>) {
        codec::encode(cart, out);
    }

    fn decode(id: u128, blob: &[u8]) -> Result<Cart, DecodeError> {
        codec::decode(CartId(id), blob)
    }
}
