//! Edits of an order, as staff send and read them.

use barrow_engine::ids::EditId;
use barrow_engine::money::Money;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::money::MoneySchema;
use super::order::OrderBody;
use crate::edge::json::WholeNumber;

/// `POST .../edits`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposeEdit {
    pub changes: Vec<ChangeInput>,
}

/// One thing that is changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ChangeInput {
    /// 0 removes the line.
    SetQuantity {
        #[schema(example = "line_1")]
        line_id: String,
        #[schema(value_type = u32, maximum = 99_999, example = 1)]
        quantity: WholeNumber,
    },
    /// At today's price.
    AddLine {
        #[schema(example = "OAK-CHAIR-NAT")]
        sku: String,
        #[schema(value_type = u32, minimum = 1, maximum = 99_999, example = 1)]
        quantity: WholeNumber,
    },
}

/// An edit, with what it would come to.
#[derive(Serialize, ToSchema)]
#[schema(as = Edit)]
pub struct EditBody<'a> {
    #[schema(value_type = String)]
    pub id: EditId,
    /// What the order costs more then; negative where it is less.
    #[schema(value_type = MoneySchema)]
    pub difference: Money,
    /// The order as it would be.
    pub preview: OrderBody<'a>,
}
