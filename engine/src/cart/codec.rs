//! The stored form of a cart. Only what cannot be derived is kept: a line is its name, SKU,
//! quantity and accepted unit price; titles, current prices and sums come from the catalog.
//!
//! Version 1, in the words of [`crate::codec`]: status byte (0 for a cart never created, and
//! nothing after it), owner's kind byte and id, currency code, channel, locale, created at,
//! milliseconds from there to updated at, next line, number of lines; per line the distance of
//! its name from the last, quantity, accepted unit price, SKU; then a byte of flags and what
//! they announce: contact, addresses, shipping method.
//!
//! Version 2 is written of a cart that was ever frozen, so that other carts stay readable to the
//! builds before it: after all of version 1, how often it was frozen and the total then agreed to.
//! Version 3 is written of one that units are reserved for: after all of version 2, until when, and
//! the distances of the names of the lines of which none are.

use super::line::KeptLine;
use super::terms::{Terms, is_too_much};
use super::{Address, Addresses, Cart, CartStatus, Contact, Hold, LINES_MAX, Line, LineId, Owner};
use crate::catalog::{ChannelId, CountryCode, InvalidText, Locale, Sku};
use crate::codec::{Reader, Writer};
use crate::entity::DecodeError;
use crate::ids::{CartId, CustomerId, SessionId};
use crate::money::{AMOUNT_MAX, Currency};
use crate::quantity::Quantity;
use crate::time::Timestamp;

/// The newest version that this build reads.
pub const VERSION: u8 = 3;

const NEVER_FROZEN: u8 = 1;
const NOT_HELD: u8 = 2;

const ABSENT: u8 = 0;
const OPEN: u8 = 1;
const EXPIRED: u8 = 2;
const CHECKING_OUT: u8 = 3;
const ORDERED: u8 = 4;

const OWNER_SESSION: u8 = 1;
const OWNER_CUSTOMER: u8 = 2;

const HAS_CONTACT: u8 = 1;
const HAS_PHONE: u8 = 2;
const HAS_ADDRESSES: u8 = 4;
const HAS_BILLING: u8 = 8;
const HAS_SHIPPING_METHOD: u8 = 16;
const FLAGS: u8 = 31;

const HAS_COMPANY: u8 = 1;
const HAS_LINE2: u8 = 2;
const HAS_REGION: u8 = 4;
const HAS_ADDRESS_PHONE: u8 = 8;
const ADDRESS_FLAGS: u8 = 15;

fn damaged(_: InvalidText) -> DecodeError {
    DecodeError::Damaged("a name does not have its form")
}

pub(super) fn encode(cart: &Cart, out: &mut Vec<u8>) {
    let version = match cart.hold() {
        Some(_) => VERSION,
        None if cart.freezes == 0 => NEVER_FROZEN,
        None => NOT_HELD,
    };
    let mut writer = Writer::new(out, version);
    let (kind, id) = match cart.owner {
        None => return writer.byte(ABSENT),
        Some(Owner::Session(id)) => (OWNER_SESSION, id.0),
        Some(Owner::Customer(id)) => (OWNER_CUSTOMER, id.0),
    };
    writer.byte(match cart.status {
        CartStatus::Open => OPEN,
        CartStatus::Expired => EXPIRED,
        CartStatus::CheckingOut => CHECKING_OUT,
        CartStatus::Ordered => ORDERED,
    });
    writer.byte(kind);
    writer.id(id);
    writer.raw(cart.currency().code().as_bytes());
    writer.text(cart.channel().as_str());
    writer.text(cart.locale.as_str());
    writer.time(cart.created_at);
    writer.varint(cart.updated_at.since(cart.created_at).as_millis() as u64);
    writer.varint(u64::from(cart.next_line.0));
    writer.varint(cart.lines().len() as u64);
    let mut last = 0;
    for line in cart.lines() {
        write_line(&mut writer, last, line);
        last = line.id().0;
    }
    write_details(&mut writer, cart);
    if version != NEVER_FROZEN {
        writer.varint(u64::from(cart.freezes));
        writer.varint(cart.expected_total.unsigned_abs());
    }
    if let Some(hold) = cart.hold() {
        hold.encode(&mut writer);
    }
}

