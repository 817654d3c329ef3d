//! Parcels: what leaves the house.

use super::{Change, Decided, check_text, name_of};
use crate::ids::FulfilmentId;
use crate::orders::fulfilment::{FULFILMENTS_MAX, TRACKING_CHARS_MAX};
use crate::orders::{
    Fulfilment, FulfilmentStatus, LineUnits, OrderEvent, OrderRejection, OrderStatus, StockChange,
    Tracking,
};

impl Change {
    pub(super) fn fulfil(&mut self, lines: Vec<LineUnits>, tracking: Option<Tracking>) -> Decided {
        self.demand(self.order.status == OrderStatus::Placed)?;
        if self.order.on_hold {
            return Err(OrderRejection::OnHold);
        }
        self.check_units(&lines)?;
        tracking.as_ref().map_or(Ok(()), check_tracking)?;
        if self.order.fulfilments.len() >= FULFILMENTS_MAX {
            return Err(OrderRejection::TooMany("parcels"));
        }
        for units in &lines {
            let line = self.line_mut(units.line)?;
            let left = line.unfulfilled();
            if units.quantity > left {
                return Err(OrderRejection::QuantityExceedsLeft { line: line.id, left });
            }
            line.fulfilled += units.quantity;
            if line.tracked {
                let (sku, quantity) = (line.sku.clone(), units.quantity);
                self.stock.push(StockChange::Ship { sku, quantity });
            }
        }
        let id = FulfilmentId::derived(&name_of(&self.order, self.order.fulfilments.len()));
        self.order.fulfilments.push(Fulfilment {
            id,
            status: FulfilmentStatus::Shipped,
            lines: lines.clone(),
            tracking,
            at: self.now,
        });
        self.record(OrderEvent::Fulfilled { fulfilment: id, lines });
        self.take_for_fulfilled()?;
        self.complete_if_done();
        Ok(())
    }

    pub(super) fn mark_delivered(&mut self, id: FulfilmentId) -> Decided {
        self.move_on(id, FulfilmentStatus::Delivered)?;
        self.record(OrderEvent::Delivered { fulfilment: id });
        Ok(())
    }

    /// The units are back on their shelf, and still to be fulfilled. What comes back from a buyer
    /// has left.
    pub(super) fn cancel_fulfilment(&mut self, id: FulfilmentId) -> Decided {
        self.demand_sold()?;
        for units in self.move_on(id, FulfilmentStatus::Cancelled)? {
            let left = self.order.returnable(units.line);
            if units.quantity > left {
                return Err(OrderRejection::ReturnExceedsFulfilled { line: units.line, left });
            }
            let line = self.line_mut(units.line)?;
            line.fulfilled -= units.quantity;
            if line.tracked {
                let (sku, quantity) = (line.sku.clone(), units.quantity);
                self.stock.push(StockChange::Unship { sku, quantity });
            }
        }
        self.order.status = OrderStatus::Placed;
        self.record(OrderEvent::FulfilmentCancelled { fulfilment: id });
        Ok(())
    }

    /// From shipped to its end.
    fn move_on(
        &mut self,
        id: FulfilmentId,
        status: FulfilmentStatus,
    ) -> Result<Vec<LineUnits>, OrderRejection> {
        let mut fulfilments = self.order.fulfilments.iter_mut();
        let fulfilment =
            fulfilments.find(|one| one.id == id).ok_or(OrderRejection::UnknownFulfilment)?;
        if !fulfilment.is_under_way() {
            return Err(OrderRejection::WrongStep);
        }
        fulfilment.status = status;
        Ok(fulfilment.lines.clone())
    }
}

fn check_tracking(tracking: &Tracking) -> Decided {
    let Tracking { carrier, number, url } = tracking;
    let texts = [Some(number), carrier.as_ref(), url.as_ref()];
    texts.into_iter().flatten().try_for_each(|text| {
        check_text(text)?;
        match text.chars().nth(TRACKING_CHARS_MAX) {
            Some(_) => Err(OrderRejection::TooMany("characters")),
            None => Ok(()),
        }
    })
}
