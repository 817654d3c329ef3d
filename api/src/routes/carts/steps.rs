//! From what a client sent to the steps of a command: ranges and references are checked here,
//! the meaning by the cart.

use barrow_engine::cart::{Addresses, CartStep, Contact, LineId, STEPS_MAX};
use barrow_engine::quantity::{QUANTITY_MAX, Quantity};
use serde_json::Value;

use super::change::sellables;
use super::refusal::{Place, invalid};
use crate::app::App;
use crate::edge::json::{WholeNumber, typed};
use crate::edge::{FieldError, Problem};
use crate::wire::cart_requests::{
    AddLine, Nothing, RemoveLine, SetAddresses, SetContact, SetLineQuantity, SetShippingMethod,
};

/// 1 to [`QUANTITY_MAX`] units to add.
pub fn units(quantity: WholeNumber, pointer: String) -> Result<Quantity, Problem> {
    u32::try_from(quantity.0)
        .ok()
        .and_then(Quantity::new)
        .ok_or_else(|| invalid(pointer, "out_of_range", &format!("it must be 1 to {QUANTITY_MAX}")))
}

/// 0 to [`QUANTITY_MAX`] units to set.
pub fn units_or_none(quantity: WholeNumber, pointer: String) -> Result<u32, Problem> {
    u32::try_from(quantity.0)
        .ok()
        .filter(|units| *units <= QUANTITY_MAX)
        .ok_or_else(|| invalid(pointer, "out_of_range", &format!("it must be 0 to {QUANTITY_MAX}")))
}

pub fn contact(body: &SetContact, at: &str) -> Result<CartStep, Problem> {
    let contact = Contact::new(&body.email, body.phone.as_deref());
    contact.map(CartStep::SetContact).map_err(|errors| form_errors(errors, at))
}

pub fn addresses(body: SetAddresses, at: &str) -> Result<CartStep, Problem> {
    let billing = body.billing.map(Into::into);
    let addresses = Addresses::new(&body.shipping.into(), billing.as_ref());
    addresses.map(CartStep::SetAddresses).map_err(|errors| form_errors(errors, at))
}

fn form_errors(errors: Vec<barrow_engine::cart::FieldError>, at: &str) -> Problem {
    let errors = errors.into_iter().map(|error| {
        FieldError::new(format!("{at}{}", error.pointer), error.code.as_str(), error.detail)
    });
    Problem::invalid(errors.collect())
}

/// A step whose SKU is yet to be looked up, or that is complete.
pub(super) enum Draft {
    Add { sku: String, quantity: Quantity },
    Ready(Box<CartStep>),
}

/// The steps of a batch. All SKUs are looked up together.
pub async fn batch(app: &App, actions: &[Value]) -> Result<Vec<CartStep>, Problem> {
    if actions.is_empty() || actions.len() > STEPS_MAX {
        let detail = format!("there must be 1 to {STEPS_MAX} actions");
        return Err(invalid("/actions".to_owned(), "out_of_range", &detail));
    }
    let drafts = actions
        .iter()
        .enumerate()
        .map(|(index, action)| draft(action, index))
        .collect::<Result<Vec<Draft>, Problem>>()?;
    let wanted: Vec<(&str, String)> = drafts
        .iter()
        .enumerate()
        .filter_map(|(index, draft)| match draft {
            Draft::Add { sku, .. } => Some((sku.as_str(), Place::Actions.pointer(index, "/sku"))),
            Draft::Ready(_) => None,
        })
        .collect();
    let mut found = sellables(app, &wanted).await?.into_iter();
    let steps = drafts.into_iter().map(|draft| match draft {
        Draft::Add { quantity, .. } => {
            let sellable = found.next().expect("there is a snapshot for each SKU asked for");
            CartStep::AddLine { sellable, quantity }
        }
        Draft::Ready(step) => *step,
    });
    Ok(steps.collect())
}