fn write_line(writer: &mut Writer<'_>, last: u32, line: &Line) {
    writer.varint(u64::from(line.id().0 - last));
    writer.varint(u64::from(line.quantity().get()));
    writer.varint(line.accepted_unit().unsigned_abs());
    writer.text(line.sku().as_str());
}

pub(super) fn flag(is_set: bool, flag: u8) -> u8 {
    if is_set { flag } else { 0 }
}

fn write_details(writer: &mut Writer<'_>, cart: &Cart) {
    let phone = cart.contact.as_ref().and_then(|contact| contact.phone.as_ref());
    let billing = cart.addresses.as_ref().and_then(|addresses| addresses.billing.as_ref());
    writer.byte(
        flag(cart.contact.is_some(), HAS_CONTACT)
            | flag(phone.is_some(), HAS_PHONE)
            | flag(cart.addresses.is_some(), HAS_ADDRESSES)
            | flag(billing.is_some(), HAS_BILLING)
            | flag(cart.shipping_method.is_some(), HAS_SHIPPING_METHOD),
    );
    if let Some(contact) = &cart.contact {
        writer.text(&contact.email);
    }
    phone.iter().for_each(|phone| writer.text(phone));
    if let Some(addresses) = &cart.addresses {
        write_address(writer, &addresses.shipping);
    }
    billing.iter().for_each(|billing| write_address(writer, billing));
    cart.shipping_method.iter().for_each(|method| writer.text(method));
}

pub(super) fn write_address(writer: &mut Writer<'_>, address: &Address) {
    let optional = [
        (&address.company, HAS_COMPANY),
        (&address.line2, HAS_LINE2),
        (&address.region, HAS_REGION),
        (&address.phone, HAS_ADDRESS_PHONE),
    ];
    writer.byte(optional.iter().map(|(text, bit)| flag(text.is_some(), *bit)).sum());
    writer.text(&address.first_name);
    writer.text(&address.last_name);
    writer.text(&address.line1);
    writer.text(&address.city);
    writer.text(&address.postal_code);
    writer.raw(address.country.as_str().as_bytes());
    for text in optional.into_iter().filter_map(|(text, _)| text.as_deref()) {
        writer.text(text);
    }
}

/// Reads a cart of any version, for ever.
pub(super) fn decode(id: CartId, blob: &[u8]) -> Result<Cart, DecodeError> {
    match Reader::open(blob, VERSION)? {
        (version @ 1..=VERSION, reader) => decode_known(id, version, reader),
        _ => Err(DecodeError::Damaged("a version without a reader")),
    }
}

fn decode_known(id: CartId, version: u8, mut reader: Reader<'_>) -> Result<Cart, DecodeError> {
    let mut cart = Cart::absent(id);
    cart.status = match reader.byte()? {
        ABSENT => return reader.finish().map(|()| cart),
        OPEN => CartStatus::Open,
        EXPIRED => CartStatus::Expired,
        CHECKING_OUT if version > NEVER_FROZEN => CartStatus::CheckingOut,
        ORDERED if version > NEVER_FROZEN => CartStatus::Ordered,
        _ => return Err(DecodeError::Damaged("an unknown status")),
    };
    cart.owner = Some(match (reader.byte()?, reader.id()?) {
        (OWNER_SESSION, id) => Owner::Session(SessionId(id)),
        (OWNER_CUSTOMER, id) => Owner::Customer(CustomerId(id)),
        _ => return Err(DecodeError::Damaged("an unknown kind of owner")),
    });
    let currency = std::str::from_utf8(reader.raw(3)?).ok();
    let currency = currency.and_then(|code| Currency::from_code(code).ok());
    let currency = currency.ok_or(DecodeError::Damaged("an unknown currency"))?;
    let channel = ChannelId::new(reader.text()?).map_err(damaged)?;
    cart.locale = Locale::new(reader.text()?).map_err(damaged)?;
    cart.created_at = reader.time()?;
    cart.updated_at = i64::try_from(reader.varint()?)
        .ok()
        .and_then(|millis| cart.created_at.as_millis().checked_add(millis))
        .map(Timestamp)
        .ok_or(DecodeError::Damaged("a time out of range"))?;
    cart.next_line = LineId(reader.varint_u32()?);
    let lines = read_lines(&mut reader, cart.next_line)?;
    read_details(&mut reader, &mut cart)?;
    if version > NEVER_FROZEN {
        cart.freezes = reader.varint_u32()?;
        let total = i64::try_from(reader.varint()?).ok().filter(|total| *total <= AMOUNT_MAX);
        cart.expected_total = total.ok_or(DecodeError::Damaged("an amount out of range"))?;
        if cart.freezes == 0 && version == NOT_HELD {
            return Err(DecodeError::Damaged("frozen, and never was"));
        }
    }
    if version > NOT_HELD {
        cart.hold = Some(Box::new(Hold::decode(&mut reader)?));
    }
    reader.finish()?;
    cart.adopt(Terms::new(currency, channel, None, cart.addresses()), lines)?;
    Ok(cart)
}

