//! The papers of an order, read back with another program's eyes.

#![expect(clippy::unwrap_used, reason = "what does not go as planned fails the test")]

use std::collections::BTreeMap;

use barrow_documents::{DocumentError, Seller, invoice, packing_slip};
use barrow_engine::cart::{AddressForm, Addresses, LineId};
use barrow_engine::catalog::SelectedOption;
use barrow_engine::ids::FulfilmentId;
use barrow_engine::money::Money;
use barrow_engine::orders::sample::{contact, line, new_order};
use barrow_engine::orders::{
    Fulfilment, FulfilmentStatus, LineUnits, Operation, OperationKind, OperationState, Order,
    OrderNumber, Payment, Tracking,
};
use barrow_engine::time::Timestamp;

const PLACED: Timestamp = Timestamp(1_795_442_400_000);

fn seller() -> Seller {
    Seller {
        name: "Barrow & Søhne Ltd".to_owned(),
        address: vec!["Ἀθηνᾶς 5".to_owned(), "Москва 101000".to_owned()],
        tax_number: Some("DE123456789".to_owned()),
        footer: Some("IBAN DE02 1203 0000 0000 2020 51".to_owned()),
    }
}

/// A placed order of so many lines: each price, discount and rate another.
fn order(lines: u32, tax_included: bool) -> Order {
    let lines = (1..=lines).map(|id| {
        let (quantity, unit_price) = (id % 7 + 1, 1_000 + i64::from(id) * 137);
        let total = i64::from(quantity) * unit_price;
        let discount = if id % 3 == 0 { total / 10 } else { 0 };
        let (rate, per) = if id % 4 == 0 { (700, 7) } else { (1_900, 19) };
        let mut line = line(id, quantity, unit_price, discount, (total - discount) * per / 100);
        line.tax_rate_bp = rate;
        line.title = format!("Chair no. {id}, solid oak, oiled by hand");
        let (name, value) = ("Colour".to_owned(), format!("shade {id}"));
        line.options = vec![SelectedOption { name, value }];
        line
    });
    let mut order = Order::draft(new_order(lines.collect(), 499, tax_included), PLACED);
    order.number = OrderNumber::of(1_234);
    order.placed_at = Some(PLACED);
    order
}

/// Leaves a file to whoever wants to look at it.
fn keep(name: &str, file: &[u8]) {
    std::fs::write(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name), file).unwrap();
}

/// What a reader finds on each page.
fn pages(pdf: &[u8]) -> Vec<String> {
    let document = lopdf::Document::load_mem(pdf).unwrap();
    let numbers: Vec<u32> = document.get_pages().into_keys().collect();
    numbers.iter().map(|number| document.extract_text(&[*number]).unwrap()).collect()
}

fn words(text: &str) -> BTreeMap<String, u32> {
    let mut words = BTreeMap::new();
    for word in text.split_whitespace() {
        *words.entry(word.to_owned()).or_default() += 1;
    }
    words
}

