//! What happened to an order, as its readers may know it.

use barrow_engine::money::Money;
use barrow_engine::orders::{Actor, Order, OrderEvent, Recorded};
use barrow_engine::time::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa::openapi::schema::{AdditionalProperties, Object, ObjectBuilder};

use super::Reader;

/// Something that happened.
#[derive(Serialize, ToSchema)]
pub struct TimelineEntry<'a> {
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub actor: ActorBody<'a>,
    /// What: `order.placed`, `payment.succeeded`, `fulfilment.created`, ...
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "order.placed")]
    pub kind: String,
    /// More of it, by its type.
    #[schema(schema_with = any_object)]
    pub data: Value,
}

/// Who caused it.
#[derive(Serialize, ToSchema)]
#[schema(as = Actor)]
pub struct ActorBody<'a> {
    /// `customer`, `staff`, `system` or `gateway`.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "customer")]
    pub kind: &'static str,
    #[schema(required)]
    pub id: Option<String>,
    #[schema(required)]
    pub name: Option<&'a str>,
}

/// An object whose fields hang on something else.
fn any_object() -> Object {
    ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(true))).build()
}

pub(super) fn of(order: &Order, reader: Reader) -> Vec<TimelineEntry<'_>> {
    let entries = order.timeline.iter().filter(|recorded| is_shown(&recorded.event, reader));
    entries.map(|recorded| entry(recorded, order, reader)).collect()
}

fn is_shown(event: &OrderEvent, reader: Reader) -> bool {
    let is_internal =
        matches!(event, OrderEvent::Noted { .. } | OrderEvent::Held | OrderEvent::Released);
    reader == Reader::Staff || !is_internal
}

fn entry<'a>(recorded: &'a Recorded, order: &Order, reader: Reader) -> TimelineEntry<'a> {
    let event = serde_json::to_value(&recorded.event).expect("an event is plain data");
    let Value::Object(mut event) = event else { unreachable!("an event has a type") };
    let kind = event.remove("type").and_then(|kind| kind.as_str().map(str::to_owned));
    let mut data = match event.remove("data") {
        Some(Value::Object(data)) => data,
        _ => Map::new(),
    };
    // Inside the house an amount is a number of the order's one currency.
    if let Some(amount) = data.get("amount").and_then(Value::as_i64) {
        let money = serde_json::to_value(Money::new(amount, order.currency));
        data.insert("amount".to_owned(), money.expect("money is plain data"));
    }
    TimelineEntry {
        at: recorded.at,
        actor: actor(&recorded.by, reader),
        kind: kind.expect("an event has a type"),
        data: Value::Object(data),
    }
}

fn actor(by: &Actor, reader: Reader) -> ActorBody<'_> {
    let (kind, id, name) = match by {
        Actor::Customer { id } => ("customer", id.map(|id| id.to_string()), None),
        Actor::Staff { .. } if reader == Reader::Buyer => ("staff", None, None),
        Actor::Staff { id, name } => ("staff", Some(id.clone()), Some(name.as_str())),
        Actor::System => ("system", None, None),
        Actor::Gateway { name } => ("gateway", None, Some(name.as_str())),
    };
    ActorBody { kind, id, name }
}
