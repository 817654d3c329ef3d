//! Stock as the house reads and moves it.

use barrow_engine::catalog::{Location, Sku};
use barrow_engine::ids::MovementId;
use barrow_engine::inventory::{Level, Movement, UNITS_MAX};
use barrow_engine::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::edge::json::WholeNumber;

const _: () = assert!(UNITS_MAX == 4_294_967_295, "the bounds below say so");

/// `POST /admin/v1/stock/movements`: units that came, or went.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BookMovement {
    #[schema(example = "OAK-CHAIR-NAT")]
    pub sku: String,
    /// Where they lie; `default` where nothing is said.
    #[serde(default)]
    pub location: Option<String>,
    /// How many came, or went where it is negative; not 0.
    #[schema(value_type = i64, example = 12)]
    #[schema(minimum = -4_294_967_295_i64, maximum = 4_294_967_295_i64)]
    pub quantity: WholeNumber,
    #[schema(example = "delivery 4711", min_length = 1, max_length = 200)]
    pub reason: String,
}

/// A line of the stock's ledger. It never changes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Movement)]
pub struct MovementBody<'a> {
    #[schema(value_type = String, example = "mov_06d3r8v2k9m5w1x7q4t0c3f8hn")]
    pub id: MovementId,
    #[schema(value_type = String, example = "OAK-CHAIR-NAT")]
    pub sku: &'a Sku,
    #[schema(value_type = String, example = "default")]
    pub location: &'a Location,
    pub quantity: i64,
    pub reason: &'a str,
    /// Who moved it, for people.
    pub actor: &'a str,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// On hand at the location after it.
    pub level: u64,
}

impl<'a> From<&'a Movement> for MovementBody<'a> {
    fn from(Movement { draft, level }: &'a Movement) -> MovementBody<'a> {
        MovementBody {
            id: draft.id,
            sku: &draft.sku,
            location: &draft.location,
            quantity: draft.quantity,
            reason: &draft.reason,
            actor: &draft.actor,
            at: draft.at,
            level: *level,
        }
    }
}

/// Movements of a SKU, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct MovementList<'a> {
    pub items: Vec<MovementBody<'a>>,
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// How many units of a SKU lie somewhere.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Level)]
pub struct LevelBody<'a> {
    #[schema(value_type = String, example = "OAK-CHAIR-NAT")]
    pub sku: &'a Sku,
    #[schema(value_type = String, example = "default")]
    pub location: &'a Location,
    pub on_hand: u64,
    /// Held by carts or checkouts, for a while.
    pub reserved: u64,
    /// Held by orders that were placed.
    pub allocated: u64,
    /// On hand and not held; less than 0 where units were sold before they came.
    pub available: i64,
}

impl<'a> From<&'a Level> for LevelBody<'a> {
    fn from(level: &'a Level) -> LevelBody<'a> {
        LevelBody {
            sku: &level.sku,
            location: &level.location,
            on_hand: level.on_hand,
            reserved: level.reserved,
            allocated: level.allocated,
            available: level.available(),
        }
    }
}

/// Levels, by SKU and then by location.
#[derive(Debug, Serialize, ToSchema)]
pub struct LevelList<'a> {
    pub items: Vec<LevelBody<'a>>,
    #[schema(required)]
    pub next_cursor: Option<String>,
}
