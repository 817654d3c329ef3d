//! What a command leads to. Pure: all that is looked at are the arguments.

mod checkout;
mod edits;
mod exchanges;
mod fulfilments;
mod payments;
mod returns;

use super::payment::Purpose;
use super::{
    Actor, FulfilmentProgress, LineUnits, Order, OrderCommand, OrderEvent, OrderLine,
    OrderRejection, OrderStatus, Recorded, StockChange,
};
use crate::cart::LineId;
use crate::time::Timestamp;

/// The longest reason, note, name of a gateway or of a place.
pub const ORDER_TEXT_CHARS_MAX: usize = 2_000;

/// The longest timeline. What the house and its gateways have to say comes in beyond it.
pub const TIMELINE_MAX: usize = 2_000;

/// When authorized money is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CapturePolicy {
    /// When staff says so.
    Manual,
    /// As units leave the house, each time what they were paid; shipping with the first.
    #[default]
    AtFulfilment,
    /// As soon as the order is placed.
    AtOnce,
}

/// The order after a command, and what else the same transaction has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderDecision {
    pub order: Order,
    /// Without events nothing has changed, and nothing is to be written.
    pub events: Vec<OrderEvent>,
    pub stock: Vec<StockChange>,
}

/// # Errors
/// The refusal; the order is as it was.
pub fn decide(
    order: &Order,
    command: OrderCommand,
    by: Actor,
    now: Timestamp,
    capture: CapturePolicy,
) -> Result<OrderDecision, OrderRejection> {
    let is_of_staff = matches!(by, Actor::Staff { .. } | Actor::Customer { .. });
    if is_of_staff && order.timeline.len() >= TIMELINE_MAX {
        return Err(OrderRejection::TooMany("events"));
    }
    let (events, stock) = (Vec::new(), Vec::new());
    let mut change = Change { order: order.clone(), by, now, capture, events, stock };
    change.run(command)?;
    let Change { mut order, events, stock, .. } = change;
    order.version += u64::from(!events.is_empty());
    Ok(OrderDecision { order, events, stock })
}

/// An order while a command changes it.
struct Change {
    order: Order,
    by: Actor,
    now: Timestamp,
    capture: CapturePolicy,
    events: Vec<OrderEvent>,
    stock: Vec<StockChange>,
}

type Decided = Result<(), OrderRejection>;

impl Change {
    fn run(&mut self, command: OrderCommand) -> Decided {
        match command {
            OrderCommand::Reopen(new) => self.reopen(new),
            OrderCommand::StartPayment(choice) => self.start_payment(choice),
            OrderCommand::RecordOutcome { key, outcome } => self.record_outcome(key, outcome),
            OrderCommand::Place { number } => self.place(number),
            OrderCommand::Abandon { reason } => self.abandon(reason),
            OrderCommand::Settle => self.settle(),
            OrderCommand::Capture { amount } => self.capture(amount),
            OrderCommand::Refund { of, reason } => self.refund(of, reason, Purpose::Refund),
            OrderCommand::Fulfil { lines, tracking } => self.fulfil(lines, tracking),
            OrderCommand::MarkDelivered { fulfilment } => self.mark_delivered(fulfilment),
            OrderCommand::CancelFulfilment { fulfilment } => self.cancel_fulfilment(fulfilment),
            OrderCommand::Cancel { reason } => self.cancel(reason),
            OrderCommand::Hold => self.hold(true),
            OrderCommand::Release => self.hold(false),
            OrderCommand::Note { text } => self.note(text),
            OrderCommand::ProposeEdit { changes } => self.propose_edit(changes),
            OrderCommand::CommitEdit { id } => self.commit_edit(id),
            OrderCommand::RequestReturn { lines } => self.request_return(lines),
            OrderCommand::ApproveReturn { id } => self.approve_return(id),
            OrderCommand::RejectReturn { id } => self.reject_return(id),
            OrderCommand::CancelReturn { id } => self.cancel_return(id),
            OrderCommand::ReceiveReturn { id, lines, for_exchange } => {
                self.receive_return(id, lines, for_exchange)
            }
            OrderCommand::GiveCredit { id, key, amount } => self.give_credit(id, key, amount),
            OrderCommand::TakeCreditBack { key, amount } => self.take_credit_back(key, amount),
        }
    }

