//! Money: what is asked of gateways, and what comes of it.

use super::{Change, Decided, check_text, name_of};
use crate::ids::RefundId;
use crate::orders::payment::{OPERATIONS_MAX, Purpose};
use crate::orders::{
    CapturePolicy, FulfilmentProgress, LineUnits, Operation, OperationKey, OperationKind,
    OperationState, Order, OrderEvent, OrderRejection, OrderStatus, Payment, PaymentOutcome,
    Refund, RefundLine, RefundOf, RefundStatus, ReturnStatus,
};

/// Why a payment was not made whose buyer gave it up.
const GIVEN_UP: &str = "given_up";

/// The most refunds of one order.
const REFUNDS_MAX: usize = 500;

impl Change {
    /// What a gateway told.
    pub(super) fn record_outcome(&mut self, key: OperationKey, outcome: PaymentOutcome) -> Decided {
        let place = self.place_of(key)?;
        let operation = self.operation(place).clone();
        if operation.state != OperationState::Pending {
            return self.told_late(place, &operation, outcome);
        }
        match outcome {
            PaymentOutcome::Succeeded { reference } => self.succeeded(place, reference),
            PaymentOutcome::Failed { code } => self.failed(place, code),
            PaymentOutcome::ActionRequired { reference, url } => {
                let payment = &mut self.order.payments[place.0];
                let is_news = payment.redirect.as_ref() != Some(&url);
                if operation.kind == OperationKind::Authorize && is_news {
                    payment.reference = Some(reference);
                    payment.redirect = Some(url);
                    let payment = payment.id;
                    self.record(OrderEvent::ActionRequired { payment });
                }
                Ok(())
            }
        }
    }

    /// What was told before is believed, but for one thing: money that is held of the buyer after
    /// all, though it was said to have been refused. It goes back, unless it is what is waited for.
    fn told_late(
        &mut self,
        place: (usize, usize),
        operation: &Operation,
        outcome: PaymentOutcome,
    ) -> Decided {
        let was_refused = matches!(operation.state, OperationState::Failed { .. });
        let PaymentOutcome::Succeeded { reference } = outcome else { return Ok(()) };
        if operation.kind != OperationKind::Authorize || !was_refused {
            return Ok(());
        }
        let is_waited_for = self.order.status == OrderStatus::Draft
            && self.order.live_payment().is_none()
            && place.0 + 1 == self.order.payments.len()
            && operation.amount == self.order.totals().total;
        self.succeeded(place, reference)?;
        match self.order.payments[place.0].capturable() {
            held if held > 0 && !is_waited_for => self.give_back(place.0, "it came too late"),
            _ => Ok(()),
        }
    }

    /// Which payment and which of its operations, both from 0.
    fn place_of(&self, key: OperationKey) -> Result<(usize, usize), OrderRejection> {
        let place = |from_one: u32| (from_one as usize).checked_sub(1);
        let places = place(key.attempt).zip(place(key.operation));
        let places = places.filter(|(payment, operation)| {
            let payment = self.order.payments.get(*payment);
            key.order == self.order.id
                && payment.is_some_and(|payment| *operation < payment.operations.len())
        });
        places.ok_or(OrderRejection::UnknownOperation)
    }

    fn operation(&self, place: (usize, usize)) -> &Operation {
        &self.order.payments[place.0].operations[place.1]
    }

    fn succeeded(&mut self, place: (usize, usize), reference: Option<String>) -> Decided {
        let payment = &mut self.order.payments[place.0];
        payment.redirect = None;
        payment.reference = reference.or(payment.reference.take());
        let payment_id = payment.id;
        let operation = &mut payment.operations[place.1];
        operation.state = OperationState::Succeeded;
        let Operation { kind, amount, refund, .. } = operation.clone();
        self.record(OrderEvent::OperationSucceeded { payment: payment_id, kind, amount });
        if let Some(refund) = refund {
            self.refunded(refund);
        }
        match kind {
            // Money that came after the order had been given up goes back at once; so does what
            // was taken while it was being cancelled.
            OperationKind::Authorize | OperationKind::Capture if !self.order.is_wanted() => {
                self.give_back(place.0, "the order was given up")
            }
            OperationKind::Capture => {
                self.complete_if_done();
                Ok(())
            }
            OperationKind::Void => self.close(place.0),
            OperationKind::Authorize | OperationKind::Refund => Ok(()),
        }
    }

    /// A page that was closed takes no money any more.
    fn close(&mut self, payment: usize) -> Decided {
        let mut operations = self.order.payments[payment].operations.iter();
        let is_waited_for = |one: &Operation| {
            one.kind == OperationKind::Authorize && one.state == OperationState::Pending
        };
        match operations.position(is_waited_for) {
            Some(operation) => self.failed((payment, operation), GIVEN_UP.to_owned()),
            None => Ok(()),
        }
    }

