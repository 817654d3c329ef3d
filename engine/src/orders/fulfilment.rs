//! Parcels: what left the house, and whether it arrived.

use serde::{Deserialize, Serialize};

use crate::cart::LineId;
use crate::ids::FulfilmentId;
use crate::time::Timestamp;

/// The most parcels of one order.
pub const FULFILMENTS_MAX: usize = 200;

/// The longest carrier, tracking number or address of a tracking page.
pub const TRACKING_CHARS_MAX: usize = 500;

/// A parcel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fulfilment {
    pub id: FulfilmentId,
    pub status: FulfilmentStatus,
    pub lines: Vec<LineUnits>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking: Option<Tracking>,
    pub at: Timestamp,
}

impl Fulfilment {
    pub fn is_under_way(&self) -> bool {
        self.status == FulfilmentStatus::Shipped
    }
}

/// Units of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineUnits {
    pub line: LineId,
    pub quantity: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FulfilmentStatus {
    Shipped,
    Delivered,
    /// It never left after all: its units are unfulfilled again.
    Cancelled,
}

impl FulfilmentStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            FulfilmentStatus::Shipped => "shipped",
            FulfilmentStatus::Delivered => "delivered",
            FulfilmentStatus::Cancelled => "cancelled",
        }
    }
}

/// How a parcel is followed on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tracking {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    pub number: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}