    fn record(&mut self, event: OrderEvent) {
        let recorded = Recorded { at: self.now, by: self.by.clone(), event: event.clone() };
        self.order.timeline.push(recorded);
        self.events.push(event);
    }

    fn demand(&self, is_allowed: bool) -> Decided {
        if is_allowed { Ok(()) } else { Err(OrderRejection::State(self.order.status)) }
    }

    /// Placed, and not cancelled.
    fn demand_sold(&self) -> Decided {
        self.demand(matches!(self.order.status, OrderStatus::Placed | OrderStatus::Completed))
    }

    fn hold(&mut self, on_hold: bool) -> Decided {
        self.demand(self.order.status == OrderStatus::Placed)?;
        if self.order.on_hold != on_hold {
            self.order.on_hold = on_hold;
            self.record(if on_hold { OrderEvent::Held } else { OrderEvent::Released });
        }
        Ok(())
    }

    fn note(&mut self, text: String) -> Decided {
        check_text(&text)?;
        self.record(OrderEvent::Noted { text });
        Ok(())
    }

    fn cancel(&mut self, reason: String) -> Decided {
        check_text(&reason)?;
        self.demand(self.order.status == OrderStatus::Placed)?;
        let progress = self.order.fulfilment_progress();
        if progress != FulfilmentProgress::Unfulfilled {
            return Err(OrderRejection::AlreadyFulfilled(progress));
        }
        self.order.status = OrderStatus::Cancelled;
        self.record(OrderEvent::Cancelled { reason: reason.clone() });
        let allocated = self.order.tracked_lines();
        self.stock.extend(
            allocated.map(|line| StockChange::Release {
                sku: line.sku.clone(),
                quantity: line.quantity,
            }),
        );
        self.give_all_back(&reason)
    }

    /// Ends an order of which all has left the house and is paid.
    fn complete_if_done(&mut self) {
        let is_done = self.order.status == OrderStatus::Placed
            && self.order.fulfilment_progress() == FulfilmentProgress::Fulfilled
            && self.order.is_paid();
        if is_done {
            self.order.status = OrderStatus::Completed;
            self.record(OrderEvent::Completed);
        }
    }

    fn line_mut(&mut self, id: LineId) -> Result<&mut OrderLine, OrderRejection> {
        let mut lines = self.order.lines.iter_mut();
        lines.find(|line| line.id == id).ok_or(OrderRejection::UnknownLine(id))
    }

    /// Units of lines that exist, each line once, at least one unit of each.
    fn check_lines(&self, lines: impl Iterator<Item = (LineId, u32)> + Clone) -> Decided {
        let mut seen = std::collections::BTreeSet::new();
        for (line, quantity) in lines {
            self.order.line(line).ok_or(OrderRejection::UnknownLine(line))?;
            if quantity == 0 || !seen.insert(line) {
                return Err(OrderRejection::InvalidLines);
            }
        }
        if seen.is_empty() { Err(OrderRejection::InvalidLines) } else { Ok(()) }
    }

    fn check_units(&self, lines: &[LineUnits]) -> Decided {
        self.check_lines(lines.iter().map(|units| (units.line, units.quantity)))
    }
}

fn check_text(text: &str) -> Decided {
    match text.chars().nth(ORDER_TEXT_CHARS_MAX) {
        Some(_) => Err(OrderRejection::TooMany("characters")),
        None => Ok(()),
    }
}

/// The id of the `nth` thing of its kind in an order: the same however often it is decided.
fn name_of(order: &Order, nth: usize) -> String {
    format!("{}/{}", order.id, nth + 1)
}
