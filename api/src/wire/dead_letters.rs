//! Events that somebody could not be told, as the house looks at them.

use barrow_engine::events::Event;
use barrow_engine::ids::{DeadLetterId, EventId};
use barrow_engine::ports::DeadLetter;
use barrow_engine::time::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Something that happened to an order or to the stock of a SKU.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventBody<'a> {
    #[schema(value_type = String, example = "evt_06d3r8v2k9m5w1x7q4t0c3f8hn")]
    pub id: EventId,
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "order.placed")]
    pub kind: &'static str,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub aggregate: AggregateBody<'a>,
    /// More of it, by its type.
    #[schema(value_type = Object)]
    pub data: &'a Value,
}

/// What it happened to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Aggregate)]
pub struct AggregateBody<'a> {
    /// `order` or `sku`.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "order")]
    pub kind: &'static str,
    #[schema(value_type = String, example = "ord_06d3r8v2k9m5w1x7q4t0c3f8hn")]
    pub id: &'a str,
    /// The version that it made.
    pub version: u64,
}

impl<'a> From<&'a Event> for EventBody<'a> {
    fn from(event: &'a Event) -> EventBody<'a> {
        EventBody {
            id: event.id(),
            kind: event.kind.as_str(),
            at: event.at,
            aggregate: AggregateBody {
                kind: event.aggregate.kind.as_str(),
                id: &event.aggregate.id,
                version: event.position.version(),
            },
            data: &event.data,
        }
    }
}

/// An event that a consumer could not be told.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub struct DeadLetterBody<'a> {
    #[schema(value_type = String, example = "dead_06d3r8v2k9m5w1x7q4t0c3f8hn")]
    pub id: DeadLetterId,
    /// Who could not be told.
    #[schema(value_type = String, example = "log")]
    pub consumer: &'a str,
    pub event: EventBody<'a>,
    /// How often it was tried.
    pub attempts: u32,
    /// What came of the last time.
    pub error: &'a str,
    /// Since when it is tried no more.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Later events of the same order or SKU that wait behind it.
    pub waiting: u64,
}

impl<'a> From<&'a DeadLetter> for DeadLetterBody<'a> {
    fn from(letter: &'a DeadLetter) -> DeadLetterBody<'a> {
        DeadLetterBody {
            id: letter.id,
            consumer: &letter.consumer,
            event: EventBody::from(&letter.event),
            attempts: letter.attempts,
            error: &letter.error,
            at: letter.at,
            waiting: letter.waiting,
        }
    }
}

/// Dead letters, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadLetterList<'a> {
    pub items: Vec<DeadLetterBody<'a>>,
    #[schema(required)]
    pub next_cursor: Option<String>,
}