fn without_spaces(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn an_invoice_has_every_figure_of_its_order() {
    for (lines, tax_included) in [(1, true), (40, false), (300, true)] {
        let order = order(lines, tax_included);
        let file = invoice(&order, &seller()).unwrap();
        keep(&format!("invoice-{lines}.pdf"), &file);
        let pages = pages(&file);
        let text = pages.concat();
        let money = |amount| Money::new(amount, order.currency).to_decimal();
        let mut expected: BTreeMap<String, u32> = BTreeMap::new();
        let mut expect = |word: String| *expected.entry(word).or_default() += 1;
        let totals = order.totals();
        let mut sum = 0;
        for line in &order.lines {
            let amount = line.total() - line.discount;
            sum += amount;
            expect(money(line.unit_price));
            expect(money(amount));
            if line.discount > 0 {
                expect(money(-line.discount));
            }
            expect(line.sku.to_string());
        }
        for amount in [totals.subtotal, totals.shipping, totals.tax, totals.total] {
            expect(money(amount));
        }
        let on_top = if tax_included { 0 } else { totals.tax };
        assert_eq!(sum + totals.shipping + on_top, totals.total, "to the cent");
        expect(order.number.unwrap().to_string());
        for word in [
            "Ada",
            "Lovelace",
            "SW1Y",
            "ada@example.com",
            "2026-11-23",
            "Søhne",
            "Ἀθηνᾶς",
            "Москва",
            "DE123456789",
            "IBAN",
        ] {
            expect(word.to_owned());
        }
        let found = words(&text);
        for (word, times) in expected {
            let found = found.get(&word).copied().unwrap_or_default();
            assert!(found >= times, "{word}: {found} of {times} in {lines} lines\n{text}");
        }
        for (page, number) in pages.iter().zip(1..) {
            assert!(page.contains(&format!("Page {number} of {}", pages.len())), "{page}");
            assert!(page.contains("931-824-527"), "whose page it is: {page}");
            let has_rows = page.contains("SKU-");
            assert!(!has_rows || page.contains("Unit price"), "heads on each page: {page}");
        }
        assert!(pages.len() >= lines as usize / 30, "{} pages", pages.len());
    }
}

#[test]
fn tax_is_told_for_each_rate() {
    let text = pages(&invoice(&order(8, true), &seller()).unwrap()).concat();
    let order = order(8, true);
    for rate in [700, 1_900] {
        let of = order.lines.iter().filter(|line| line.tax_rate_bp == rate);
        let (gross, tax) = of.fold((0, 0), |(gross, tax), line| {
            (gross + line.total() - line.discount, tax + line.tax)
        });
        for amount in [gross - tax, tax] {
            let amount = Money::new(amount, order.currency).to_decimal();
            assert!(text.contains(&amount), "{amount}: {text}");
        }
    }
    assert!(text.contains("7 %") && text.contains("19 %"), "{text}");
}

#[test]
fn what_was_paid_and_paid_back_is_told() {
    let mut order = order(1, true);
    let operation = |kind, amount| {
        let state = OperationState::Succeeded;
        Operation { kind, amount, state, at: PLACED, refund: None }
    };
    let total = order.totals().total;
    let payment: Payment = Payment {
        id: barrow_engine::ids::PaymentId::derived("payment"),
        gateway: "stripe".to_owned(),
        method: "card".to_owned(),
        return_url: None,
        reference: None,
        redirect: None,
        request: None,
        operations: vec![
            operation(OperationKind::Authorize, total),
            operation(OperationKind::Capture, total - 100),
            operation(OperationKind::Refund, 250),
        ],
    };
    order.payments.push(payment);
    let text = pages(&invoice(&order, &seller()).unwrap()).concat();
    let captured = Money::new(total - 100, order.currency).to_decimal();
    for word in [captured.as_str(), "2.50", "1.00", "stripe", "Paid back", "To be paid"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn equal_orders_are_equal_bytes_and_a_draft_has_no_papers() {
    let first = invoice(&order(40, true), &seller()).unwrap();
    assert!(first == invoice(&order(40, true), &seller()).unwrap());
    let mut draft = order(1, true);
    (draft.number, draft.placed_at) = (None, None);
    assert!(matches!(invoice(&draft, &seller()), Err(DocumentError::NotPlaced)));
    assert!(matches!(packing_slip(&draft, None, &seller()), Err(DocumentError::NotPlaced)));
}

#[test]
fn a_packing_slip_has_what_is_in_the_parcel_and_no_price() {
    let order = order(40, true);
    let parcel = Fulfilment {
        id: FulfilmentId::derived("parcel"),
        status: FulfilmentStatus::Shipped,
        lines: vec![
            LineUnits { line: LineId(3), quantity: 2 },
            LineUnits { line: LineId(17), quantity: 1 },
        ],
        tracking: Some(Tracking {
            carrier: Some("DHL".to_owned()),
            number: "JJD000390007827".to_owned(),
            url: None,
        }),
        at: PLACED,
    };
    let file = packing_slip(&order, Some(&parcel), &seller()).unwrap();
    keep("packing-slip.pdf", &file);
    let text = pages(&file).concat();
    for word in ["SKU-3", "SKU-17", "JJD000390007827", "DHL", "Lovelace", "London"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(!text.contains("SKU-4") && !text.contains("ada@example.com"), "{text}");
    let all = pages(&packing_slip(&order, None, &seller()).unwrap()).concat();
    for line in &order.lines {
        assert!(all.contains(&format!("SKU-{}", line.id.0)));
        let price = Money::new(line.unit_price, order.currency).to_decimal();
        assert!(!all.contains(&price), "{price}");
    }
}

#[test]
fn no_text_breaks_a_page() {
    let mut order = order(3, true);
    let texts = [
        "W".repeat(10_000),
        "(\\) Tj ET endstream endobj %%EOF <script>".to_owned(),
        "\u{0}\u{1b}\u{7}\r\n\t\u{202e}\u{feff}\u{1f600}日本語 שלום".to_owned(),
    ];
    for (line, text) in order.lines.iter_mut().zip(&texts) {
        line.title = text.clone();
        line.options =
            (0..100).map(|_| SelectedOption { name: text.clone(), value: text.clone() }).collect();
    }
    order.contact = contact("a@b.example");
    let name = "Ω".repeat(100);
    let form = AddressForm {
        first_name: name.clone(),
        last_name: name.clone(),
        company: Some(name.clone()),
        line1: "Ж ".repeat(100),
        city: name,
        postal_code: "1".to_owned(),
        country: "GR".to_owned(),
        ..AddressForm::default()
    };
    order.addresses = Addresses::new(&form, None).unwrap();
    let broken = Seller {
        name: texts[0].clone(),
        address: vec![texts[1].clone(); 50],
        tax_number: Some(texts[2].clone()),
        footer: Some(texts[0].clone()),
    };
    let file = invoice(&order, &broken).unwrap();
    keep("invoice-of-bad-texts.pdf", &file);
    let paper = pages(&file);
    assert!(paper.len() <= 6, "{} pages", paper.len());
    let text = without_spaces(&paper.concat());
    assert!(text.contains("(\\)TjETendstream"), "{text}");
    assert!(text.contains(&"W".repeat(20)) && text.contains('…'), "it is cut off");
    pages(&packing_slip(&order, None, &broken).unwrap());
}

#[test]
fn a_thousand_lines_are_bounded() {
    let order = order(1_000, true);
    let file = invoice(&order, &seller()).unwrap();
    assert!(file.len() < 1024 * 1024, "{} bytes", file.len());
    let pages = pages(&file);
    assert!(pages.len() <= 100, "{} pages", pages.len());
    assert!(pages.last().unwrap().contains("To be paid"));
}
