//! The hand-written cart is, byte for byte, what serde makes of the types that clients are
//! promised in the OpenAPI document.

use std::sync::Arc;

use barrow_engine::cart::workload::{OWNER, cart_of, click, sellable};
use barrow_engine::cart::{AddressForm, Addresses, By, CartAction, CartCommand, CartStep, Contact};
use barrow_engine::catalog::SelectedOption;
use barrow_engine::entity::Entity;
use barrow_engine::pricing::Shop;
use barrow_engine::quantity::Quantity;
use barrow_engine::time::Timestamp;

use super::*;
use crate::wire::cart::{CartBody, LineBody, MinimalCart, TotalsBody};

const BASE: &str = "https://cdn.example";
const NOW: Timestamp = Timestamp(1_795_334_400_123);
/// What JSON has to escape, and what it need not.
const ODD: &str = "5\" pipe \\ \u{1} \n <b> é 木 🪑 \u{2028}";

fn expected(cart: &Cart, version: u64, shape: Shape) -> String {
    let totals = TotalsBody::from(cart.quote().totals());
    let problems = cart.problems().iter().map(CartProblem::from).collect();
    if shape == Shape::Minimal {
        return json(&MinimalCart { id: cart.id(), version, totals, problems });
    }
    let urls = MediaUrls::new(BASE);
    let customer_id = match cart.owner() {
        Some(Owner::Customer(customer)) => Some(customer),
        _ => None,
    };
    json(&CartBody {
        id: cart.id(),
        version,
        status: cart.status().as_str(),
        currency: cart.currency(),
        channel: cart.channel(),
        locale: cart.locale(),
        customer_id,
        lines: cart.lines().map(|line| line_body(line, cart.locale(), &urls)).collect(),
        coupons: [],
        gift_cards: [],
        contact: cart.contact().map(ContactBody::from),
        addresses: cart.addresses().map(AddressesBody::from),
        shipping_method: cart.shipping_method().map(ChosenShipping::from),
        totals,
        problems,
        order_id: None,
        next_cart_id: None,
        created_at: cart.created_at(),
        updated_at: cart.updated_at(),
    })
}

fn line_body<'a>(line: &'a Line, locale: &Locale, urls: &MediaUrls) -> LineBody<'a> {
    let sellable = line.sellable();
    LineBody {
        id: line.id(),
        sku: line.sku(),
        product_id: sellable.map_or("".into(), |s| s.product_id.to_string().into()),
        slug: sellable.map_or("", |s| s.slug.as_str()),
        title: sellable.map_or(line.sku().as_str(), |s| s.title(locale)),
        options: sellable.map_or(&[], |s| &s.options),
        image: sellable.and_then(|s| s.image.as_deref()).map(|key| urls.url(key)),
        quantity: line.quantity().get(),
        unit_price: line.unit_price(),
        line_total: line.line_total(),
        adjustments: line.adjustments().iter().map(AdjustmentBody::from).collect(),
    }
}

fn check(cart: &Cart) {
    let writer = CartJson { urls: MediaUrls::new(BASE) };
    for shape in [Shape::Full, Shape::Minimal] {
        for version in [1, 4_711, u64::MAX] {
            let written = writer.render(cart, version, shape);
            assert_eq!(str::from_utf8(&written).unwrap(), expected(cart, version, shape));
        }
    }
}

/// A snapshot that says something in every field, to each language its own.
fn odd_sellable() -> Sellable {
    let mut odd = sellable(900, 1_250);
    odd.title = ODD.into();
    odd.titles.insert("de".parse().unwrap(), format!("Der {ODD}").into());
    odd.options = vec![SelectedOption { name: "Größe \"x\"".into(), value: ODD.into() }];
    odd.image = Some("sample/a b.png".into());
    odd
}

fn add(sellable: Sellable, units: u32) -> CartStep {
    let quantity = Quantity::new(units).unwrap();
    CartStep::AddLine { sellable: Arc::new(sellable), quantity }
}

fn change(cart: &mut Cart, steps: Vec<CartStep>) {
    click(cart, CartCommand { by: By::Shopper(OWNER), action: CartAction::Change(steps) });
}

#[test]
fn carts_of_any_size_are_written_as_promised() {
    for lines in [0, 1, 5, 25] {
        check(&cart_of(lines));
    }
}

#[test]
fn what_a_line_says_is_escaped_and_translated() {
    let mut cart = cart_of(1);
    change(&mut cart, vec![add(odd_sellable(), 99_999)]);
    check(&cart);
    // Its snapshot keeps what was encoded; a reader of another language gets the other title.
    let shop = Arc::new(Shop::sample());
    let german = shop.channels[0].locales.iter().find(|locale| locale.as_str().starts_with("de"));
    let action = CartAction::Create {
        currency: cart.currency(),
        channel: shop.default_channel.clone(),
        locale: german.expect("the sample shop speaks German").clone(),
        shop: shop.clone(),
    };
    let mut other = barrow_engine::cart::CartEntity::initial(2);
    click(&mut other, CartCommand { by: By::Shopper(OWNER), action });
    let shared = cart.lines().last().unwrap().sellable().unwrap().clone();
    let quantity = Quantity::new(1).unwrap();
    change(&mut other, vec![CartStep::AddLine { sellable: shared, quantity }]);
    check(&other);
    check(&cart);
}

#[test]
fn every_problem_and_a_sku_that_has_gone_are_written() {
    let mut cart = cart_of(3);
    change(&mut cart, vec![add(odd_sellable(), 12)]);
    let mut snapshots: Vec<_> = cart.lines().map(|line| line.sellable().cloned()).collect();
    snapshots[0] = None;
    let mut scarce = (**snapshots[1].as_ref().unwrap()).clone();
    scarce.units = Some(1);
    scarce.stock.max_per_customer = Some(1);
    for price in &mut scarce.prices.prices {
        price.amount.amount += 5_000;
    }
    snapshots[1] = Some(Arc::new(scarce));
    cart.refresh(Arc::new(Shop::sample()), 2, snapshots, NOW);
    assert!(cart.problems().len() > 5, "{:?}", cart.problems());
    check(&cart);
}

#[test]
fn contact_addresses_and_shipping_are_written() {
    let mut cart = cart_of(2);
    let place = AddressForm {
        first_name: "Ada".into(),
        last_name: r#"O"Neill \ 木"#.into(),
        line1: "1 Main Street".into(),
        line2: Some("left".into()),
        city: "Berlin".into(),
        postal_code: "10115".into(),
        country: "DE".into(),
        ..AddressForm::default()
    };
    let contact = Contact::new("ada@example.com", Some("+49 30 1234567")).unwrap();
    let addresses = Addresses::new(&place, Some(&place)).unwrap();
    change(&mut cart, vec![CartStep::SetContact(contact), CartStep::SetAddresses(addresses)]);
    let id = cart.shipping_options()[0].id.to_owned();
    change(&mut cart, vec![CartStep::SetShippingMethod { id }]);
    assert_eq!(cart.problems(), []);
    check(&cart);
}
