//! The form in which a cart's commands and refusals travel between nodes.
//!
//! A snapshot of a SKU does not travel: whoever decides takes its own ([`SentCommand::complete`]).
//! What was checked when it came in is not checked again.

use std::sync::Arc;

use super::codec::{flag, read_address, read_optional, write_address};
use super::{
    Addresses, By, CartAction, CartCommand, CartRejection, CartRejectionCode, CartStatus, CartStep,
    Contact, Holding, LineId, Owner, STEPS_MAX,
};
use crate::catalog::{ChannelId, Locale, Sellable, Sku};
use crate::codec::{Reader, Writer};
use crate::entity::DecodeError;
use crate::ids::{CustomerId, SessionId};
use crate::money::{Currency, Money};
use crate::pricing::Shop;
use crate::quantity::Quantity;

/// The newest form; nodes of the build before it read one less.
const VERSION: u8 = 3;

/// The form of all that is not about checkouts.
const BEFORE_CHECKOUTS: u8 = 1;

/// The form of all that is not about holds.
const BEFORE_HOLDS: u8 = 2;

const BY_SYSTEM: u8 = 0;
const BY_SESSION: u8 = 1;
const BY_CUSTOMER: u8 = 2;

const CREATE: u8 = 1;
const CHANGE: u8 = 2;
const EXPIRE: u8 = 3;
const FREEZE: u8 = 4;
const UNFREEZE: u8 = 5;
const MARK_ORDERED: u8 = 6;

const ADD_LINE: u8 = 1;
const SET_QUANTITY: u8 = 2;
const REMOVE_LINE: u8 = 3;
const SET_CONTACT: u8 = 4;
const SET_ADDRESSES: u8 = 5;
const SET_SHIPPING_METHOD: u8 = 6;
const ACCEPT_PRICES: u8 = 7;
const HOLD: u8 = 8;

/// The codes of refusals, by the byte they travel as, less one.
const CODES: [CartRejectionCode; 15] = [
    CartRejectionCode::NotFound,
    CartRejectionCode::UnknownLine,
    CartRejectionCode::NoPrice,
    CartRejectionCode::VariantUnavailable,
    CartRejectionCode::QuantityLimit,
    CartRejectionCode::LineLimit,
    CartRejectionCode::UnknownShippingMethod,
    CartRejectionCode::UnknownCountry,
    CartRejectionCode::Closed(CartStatus::Expired),
    CartRejectionCode::CreatedDifferently,
    CartRejectionCode::Closed(CartStatus::Open),
    CartRejectionCode::NotReady,
    CartRejectionCode::TotalChanged,
    CartRejectionCode::Closed(CartStatus::CheckingOut),
    CartRejectionCode::Closed(CartStatus::Ordered),
];

/// Appends a command.
pub fn encode_command(command: &CartCommand, out: &mut Vec<u8>) {
    let version = match &command.action {
        CartAction::Change(steps) if matches!(steps.last(), Some(CartStep::Hold(_))) => VERSION,
        CartAction::Create { .. } | CartAction::Change(_) | CartAction::Expire => BEFORE_CHECKOUTS,
        CartAction::Freeze { .. } | CartAction::Unfreeze { .. } | CartAction::MarkOrdered => {
            BEFORE_HOLDS
        }
    };
    let mut writer = Writer::new(out, version);
    write_by(&mut writer, command.by);
    match &command.action {
        CartAction::Create { currency, channel, locale, shop: _ } => {
            writer.byte(CREATE);
            writer.raw(currency.code().as_bytes());
            writer.text(channel.as_str());
            writer.text(locale.as_str());
        }
        CartAction::Change(steps) => {
            writer.byte(CHANGE);
            writer.varint(steps.len() as u64);
            steps.iter().for_each(|step| write_step(&mut writer, step));
        }
        CartAction::Freeze { expected_total } => {
            writer.byte(FREEZE);
            writer.raw(expected_total.currency.code().as_bytes());
            writer.varint(expected_total.amount.unsigned_abs());
        }
        CartAction::Unfreeze { freeze } => {
            writer.byte(UNFREEZE);
            writer.varint(u64::from(*freeze));
        }
        CartAction::MarkOrdered => writer.byte(MARK_ORDERED),
        CartAction::Expire => writer.byte(EXPIRE),
    }
}

