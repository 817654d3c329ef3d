//! What the buyer has to pay, and what for.

use std::collections::BTreeMap;

use barrow_engine::cart::Address;
use barrow_engine::money::Money;
use barrow_engine::orders::{Order, OrderLine};
use barrow_engine::time::Timestamp;

use crate::paper::{LARGE, LEFT, NORMAL, Paper, RIGHT, SMALL, Weight, line_height};
use crate::table::{Align, Cell, Column, Table};
use crate::{DocumentError, Seller};

const COLUMNS: [Column; 7] = [
    Column { head: "#", x: LEFT, width: 24.0, align: Align::Left },
    Column { head: "Item", x: LEFT + 26.0, width: 190.0, align: Align::Left },
    Column { head: "Quantity", x: LEFT + 218.0, width: 42.0, align: Align::Right },
    Column { head: "Unit price", x: LEFT + 264.0, width: 66.0, align: Align::Right },
    Column { head: "Discount", x: LEFT + 334.0, width: 58.0, align: Align::Right },
    Column { head: "Tax", x: LEFT + 396.0, width: 34.0, align: Align::Right },
    Column { head: "Amount", x: LEFT + 432.0, width: RIGHT - LEFT - 432.0, align: Align::Right },
];

/// Where the labels of the sums end.
const LABELS: f32 = RIGHT - 90.0;

/// The invoice of a placed order as a PDF. Its number is the order's, its date that of placing.
///
/// # Errors
/// Where the order was not placed.
pub fn invoice(order: &Order, seller: &Seller) -> Result<Vec<u8>, DocumentError> {
    let (number, placed_at) = order.number.zip(order.placed_at).ok_or(DocumentError::NotPlaced)?;
    let title = format!("Invoice {number}");
    let mut paper = Paper::new();
    let facts = [("Number", number.to_string()), ("Date", date(placed_at))];
    head(&mut paper, seller, "Invoice", &facts);
    parties(&mut paper, order);
    let table = Table { columns: &COLUMNS };
    table.heads(&mut paper);
    for (line, place) in order.lines.iter().zip(1..) {
        table.row(&mut paper, &row(order, line, place));
    }
    sums(&mut paper, order);
    taxes(&mut paper, order);
    payments(&mut paper, order);
    paper.finish(&title, seller.footer.as_deref())
}

/// Who sells, and what paper it is.
pub(crate) fn head(paper: &mut Paper, seller: &Seller, title: &str, facts: &[(&str, String)]) {
    let width = (RIGHT - LEFT) / 2.0;
    let mut y = paper.y;
    let mut left = paper.block(LEFT, y, width, (Weight::Bold, 12.0), &seller.name) + 2.0;
    let tax_number = seller.tax_number.as_ref().map(|number| format!("Tax number {number}"));
    for line in seller.address.iter().chain(&tax_number).take(10) {
        left = paper.block(LEFT, left, width, (Weight::Regular, SMALL), line);
    }
    paper.put_right(RIGHT, y, Weight::Bold, LARGE, title);
    y += line_height(LARGE) + 4.0;
    for (name, value) in facts {
        paper.put_right(RIGHT - 110.0, y, Weight::Regular, NORMAL, name);
        paper.put_right(RIGHT, y, Weight::Regular, NORMAL, value);
        y += line_height(NORMAL);
    }
    paper.y = left.max(y) + 22.0;
}

fn parties(paper: &mut Paper, order: &Order) {
    let billing = order.addresses.billing.as_ref().unwrap_or(&order.addresses.shipping);
    let (top, middle) = (paper.y, LEFT + 260.0);
    let mut below = address(paper, LEFT, "Bill to", billing);
    let email = order.contact.email.as_str();
    let style = (Weight::Regular, SMALL);
    below = paper.block(LEFT, below, 230.0, style, email);
    paper.y = top;
    let shipped = address(paper, middle, "Ship to", &order.addresses.shipping);
    paper.y = below.max(shipped) + 22.0;
}

/// A name, a street and so on below a word; where it ends.
pub(crate) fn address(paper: &mut Paper, x: f32, word: &str, address: &Address) -> f32 {
    let mut y = paper.y;
    paper.put(x, y, Weight::Bold, SMALL, word);
    y += line_height(SMALL) + 2.0;
    let name = format!("{} {}", address.first_name, address.last_name);
    let city = format!("{} {}", address.postal_code, address.city);
    let country = address.country.to_string();
    let lines = [
        address.company.as_ref(),
        Some(&name),
        Some(&address.line1),
        address.line2.as_ref(),
        Some(&city),
        address.region.as_ref(),
        Some(&country),
    ];
    for line in lines.into_iter().flatten() {
        y = paper.block(x, y, 230.0, (Weight::Regular, NORMAL), line);
    }
    y
}

fn row(order: &Order, line: &OrderLine, place: u32) -> [Cell; 7] {
    let money = |amount| decimal(order, amount);
    let discount = if line.discount == 0 { String::new() } else { money(-line.discount) };
    [
        place.to_string().into(),
        item(line),
        line.quantity.to_string().into(),
        money(line.unit_price).into(),
        discount.into(),
        percent(line.tax_rate_bp).into(),
        money(line.total() - line.discount).into(),
    ]
}