    fn failed(&mut self, place: (usize, usize), code: String) -> Decided {
        check_text(&code)?;
        let payment = &mut self.order.payments[place.0];
        let payment_id = payment.id;
        let operation = &mut payment.operations[place.1];
        operation.state = OperationState::Failed { code: code.clone() };
        let Operation { kind, amount, refund, .. } = operation.clone();
        if kind == OperationKind::Authorize {
            payment.redirect = None;
        }
        self.record(OrderEvent::OperationFailed { payment: payment_id, kind, amount, code });
        if let Some(refund) = refund {
            self.set_refund(refund, RefundStatus::Failed);
        }
        match kind {
            OperationKind::Capture if !self.order.is_wanted() => {
                self.give_back(place.0, "the order was given up")
            }
            _ => Ok(()),
        }
    }

    fn set_refund(&mut self, id: RefundId, status: RefundStatus) -> Option<Refund> {
        let refund = self.order.refunds.iter_mut().find(|refund| refund.id == id)?;
        refund.status = status;
        let refund = refund.clone();
        if status == RefundStatus::Failed {
            for units in &refund.lines {
                let line = self.order.lines.iter_mut().find(|line| line.id == units.line)?;
                line.refunded -= units.quantity;
            }
        }
        Some(refund)
    }

    /// A return whose refunds have all arrived is done.
    fn refunded(&mut self, id: RefundId) {
        let refund = self.set_refund(id, RefundStatus::Succeeded);
        let Some(id) = refund.and_then(|refund| refund.for_return) else { return };
        let mut of_return = self.order.refunds.iter().filter(|one| one.for_return == Some(id));
        if of_return.all(|refund| refund.status == RefundStatus::Succeeded) {
            self.set_return(id, ReturnStatus::Refunded);
        }
    }

    pub(super) fn capture(&mut self, amount: Option<i64>) -> Decided {
        self.demand_sold()?;
        let capturable = self.order.payments.iter().map(Payment::capturable).sum::<i64>();
        // An edit may have made it cheaper than what was authorized.
        let left = capturable.min(self.order.totals().total - self.order.taken()).max(0);
        let amount = amount.unwrap_or(left);
        match amount {
            _ if amount > left || left == 0 => {
                Err(OrderRejection::CaptureExceedsAuthorized { left })
            }
            ..1 => Err(OrderRejection::InvalidAmount),
            _ => self.take(amount),
        }
    }

    /// Takes so much of what is authorized, of the oldest payments first.
    pub(super) fn take(&mut self, amount: i64) -> Decided {
        let mut missing = amount;
        for place in 0..self.order.payments.len() {
            let part = self.order.payments[place].capturable().min(missing);
            if part > 0 {
                self.request(place, OperationKind::Capture, part, None)?;
                missing -= part;
            }
        }
        Ok(())
    }

    /// Takes what the units that left the house were paid, as far as it was not taken before.
    pub(super) fn take_for_fulfilled(&mut self) -> Decided {
        if self.capture != CapturePolicy::AtFulfilment {
            return Ok(());
        }
        let due = self.order.paid_for_fulfilled();
        let capturable = self.order.payments.iter().map(Payment::capturable).sum::<i64>();
        let amount = (due - self.order.taken()).min(capturable);
        if amount > 0 { self.take(amount) } else { Ok(()) }
    }

    fn request(
        &mut self,
        place: usize,
        kind: OperationKind,
        amount: i64,
        refund: Option<RefundId>,
    ) -> Decided {
        let payment = &mut self.order.payments[place];
        if payment.operations.len() >= OPERATIONS_MAX {
            return Err(OrderRejection::TooMany("operations of a payment"));
        }
        let state = OperationState::Pending;
        payment.operations.push(Operation { kind, amount, state, at: self.now, refund });
        let payment = payment.id;
        self.record(OrderEvent::OperationRequested { payment, kind, amount });
        Ok(())
    }

    pub(super) fn refund(&mut self, of: RefundOf, reason: String, purpose: Purpose) -> Decided {
        check_text(&reason)?;
        self.demand_sold()?;
        let lines = match &of {
            RefundOf::Lines(units) => self.refund_lines(units)?,
            RefundOf::Amount(_) => Vec::new(),
        };
        let amount = match of {
            RefundOf::Lines(_) => lines.iter().map(|line| line.amount).sum(),
            RefundOf::Amount(amount) if amount <= 0 => return Err(OrderRejection::InvalidAmount),
            RefundOf::Amount(amount) => amount,
        };
        let left = self.order.refundable();
        if amount > left {
            return Err(OrderRejection::RefundExceedsCaptured { left });
        }
        for units in &lines {
            self.line_mut(units.line)?.refunded += units.quantity;
        }
        self.pay_back(amount, lines, &reason, purpose)
    }