/// Appends who asks.
pub fn encode_by(by: By, out: &mut Vec<u8>) {
    write_by(&mut Writer::new(out, BEFORE_CHECKOUTS), by);
}

/// Reads who asks, and what comes after it.
///
/// # Errors
/// As [`crate::entity::Entity::decode`].
pub fn decode_by(bytes: &[u8]) -> Result<(By, &[u8]), DecodeError> {
    let (_, mut reader) = Reader::open(bytes, VERSION)?;
    let by = read_by(&mut reader)?;
    Ok((by, reader.rest()))
}

fn write_by(writer: &mut Writer<'_>, by: By) {
    let (kind, id) = match by {
        By::System => return writer.byte(BY_SYSTEM),
        By::Shopper(Owner::Session(id)) => (BY_SESSION, id.0),
        By::Shopper(Owner::Customer(id)) => (BY_CUSTOMER, id.0),
    };
    writer.byte(kind);
    writer.id(id);
}

fn read_by(reader: &mut Reader<'_>) -> Result<By, DecodeError> {
    Ok(match reader.byte()? {
        BY_SYSTEM => By::System,
        BY_SESSION => By::Shopper(Owner::Session(SessionId(reader.id()?))),
        BY_CUSTOMER => By::Shopper(Owner::Customer(CustomerId(reader.id()?))),
        _ => return Err(DecodeError::Damaged("an unknown kind of owner")),
    })
}

fn write_step(writer: &mut Writer<'_>, step: &CartStep) {
    match step {
        CartStep::AddLine { sellable, quantity } => {
            writer.byte(ADD_LINE);
            writer.text(sellable.sku.as_str());
            writer.varint(u64::from(quantity.get()));
        }
        CartStep::SetQuantity { line, quantity } => {
            writer.byte(SET_QUANTITY);
            writer.varint(u64::from(line.0));
            writer.varint(u64::from(*quantity));
        }
        CartStep::RemoveLine { line } => {
            writer.byte(REMOVE_LINE);
            writer.varint(u64::from(line.0));
        }
        CartStep::SetContact(contact) => {
            writer.byte(SET_CONTACT);
            writer.byte(flag(contact.phone.is_some(), 1));
            writer.text(&contact.email);
            contact.phone.iter().for_each(|phone| writer.text(phone));
        }
        CartStep::SetAddresses(addresses) => {
            writer.byte(SET_ADDRESSES);
            writer.byte(flag(addresses.billing.is_some(), 1));
            write_address(writer, &addresses.shipping);
            addresses.billing.iter().for_each(|billing| write_address(writer, billing));
        }
        CartStep::SetShippingMethod { id } => {
            writer.byte(SET_SHIPPING_METHOD);
            writer.text(id);
        }
        CartStep::AcceptPrices => writer.byte(ACCEPT_PRICES),
        CartStep::Hold(holding) => {
            writer.byte(HOLD);
            holding.encode(writer);
        }
    }
}

/// A command as it arrives: without what its receiver knows itself.
#[derive(Debug, Clone)]
pub struct SentCommand {
    by: By,
    action: SentAction,
}

#[derive(Debug, Clone)]
enum SentAction {
    Create { currency: Currency, channel: ChannelId, locale: Locale },
    Change(Vec<SentStep>),
    Whole(CartAction),
}

#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a change has at most a hundred steps")]
enum SentStep {
    AddLine { sku: Sku, quantity: Quantity },
    Whole(CartStep),
}

/// The receiver's catalog does not have it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no SKU {0} here")]
pub struct UnknownSku(pub Sku);

