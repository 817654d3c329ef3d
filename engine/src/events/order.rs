//! The events of an order: what its timeline got, as far as it is anybody's business outside.

use serde_json::{Value, json};

use super::{Aggregate, AggregateKind, Event, EventKind, Position};
use crate::orders::{LineUnits, OperationKind, Order, OrderEvent, ReturnStatus};

/// What to tell of an order whose timeline had `known` lines before it came to its version.
///
/// # Panics
/// Where one change has made more than 4,096 events: no decision makes a tenth of that.
pub fn order_events(order: &Order, known: usize) -> Vec<Event> {
    let added = order.timeline.get(known..).unwrap_or_default();
    let told = added.iter().filter_map(|line| Some((line.at, told(&line.event)?)));
    let events = (0..).zip(told).map(|(place, (at, (kind, data)))| Event {
        kind,
        aggregate: aggregate(order),
        position: Position::new(order.version, place).expect("a change makes few events"),
        at,
        data: with_order(order, data),
    });
    events.collect()
}

fn aggregate(order: &Order) -> Aggregate {
    Aggregate { kind: AggregateKind::Order, id: order.id.to_string() }
}

/// What kind of event a line of the timeline is, and what that has to tell.
fn told(event: &OrderEvent) -> Option<(EventKind, Value)> {
    Some(match event {
        OrderEvent::Placed { .. } => (EventKind::OrderPlaced, json!({})),
        OrderEvent::Cancelled { reason } => {
            (EventKind::OrderCancelled, json!({ "reason": reason }))
        }
        OrderEvent::Completed => (EventKind::OrderCompleted, json!({})),
        OrderEvent::Edited { edit, difference } => {
            let data = json!({ "edit_id": edit, "difference": difference });
            (EventKind::OrderEdited, data)
        }
        OrderEvent::OperationSucceeded { payment, kind, amount } => {
            let event = match kind {
                OperationKind::Authorize => EventKind::PaymentAuthorized,
                OperationKind::Capture => EventKind::PaymentCaptured,
                OperationKind::Refund => EventKind::PaymentRefunded,
                OperationKind::Void => return None,
            };
            (event, json!({ "payment_id": payment, "amount": amount }))
        }
        OrderEvent::OperationFailed { payment, kind, amount, code } => {
            let data = json!({
                "payment_id": payment,
                "operation": operation(*kind),
                "amount": amount,
                "code": code,
            });
            (EventKind::PaymentFailed, data)
        }
        OrderEvent::Fulfilled { fulfilment, lines } => {
            let units =
                |it: &LineUnits| json!({ "line_id": it.line.to_string(), "quantity": it.quantity });
            let lines: Vec<Value> = lines.iter().map(units).collect();
            let data = json!({ "fulfilment_id": fulfilment, "lines": lines });
            (EventKind::FulfilmentCreated, data)
        }
        OrderEvent::Delivered { fulfilment } => {
            (EventKind::FulfilmentDelivered, json!({ "fulfilment_id": fulfilment }))
        }
        OrderEvent::ReturnRequested { id } => {
            (EventKind::ReturnRequested, json!({ "return_id": id }))
        }
        OrderEvent::ReturnChanged { id, status: ReturnStatus::Received } => {
            (EventKind::ReturnReceived, json!({ "return_id": id }))
        }
        OrderEvent::Opened
        | OrderEvent::Reopened
        | OrderEvent::Abandoned { .. }
        | OrderEvent::Held
        | OrderEvent::Released
        | OrderEvent::Noted { .. }
        | OrderEvent::PaymentStarted { .. }
        | OrderEvent::ActionRequired { .. }
        | OrderEvent::OperationRequested { .. }
        | OrderEvent::RefundRequested { .. }
        | OrderEvent::FulfilmentCancelled { .. }
        | OrderEvent::EditProposed { .. }
        | OrderEvent::Credited { .. }
        | OrderEvent::ReturnChanged { .. } => return None,
    })
}

fn operation(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Authorize => "authorize",
        OperationKind::Capture => "capture",
        OperationKind::Void => "void",
        OperationKind::Refund => "refund",
    }
}