    /// What units come to that were not paid back yet.
    fn refund_lines(&self, units: &[LineUnits]) -> Result<Vec<RefundLine>, OrderRejection> {
        self.check_units(units)?;
        let priced = units.iter().map(|units| {
            let line = self.order.line(units.line).expect("the lines were checked");
            let left = line.quantity - line.refunded;
            if units.quantity > left {
                return Err(OrderRejection::QuantityExceedsLeft { line: line.id, left });
            }
            Ok(self.order.worth(units))
        });
        priced.collect()
    }

    /// Gives money back, of the newest payments first; each part is a refund of its own, and the
    /// first one names the lines.
    pub(super) fn pay_back(
        &mut self,
        amount: i64,
        lines: Vec<RefundLine>,
        reason: &str,
        purpose: Purpose,
    ) -> Decided {
        let (mut missing, mut lines) = (amount, Some(lines));
        for place in (0..self.order.payments.len()).rev() {
            let part = self.order.payments[place].refundable().min(missing);
            if part <= 0 {
                continue;
            }
            if self.order.refunds.len() >= REFUNDS_MAX {
                return Err(OrderRejection::TooMany("refunds"));
            }
            missing -= part;
            let refund = RefundId::derived(&name_of(&self.order, self.order.refunds.len()));
            self.order.refunds.push(Refund {
                id: refund,
                payment: self.order.payments[place].id,
                amount: part,
                lines: lines.take().unwrap_or_default(),
                reason: reason.to_owned(),
                for_return: match purpose {
                    Purpose::Return(id) => Some(id),
                    _ => None,
                },
                for_edit: match purpose {
                    Purpose::Edit(id) => Some(id),
                    _ => None,
                },
                for_credit: match purpose {
                    Purpose::Credit(key) => Some(key),
                    _ => None,
                },
                status: RefundStatus::Pending,
                at: self.now,
            });
            let reason = reason.to_owned();
            self.record(OrderEvent::RefundRequested { refund, amount: part, reason });
            self.request(place, OperationKind::Refund, part, Some(refund))?;
        }
        Ok(())
    }

    pub(super) fn settle(&mut self) -> Decided {
        self.demand(!self.order.is_wanted())?;
        self.give_all_back("given back again")
    }

    /// Gives back whatever payments hold; what they may come to hold follows when it is known.
    pub(super) fn give_all_back(&mut self, reason: &str) -> Decided {
        (0..self.order.payments.len()).try_for_each(|place| self.give_back(place, reason))
    }

    fn give_back(&mut self, place: usize, reason: &str) -> Decided {
        let payment = &self.order.payments[place];
        let is_taken = payment.captured() > 0;
        let is_being_taken =
            payment.pending().any(|(_, operation)| operation.kind == OperationKind::Capture);
        if is_taken {
            let amount = payment.refundable();
            return self.pay_back(amount, Vec::new(), reason, Purpose::Refund);
        }
        if payment.has_open_page() {
            return self.request(place, OperationKind::Void, 0, None);
        }
        let held = payment.capturable();
        // What is being taken cannot be let go: it is given back when it was taken.
        if held > 0 && !is_being_taken {
            return self.request(place, OperationKind::Void, held, None);
        }
        Ok(())
    }
}

impl Order {
    /// What so many more units of a line come to, after those that were paid back.
    pub(super) fn worth(&self, units: &LineUnits) -> RefundLine {
        let amount = self.line(units.line).map_or(0, |line| {
            line.paid_for(line.refunded + units.quantity, self.tax_included)
                - self.paid_back_for(line.id)
        });
        RefundLine { line: units.line, quantity: units.quantity, amount: amount.max(0) }
    }

    /// What the units of a line came to that were paid back or exchanged, or are about to be.
    fn paid_back_for(&self, line: crate::cart::LineId) -> i64 {
        let refunds = self.refunds.iter().filter(|refund| refund.status != RefundStatus::Failed);
        let lines = refunds.flat_map(|refund| &refund.lines).filter(|units| units.line == line);
        lines.map(|units| units.amount).sum::<i64>() + self.exchanged_for(line)
    }

    /// What was paid for all that has left the house; with the first of it, for shipping.
    fn paid_for_fulfilled(&self) -> i64 {
        if self.fulfilment_progress() == FulfilmentProgress::Unfulfilled {
            return 0;
        }
        let lines = self.lines.iter().map(|line| line.paid_for(line.fulfilled, self.tax_included));
        lines.sum::<i64>() + self.shipping.paid(self.tax_included)
    }
}