/// What was bought, with its SKU and its options. The SKU first: many options are cut off.
pub(crate) fn item(line: &OrderLine) -> Cell {
    let options = line.options.iter().map(|option| format!("{}: {}", option.name, option.value));
    let small = [format!("SKU {}", line.sku)].into_iter().chain(options);
    Cell { text: line.title.clone(), small: small.collect() }
}

fn sums(paper: &mut Paper, order: &Order) {
    let totals = order.totals();
    paper.make_room(8.0 * line_height(NORMAL));
    paper.rule(LEFT, RIGHT);
    sum(paper, order, Weight::Regular, "Subtotal", totals.subtotal);
    if totals.discount > 0 {
        sum(paper, order, Weight::Regular, "Discount", -totals.discount);
    }
    let shipping = format!("Shipping: {}", order.shipping.name);
    sum(paper, order, Weight::Regular, &shipping, totals.shipping);
    if !order.tax_included {
        sum(paper, order, Weight::Regular, "Tax", totals.tax);
    }
    sum(paper, order, Weight::Bold, &format!("Total {}", order.currency), totals.total);
    if order.tax_included {
        sum(paper, order, Weight::Regular, "of which tax", totals.tax);
    }
    paper.y += 14.0;
}

fn sum(paper: &mut Paper, order: &Order, weight: Weight, label: &str, amount: i64) {
    paper.make_room(line_height(NORMAL));
    let label = paper.wrap(weight, NORMAL, 300.0, label).into_iter().next().unwrap_or_default();
    paper.put_right(LABELS, paper.y, weight, NORMAL, &label);
    paper.put_right(RIGHT, paper.y, weight, NORMAL, &decimal(order, amount));
    paper.y += line_height(NORMAL);
}

/// Of each rate what it was taken of, and what it came to. The rate of shipping is not known of an
/// order, only its tax.
fn taxes(paper: &mut Paper, order: &Order) {
    let mut rates: BTreeMap<u32, (i64, i64)> = BTreeMap::new();
    let inside = |tax: i64| if order.tax_included { tax } else { 0 };
    for line in &order.lines {
        let (net, tax) = rates.entry(line.tax_rate_bp).or_default();
        *net += line.total() - line.discount - inside(line.tax);
        *tax += line.tax;
    }
    let shipping = &order.shipping;
    let net = shipping.price - inside(shipping.tax);
    let rows = rates.into_iter().map(|(rate, sums)| (percent(rate), sums));
    let shipping =
        (net != 0 || shipping.tax != 0).then(|| ("Shipping".to_owned(), (net, shipping.tax)));
    paper.make_room(3.0 * line_height(SMALL));
    three(paper, Weight::Bold, ["Tax", "Net", "Tax amount"]);
    for (rate, (net, tax)) in rows.chain(shipping) {
        three(paper, Weight::Regular, [&rate, &decimal(order, net), &decimal(order, tax)]);
    }
    paper.y += 14.0;
}

fn payments(paper: &mut Paper, order: &Order) {
    let moved = order.payments.iter().filter(|payment| payment.authorized() > 0);
    let (captured, refunded) =
        order.payments.iter().fold((0, 0), |(captured, refunded), payment| {
            (captured + payment.captured(), refunded + payment.refunded())
        });
    for payment in moved {
        paper.make_room(2.0 * line_height(SMALL));
        let how = format!("Payment by {} ({})", payment.gateway, payment.method);
        three(paper, Weight::Bold, [&how, "", payment.status().as_str()]);
        for (label, amount) in [
            ("Authorized", payment.authorized()),
            ("Captured", payment.captured()),
            ("Refunded", payment.refunded()),
        ] {
            if amount != 0 {
                three(paper, Weight::Regular, [label, "", &decimal(order, amount)]);
            }
        }
    }
    let due = order.totals().total - captured;
    paper.y += 4.0;
    if refunded > 0 {
        three(paper, Weight::Bold, ["Paid back", "", &decimal(order, refunded)]);
    }
    three(paper, Weight::Bold, ["To be paid", "", &decimal(order, due.max(0))]);
}

fn three(paper: &mut Paper, weight: Weight, texts: [&str; 3]) {
    paper.make_room(line_height(SMALL));
    let y = paper.y;
    let first = paper.wrap(weight, SMALL, 190.0, texts[0]).into_iter().next().unwrap_or_default();
    paper.put(LEFT, y, weight, SMALL, &first);
    paper.put_right(LEFT + 264.0, y, weight, SMALL, texts[1]);
    paper.put_right(LEFT + 340.0, y, weight, SMALL, texts[2]);
    paper.y += line_height(SMALL);
}

fn decimal(order: &Order, amount: i64) -> String {
    Money::new(amount, order.currency).to_decimal()
}

/// A rate: 1900 is `19 %`, 550 is `5.5 %`.
fn percent(basis_points: u32) -> String {
    let (whole, rest) = (basis_points / 100, basis_points % 100);
    match rest {
        0 => format!("{whole} %"),
        rest if rest % 10 == 0 => format!("{whole}.{} %", rest / 10),
        rest => format!("{whole}.{rest:02} %"),
    }
}

/// The day of a time, in UTC.
pub(crate) fn date(at: Timestamp) -> String {
    at.to_string().chars().take("2026-11-23".len()).collect()
}
