//! What a command leads to. A change is decided step by step on a draft, which holds what the
//! steps so far would make of the cart: the cart itself is only looked at, so that a refused
//! step leaves nothing behind and the cost is that of the steps, not of the cart.

use std::sync::Arc;

use super::CartRejectionCode as Code;
use super::draft::Draft;
use super::effect::{CheckoutNews, SessionNews};
use super::event::{CartChange, CartEvent};
use super::hold::take_hold;
use super::line::KeptLine;
use super::policy::PriceChangePolicy;
use super::terms::{Offer, is_too_much};
use super::{
    Addresses, By, Cart, CartAction, CartCommand, CartEntity, CartRejection, CartStatus, CartStep,
    Contact, Line, LineId, expires_at,
};
use crate::catalog::Sellable;
use crate::entity::Decision;
use crate::money::Money;
use crate::quantity::Quantity;
use crate::time::Timestamp;

type Decided = Result<Decision<CartEntity>, CartRejection>;

pub(super) fn decide(cart: &Cart, command: CartCommand, now: Timestamp) -> Decided {
    match (cart.owner, command.by) {
        (None, By::Shopper(_)) => create(command, now),
        (Some(owner), By::Shopper(by)) if owner == by => match command.action {
            CartAction::Create { .. } => create_again(cart, &command.action),
            CartAction::Change(steps) => change(cart, steps, now),
            CartAction::Freeze { expected_total } => freeze(cart, expected_total, now),
            CartAction::Unfreeze { .. } | CartAction::MarkOrdered | CartAction::Expire => {
                Err(Code::NotFound.into())
            }
        },
        (Some(_), By::System) => match command.action {
            CartAction::Expire => Ok(expire(cart, now)),
            CartAction::Unfreeze { freeze } => Ok(unfreeze(cart, freeze, now)),
            CartAction::MarkOrdered => Ok(mark_ordered(cart, now)),
            CartAction::Create { .. } | CartAction::Change(_) | CartAction::Freeze { .. } => {
                Err(Code::NotFound.into())
            }
        },
        (Some(_), By::Shopper(_)) | (None, By::System) => Err(Code::NotFound.into()),
    }
}

fn create(command: CartCommand, now: Timestamp) -> Decided {
    match (command.by, command.action) {
        (By::Shopper(owner), CartAction::Create { currency, channel, locale, shop }) => {
            let change = CartChange::Created { owner, currency, channel, locale, shop };
            let effects = SessionNews::CartOpened { at: now }.to(owner).into_iter().collect();
            Ok(Decision { events: vec![CartEvent { at: now, change }], effects })
        }
        _ => Err(Code::NotFound.into()),
    }
}

fn create_again(cart: &Cart, action: &CartAction) -> Decided {
    match action {
        CartAction::Create { currency, channel, locale, .. }
            if *currency == cart.currency()
                && channel == cart.channel()
                && locale == cart.locale() =>
        {
            Ok(Decision::nothing())
        }
        _ => Err(Code::CreatedDifferently.into()),
    }
}

/// A timer may come early, or after it was overtaken by a change: then nothing happens.
fn expire(cart: &Cart, now: Timestamp) -> Decision<CartEntity> {
    if expires_at(cart).is_none_or(|at| now < at) {
        return Decision::nothing();
    }
    let ended = cart.owner.and_then(|owner| SessionNews::CartEnded.to(owner));
    Decision {
        events: vec![CartEvent { at: now, change: CartChange::Expired }],
        effects: ended.into_iter().collect(),
    }
}

/// Whoever drives the checkout is told, and told again until the order has come to an end.
fn freeze(cart: &Cart, expected_total: Money, now: Timestamp) -> Decided {
    match cart.status {
        CartStatus::CheckingOut if cart.expected_total() == expected_total => {
            return Ok(Decision::nothing());
        }
        CartStatus::Open => {}
        status => return Err(Code::Closed(status).into()),
    }
    if !cart.problems().is_empty() {
        return Err(Code::NotReady.into());
    }
    if cart.quote().totals().total != expected_total {
        return Err(Code::TotalChanged.into());
    }
    let frozen = CartChange::Frozen { expected_total: expected_total.amount };
    Ok(Decision {
        events: vec![CartEvent { at: now, change: frozen }],
        effects: vec![CheckoutNews { freeze: cart.freezes + 1 }.to(cart.order_id())],
    })
}

/// Only the try that was given up: the cart may have been frozen anew since.
fn unfreeze(cart: &Cart, freeze: u32, now: Timestamp) -> Decision<CartEntity> {
    match cart.status == CartStatus::CheckingOut && cart.freezes == freeze {
        true => Decision::event(CartEvent { at: now, change: CartChange::Unfrozen }),
        false => Decision::nothing(),
    }
}

fn mark_ordered(cart: &Cart, now: Timestamp) -> Decision<CartEntity> {
    if cart.status != CartStatus::CheckingOut {
        return Decision::nothing();
    }
    let ended = cart.owner.and_then(|owner| SessionNews::CartEnded.to(owner));
    Decision {
        events: vec![CartEvent { at: now, change: CartChange::Ordered }],
        effects: ended.into_iter().collect(),
    }
}

fn change(cart: &Cart, steps: Vec<CartStep>, now: Timestamp) -> Decided {
    if cart.status != CartStatus::Open {
        return Err(Code::Closed(cart.status).into());
    }
    let mut draft = Draft::new(cart, now);
    for (index, step) in steps.into_iter().enumerate() {
        take(&mut draft, cart, step).map_err(|code| code.at_step(index))?;
    }
    Ok(Decision { events: draft.into_events(), effects: Vec::new() })
}

