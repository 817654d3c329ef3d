//! What buyers send back.

use super::{Change, Decided, check_text, name_of};
use crate::cart::LineId;
use crate::ids::ReturnId;
use crate::orders::payment::Purpose;
use crate::orders::returns::RETURNS_MAX;
use crate::orders::{
    LineUnits, Order, OrderEvent, OrderRejection, RefundOf, Return, ReturnLine, ReturnRequestLine,
    ReturnStatus, ReturnedLine, StockChange,
};

impl Change {
    pub(super) fn request_return(&mut self, lines: Vec<ReturnRequestLine>) -> Decided {
        self.demand_sold()?;
        self.check_lines(lines.iter().map(|line| (line.line, line.quantity)))?;
        if self.order.returns.len() >= RETURNS_MAX {
            return Err(OrderRejection::TooMany("returns"));
        }
        for line in &lines {
            check_text(&line.reason)?;
            let left = self.order.returnable(line.line);
            if line.quantity > left {
                return Err(OrderRejection::ReturnExceedsFulfilled { line: line.line, left });
            }
        }
        let id = ReturnId::derived(&name_of(&self.order, self.order.returns.len()));
        let lines = lines.into_iter().map(|line| ReturnLine {
            line: line.line,
            quantity: line.quantity,
            reason: line.reason,
            received: 0,
        });
        self.order.returns.push(Return {
            id,
            status: ReturnStatus::Requested,
            lines: lines.collect(),
            version: 1,
            at: self.now,
        });
        self.record(OrderEvent::ReturnRequested { id });
        Ok(())
    }

    pub(super) fn approve_return(&mut self, id: ReturnId) -> Decided {
        self.step(id, &[ReturnStatus::Requested], ReturnStatus::Approved)
    }

    pub(super) fn reject_return(&mut self, id: ReturnId) -> Decided {
        self.step(id, &[ReturnStatus::Requested], ReturnStatus::Rejected)
    }

    pub(super) fn cancel_return(&mut self, id: ReturnId) -> Decided {
        let open = [ReturnStatus::Requested, ReturnStatus::Approved];
        self.step(id, &open, ReturnStatus::Cancelled)
    }

    fn step(&mut self, id: ReturnId, from: &[ReturnStatus], to: ReturnStatus) -> Decided {
        if !from.contains(&self.find_return(id)?.status) {
            return Err(OrderRejection::WrongStep);
        }
        self.set_return(id, to);
        Ok(())
    }

    fn find_return(&self, id: ReturnId) -> Result<&Return, OrderRejection> {
        let mut returns = self.order.returns.iter();
        returns.find(|one| one.id == id).ok_or(OrderRejection::UnknownReturn)
    }

    pub(super) fn set_return(&mut self, id: ReturnId, status: ReturnStatus) {
        if let Some(found) = self.order.returns.iter_mut().find(|one| one.id == id) {
            found.status = status;
            found.version += 1;
            self.record(OrderEvent::ReturnChanged { id, status });
        }
    }

    /// Fewer units than were promised may come, not more. What came is paid back, as far as it
    /// was not before.
    pub(super) fn receive_return(
        &mut self,
        id: ReturnId,
        lines: Vec<ReturnedLine>,
        for_exchange: bool,
    ) -> Decided {
        self.check_lines(lines.iter().map(|line| (line.line, line.quantity)))?;
        self.step(id, &[ReturnStatus::Approved], ReturnStatus::Received)?;
        for line in &lines {
            self.book(id, line)?;
        }
        let units: Vec<LineUnits> = lines.iter().filter_map(|line| self.unpaid(line)).collect();
        if for_exchange || units.is_empty() || self.order.refundable() == 0 {
            return Ok(());
        }
        self.refund(RefundOf::Lines(units), "returned".to_owned(), Purpose::Return(id))
    }

    fn book(&mut self, id: ReturnId, came: &ReturnedLine) -> Decided {
        let found = self.order.returns.iter_mut().find(|one| one.id == id);
        let lines = found.into_iter().flat_map(|found| &mut found.lines);
        let promised = lines.into_iter().find(|line| line.line == came.line);
        let left = promised.as_ref().map_or(0, |promised| promised.quantity);
        match promised {
            Some(promised) if came.quantity <= left => promised.received = came.quantity,
            _ => return Err(OrderRejection::ReturnExceedsFulfilled { line: came.line, left }),
        }
        let line = self.line_mut(came.line)?;
        line.returned += came.quantity;
        if came.restock && line.tracked {
            let (sku, location) = (line.sku.clone(), came.location.clone());
            self.stock.push(StockChange::Restock { sku, location, quantity: came.quantity });
        }
        Ok(())
    }

    /// Of what came, the units that were not paid back before.
    fn unpaid(&self, came: &ReturnedLine) -> Option<LineUnits> {
        let line = self.order.line(came.line)?;
        let quantity = came.quantity.min(line.quantity - line.refunded);
        (quantity > 0).then_some(LineUnits { line: line.id, quantity })
    }
}

impl Order {
    /// Units that left the house and are neither back nor on their way back.
    pub(super) fn returnable(&self, line: LineId) -> u32 {
        let open = self.returns.iter().filter(|one| one.status.is_open());
        let lines = open.flat_map(|one| &one.lines).filter(|one| one.line == line);
        let announced: u32 = lines.map(|one| one.quantity).sum();
        self.line(line).map_or(0, |line| line.fulfilled - line.returned - announced)
    }
}
