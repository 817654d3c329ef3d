//! Edits of a placed order: what staff changes in it, looked at first and then committed.

use serde::{Deserialize, Serialize};

use super::amounts::of_the_first;
use super::{Order, OrderLine, OrderRejection};
use crate::cart::LineId;
use crate::ids::EditId;
use crate::money::AMOUNT_MAX;
use crate::pricing::tax_amount;

/// The most edits of one order.
pub const EDITS_MAX: usize = 50;

/// The most changes of one edit.
pub const EDIT_CHANGES_MAX: usize = 100;

/// The most lines that an edit leaves, and units of one of them: those of a cart.
const LINES_MAX: usize = 1_000;
const UNITS_MAX: u32 = 99_999;

/// What an edit changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum EditChange {
    /// None removes the line.
    SetQuantity {
        line: LineId,
        quantity: u32,
        /// How many more units may be promised than are on hand.
        allowance: u64,
    },
    /// Something else, at today's price. It gets its id when it is proposed.
    AddLine { line: Box<OrderLine>, allowance: u64 },
}

/// An edit that was proposed, or committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    pub id: EditId,
    pub changes: Vec<EditChange>,
    /// What the order costs more then, or less.
    pub difference: i64,
    /// The order's version with the proposal: only that order is changed by it.
    pub version: u64,
    pub committed: bool,
}

impl Order {
    /// The order as an edit that is still to be committed would leave it, money apart.
    pub fn preview(&self, id: EditId) -> Option<Order> {
        let edit = self.edits.iter().find(|edit| edit.id == id && !edit.committed)?;
        let lines = self.lines_after(&edit.changes).ok()?;
        Some(Order { lines, ..self.clone() })
    }

    /// Units that are taken away lose their share of the line's discount; units that come on top
    /// cost what the line's cost, without one. Of what was paid back for nothing is changed any
    /// more, and no unit that has left the house is taken away.
    pub(super) fn lines_after(
        &self,
        changes: &[EditChange],
    ) -> Result<Vec<OrderLine>, OrderRejection> {
        if changes.is_empty() {
            return Err(OrderRejection::InvalidLines);
        }
        if changes.len() > EDIT_CHANGES_MAX {
            return Err(OrderRejection::TooMany("changes"));
        }
        let mut lines = self.lines.clone();
        let mut seen = std::collections::BTreeSet::new();
        for change in changes {
            match change {
                EditChange::AddLine { line, .. } => lines.push(OrderLine::clone(line)),
                EditChange::SetQuantity { line, quantity, .. } => {
                    let found = lines.iter_mut().find(|one| one.id == *line);
                    let found = found.ok_or(OrderRejection::UnknownLine(*line))?;
                    if !seen.insert(*line) {
                        return Err(OrderRejection::InvalidLines);
                    }
                    found.set_quantity(*quantity, self.tax_included)?;
                }
            }
        }
        lines.retain(|line| line.quantity > 0);
        self.check_edited(&lines)?;
        Ok(lines)
    }

    /// Sums of what is left stay within what an amount may be.
    fn check_edited(&self, lines: &[OrderLine]) -> Result<(), OrderRejection> {
        if lines.is_empty() {
            return Err(OrderRejection::InvalidLines);
        }
        if lines.len() > LINES_MAX {
            return Err(OrderRejection::TooMany("lines"));
        }
        let gross = |line: &OrderLine| i128::from(line.unit_price) * i128::from(line.quantity);
        let sum: i128 = lines.iter().map(|line| gross(line) + i128::from(line.tax)).sum();
        let shipping = i128::from(self.shipping.price) + i128::from(self.shipping.tax);
        let is_sound = lines
            .iter()
            .all(|line| line.quantity <= UNITS_MAX && line.unit_price >= 0 && line.discount >= 0);
        match is_sound && sum + shipping <= i128::from(AMOUNT_MAX) {
            true => Ok(()),
            false => Err(OrderRejection::InvalidAmount),
        }
    }

    /// An id that no line of this order has, or had in an edit.
    pub(super) fn next_line(&self) -> u32 {
        let added = self.edits.iter().flat_map(|edit| &edit.changes);
        let added = added.map(|change| match change {
            EditChange::AddLine { line, .. } => line.id.0,
            EditChange::SetQuantity { line, .. } => line.0,
        });
        let last = self.lines.iter().map(|line| line.id.0).chain(added).max();
        last.unwrap_or(0).saturating_add(1)
    }
}

impl OrderLine {
    fn set_quantity(&mut self, quantity: u32, tax_included: bool) -> Result<(), OrderRejection> {
        if self.refunded > 0 {
            return Err(OrderRejection::WrongStep);
        }
        if quantity < self.fulfilled {
            let left = self.unfulfilled();
            return Err(OrderRejection::QuantityExceedsLeft { line: self.id, left });
        }
        if quantity == self.quantity {
            return Ok(());
        }
        let gross = i128::from(self.unit_price) * i128::from(quantity);
        if quantity > UNITS_MAX || gross > i128::from(AMOUNT_MAX) {
            return Err(OrderRejection::InvalidAmount);
        }
        self.discount = of_the_first(self.discount, quantity.min(self.quantity), self.quantity);
        self.quantity = quantity;
        self.tax = tax_amount(self.total() - self.discount, self.tax_rate_bp, tax_included);
        Ok(())
    }
}
