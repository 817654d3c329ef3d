//! Orders as tables for other programs: CSV for spreadsheets, JSON Lines for programs.

use barrow_engine::money::Money;
use barrow_engine::orders::{Order, OrderLine};
use serde_json::{Value, json};

/// The columns of the CSV: a row a line of an order. What is the order's alone stands on the first
/// of its rows, so that a column can be summed.
pub const CSV_COLUMNS: [&str; 24] = [
    "order_id",
    "number",
    "placed_at",
    "status",
    "payment_status",
    "fulfilment_status",
    "email",
    "country",
    "currency",
    "sku",
    "title",
    "options",
    "quantity",
    "unit_price",
    "discount",
    "tax",
    "tax_rate",
    "fulfilled",
    "returned",
    "order_subtotal",
    "order_discount",
    "order_shipping",
    "order_tax",
    "order_total",
];

/// What a spreadsheet takes for the beginning of a formula.
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// The first row.
pub fn csv_header() -> String {
    csv_line(&CSV_COLUMNS.map(str::to_owned))
}

/// The rows of an order. Amounts are decimal: `12.99`.
pub fn csv_rows(order: &Order) -> String {
    let lines = order.lines.iter().enumerate();
    lines.map(|(place, line)| csv_line(&cells(order, line, place == 0))).collect()
}

/// A text as a cell that no spreadsheet runs as a formula.
fn guarded(text: &str) -> String {
    match text.trim_start_matches('\'').starts_with(FORMULA_STARTS) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

fn csv_line(cells: &[String]) -> String {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    writer.write_record(cells).expect("a vector takes all");
    let bytes = writer.into_inner().expect("a vector takes all");
    String::from_utf8(bytes).expect("it was written from texts")
}

fn cells(order: &Order, line: &OrderLine, is_first: bool) -> [String; 24] {
    let money = |amount| Money::new(amount, order.currency).to_decimal();
    let totals = order.totals();
    let of_order = |amount| if is_first { money(amount) } else { String::new() };
    let options = line.options.iter().map(|option| format!("{}: {}", option.name, option.value));
    let options = options.collect::<Vec<_>>().join("; ");
    [
        order.id.to_string(),
        order.number.map(|number| number.to_string()).unwrap_or_default(),
        order.placed_at.map(|at| at.to_string()).unwrap_or_default(),
        order.status.as_str().to_owned(),
        order.payment_progress().as_str().to_owned(),
        order.fulfilment_progress().as_str().to_owned(),
        guarded(&order.contact.email),
        order.addresses.shipping.country.to_string(),
        order.currency.code().to_owned(),
        guarded(&line.sku.to_string()),
        guarded(&line.title),
        guarded(&options),
        line.quantity.to_string(),
        money(line.unit_price),
        money(line.discount),
        money(line.tax),
        format!("{}.{:02}", line.tax_rate_bp / 100, line.tax_rate_bp % 100),
        line.fulfilled.to_string(),
        line.returned.to_string(),
        of_order(totals.subtotal),
        of_order(totals.discount),
        of_order(totals.shipping),
        of_order(totals.tax),
        of_order(totals.total),
    ]
}

/// An order as one line of JSON, with the line's end. Amounts are minor units.
pub fn json_line(order: &Order) -> String {
    let totals = order.totals();
    let payments = order.payments.iter().map(|payment| {
        json!({
            "id": payment.id, "gateway": payment.gateway, "method": payment.method,
            "status": payment.status().as_str(), "authorized": payment.authorized(),
            "captured": payment.captured(), "refunded": payment.refunded(),
        })
    });
    let value = json!({
        "type": "order", "id": order.id, "number": order.number.map(|number| number.to_string()),
        "version": order.version, "status": order.status.as_str(),
        "payment_status": order.payment_progress().as_str(),
        "fulfilment_status": order.fulfilment_progress().as_str(),
        "on_hold": order.on_hold, "cart_id": order.cart, "channel": order.channel,
        "currency": order.currency, "created_at": order.created_at, "placed_at": order.placed_at,
        "contact": order.contact, "addresses": order.addresses,
        "shipping_method": {
            "id": order.shipping.method, "name": order.shipping.name,
            "price": order.shipping.price, "tax": order.shipping.tax,
        },
        "lines": order.lines.iter().map(line_value).collect::<Vec<Value>>(),
        "totals": {
            "subtotal": totals.subtotal, "discount": totals.discount, "shipping": totals.shipping,
            "tax": totals.tax, "total": totals.total, "tax_included": order.tax_included,
        },
        "payments": payments.collect::<Vec<Value>>(),
        "fulfilments": order.fulfilments, "refunds": order.refunds, "returns": order.returns,
    });
    format!("{value}\n")
}

fn line_value(line: &OrderLine) -> Value {
    json!({
        "id": line.id, "sku": line.sku, "product_id": line.product, "title": line.title,
        "options": line.options, "quantity": line.quantity, "unit_price": line.unit_price,
        "discount": line.discount, "tax": line.tax, "tax_rate_bp": line.tax_rate_bp,
        "line_total": line.total(), "fulfilled": line.fulfilled, "returned": line.returned,
    })
}
