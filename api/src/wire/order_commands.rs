//! What staff send to change orders. Shapes only; what they mean is the engine's affair.

use barrow_engine::catalog::{Location, Sku};
use barrow_engine::orders::{LineUnits, OrderCommand, RefundOf, ReturnedLine, Tracking};
use serde::Deserialize;
use utoipa::ToSchema;

use super::money::MoneySchema;
use super::order_requests::{MoneyInput, line_id, units};
use crate::edge::json::{WholeNumber, optional_object};
use crate::edge::{FieldError, Problem};

/// `POST .../captures`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CaptureOrder)]
pub struct Capture {
    /// Left out: all that is authorized.
    #[serde(default, deserialize_with = "optional_object")]
    #[schema(value_type = Option<MoneySchema>)]
    pub amount: Option<MoneyInput>,
}

/// `POST .../refunds`: for units, or an amount.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RefundOrder)]
pub struct Refund {
    #[serde(default)]
    pub lines: Option<Vec<LineUnitsInput>>,
    #[serde(default, deserialize_with = "optional_object")]
    #[schema(value_type = Option<MoneySchema>)]
    pub amount: Option<MoneyInput>,
    #[schema(example = "arrived broken")]
    pub reason: String,
}

/// `POST .../fulfilments`: a parcel.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FulfilOrder)]
pub struct Fulfil {
    pub lines: Vec<LineUnitsInput>,
    #[serde(default, deserialize_with = "optional_object")]
    pub tracking: Option<TrackingInput>,
}

/// Units of a line.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LineUnitsInput {
    #[schema(example = "line_1")]
    pub line_id: String,
    #[schema(value_type = u32, minimum = 1, maximum = 99_999, example = 1)]
    pub quantity: WholeNumber,
}

/// How a parcel is followed on its way.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrackingInput {
    #[serde(default)]
    #[schema(example = "DHL")]
    pub carrier: Option<String>,
    #[schema(example = "00340434161094042557")]
    pub number: String,
    #[serde(default)]
    pub url: Option<String>,
}

/// `POST .../cancel`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelByStaff {
    #[schema(example = "the buyer called")]
    pub reason: String,
}

/// `POST .../notes`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NoteOrder)]
pub struct Note {
    #[schema(example = "Rings twice.")]
    pub text: String,
}

/// `POST /admin/v1/returns/{id}/receive`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiveReturn {
    pub lines: Vec<ReceivedLineInput>,
    /// Nothing is paid back now, since it will be exchanged.
    #[serde(default)]
    pub for_exchange: bool,
}

/// Units that came back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceivedLineInput {
    #[schema(example = "line_1")]
    pub line_id: String,
    #[schema(value_type = u32, minimum = 1, maximum = 99_999, example = 1)]
    pub quantity: WholeNumber,
    /// Whether they can be sold again.
    pub restock: bool,
    /// Where they lie then; left out: at the default location.
    #[serde(default)]
    #[schema(example = "default")]
    pub location: Option<String>,
}

/// `POST /admin/v1/returns/{id}/exchange`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ExchangeReturn)]
pub struct Exchange {
    pub lines: Vec<SkuUnitsInput>,
}

/// Units of a SKU.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SkuUnitsInput {
    #[schema(example = "OAK-CHAIR-NAT")]
    pub sku: String,
    #[schema(value_type = u32, minimum = 1, maximum = 99_999, example = 1)]
    pub quantity: WholeNumber,
}

impl SkuUnitsInput {
    /// # Errors
    /// Points at the field that is wrong.
    pub fn units(&self, index: usize) -> Result<(Sku, u32), Problem> {
        let sku = Sku::new(&self.sku).map_err(|_| {
            let pointer = format!("/lines/{index}/sku");
            let detail = "the catalog has no such SKU";
            Problem::invalid(vec![FieldError::new(pointer, "unknown_sku", detail)])
        })?;
        Ok((sku, units(self.quantity, index)?))
    }
}

fn all<T, U>(
    inputs: &[T],
    read: impl Fn(&T, usize) -> Result<U, Problem>,
) -> Result<Vec<U>, Problem> {
    inputs.iter().enumerate().map(|(index, input)| read(input, index)).collect()
}

fn line_units(lines: &[LineUnitsInput]) -> Result<Vec<LineUnits>, Problem> {
    all(lines, |line, index| {
        let (id, quantity) = (line_id(&line.line_id, index)?, units(line.quantity, index)?);
        Ok(LineUnits { line: id, quantity })
    })
}

/// A body that says what to do with an order.
pub trait Command {
    /// # Errors
    /// Points at the field that is wrong.
    fn command(self) -> Result<OrderCommand, Problem>;
}

impl Command for Capture {
    fn command(self) -> Result<OrderCommand, Problem> {
        let amount = self.amount.map(|amount| amount.money("/amount")).transpose()?;
        Ok(OrderCommand::Capture { amount: amount.map(|amount| amount.amount) })
    }
}

impl Command for Refund {
    fn command(self) -> Result<OrderCommand, Problem> {
        let of = match (self.lines, self.amount) {
            (Some(lines), None) => RefundOf::Lines(line_units(&lines)?),
            (None, Some(amount)) => RefundOf::Amount(amount.money("/amount")?.amount),
            _ => {
                let detail = "name either lines or an amount";
                return Err(Problem::invalid(vec![FieldError::new("", "required", detail)]));
            }
        };
        Ok(OrderCommand::Refund { of, reason: self.reason })
    }
}

impl Command for Fulfil {
    fn command(self) -> Result<OrderCommand, Problem> {
        let tracking = self.tracking.map(|tracking| Tracking {
            carrier: tracking.carrier,
            number: tracking.number,
            url: tracking.url,
        });
        Ok(OrderCommand::Fulfil { lines: line_units(&self.lines)?, tracking })
    }
}

impl Command for CancelByStaff {
    fn command(self) -> Result<OrderCommand, Problem> {
        Ok(OrderCommand::Cancel { reason: self.reason })
    }
}

impl Command for Note {
    fn command(self) -> Result<OrderCommand, Problem> {
        Ok(OrderCommand::Note { text: self.text })
    }
}

impl ReceiveReturn {
    /// # Errors
    /// Points at the field that is wrong.
    pub fn lines(&self) -> Result<Vec<ReturnedLine>, Problem> {
        all(&self.lines, |line, index| {
            let location = line.location.as_deref().map(str::parse::<Location>).transpose();
            let location = location.map_err(|error| {
                let pointer = format!("/lines/{index}/location");
                let detail = error.to_string();
                Problem::invalid(vec![FieldError::new(pointer, "invalid_location", detail)])
            })?;
            Ok(ReturnedLine {
                line: line_id(&line.line_id, index)?,
                quantity: units(line.quantity, index)?,
                restock: line.restock,
                location,
            })
        })
    }
}

impl Exchange {
    /// # Errors
    /// Points at the field that is wrong.
    pub fn wanted(&self) -> Result<Vec<(Sku, u32)>, Problem> {
        all(&self.lines, SkuUnitsInput::units)
    }
}
