//! What belongs into a parcel. It lies beside the goods, whoever opens them: without a price.

use barrow_engine::orders::{Fulfilment, Order};

use crate::invoice::{address, date, head, item};
use crate::paper::{LEFT, Paper, RIGHT};
use crate::table::{Align, Cell, Column, Table};
use crate::{DocumentError, Seller};

const COLUMNS: [Column; 4] = [
    Column { head: "#", x: LEFT, width: 24.0, align: Align::Left },
    Column { head: "Item", x: LEFT + 26.0, width: 340.0, align: Align::Left },
    Column { head: "Quantity", x: LEFT + 370.0, width: 60.0, align: Align::Right },
    Column { head: "Packed", x: LEFT + 434.0, width: RIGHT - LEFT - 434.0, align: Align::Right },
];

/// The packing slip of a parcel as a PDF; without a parcel that of everything which has not left
/// the house yet.
///
/// # Errors
/// Where the order was not placed.
pub fn packing_slip(
    order: &Order,
    parcel: Option<&Fulfilment>,
    seller: &Seller,
) -> Result<Vec<u8>, DocumentError> {
    let number = order.number.ok_or(DocumentError::NotPlaced)?;
    let placed_at = order.placed_at.ok_or(DocumentError::NotPlaced)?;
    let title = format!("Packing slip {number}");
    let mut paper = Paper::new();
    let tracking = parcel.and_then(|parcel| parcel.tracking.as_ref());
    let mut facts = vec![("Order", number.to_string()), ("Ordered", date(placed_at))];
    facts.extend(parcel.map(|parcel| ("Packed", date(parcel.at))));
    facts.extend(tracking.and_then(|tracking| tracking.carrier.clone()).map(|by| ("Carrier", by)));
    facts.extend(tracking.map(|tracking| ("Tracking", tracking.number.clone())));
    for (_, value) in &mut facts {
        *value = value.chars().take(24).collect();
    }
    head(&mut paper, seller, "Packing slip", &facts);
    paper.y = address(&mut paper, LEFT, "Ship to", &order.addresses.shipping) + 22.0;
    let table = Table { columns: &COLUMNS };
    table.heads(&mut paper);
    let in_parcel = |line| {
        let parcel = parcel?;
        let units = parcel.lines.iter().filter(|units| units.line == line);
        Some(units.map(|units| units.quantity).sum::<u32>())
    };
    let lines = order.lines.iter().map(|line| {
        let quantity = match parcel {
            Some(_) => in_parcel(line.id).unwrap_or_default(),
            None => line.unfulfilled(),
        };
        (line, quantity)
    });
    for ((line, quantity), place) in lines.filter(|(_, quantity)| *quantity > 0).zip(1_u32..) {
        let box_to_tick = Cell::from("___".to_owned());
        let cells =
            [place.to_string().into(), item(line), quantity.to_string().into(), box_to_tick];
        table.row(&mut paper, &cells);
    }
    paper.finish(&title, None)
}
