//! What others are told of: something that happened to an order or to the stock of a SKU.
//!
//! An event is written by the very transaction that made it, so that there is none without the
//! other. It belongs to an aggregate, and has its place among what happened to that: whoever is
//! told is told in that order. Its id follows from aggregate and place, so it is the same however
//! often the event is told, and serves whoever acts on it as the key of what they do.

mod order;
mod stock;

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

pub use order::order_events;
pub use stock::{stock_aggregate, stock_data};

use crate::ids::EventId;
use crate::time::Timestamp;

/// Events of one change of one aggregate. The longest decision makes some hundreds.
pub const EVENTS_OF_A_CHANGE_MAX: u32 = 4_096;

/// What happened, by the name that clients know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventKind {
    OrderPlaced,
    OrderCancelled,
    OrderCompleted,
    OrderEdited,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentRefunded,
    PaymentFailed,
    FulfilmentCreated,
    FulfilmentDelivered,
    ReturnRequested,
    ReturnReceived,
    StockLow,
    StockOut,
    StockBack,
}

impl EventKind {
    pub const ALL: [EventKind; 15] = [
        EventKind::OrderPlaced,
        EventKind::OrderCancelled,
        EventKind::OrderCompleted,
        EventKind::OrderEdited,
        EventKind::PaymentAuthorized,
        EventKind::PaymentCaptured,
        EventKind::PaymentRefunded,
        EventKind::PaymentFailed,
        EventKind::FulfilmentCreated,
        EventKind::FulfilmentDelivered,
        EventKind::ReturnRequested,
        EventKind::ReturnReceived,
        EventKind::StockLow,
        EventKind::StockOut,
        EventKind::StockBack,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::OrderPlaced => "order.placed",
            EventKind::OrderCancelled => "order.cancelled",
            EventKind::OrderCompleted => "order.completed",
            EventKind::OrderEdited => "order.edited",
            EventKind::PaymentAuthorized => "payment.authorized",
            EventKind::PaymentCaptured => "payment.captured",
            EventKind::PaymentRefunded => "payment.refunded",
            EventKind::PaymentFailed => "payment.failed",
            EventKind::FulfilmentCreated => "fulfilment.created",
            EventKind::FulfilmentDelivered => "fulfilment.delivered",
            EventKind::ReturnRequested => "return.requested",
            EventKind::ReturnReceived => "return.received",
            EventKind::StockLow => "stock.low",
            EventKind::StockOut => "stock.out",
            EventKind::StockBack => "stock.back",
        }
    }
}

/// A text that is no kind of event, or no aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a name that events know")]
pub struct UnknownName;

impl FromStr for EventKind {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<EventKind, UnknownName> {
        EventKind::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownName)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AggregateKind {
    Order,
    Sku,
}

impl AggregateKind {
    pub fn as_str(self) -> &'static str {
        match self {
            AggregateKind::Order => "order",
            AggregateKind::Sku => "sku",
        }
    }
}

/// Whom events are about: those of one aggregate have an order, those of two have none. As text
/// `order/ord_...` or `sku/CHAIR-1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Aggregate {
    pub kind: AggregateKind,
    pub id: String,
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.id)
    }
}

impl FromStr for Aggregate {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Aggregate, UnknownName> {
        let (kind, id) = text.split_once('/').ok_or(UnknownName)?;
        let kinds = [AggregateKind::Order, AggregateKind::Sku];
        let kind = kinds.into_iter().find(|it| it.as_str() == kind).ok_or(UnknownName)?;
        Ok(Aggregate { kind, id: id.to_owned() })
    }
}

/// A place among the events of an aggregate: the version that a change made, then the place among
/// the events of that change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position(pub u64);

impl Position {
    /// `None` beyond what a change may make, or beyond 2^51 versions.
    pub fn new(version: u64, place: u32) -> Option<Position> {
        let is_in_range = place < EVENTS_OF_A_CHANGE_MAX && version < 1 << 51;
        let position = version.wrapping_mul(u64::from(EVENTS_OF_A_CHANGE_MAX)) + u64::from(place);
        is_in_range.then_some(Position(position))
    }

    pub fn version(self) -> u64 {
        self.0 / u64::from(EVENTS_OF_A_CHANGE_MAX)
    }

    /// Behind this one, and behind none that comes later.
    pub fn next(self) -> Position {
        Position(self.0 + 1)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub kind: EventKind,
    pub aggregate: Aggregate,
    pub position: Position,
    pub at: Timestamp,
    /// What else is told, without what is personal: who needs that asks by the id.
    pub data: Value,
}

impl Event {
    /// The same for ever, and no other event's.
    pub fn id(&self) -> EventId {
        EventId::derived(&format!("{}/{}", self.aggregate, self.position.0))
    }

    /// What a webhook is sent.
    pub fn to_json(&self) -> Value {
        let Aggregate { kind, id } = &self.aggregate;
        json!({
            "id": self.id(),
            "type": self.kind.as_str(),
            "at": self.at,
            "aggregate": {
                "type": kind.as_str(),
                "id": id,
                "version": self.position.version(),
            },
            "data": self.data,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for kind in EventKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert_eq!("order.opened".parse::<EventKind>(), Err(UnknownName));
        for text in ["order/ord_1", "sku/A/B", "sku/"] {
            assert_eq!(text.parse::<Aggregate>().unwrap().to_string(), text);
        }
        for text in ["", "order", "cart/1"] {
            assert_eq!(text.parse::<Aggregate>(), Err(UnknownName), "{text}");
        }
    }

    #[test]
    fn positions_sort_by_version_and_then_by_place() {
        let at = |version, place| Position::new(version, place).unwrap();
        assert!(at(1, 4_095) < at(2, 0) && at(2, 0) < at(2, 1));
        assert_eq!(at(7, 9).version(), 7);
        assert_eq!(at(1, 4_095).next(), at(2, 0));
        assert_eq!(Position::new(1, 4_096), None);
        assert_eq!(Position::new(u64::MAX, 0), None);
        assert!(i64::try_from(at((1 << 51) - 1, 4_095).0).is_ok(), "databases take it");
    }

    #[test]
    fn an_event_has_its_id_for_ever() {
        let event = Event {
            kind: EventKind::StockLow,
            aggregate: "sku/CHAIR-1".parse().unwrap(),
            position: Position::new(3, 0).unwrap(),
            at: Timestamp(0),
            data: json!({"sku": "CHAIR-1"}),
        };
        let expected = json!({
            "id": "evt_5tpe1d4wa73e4t16ps8ndp0hg9", "type": "stock.low",
            "at": "1970-01-01T00:00:00.000Z",
            "aggregate": {"type": "sku", "id": "CHAIR-1", "version": 3},
            "data": {"sku": "CHAIR-1"},
        });
        assert_eq!(event.to_json(), expected);
        let next = Event { position: event.position.next(), ..event.clone() };
        assert_ne!(next.id(), event.id());
    }
}
