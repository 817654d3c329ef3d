//! A hold: units of stock that are reserved for an open cart, until a time.
//!
//! The ledger of stock has the units, under the id of the order that the cart becomes. The cart
//! knows until when and of which lines, so that it does not take its own units for missing. What
//! is reserved is decided before the command that tells the cart of it; the ledger holds at least
//! as much, and at least as long, as the cart says.

use serde::{Deserialize, Serialize};

use super::CartRejectionCode as Code;
use super::draft::Draft;
use super::event::CartChange;
use super::problems::Problem;
use super::{Cart, CartStatus, Line, LineId};
use crate::catalog::Sku;
use crate::codec::{Reader, Writer};
use crate::entity::DecodeError;
use crate::time::Timestamp;

/// What a cart knows of its hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub until: Timestamp,
    /// The lines that it is without, ascending: there was too little of them, or they came since.
    pub without: Vec<LineId>,
}

/// What was reserved for a cart as a change will leave it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holding {
    /// `None` where nothing is held.
    pub until: Option<Timestamp>,
    /// The SKUs of which there is less than the cart wants, each with how many it could have.
    pub short: Vec<(Sku, u64)>,
}

/// An open cart, to whoever reserves for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdable {
    pub version: u64,
    pub status: HoldableStatus,
    /// As the cart knows; it may have run out.
    pub until: Option<Timestamp>,
    /// What a line that is added next will be called.
    pub next_line: LineId,
    pub lines: Vec<HoldableLine>,
}

/// Whether units are held for a cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldableStatus {
    Open,
    /// What it needs is its order's.
    CheckingOut,
    Over,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldableLine {
    pub id: LineId,
    pub sku: Sku,
    pub quantity: u32,
    /// Whether stock is kept of it.
    pub tracked: bool,
    /// How many more may be promised than are on hand; `None` for without end.
    pub allowance: Option<u64>,
    /// Whether the hold, while it lasts, has all of it.
    pub held: bool,
}

impl Hold {
    /// What is added to a cart is not held until somebody says so.
    pub(super) fn leave_out(&mut self, line: LineId) {
        if let Err(place) = self.without.binary_search(&line) {
            self.without.insert(place, line);
        }
    }

    fn has(&self, line: LineId) -> bool {
        self.without.binary_search(&line).is_err()
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.time(self.until);
        writer.varint(self.without.len() as u64);
        let mut last = 0;
        for line in &self.without {
            writer.varint(u64::from(line.0 - last));
            last = line.0;
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Hold, DecodeError> {
        let until = reader.time()?;
        let mut without = Vec::new();
        let mut last = 0u32;
        for _ in 0..reader.count(super::LINES_MAX)? {
            let distance = reader.varint_u32()?;
            let line = last.checked_add(distance).filter(|_| distance > 0);
            last = line.ok_or(DecodeError::Damaged("the names of lines do not ascend"))?;
            without.push(LineId(last));
        }
        Ok(Hold { until, without })
    }
}

impl Holding {
    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.byte(u8::from(self.until.is_some()));
        self.until.iter().for_each(|until| writer.time(*until));
        writer.varint(self.short.len() as u64);
        for (sku, available) in &self.short {
            writer.text(sku.as_str());
            writer.varint(*available);
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Holding, DecodeError> {
        let until = match reader.byte()? {
            0 => None,
            1 => Some(reader.time()?),
            _ => return Err(DecodeError::Damaged("a flag is neither 0 nor 1")),
        };
        let mut short = Vec::new();
        for _ in 0..reader.count(super::LINES_MAX)? {
            let sku = Sku::new(reader.text()?);
            let sku = sku.map_err(|_| DecodeError::Damaged("a name does not have its form"))?;
            short.push((sku, reader.varint()?));
        }
        Ok(Holding { until, short })
    }
}

/// The last step of a change: what is held of the cart as the steps before it leave it. What was
/// to grow and cannot be held refuses the change; fewer units are always welcome.
pub(super) fn take_hold(draft: &mut Draft<'_>, cart: &Cart, holding: Holding) -> Result<(), Code> {
    let mut without = Vec::new();
    for (sku, available) in &holding.short {
        let Some(line) = draft.line_of(sku.as_str()) else { continue };
        let before = cart.line_of(sku.as_str()).filter(|before| before.id() == line.id());
        let requested = line.quantity().get();
        if before.is_none_or(|before| before.quantity().get() < requested) {
            let line = before.map(Line::id);
            return Err(Code::InsufficientStock { line, requested, available: *available });
        }
        without.push(line.id());
    }
    without.sort_unstable();
    let hold = holding.until.map(|until| Hold { until, without });
    if hold.as_ref() != cart.hold() || draft.has_changes() {
        draft.note(CartChange::Held(hold.map(Box::new)));
    }
    Ok(())
}

impl Cart {
    /// What it knows of its hold, which may have run out.
    pub fn hold(&self) -> Option<&Hold> {
        self.hold.as_deref()
    }

    /// What it is to whoever reserves for it.
    pub fn holdable(&self, version: u64) -> Holdable {
        let line = |line: &Line| HoldableLine {
            id: line.id(),
            sku: line.sku().clone(),
            quantity: line.quantity().get(),
            tracked: line.sellable().is_some_and(|sellable| sellable.stock.track),
            allowance: line.sellable().map_or(Some(0), |sellable| sellable.stock.allowance()),
            held: self.hold().is_some_and(|hold| hold.has(line.id())),
        };
        Holdable {
            version,
            status: match self.status {
                CartStatus::Open => HoldableStatus::Open,
                CartStatus::CheckingOut => HoldableStatus::CheckingOut,
                CartStatus::Ordered | CartStatus::Expired => HoldableStatus::Over,
            },
            until: self.hold().map(|hold| hold.until),
            next_line: self.next_line,
            lines: self.lines().map(line).collect(),
        }
    }

    /// Whether what a problem says is missing is reserved in the cart's own name.
    pub(super) fn has_reserved(&self, problem: &Problem) -> bool {
        let Problem::InsufficientStock { line, .. } = problem else { return false };
        // While it is bought, all that it needs is its order's.
        self.status != CartStatus::Open
            || (self.hold_lasts && self.hold().is_some_and(|hold| hold.has(*line)))
    }
}