pub(super) fn draft(action: &Value, index: usize) -> Result<Draft, Problem> {
    let at = |field: &str| Place::Actions.pointer(index, field);
    let here = at("");
    let Value::Object(fields) = action else {
        return Err(invalid(here, "wrong_type", "an action is an object"));
    };
    let kind = match fields.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(_) => return Err(invalid(at("/type"), "wrong_type", "it must be a text")),
        None => return Err(invalid(at("/type"), "required", "this field is needed")),
    };
    let mut rest = fields.clone();
    rest.shift_remove("type");
    let rest = Value::Object(rest);
    let step = match kind {
        "add_line" => {
            let body: AddLine = typed(&rest, &here)?;
            let quantity = units(body.quantity, at("/quantity"))?;
            return Ok(Draft::Add { sku: body.sku, quantity });
        }
        "set_quantity" => {
            let body: SetLineQuantity = typed(&rest, &here)?;
            let quantity = units_or_none(body.quantity, at("/quantity"))?;
            CartStep::SetQuantity { line: line(&body.line_id, at("/line_id"))?, quantity }
        }
        "remove_line" => {
            let body: RemoveLine = typed(&rest, &here)?;
            CartStep::RemoveLine { line: line(&body.line_id, at("/line_id"))? }
        }
        "set_contact" => contact(&typed(&rest, &here)?, &here)?,
        "set_addresses" => addresses(typed(&rest, &here)?, &here)?,
        "set_shipping_method" => {
            let body: SetShippingMethod = typed(&rest, &here)?;
            CartStep::SetShippingMethod { id: body.id }
        }
        "accept_prices" => {
            let _: Nothing = typed(&rest, &here)?;
            CartStep::AcceptPrices
        }
        _ => {
            let detail = "it must be add_line, set_quantity, remove_line, set_contact, \
                          set_addresses, set_shipping_method or accept_prices";
            return Err(invalid(at("/type"), "unknown_value", detail));
        }
    };
    Ok(Draft::Ready(Box::new(step)))
}

fn line(text: &str, pointer: String) -> Result<LineId, Problem> {
    text.parse().map_err(|_| invalid(pointer, "unknown_line", "the cart has no such line"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::edge::Code;

    fn check(action: Value, pointer: &str, code: &str) {
        let problem = draft(&action, 4).err().expect("the action must be refused");
        assert_eq!(problem.code(), Code::ValidationFailed);
        let error = &problem.errors()[0];
        assert_eq!((error.pointer.as_str(), error.code), (pointer, code), "{action}");
    }

    #[test]
    fn a_refused_action_is_pointed_at() {
        check(json!([]), "/actions/4", "wrong_type");
        check(json!({}), "/actions/4/type", "required");
        check(json!({"type": 1}), "/actions/4/type", "wrong_type");
        check(json!({"type": "apply_coupon", "code": "X"}), "/actions/4/type", "unknown_value");
        check(json!({"type": "add_line", "quantity": 1}), "/actions/4/sku", "required");
        let add = |quantity: Value| json!({"type": "add_line", "sku": "A", "quantity": quantity});
        for (quantity, code) in [
            (json!(0), "out_of_range"),
            (json!(-1), "out_of_range"),
            (json!(100_000), "out_of_range"),
            (json!(1e30), "out_of_range"),
            (json!(1.5), "wrong_type"),
            (json!("1"), "wrong_type"),
            (json!(null), "wrong_type"),
        ] {
            check(add(quantity), "/actions/4/quantity", code);
        }
        check(
            json!({"type": "set_quantity", "line_id": "x", "quantity": 1}),
            "/actions/4/line_id",
            "unknown_line",
        );
        check(json!({"type": "accept_prices", "x": 1}), "/actions/4/x", "unknown_field");
        check(
            json!({"type": "set_contact", "email": "nobody"}),
            "/actions/4/email",
            "invalid_format",
        );
        check(
            json!({"type": "set_addresses", "shipping": {"zip": "1"}}),
            "/actions/4/shipping/zip",
            "unknown_field",
        );
        check(
            json!({"type": "set_addresses", "shipping": {}}),
            "/actions/4/shipping/first_name",
            "required",
        );
    }

    #[test]
    fn what_is_in_range_passes() {
        for quantity in [0, 1, 99_999] {
            let action = json!({"type": "set_quantity", "line_id": "line_7", "quantity": quantity});
            let Ok(Draft::Ready(step)) = draft(&action, 0) else {
                panic!("{action} must be taken");
            };
            let CartStep::SetQuantity { line, quantity: found } = *step else {
                panic!("{action} must be taken");
            };
            assert_eq!((line.to_string().as_str(), i64::from(found)), ("line_7", quantity));
        }
    }
}
