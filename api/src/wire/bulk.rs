//! BULK: one request about many objects, with a result for each.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::edge::FieldError;

/// `POST /admin/v1/orders/bulk`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkOrders {
    /// Their ids, at most 100.
    #[schema(max_items = 100)]
    pub orders: Vec<String>,
    pub action: BulkAction,
}

/// What is done to each of them.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum BulkAction {
    /// Sends all that was not sent, in one parcel.
    Fulfil,
    /// Takes all that is authorized; needs `payments:write`.
    Capture,
    Cancel {
        reason: String,
    },
    Hold,
    Release,
    Note {
        text: String,
    },
}

/// A result for each order, in the order of the request.
#[derive(Serialize, ToSchema)]
pub struct BulkReply {
    pub items: Vec<BulkItem>,
}

#[derive(Serialize, ToSchema)]
pub struct BulkItem {
    pub index: usize,
    pub id: String,
    pub status: BulkStatus,
    /// Why, where it is an error: with the code of the call for one.
    pub errors: Vec<FieldError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BulkStatus {
    Updated,
    /// It was done before, under the same key.
    Unchanged,
    Error,
}
