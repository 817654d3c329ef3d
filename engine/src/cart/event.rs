//! What has happened to a cart.

use std::sync::Arc;

use super::{Addresses, Contact, Hold, LineId, Owner};
use crate::catalog::{ChannelId, Locale, Sellable};
use crate::money::Currency;
use crate::pricing::Shop;
use crate::quantity::Quantity;
use crate::time::Timestamp;

#[derive(Debug, Clone)]
pub struct CartEvent {
    pub at: Timestamp,
    pub change: CartChange,
}

/// Unit prices are in minor units of the cart's currency.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "an event is applied at once, and lives no longer")]
pub enum CartChange {
    Created {
        owner: Owner,
        currency: Currency,
        channel: ChannelId,
        locale: Locale,
        shop: Arc<Shop>,
    },
    LineAdded {
        line: LineId,
        sellable: Arc<Sellable>,
        quantity: Quantity,
        accepted_unit: i64,
    },
    QuantityChanged {
        line: LineId,
        /// A newer snapshot of the SKU, where the change brought one.
        sellable: Option<Arc<Sellable>>,
        quantity: Quantity,
        accepted_unit: i64,
    },
    LineRemoved {
        line: LineId,
    },
    ContactSet(Contact),
    AddressesSet(Addresses),
    ShippingMethodSet {
        id: String,
    },
    PricesAccepted {
        /// The lines whose price had changed, each with the unit price now accepted.
        lines: Vec<(LineId, i64)>,
    },
    /// Units are reserved for it, or none any more.
    Held(Option<Box<Hold>>),
    Frozen {
        /// In minor units.
        expected_total: i64,
    },
    Unfrozen,
    Ordered,
    Expired,
}
