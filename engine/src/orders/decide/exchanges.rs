//! What came back, set against another order.

use super::{Change, Decided};
use crate::ids::ReturnId;
use crate::orders::payment::Purpose;
use crate::orders::{
    Credit, LineUnits, OperationKey, Order, OrderEvent, OrderRejection, RefundLine, RefundStatus,
    ReturnStatus,
};

impl Change {
    /// Sets so much of what came back with a return against another order, and pays the rest
    /// back. Asked again under the same key it is given already.
    pub(super) fn give_credit(&mut self, id: ReturnId, key: OperationKey, amount: i64) -> Decided {
        if self.order.credits.iter().any(|credit| credit.key == key) {
            return Ok(());
        }
        let lines = self.order.exchangeable(id)?;
        let left = value_of(&lines).min(self.order.refundable());
        if amount <= 0 {
            return Err(OrderRejection::InvalidAmount);
        }
        if amount > left {
            return Err(OrderRejection::RefundExceedsCaptured { left });
        }
        for units in &lines {
            self.line_mut(units.line)?.refunded += units.quantity;
        }
        let (for_return, at) = (id, self.now);
        self.order.credits.push(Credit { key, for_return, amount, lines, at });
        self.record(OrderEvent::Credited { id, order: key.order, amount });
        match left - amount {
            0 => self.set_return(id, ReturnStatus::Refunded),
            rest => self.pay_back(rest, Vec::new(), "exchanged", Purpose::Return(id))?,
        }
        Ok(())
    }

    /// Pays money back that another order had. Asked again under the same key it is under way.
    pub(super) fn take_credit_back(&mut self, key: OperationKey, amount: i64) -> Decided {
        if self.order.refunds.iter().any(|refund| refund.for_credit == Some(key)) {
            return Ok(());
        }
        let left = self.order.credited_to(key);
        match amount {
            ..1 => Err(OrderRejection::InvalidAmount),
            _ if amount > left => Err(OrderRejection::RefundExceedsCaptured { left }),
            _ => self.pay_back(amount, Vec::new(), "exchanged", Purpose::Credit(key)),
        }
    }
}

fn value_of(lines: &[RefundLine]) -> i64 {
    lines.iter().map(|line| line.amount).sum()
}

impl Order {
    /// What a received return is worth in an exchange.
    ///
    /// # Errors
    /// Where it was not received, or was paid back or exchanged before.
    pub fn exchange_value(&self, id: ReturnId) -> Result<i64, OrderRejection> {
        Ok(value_of(&self.exchangeable(id)?).min(self.refundable()))
    }

    /// The units of a received return that nothing was given for yet, with what they come to.
    fn exchangeable(&self, id: ReturnId) -> Result<Vec<RefundLine>, OrderRejection> {
        let found = self.returns.iter().find(|one| one.id == id);
        let found = found.ok_or(OrderRejection::UnknownReturn)?;
        let is_given = self.credits.iter().any(|credit| credit.for_return == id);
        let mut refunds = self.refunds.iter().filter(|one| one.for_return == Some(id));
        let is_paid_back = refunds.any(|refund| refund.status != RefundStatus::Failed);
        if found.status != ReturnStatus::Received || is_given || is_paid_back {
            return Err(OrderRejection::WrongStep);
        }
        let units = found.lines.iter().filter_map(|came| {
            let line = self.line(came.line)?;
            let quantity = came.received.min(line.quantity - line.refunded);
            (quantity > 0).then_some(LineUnits { line: line.id, quantity })
        });
        Ok(units.map(|units| self.worth(&units)).collect())
    }

    /// What is left of the credit of the order that asks.
    fn credited_to(&self, key: OperationKey) -> i64 {
        let of_order = |one: OperationKey| one.order == key.order && one.attempt == key.attempt;
        let given = self.credits.iter().filter(|credit| of_order(credit.key));
        let standing = self.refunds.iter().filter(|refund| refund.status != RefundStatus::Failed);
        let back = standing.filter(|refund| refund.for_credit.is_some_and(of_order));
        given.map(|credit| credit.amount).sum::<i64>()
            - back.map(|refund| refund.amount).sum::<i64>()
    }
}
