//! Returns: what a buyer sends back, from the wish to the money.

use serde::{Deserialize, Serialize};

use crate::cart::LineId;
use crate::ids::ReturnId;
use crate::time::Timestamp;

/// The most returns of one order.
pub const RETURNS_MAX: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Return {
    pub id: ReturnId,
    pub status: ReturnStatus,
    pub lines: Vec<ReturnLine>,
    /// Counts its changes.
    pub version: u64,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReturnLine {
    pub line: LineId,
    /// How many the buyer wants to send back.
    pub quantity: u32,
    pub reason: String,
    /// How many came.
    #[serde(default)]
    pub received: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReturnStatus {
    Requested,
    Approved,
    Rejected,
    Received,
    Refunded,
    Cancelled,
}

impl ReturnStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            ReturnStatus::Requested => "requested",
            ReturnStatus::Approved => "approved",
            ReturnStatus::Rejected => "rejected",
            ReturnStatus::Received => "received",
            ReturnStatus::Refunded => "refunded",
            ReturnStatus::Cancelled => "cancelled",
        }
    }

    /// Whether its units may still come back.
    pub fn is_open(self) -> bool {
        matches!(self, ReturnStatus::Requested | ReturnStatus::Approved)
    }
}