/// With what every event of an order tells of it, as it is after the change. Amounts become
/// amounts of its currency.
fn with_order(order: &Order, mut data: Value) -> Value {
    let money = |amount: i64| json!({ "amount": amount, "currency": order.currency.code() });
    for field in ["amount", "difference"] {
        if let Some(amount) = data.get(field).and_then(Value::as_i64) {
            data[field] = money(amount);
        }
    }
    data["order_id"] = json!(order.id);
    data["number"] = json!(order.number);
    data["cart_id"] = json!(order.cart);
    data["status"] = json!(order.status.as_str());
    data["payment_status"] = json!(order.payment_progress().as_str());
    data["fulfilment_status"] = json!(order.fulfilment_progress().as_str());
    data["total"] = money(order.totals().total);
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::sample::{line, new_order, start_payment};
    use crate::orders::{Actor, CapturePolicy, OrderCommand, OrderNumber, PaymentOutcome, decide};
    use crate::time::Timestamp;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    /// The order after a command, and the names of what is told of that.
    fn after(order: &Order, command: OrderCommand) -> (Order, Vec<Event>) {
        let decided = decide(order, command, Actor::System, NOW, CapturePolicy::AtFulfilment);
        let next = decided.unwrap().order;
        let events = order_events(&next, order.timeline.len());
        (next, events)
    }

    fn kinds(events: &[Event]) -> Vec<&'static str> {
        events.iter().map(|event| event.kind.as_str()).collect()
    }

    fn succeeded(order: &Order) -> OrderCommand {
        let (key, ..) = order.pending_operations().next().unwrap();
        let outcome = PaymentOutcome::Succeeded { reference: Some("gw-1".into()) };
        OrderCommand::RecordOutcome { key, outcome }
    }

    #[test]
    fn an_order_is_told_from_its_payment_to_its_end() {
        let draft = Order::draft(new_order(vec![line(1, 2, 1_000, 0, 160)], 490, true), NOW);
        let (order, events) = after(&draft, start_payment());
        assert_eq!(kinds(&events), [""; 0], "what is asked is nobody's business");
        let (order, events) = after(&order, succeeded(&order));
        assert_eq!(kinds(&events), ["payment.authorized"]);
        assert_eq!(events[0].data["amount"], json!({"amount": 2_490, "currency": "EUR"}));
        assert_eq!(events[0].data["number"], Value::Null);
        let number = OrderNumber::of(1).unwrap();
        let (order, events) = after(&order, OrderCommand::Place { number });
        assert_eq!(kinds(&events), ["order.placed"]);
        let placed = &events[0];
        assert_eq!(placed.aggregate.to_string(), format!("order/{}", order.id));
        assert_eq!((placed.position.version(), placed.at), (order.version, NOW));
        assert_eq!(placed.data["number"], json!("300-866-833"));
        assert_eq!(placed.data["status"], json!("placed"));
        assert!(!placed.to_json().to_string().contains("ada@example.com"), "nothing personal");
        let lines = vec![LineUnits { line: order.lines[0].id, quantity: 2 }];
        let (order, events) = after(&order, OrderCommand::Fulfil { lines, tracking: None });
        assert_eq!(kinds(&events), ["fulfilment.created"]);
        assert_eq!(events[0].data["lines"], json!([{"line_id": "line_1", "quantity": 2}]));
        let (_, events) = after(&order, succeeded(&order));
        assert_eq!(kinds(&events), ["payment.captured", "order.completed"]);
        assert!(events[0].position < events[1].position, "in the order in which it happened");
        assert_eq!(events[0].position.version(), events[1].position.version());
        assert_ne!(events[0].id(), events[1].id());
    }

    #[test]
    fn a_note_is_nobodys_business() {
        let draft = Order::draft(new_order(vec![line(1, 1, 100, 0, 0)], 0, true), NOW);
        let (order, events) = after(&draft, OrderCommand::Note { text: "a".into() });
        assert_eq!(events, []);
        assert_eq!(order_events(&order, 9), [], "a timeline that was longer tells nothing");
    }
}