impl SentCommand {
    /// Reads a command that [`encode_command`] wrote.
    ///
    /// # Errors
    /// As [`crate::entity::Entity::decode`].
    pub fn decode(bytes: &[u8]) -> Result<SentCommand, DecodeError> {
        let (_, mut reader) = Reader::open(bytes, VERSION)?;
        let by = read_by(&mut reader)?;
        let action = match reader.byte()? {
            CREATE => SentAction::Create {
                currency: read_currency(&mut reader)?,
                channel: ChannelId::new(reader.text()?).map_err(|_| ODD_NAME)?,
                locale: Locale::new(reader.text()?).map_err(|_| ODD_NAME)?,
            },
            CHANGE => {
                // One more is the house's own.
                let count = reader.count(STEPS_MAX + 1)?;
                let steps = (0..count).map(|_| read_step(&mut reader));
                SentAction::Change(steps.collect::<Result<_, _>>()?)
            }
            EXPIRE => SentAction::Whole(CartAction::Expire),
            FREEZE => {
                SentAction::Whole(CartAction::Freeze { expected_total: read_total(&mut reader)? })
            }
            UNFREEZE => SentAction::Whole(CartAction::Unfreeze { freeze: reader.varint_u32()? }),
            MARK_ORDERED => SentAction::Whole(CartAction::MarkOrdered),
            _ => return Err(DecodeError::Damaged("an unknown command")),
        };
        reader.finish()?;
        Ok(SentCommand { by, action })
    }

    /// The SKUs whose snapshots it wants.
    pub fn skus(&self) -> Vec<Sku> {
        let SentAction::Change(steps) = &self.action else { return Vec::new() };
        let sku = |step: &SentStep| match step {
            SentStep::AddLine { sku, .. } => Some(sku.clone()),
            SentStep::Whole(_) => None,
        };
        steps.iter().filter_map(sku).collect()
    }

    /// The command, with the shop of the receiver and its snapshots of [`SentCommand::skus`], in
    /// their order.
    ///
    /// # Errors
    /// If a snapshot is missing.
    pub fn complete(
        self,
        shop: &Arc<Shop>,
        sellables: Vec<Option<Arc<Sellable>>>,
    ) -> Result<CartCommand, UnknownSku> {
        let mut sellables = sellables.into_iter();
        let mut step = |step| match step {
            SentStep::Whole(step) => Ok(step),
            SentStep::AddLine { sku, quantity } => match sellables.next().flatten() {
                Some(sellable) => Ok(CartStep::AddLine { sellable, quantity }),
                None => Err(UnknownSku(sku)),
            },
        };
        let action = match self.action {
            SentAction::Create { currency, channel, locale } => {
                CartAction::Create { currency, channel, locale, shop: shop.clone() }
            }
            SentAction::Change(steps) => {
                CartAction::Change(steps.into_iter().map(&mut step).collect::<Result<_, _>>()?)
            }
            SentAction::Whole(action) => action,
        };
        Ok(CartCommand { by: self.by, action })
    }
}

const ODD_NAME: DecodeError = DecodeError::Damaged("a name does not have its form");

fn read_currency(reader: &mut Reader<'_>) -> Result<Currency, DecodeError> {
    let code = std::str::from_utf8(reader.raw(3)?).ok();
    let currency = code.and_then(|code| Currency::from_code(code).ok());
    currency.ok_or(DecodeError::Damaged("an unknown currency"))
}

fn read_total(reader: &mut Reader<'_>) -> Result<Money, DecodeError> {
    let currency = read_currency(reader)?;
    let amount = i64::try_from(reader.varint()?);
    let amount = amount.map_err(|_| DecodeError::Damaged("an amount out of range"))?;
    Ok(Money::new(amount, currency))
}

