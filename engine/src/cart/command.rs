//! What may be asked of a cart, and who asks.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Addresses, Contact, Holding, LineId};
use crate::catalog::{ChannelId, Locale, Sellable};
use crate::ids::{CustomerId, SessionId};
use crate::money::{Currency, Money};
use crate::pricing::Shop;
use crate::quantity::Quantity;

/// The most steps of one [`CartAction::Change`]: enough to fill in a whole checkout form and a
/// reorder at once, few enough that one command cannot keep a cart's actor from the others.
pub const STEPS_MAX: usize = 100;

/// Whose cart it is. Nobody else may read or change it, or learn that it exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    Session(SessionId),
    Customer(CustomerId),
}

/// Who gives a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Shopper(Owner),
    /// The house itself: a timer.
    System,
}

#[derive(Debug, Clone)]
pub struct CartCommand {
    pub by: By,
    pub action: CartAction,
}

#[derive(Debug, Clone)]
pub enum CartAction {
    /// Opens the cart for the shopper who asks. Asked again with the same terms it changes
    /// nothing.
    Create { currency: Currency, channel: ChannelId, locale: Locale, shop: Arc<Shop> },
    /// All of the steps, in order, or none. A single call is one step.
    Change(Vec<CartStep>),
    /// Freezes the cart to be bought, if nothing keeps it from that and it costs what the shopper
    /// agreed to. Asked again for the same total it changes nothing.
    Freeze { expected_total: Money },
    /// The order was given up: the cart takes changes again, if it is still frozen for that try.
    Unfreeze { freeze: u32 },
    /// The order was placed.
    MarkOrdered,
    /// Ends a cart that nobody touched for [`super::CART_TTL`].
    Expire,
}

/// One change of an open cart.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a change has at most a hundred steps")]
pub enum CartStep {
    /// Adds units of a SKU; they sum with the line that already holds it.
    AddLine {
        sellable: Arc<Sellable>,
        quantity: Quantity,
    },
    /// Sets a line's quantity; 0 removes the line.
    SetQuantity {
        line: LineId,
        quantity: u32,
    },
    RemoveLine {
        line: LineId,
    },
    SetContact(Contact),
    SetAddresses(Addresses),
    SetShippingMethod {
        id: String,
    },
    /// Accepts the current price of every line whose price has changed.
    AcceptPrices,
    /// What was reserved for the cart as the steps before leave it. The house's own, and the last.
    Hold(Holding),
}
