//! From a frozen cart to a placed order, or back.

use super::{Change, Decided, check_text, name_of};
use crate::ids::PaymentId;
use crate::orders::payment::PAYMENTS_MAX;
use crate::orders::{
    CapturePolicy, NewOrder, Operation, OperationKind, OperationState, Order, OrderEvent,
    OrderNumber, OrderRejection, OrderStatus, Payment, PaymentChoice, StockChange,
};

impl Change {
    pub(super) fn reopen(&mut self, new: NewOrder) -> Decided {
        self.demand(self.order.status == OrderStatus::Abandoned)?;
        self.demand_no_open_payment()?;
        let before = &self.order;
        self.order = Order {
            id: before.id,
            version: before.version,
            cart: before.cart,
            payments: before.payments.clone(),
            keys: before.keys.clone(),
            timeline: before.timeline.clone(),
            created_at: before.created_at,
            ..Order::draft(new, self.now)
        };
        self.record(OrderEvent::Reopened);
        Ok(())
    }

    pub(super) fn start_payment(&mut self, choice: PaymentChoice) -> Decided {
        let PaymentChoice { gateway, method, return_url, request } = choice;
        for text in [Some(&gateway), Some(&method), return_url.as_ref()].into_iter().flatten() {
            check_text(text)?;
        }
        self.demand(self.order.status == OrderStatus::Draft)?;
        self.demand_no_open_payment()?;
        if self.order.payments.len() >= PAYMENTS_MAX {
            return Err(OrderRejection::TooMany("payments"));
        }
        let payment = PaymentId::derived(&name_of(&self.order, self.order.payments.len()));
        let authorize = Operation {
            kind: OperationKind::Authorize,
            amount: self.order.totals().total,
            state: OperationState::Pending,
            at: self.now,
            refund: None,
        };
        self.order.payments.push(Payment {
            id: payment,
            gateway: gateway.clone(),
            method: method.clone(),
            return_url,
            request,
            reference: None,
            redirect: None,
            operations: vec![authorize],
        });
        self.record(OrderEvent::PaymentStarted { payment, gateway, method });
        Ok(())
    }

    /// Of two attempts that both hold money one would be money for nothing.
    fn demand_no_open_payment(&self) -> Decided {
        match self.order.live_payment() {
            Some(_) => Err(OrderRejection::PaymentOpen),
            None => Ok(()),
        }
    }

    pub(super) fn place(&mut self, number: OrderNumber) -> Decided {
        self.demand(self.order.status == OrderStatus::Draft)?;
        let total = self.order.totals().total;
        let authorized = self.order.payments.last().map_or(0, Payment::capturable);
        if authorized < total {
            return Err(OrderRejection::NotPaid);
        }
        self.order.status = OrderStatus::Placed;
        self.order.number = Some(number);
        self.order.placed_at = Some(self.now);
        self.stock.push(StockChange::Allocate);
        self.record(OrderEvent::Placed { number });
        match self.capture {
            CapturePolicy::AtOnce if total > 0 => self.capture(None),
            _ => Ok(()),
        }
    }

    /// What may hold money is let go, now or when it is known to hold some.
    pub(super) fn abandon(&mut self, reason: String) -> Decided {
        check_text(&reason)?;
        self.demand(self.order.status == OrderStatus::Draft)?;
        self.order.status = OrderStatus::Abandoned;
        self.record(OrderEvent::Abandoned { reason: reason.clone() });
        self.give_all_back(&reason)
    }
}