fn read_step(reader: &mut Reader<'_>) -> Result<SentStep, DecodeError> {
    let whole = match reader.byte()? {
        ADD_LINE => {
            let sku = Sku::new(reader.text()?).map_err(|_| ODD_NAME)?;
            let quantity = Quantity::new(reader.varint_u32()?);
            let quantity = quantity.ok_or(DecodeError::Damaged("a quantity out of range"))?;
            return Ok(SentStep::AddLine { sku, quantity });
        }
        SET_QUANTITY => CartStep::SetQuantity {
            line: LineId(reader.varint_u32()?),
            quantity: reader.varint_u32()?,
        },
        REMOVE_LINE => CartStep::RemoveLine { line: LineId(reader.varint_u32()?) },
        SET_CONTACT => {
            let has_phone = read_flag(reader)?;
            let email = reader.text()?.to_owned();
            CartStep::SetContact(Contact { email, phone: read_optional(reader, has_phone)? })
        }
        SET_ADDRESSES => {
            let has_billing = read_flag(reader)?;
            let shipping = read_address(reader)?;
            let billing = if has_billing { Some(read_address(reader)?) } else { None };
            CartStep::SetAddresses(Addresses { shipping, billing })
        }
        SET_SHIPPING_METHOD => CartStep::SetShippingMethod { id: reader.text()?.to_owned() },
        ACCEPT_PRICES => CartStep::AcceptPrices,
        HOLD => CartStep::Hold(Holding::decode(reader)?),
        _ => return Err(DecodeError::Damaged("an unknown step")),
    };
    Ok(SentStep::Whole(whole))
}

fn read_flag(reader: &mut Reader<'_>) -> Result<bool, DecodeError> {
    match reader.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Damaged("a flag is neither 0 nor 1")),
    }
}

/// The byte of a refusal for want of stock, which tells more than its code.
const INSUFFICIENT_STOCK: u8 = 255;

/// Appends a refusal.
pub fn encode_rejection(rejection: &CartRejection, out: &mut Vec<u8>) {
    let is_of_stock = matches!(rejection.code, CartRejectionCode::InsufficientStock { .. });
    let mut writer = Writer::new(out, if is_of_stock { VERSION } else { BEFORE_CHECKOUTS });
    if let CartRejectionCode::InsufficientStock { line, requested, available } = rejection.code {
        writer.byte(INSUFFICIENT_STOCK);
        writer.varint(line.map_or(0, |line| u64::from(line.0)));
        writer.varint(u64::from(requested));
        writer.varint(available);
    } else {
        let place = CODES.iter().position(|code| *code == rejection.code);
        writer.byte(place.expect("every other code is in the list") as u8 + 1);
    }
    writer.varint(rejection.step.map_or(0, |step| step as u64 + 1));
}

