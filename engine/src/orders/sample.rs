//! A small order, for tests and for the suites of the ports.

use super::{NewOrder, OrderCommand, OrderLine, PaymentChoice, ShippingCharge};
use crate::cart::{AddressForm, Addresses, Contact, LineId, Owner};
use crate::ids::{CartId, OrderId, ProductId, SessionId};
use crate::money::Currency;

/// Quantity, unit price, discount, tax.
pub fn line(id: u32, quantity: u32, unit_price: i64, discount: i64, tax: i64) -> OrderLine {
    OrderLine {
        id: LineId(id),
        sku: format!("SKU-{id}").parse().expect("a SKU"),
        product: ProductId::derived("chair"),
        title: "Chair".into(),
        options: Vec::new(),
        image: None,
        quantity,
        unit_price,
        discount,
        tax,
        tax_rate_bp: 1900,
        tracked: true,
        max_per_customer: None,
        fulfilled: 0,
        returned: 0,
        refunded: 0,
    }
}

/// Where a buyer of this last name lives.
pub fn addresses(last_name: &str) -> Addresses {
    let address = AddressForm {
        first_name: "Ada".into(),
        last_name: last_name.into(),
        line1: "12 St James's Square".into(),
        city: "London".into(),
        postal_code: "SW1Y 4JH".into(),
        country: "GB".into(),
        ..AddressForm::default()
    };
    Addresses::new(&address, None).expect("an address")
}

pub fn contact(email: &str) -> Contact {
    Contact::new(email, None).expect("a contact")
}

/// By card, at a gateway that says yes.
pub fn start_payment() -> OrderCommand {
    let (gateway, method) = ("test".into(), "ok".into());
    OrderCommand::StartPayment(PaymentChoice { gateway, method, return_url: None, request: None })
}

pub fn new_order(lines: Vec<OrderLine>, shipping: i64, tax_included: bool) -> NewOrder {
    NewOrder {
        id: OrderId(1),
        cart: CartId(2),
        cart_version: 9,
        freeze: 1,
        owner: Owner::Session(SessionId(3)),
        channel: "web".parse().expect("a channel"),
        locale: "en".parse().expect("a locale"),
        currency: Currency::from_code("EUR").expect("a currency"),
        tax_included,
        contact: contact("ada@example.com"),
        addresses: addresses("Lovelace"),
        shipping: ShippingCharge {
            method: "standard".into(),
            name: "Standard".into(),
            price: shipping,
            tax: shipping / 5,
        },
        lines,
        exchange_of: None,
    }
}