fn read_lines(reader: &mut Reader<'_>, next: LineId) -> Result<Vec<KeptLine>, DecodeError> {
    let count = reader.count(LINES_MAX)?;
    let mut lines = Vec::with_capacity(count);
    let mut last = 0u32;
    for _ in 0..count {
        let distance = reader.varint_u32()?;
        let id = last.checked_add(distance).filter(|id| distance > 0 && *id < next.0);
        last = id.ok_or(DecodeError::Damaged("the names of lines do not ascend"))?;
        let quantity = Quantity::new(reader.varint_u32()?);
        let quantity = quantity.ok_or(DecodeError::Damaged("a quantity out of range"))?;
        let accepted_unit = i64::try_from(reader.varint()?).ok();
        let accepted_unit = accepted_unit
            .filter(|unit| !is_too_much(*unit, quantity))
            .ok_or(DecodeError::Damaged("an amount out of range"))?;
        let sku = Sku::new(reader.text()?).map_err(damaged)?;
        lines.push(KeptLine { id: LineId(last), sku, quantity, accepted_unit });
    }
    Ok(lines)
}

fn read_details(reader: &mut Reader<'_>, cart: &mut Cart) -> Result<(), DecodeError> {
    let flags = reader.byte()?;
    let has = |flag: u8| flags & flag != 0;
    let phone_alone = has(HAS_PHONE) && !has(HAS_CONTACT);
    let billing_alone = has(HAS_BILLING) && !has(HAS_ADDRESSES);
    if flags & !FLAGS != 0 || phone_alone || billing_alone {
        return Err(DecodeError::Damaged("unknown details"));
    }
    if has(HAS_CONTACT) {
        let email = reader.text()?.to_owned();
        let phone = read_optional(reader, has(HAS_PHONE))?;
        cart.contact = Some(Contact { email, phone });
    }
    if has(HAS_ADDRESSES) {
        let shipping = read_address(reader)?;
        let billing = if has(HAS_BILLING) { Some(read_address(reader)?) } else { None };
        cart.addresses = Some(Box::new(Addresses { shipping, billing }));
    }
    cart.shipping_method = read_optional(reader, has(HAS_SHIPPING_METHOD))?;
    Ok(())
}

pub(super) fn read_optional(
    reader: &mut Reader<'_>,
    is_there: bool,
) -> Result<Option<String>, DecodeError> {
    if is_there { reader.text().map(|text| Some(text.to_owned())) } else { Ok(None) }
}

/// What was checked when it came in is not checked again: stricter rules of a later build must
/// not make a stored cart unreadable.
pub(super) fn read_address(reader: &mut Reader<'_>) -> Result<Address, DecodeError> {
    let flags = reader.byte()?;
    if flags & !ADDRESS_FLAGS != 0 {
        return Err(DecodeError::Damaged("unknown fields of an address"));
    }
    let has = |flag: u8| flags & flag != 0;
    Ok(Address {
        first_name: reader.text()?.to_owned(),
        last_name: reader.text()?.to_owned(),
        line1: reader.text()?.to_owned(),
        city: reader.text()?.to_owned(),
        postal_code: reader.text()?.to_owned(),
        country: {
            let code = std::str::from_utf8(reader.raw(2)?).unwrap_or_default();
            CountryCode::new(code).map_err(damaged)?
        },
        company: read_optional(reader, has(HAS_COMPANY))?,
        line2: read_optional(reader, has(HAS_LINE2))?,
        region: read_optional(reader, has(HAS_REGION))?,
        phone: read_optional(reader, has(HAS_ADDRESS_PHONE))?,
    })
}