/// Reads a refusal.
///
/// # Errors
/// As [`crate::entity::Entity::decode`].
pub fn decode_rejection(bytes: &[u8]) -> Result<CartRejection, DecodeError> {
    let (_, mut reader) = Reader::open(bytes, VERSION)?;
    let code = match reader.byte()? {
        INSUFFICIENT_STOCK => CartRejectionCode::InsufficientStock {
            // Names of lines begin at 1.
            line: Some(LineId(reader.varint_u32()?)).filter(|line| line.0 > 0),
            requested: reader.varint_u32()?,
            available: reader.varint()?,
        },
        byte => {
            let place = usize::from(byte).checked_sub(1);
            let code = place.and_then(|place| CODES.get(place)).copied();
            code.ok_or(DecodeError::Damaged("an unknown refusal"))?
        }
    };
    let step = reader.varint_u32()?.checked_sub(1).map(|step| step as usize);
    reader.finish()?;
    Ok(CartRejection { code, step })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cart::tests::{contact, method, remove, set, ship_to};
    use crate::cart::workload;

    fn shop() -> Arc<Shop> {
        Arc::new(Shop::sample())
    }

    /// Sends it, and completes it with the snapshots that the sender had.
    fn sent(command: &CartCommand) -> CartCommand {
        let mut bytes = Vec::new();
        encode_command(command, &mut bytes);
        let arrived = SentCommand::decode(&bytes).unwrap();
        let CartAction::Change(steps) = &command.action else {
            return arrived.complete(&shop(), Vec::new()).unwrap();
        };
        let sellables = steps.iter().filter_map(|step| match step {
            CartStep::AddLine { sellable, .. } => Some(Some(sellable.clone())),
            _ => None,
        });
        arrived.complete(&shop(), sellables.collect()).unwrap()
    }

    fn by_session(action: CartAction) -> CartCommand {
        CartCommand { by: By::Shopper(Owner::Session(SessionId(7))), action }
    }

    fn all_steps() -> Vec<CartStep> {
        let add = |n| {
            let sellable = Arc::new(workload::sellable(n, 100));
            CartStep::AddLine { sellable, quantity: Quantity::new(n + 1).unwrap() }
        };
        vec![
            add(1),
            set(1, 0),
            add(2),
            remove(u32::MAX),
            contact("ada@example.com"),
            CartStep::SetContact(Contact::new("a@b.example", Some("+49 30 1234567")).unwrap()),
            ship_to("DE", None),
            ship_to("US", Some("NY")),
            method("standard"),
            CartStep::AcceptPrices,
        ]
    }

    #[test]
    fn every_command_arrives_as_it_was_sent() {
        let create = workload::create(shop());
        let customer = By::Shopper(Owner::Customer(CustomerId(u128::MAX)));
        let commands = [
            create,
            by_session(CartAction::Change(all_steps())),
            CartCommand { by: customer, action: CartAction::Change(Vec::new()) },
            CartCommand { by: By::System, action: CartAction::Expire },
            by_session(CartAction::Freeze {
                expected_total: Money::new(1299, Currency::from_code("EUR").unwrap()),
            }),
            CartCommand { by: By::System, action: CartAction::Unfreeze { freeze: 300 } },
            CartCommand { by: By::System, action: CartAction::MarkOrdered },
        ];
        for command in commands {
            assert_eq!(format!("{:?}", sent(&command)), format!("{command:?}"));
        }
    }

    #[test]
    fn what_the_receiver_does_not_know_is_told_by_its_name() {
        let command = by_session(CartAction::Change(all_steps()));
        let mut bytes = Vec::new();
        encode_command(&command, &mut bytes);
        let arrived = SentCommand::decode(&bytes).unwrap();
        let skus = arrived.skus();
        assert_eq!(skus, [1, 2].map(|n| workload::sellable(n, 100).sku));
        let first = Some(Arc::new(workload::sellable(1, 100)));
        let completed = arrived.complete(&shop(), vec![first, None]);
        assert_eq!(completed.unwrap_err(), UnknownSku(skus[1].clone()));
    }

    #[test]
    fn every_refusal_arrives_as_it_was_sent() {
        for code in CODES {
            for step in [None, Some(0), Some(STEPS_MAX)] {
                let rejection = CartRejection { code, step };
                let mut bytes = Vec::new();
                encode_rejection(&rejection, &mut bytes);
                assert_eq!(decode_rejection(&bytes), Ok(rejection));
            }
        }
    }

    #[test]
    fn the_form_of_a_command_is_fixed_for_a_version() {
        let mut bytes = Vec::new();
        let steps = vec![set(3, 300), CartStep::AcceptPrices];
        encode_command(&by_session(CartAction::Change(steps)), &mut bytes);
        let expected = [&[1, 1][..], &[0; 15], &[7, 2, 2, 2, 3, 172, 2, 7]].concat();
        assert_eq!(bytes, expected);
        let mut bytes = Vec::new();
        encode_rejection(&CartRejectionCode::LineLimit.at_step(4), &mut bytes);
        assert_eq!(bytes, [1, 6, 5]);
    }

    proptest! {
        #[test]
        fn damage_is_an_error_and_never_more(noise: Vec<u8>, cut: prop::sample::Index, flip: u8) {
            let mut bytes = Vec::new();
            encode_command(&by_session(CartAction::Change(all_steps())), &mut bytes);
            let at = cut.index(bytes.len());
            prop_assert!(SentCommand::decode(&bytes[..at]).is_err());
            bytes[at] ^= flip;
            let _ = SentCommand::decode(&bytes);
            let _ = SentCommand::decode(&noise);
            let _ = (decode_rejection(&noise), decode_by(&noise).is_ok());
        }
    }
}