fn take(draft: &mut Draft<'_>, cart: &Cart, step: CartStep) -> Result<(), Code> {
    match step {
        CartStep::AddLine { sellable, quantity } => add_line(draft, sellable, quantity),
        CartStep::SetQuantity { line, quantity: 0 } => remove_line(draft, line),
        CartStep::SetQuantity { line, quantity } => {
            let old = draft.line(line).ok_or(Code::UnknownLine)?.clone();
            let quantity = Quantity::new(quantity).ok_or(Code::QuantityLimit)?;
            set_quantity(draft, &old, None, quantity)
        }
        CartStep::RemoveLine { line } => remove_line(draft, line),
        CartStep::SetContact(contact) => set_contact(draft, contact),
        CartStep::SetAddresses(addresses) => set_addresses(draft, addresses),
        CartStep::SetShippingMethod { id } => set_shipping_method(draft, id),
        CartStep::AcceptPrices => accept_prices(draft),
        CartStep::Hold(holding) => take_hold(draft, cart, holding),
    }
}

fn add_line(
    draft: &mut Draft<'_>,
    sellable: Arc<Sellable>,
    quantity: Quantity,
) -> Result<(), Code> {
    let old = draft.line_of(sellable.sku.as_str()).cloned();
    let units = match &old {
        Some(old) => old.quantity().checked_add(quantity).ok_or(Code::QuantityLimit)?,
        None => quantity,
    };
    let accepted_unit = match draft.terms().offer(Some(&sellable), units, draft.now()) {
        Offer::Sold { unit } => unit,
        Offer::TooMuch { .. } => return Err(Code::QuantityLimit),
        Offer::NoPrice => return Err(Code::NoPrice),
        Offer::NotSold => return Err(Code::VariantUnavailable),
    };
    if let Some(old) = old {
        return set_quantity(draft, &old, Some(sellable), units);
    }
    let line = draft.room().ok_or(Code::LineLimit)?;
    let kept = KeptLine { id: line, sku: sellable.sku.clone(), quantity, accepted_unit };
    let added = kept.priced(Some(sellable.clone()), draft.terms(), draft.now());
    draft.add_line(added);
    draft.note(CartChange::LineAdded { line, sellable, quantity, accepted_unit });
    Ok(())
}

/// Sets a line to another quantity, at today's price of `newer`, else of the snapshot it has.
fn set_quantity(
    draft: &mut Draft<'_>,
    old: &Line,
    newer: Option<Arc<Sellable>>,
    quantity: Quantity,
) -> Result<(), Code> {
    if quantity == old.quantity() {
        return Ok(());
    }
    let sellable = newer.clone().or_else(|| old.sellable().cloned());
    let offer = |units| draft.terms().offer(sellable.as_ref(), units, draft.now());
    let (before, after) = (offer(old.quantity()), offer(quantity));
    let accepted_unit = match (before.unit(), after.unit()) {
        (Some(before), Some(after)) => {
            PriceChangePolicy::default().accepted_after_quantity(old.accepted_unit(), before, after)
        }
        // Not for sale before or after: what was agreed to stays agreed to.
        _ => old.accepted_unit(),
    };
    // Fewer units are always welcome, even if they are still too many.
    let grows = quantity > old.quantity();
    let too_much = matches!(after, Offer::TooMuch { .. }) && grows;
    if too_much || is_too_much(accepted_unit, quantity) {
        return Err(Code::QuantityLimit);
    }
    let kept = KeptLine { quantity, accepted_unit, ..old.kept() };
    let changed = kept.priced(sellable, draft.terms(), draft.now());
    draft.set_line(changed);
    let line = old.id();
    draft.note(CartChange::QuantityChanged { line, sellable: newer, quantity, accepted_unit });
    Ok(())
}

fn remove_line(draft: &mut Draft<'_>, line: LineId) -> Result<(), Code> {
    draft.line(line).ok_or(Code::UnknownLine)?;
    draft.remove_line(line);
    draft.note(CartChange::LineRemoved { line });
    Ok(())
}

fn set_contact(draft: &mut Draft<'_>, contact: Contact) -> Result<(), Code> {
    if draft.contact() != Some(&contact) {
        draft.note(CartChange::ContactSet(contact));
    }
    Ok(())
}

fn set_addresses(draft: &mut Draft<'_>, addresses: Addresses) -> Result<(), Code> {
    if draft.addresses() == Some(&addresses) {
        return Ok(());
    }
    if !draft.terms().ships_to(&addresses.shipping.country) {
        return Err(Code::UnknownCountry);
    }
    draft.set_terms(draft.terms().at(Some(&addresses)));
    draft.note(CartChange::AddressesSet(addresses));
    Ok(())
}

fn set_shipping_method(draft: &mut Draft<'_>, id: String) -> Result<(), Code> {
    // Asked first: who chooses a method again that has become unavailable has to be told so.
    if !draft.terms().has_method(&id) {
        return Err(Code::UnknownShippingMethod);
    }
    if draft.shipping_method() != Some(id.as_str()) {
        draft.note(CartChange::ShippingMethodSet { id });
    }
    Ok(())
}

fn accept_prices(draft: &mut Draft<'_>) -> Result<(), Code> {
    let lines = draft.prices_to_accept();
    if lines.is_empty() {
        return Ok(());
    }
    for (id, unit) in &lines {
        if let Some(line) = draft.line(*id) {
            let kept = KeptLine { accepted_unit: *unit, ..line.kept() };
            let sellable = line.sellable().cloned();
            let accepted = kept.priced(sellable, draft.terms(), draft.now());
            draft.set_line(accepted);
        }
    }
    draft.note(CartChange::PricesAccepted { lines });
    Ok(())
}
