//! Orders as tables, read back.

#![expect(clippy::unwrap_used, reason = "what does not go as planned fails the test")]

use barrow_documents::{CSV_COLUMNS, csv_header, csv_rows, json_line};
use barrow_engine::catalog::SelectedOption;
use barrow_engine::orders::sample::{line, new_order};
use barrow_engine::orders::{Order, OrderNumber};
use barrow_engine::time::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

fn order(titles: &[&str]) -> Order {
    let lines = titles.iter().zip(1..).map(|(title, id)| {
        let mut line = line(id, 2, 1_299, 100, 400);
        line.title = (*title).to_owned();
        line
    });
    let placed = Timestamp(1_795_442_400_000);
    let mut order = Order::draft(new_order(lines.collect(), 499, true), placed);
    order.number = OrderNumber::of(1_234);
    order.placed_at = Some(placed);
    order
}

fn read(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn a_row_is_a_line_and_sums_stand_once() {
    let rows = read(&(csv_header() + &csv_rows(&order(&["Chair", "Table"]))));
    assert_eq!(rows.len(), 3);
    let column = |name: &str| CSV_COLUMNS.iter().position(|column| *column == name).unwrap();
    let cells = |name| [rows[1][column(name)].as_str(), rows[2][column(name)].as_str()];
    assert_eq!(cells("title"), ["Chair", "Table"]);
    assert_eq!(cells("unit_price"), ["12.99", "12.99"]);
    assert_eq!(cells("tax_rate"), ["19.00", "19.00"]);
    assert_eq!(cells("order_total"), ["54.95", ""]);
    assert_eq!(cells("currency"), ["EUR", "EUR"]);
}

#[test]
fn no_cell_is_run_as_a_formula() {
    let mut order = order(&["=HYPERLINK(\"http://x\")", "'+1", "a\r\n,\";b"]);
    let (name, value) = ("@SUM".to_owned(), "1".to_owned());
    order.lines[0].options = vec![SelectedOption { name, value }];
    let rows = read(&csv_rows(&order));
    let titles: Vec<&str> = rows.iter().map(|row| row[10].as_str()).collect();
    assert_eq!(titles, ["'=HYPERLINK(\"http://x\")", "''+1", "a\r\n,\";b"]);
    assert_eq!(rows[0][11], "'@SUM: 1");
}

#[test]
fn a_line_of_json_has_the_whole_order() {
    let text = json_line(&order(&["Chair\n\"x\""]));
    assert_eq!(text.matches('\n').count(), 1);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["lines"][0]["title"], "Chair\n\"x\"");
    let totals = json!({"subtotal": 2598, "discount": 100, "shipping": 499, "tax": 499,
        "total": 2997, "tax_included": true});
    assert_eq!(value["totals"], totals);
    assert_eq!(value["contact"]["email"], "ada@example.com");
    assert_eq!(value["placed_at"], value["created_at"]);
}

proptest! {
    #[test]
    fn whatever_a_title_is_it_is_one_cell(title in any::<String>()) {
        let rows = read(&csv_rows(&order(&[&title])));
        prop_assert_eq!(rows.len(), 1);
        let cell = &rows[0][10];
        prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']));
        let guarded = format!("'{title}");
        prop_assert!(*cell == title || *cell == guarded);
        prop_assert_eq!(json_line(&order(&[&title])).lines().count(), 1);
    }
}
