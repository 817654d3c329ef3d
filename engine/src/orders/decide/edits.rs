//! What staff changes in a placed order.

use super::{Change, Decided};
use crate::ids::EditId;
use crate::orders::edit::EDITS_MAX;
use crate::orders::payment::Purpose;
use crate::orders::{
    CapturePolicy, Edit, EditChange, Order, OrderEvent, OrderRejection, OrderStatus, Payment,
    StockChange,
};

impl Change {
    /// Only the last proposal stands: the one before was about an order that has changed.
    pub(super) fn propose_edit(&mut self, mut changes: Vec<EditChange>) -> Decided {
        self.demand(self.order.status == OrderStatus::Placed)?;
        let free = self.order.next_line()..;
        let added = changes.iter_mut().filter_map(|change| match change {
            EditChange::AddLine { line, .. } => Some(line),
            EditChange::SetQuantity { .. } => None,
        });
        for (line, id) in added.zip(free) {
            line.id = crate::cart::LineId(id);
        }
        let lines = self.order.lines_after(&changes)?;
        let after = Order { lines, ..self.order.clone() };
        let difference = after.totals().total - self.order.totals().total;
        self.order.edits.retain(|edit| edit.committed);
        if self.order.edits.len() >= EDITS_MAX {
            return Err(OrderRejection::TooMany("edits"));
        }
        let version = self.order.version + 1;
        let edit = EditId::derived(&format!("{}/{version}", self.order.id));
        self.order.edits.push(Edit { id: edit, changes, difference, version, committed: false });
        self.record(OrderEvent::EditProposed { edit, difference });
        Ok(())
    }

    /// A lower total is taken less, and paid back where it was taken. A higher one is taken of
    /// what is still authorized, or refused: nobody is charged without having agreed to it.
    pub(super) fn commit_edit(&mut self, id: EditId) -> Decided {
        let mut edits = self.order.edits.iter_mut();
        let edit = edits.find(|edit| edit.id == id).ok_or(OrderRejection::UnknownEdit)?;
        if edit.committed {
            return Ok(());
        }
        if edit.version != self.order.version {
            return Err(OrderRejection::EditOutdated { current: self.order.version });
        }
        edit.committed = true;
        let (changes, difference) = (edit.changes.clone(), edit.difference);
        self.demand(self.order.status == OrderStatus::Placed)?;
        if self.order.pending_operations().next().is_some() {
            return Err(OrderRejection::PaymentOpen);
        }
        let lines = self.order.lines_after(&changes)?;
        self.move_stock(&changes);
        self.order.lines = lines;
        self.record(OrderEvent::Edited { edit: id, difference });
        self.settle_difference(id)?;
        self.complete_if_done();
        Ok(())
    }

    /// What is let go comes first: it may be what is needed elsewhere.
    fn move_stock(&mut self, changes: &[EditChange]) {
        let (mut less, mut more) = (Vec::new(), Vec::new());
        for change in changes {
            let (line, wanted, held, allowance) = match change {
                EditChange::AddLine { line, allowance } => {
                    (line.as_ref(), line.quantity, 0, *allowance)
                }
                EditChange::SetQuantity { line, quantity, allowance } => {
                    let Some(line) = self.order.line(*line) else { continue };
                    (line, *quantity, line.quantity, *allowance)
                }
            };
            let sku = line.sku.clone();
            match wanted.cmp(&held) {
                _ if !line.tracked => {}
                std::cmp::Ordering::Less => {
                    less.push(StockChange::Release { sku, quantity: held - wanted });
                }
                std::cmp::Ordering::Greater => {
                    let quantity = wanted - held;
                    more.push(StockChange::AllocateMore { sku, quantity, allowance });
                }
                std::cmp::Ordering::Equal => {}
            }
        }
        self.stock.extend(less.into_iter().chain(more));
    }

    fn settle_difference(&mut self, edit: EditId) -> Decided {
        let due = self.order.totals().total - self.order.taken();
        let capturable = self.order.payments.iter().map(Payment::capturable).sum::<i64>();
        if due > capturable {
            return Err(OrderRejection::CaptureExceedsAuthorized { left: capturable });
        }
        if due < 0 {
            let amount = (-due).min(self.order.refundable());
            return self.pay_back(amount, Vec::new(), "edited", Purpose::Edit(edit));
        }
        match self.capture {
            CapturePolicy::AtOnce if due > 0 => self.take(due),
            _ => self.take_for_fulfilled(),
        }
    }
}
