//! What clients send about carts. Shapes only; what they mean is the engine's affair.

use barrow_engine::cart::AddressForm;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::edge::json::{WholeNumber, object, optional_object};

/// `POST /v1/carts`. What is left out is the shop's default.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenCart {
    #[serde(default)]
    #[schema(example = "EUR")]
    pub currency: Option<String>,
    #[serde(default)]
    pub channel: Option<String>,
    #[serde(default)]
    #[schema(example = "en")]
    pub locale: Option<String>,
}

/// Units of a SKU; they sum with the line that already holds it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddLine {
    #[schema(example = "OAK-CHAIR-NAT")]
    pub sku: String,
    #[schema(value_type = u32, minimum = 1, maximum = 99_999, example = 1)]
    pub quantity: WholeNumber,
}

/// A line's new quantity; 0 removes it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetQuantity {
    #[schema(value_type = u32, maximum = 99_999, example = 2)]
    pub quantity: WholeNumber,
}

/// As [`SetQuantity`], within a batch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetLineQuantity {
    #[schema(example = "line_1")]
    pub line_id: String,
    #[schema(value_type = u32, maximum = 99_999, example = 2)]
    pub quantity: WholeNumber,
}

/// Removes a line, within a batch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveLine {
    #[schema(example = "line_1")]
    pub line_id: String,
}

/// How the shopper is reached; replaces what was there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetContact {
    #[schema(example = "ada@example.com")]
    pub email: String,
    #[serde(default)]
    pub phone: Option<String>,
}

/// Where it goes; replaces what was there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetAddresses {
    #[serde(deserialize_with = "object")]
    pub shipping: AddressInput,
    #[serde(default, deserialize_with = "optional_object")]
    pub billing: Option<AddressInput>,
}

/// ADDRESS, as it is sent. What is needed and left out is named, all of it at once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressInput {
    #[serde(default)]
    #[schema(required, example = "Ada")]
    pub first_name: String,
    #[serde(default)]
    #[schema(required, example = "Lovelace")]
    pub last_name: String,
    #[serde(default)]
    pub company: Option<String>,
    #[serde(default)]
    #[schema(required, example = "Unter den Linden 1")]
    pub line1: String,
    #[serde(default)]
    pub line2: Option<String>,
    #[serde(default)]
    #[schema(required, example = "Berlin")]
    pub city: String,
    #[serde(default)]
    pub region: Option<String>,
    #[serde(default)]
    #[schema(required, example = "10117")]
    pub postal_code: String,
    /// ISO 3166-1 alpha-2.
    #[serde(default)]
    #[schema(required, example = "DE")]
    pub country: String,
    #[serde(default)]
    pub phone: Option<String>,
}

impl From<AddressInput> for AddressForm {
    fn from(input: AddressInput) -> AddressForm {
        AddressForm {
            first_name: input.first_name,
            last_name: input.last_name,
            company: input.company,
            line1: input.line1,
            line2: input.line2,
            city: input.city,
            region: input.region,
            postal_code: input.postal_code,
            country: input.country,
            phone: input.phone,
        }
    }
}

/// The way to ship, one of `GET .../shipping_methods`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetShippingMethod {
    #[schema(example = "standard")]
    pub id: String,
}

/// A body without fields.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// `POST .../actions`: all of them in order, or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Actions {
    #[schema(value_type = Vec<ActionSchema>, min_items = 1, max_items = 100)]
    pub actions: Vec<serde_json::Value>,
}

/// One action of a batch: its type, and the fields of the single call's body.
#[derive(ToSchema)]
#[schema(as = CartAction)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "only its schema is used")]
pub enum ActionSchema {
    AddLine(AddLine),
    SetQuantity(SetLineQuantity),
    RemoveLine(RemoveLine),
    SetContact(SetContact),
    SetAddresses(SetAddresses),
    SetShippingMethod(SetShippingMethod),
    AcceptPrices(Nothing),
}
