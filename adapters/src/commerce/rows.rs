//! Rows of stock, as they are read.

use std::collections::BTreeMap;

use barrow_engine::catalog::{Location, Sku};
use barrow_engine::ids::{MovementId, OrderId};
use barrow_engine::inventory::{Claim, Level, Movement, MovementDraft};
use barrow_engine::ports::CommerceError;
use barrow_engine::time::Timestamp;

use super::Fault;

/// SKU, location, on hand, reserved, allocated, allowance.
pub(crate) type LevelRow = (String, String, i64, i64, i64, i64);

/// Order, SKU, location, quantity, expires at.
pub(crate) type ClaimRow = (Vec<u8>, String, String, i64, Option<i64>);

/// Id, SKU, location, quantity, level, reason, actor, order, at.
pub(crate) type MovementRow =
    (Vec<u8>, String, String, i64, i64, String, String, Option<Vec<u8>>, i64);

/// A row that nobody of us has written.
#[derive(Debug)]
pub(crate) struct Damage(pub String);

impl From<Damage> for Fault {
    fn from(damage: Damage) -> Fault {
        Fault::Damaged(damage.0)
    }
}

impl From<Damage> for CommerceError {
    fn from(damage: Damage) -> CommerceError {
        CommerceError::Damaged(damage.0)
    }
}

pub(crate) fn levels(rows: Vec<LevelRow>) -> Result<Vec<Level>, Damage> {
    let read = |(sku, location, on_hand, reserved, allocated, allowance): LevelRow| {
        Ok(Level {
            sku: self::sku(&sku)?,
            location: self::location(&location)?,
            on_hand: units(on_hand)?,
            reserved: units(reserved)?,
            allocated: units(allocated)?,
            allowance: units(allowance)?,
        })
    };
    rows.into_iter().map(read).collect()
}

pub(crate) fn claims(rows: Vec<ClaimRow>) -> Result<Vec<Claim>, Damage> {
    let read = |(order, sku, location, quantity, expires_at): ClaimRow| {
        Ok(Claim {
            order: OrderId(id(&order)?),
            sku: self::sku(&sku)?,
            location: self::location(&location)?,
            quantity: units(quantity)?,
            expires_at: expires_at.map(Timestamp::from_millis),
        })
    };
    rows.into_iter().map(read).collect()
}

pub(crate) fn movements(rows: Vec<MovementRow>) -> Result<Vec<Movement>, Damage> {
    let read = |row: MovementRow| {
        let (id, sku, location, quantity, level, reason, actor, order, at) = row;
        let draft = MovementDraft {
            id: MovementId(self::id(&id)?),
            sku: self::sku(&sku)?,
            location: self::location(&location)?,
            quantity,
            reason,
            actor,
            order: order.map(|order| self::id(&order).map(OrderId)).transpose()?,
            at: Timestamp::from_millis(at),
        };
        Ok(Movement { draft, level: units(level)? })
    };
    rows.into_iter().map(read).collect()
}

/// An order's version.
pub(crate) fn version_of(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

pub(crate) fn id(bytes: &[u8]) -> Result<u128, Damage> {
    let bytes = bytes.try_into().map_err(|_| Damage("an id is cut short".to_owned()))?;
    Ok(u128::from_be_bytes(bytes))
}

pub(crate) fn sku(text: &str) -> Result<Sku, Damage> {
    Sku::new(text).map_err(|error| Damage(error.to_string()))
}

pub(crate) fn location(text: &str) -> Result<Location, Damage> {
    Location::new(text).map_err(|error| Damage(error.to_string()))
}

fn units(stored: i64) -> Result<u64, Damage> {
    u64::try_from(stored).map_err(|_| Damage(format!("{stored} units are stored")))
}

/// A number of units as databases take it: a level's bound is far below the end of 63 bits.
pub(crate) fn stored(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

/// A limit of rows, as databases take it.
pub(crate) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// Gathers levels by their SKU.
pub(crate) fn in_order(levels: Vec<Level>, by_sku: &mut BTreeMap<Sku, Vec<Level>>) {
    for level in levels {
        by_sku.entry(level.sku.clone()).or_default().push(level);
    }
}
