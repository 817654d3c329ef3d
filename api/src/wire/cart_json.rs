//! Writes carts as JSON. It is most of what a reply costs the processor, so it is written by
//! hand: what a line says of its SKU is encoded once per snapshot and copied from then on, and
//! only what changes from cart to cart is put into words. The form is that of
//! [`CartBody`](super::cart::CartBody); a test below holds the two together.

use barrow_actors::carts::{CartRenderer, Shape};
use barrow_engine::cart::{Cart, CartStatus, Line, Owner, Totals, next_of, order_of};
use barrow_engine::catalog::{Locale, Sellable};
use barrow_engine::ids::{CartId, encode_base32};
use barrow_engine::money::{Currency, Money};
use bytes::Bytes;
use serde::Serialize;

use super::cart::{
    AddressesBody, AdjustmentBody, CartProblem, ChosenShipping, ContactBody, ShippingMethodBody,
};
use super::media::MediaUrls;

/// Writes carts as their readers get them.
#[derive(Debug, Clone, Default)]
pub struct CartJson {
    pub urls: MediaUrls,
}

/// What a cart's JSON takes without its lines, and what a line takes: a guess that spares the
/// buffer from growing.
const BYTES_OF_CART: usize = 1_536;
const BYTES_OF_LINE: usize = 448;

impl CartRenderer for CartJson {
    fn render(&self, cart: &Cart, version: u64, shape: Shape) -> Bytes {
        let lines = match shape {
            Shape::Full => cart.lines().len(),
            Shape::Minimal => 0,
        };
        let out = Vec::with_capacity(BYTES_OF_CART + lines * BYTES_OF_LINE);
        let mut writer = Writer { out, currency: cart.currency(), urls: &self.urls };
        match shape {
            Shape::Full => writer.cart(cart, version),
            Shape::Minimal => writer.minimal(cart, version),
        }
        Bytes::from(writer.out)
    }

    fn render_shipping_methods(&self, cart: &Cart) -> Bytes {
        let methods = cart.shipping_options().into_iter().map(ShippingMethodBody::from);
        let methods: Vec<ShippingMethodBody> = methods.collect();
        serde_json::to_vec(&methods).expect("texts and numbers always serialise").into()
    }
}

/// What every line of a SKU says alike, in the order of the fields. The title is apart, since it
/// may be another in the cart's language.
struct SkuText {
    before_title: Box<str>,
    title: Box<str>,
    after_title: Box<str>,
}

impl SkuText {
    fn new(sellable: &Sellable, urls: &MediaUrls) -> SkuText {
        let image = sellable.image.as_deref().map(|key| urls.url(key));
        SkuText {
            before_title: format!(
                r#","sku":{},"product_id":{},"slug":{},"title":"#,
                json(&sellable.sku),
                json(&sellable.product_id),
                json(&sellable.slug),
            )
            .into(),
            title: json(&sellable.title).into(),
            after_title: format!(
                r#","options":{},"image":{},"quantity":"#,
                json(&sellable.options),
                json(&image),
            )
            .into(),
        }
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("texts and numbers always serialise")
}

struct Writer<'a> {
    out: Vec<u8>,
    /// Of every amount in the cart.
    currency: Currency,
    urls: &'a MediaUrls,
}

impl Writer<'_> {
    fn cart(&mut self, cart: &Cart, version: u64) {
        self.head(cart.id(), version);
        self.text(r#","status":""#);
        self.text(cart.status().as_str());
        self.text(r#"","currency":""#);
        self.text(self.currency.code());
        self.text(r#"","channel":"#);
        self.value(cart.channel());
        self.text(r#","locale":"#);
        self.value(cart.locale());
        self.text(r#","customer_id":"#);
        self.value(&match cart.owner() {
            Some(Owner::Customer(customer)) => Some(customer),
            Some(Owner::Session(_)) | None => None,
        });
        self.text(r#","lines":["#);
        for (index, line) in cart.lines().enumerate() {
            self.text(if index > 0 { "," } else { "" });
            self.line(line, cart.locale());
        }
        self.text(r#"],"coupons":[],"gift_cards":[],"contact":"#);
        self.value(&cart.contact().map(ContactBody::from));
        self.text(r#","addresses":"#);
        self.value(&cart.addresses().map(AddressesBody::from));
        self.text(r#","shipping_method":"#);
        self.value(&cart.shipping_method().map(ChosenShipping::from));
        self.totals(cart.quote().totals());
        self.problems(cart);
        self.text(r#","order_id":"#);
        let is_bought = matches!(cart.status(), CartStatus::CheckingOut | CartStatus::Ordered);
        self.value(&is_bought.then(|| order_of(cart.id())));
        self.text(r#","next_cart_id":"#);
        let is_over = cart.status() == CartStatus::Ordered;
        self.value(&is_over.then(|| next_of(cart.id())));
        self.text(r#","created_at":"#);
        self.value(&cart.created_at());
        self.text(r#","updated_at":"#);
        self.value(&cart.updated_at());
        self.text("}");
    }

    fn minimal(&mut self, cart: &Cart, version: u64) {
        self.head(cart.id(), version);
        self.totals(cart.quote().totals());
        self.problems(cart);
        self.text("}");
    }

    fn head(&mut self, id: CartId, version: u64) {
        self.text(r#"{"id":""#);
        self.text(CartId::PREFIX);
        self.out.extend_from_slice(&encode_base32(id.0));
        self.text(r#"","version":"#);
        self.number(version);
    }

    fn line(&mut self, line: &Line, locale: &Locale) {
        self.text(r#"{"id":"line_"#);
        self.number(line.id().0);
        self.text("\"");
        match line.sellable() {
            Some(sellable) => self.sku(sellable, locale),
            // It has gone from the catalog, which is one of the cart's problems.
            None => {
                self.text(r#","sku":"#);
                self.value(line.sku());
                self.text(r#","product_id":"","slug":"","title":"#);
                self.value(line.sku());
                self.text(r#","options":[],"image":null,"quantity":"#);
            }
        }
        self.number(line.quantity().get());
        self.text(r#","unit_price":"#);
        self.money(line.unit_price());
        self.text(r#","line_total":"#);
        self.money(line.line_total());
        self.text(r#","adjustments":["#);
        for (index, adjustment) in line.adjustments().iter().enumerate() {
            self.text(if index > 0 { "," } else { "" });
            self.value(&AdjustmentBody::from(adjustment));
        }
        self.text("]}");
    }

    fn sku(&mut self, sellable: &Sellable, locale: &Locale) {
        let urls = self.urls;
        let text = sellable.memo.get_or_make(|| SkuText::new(sellable, urls));
        self.text(&text.before_title);
        let title = sellable.title(locale);
        if std::sync::Arc::ptr_eq(title, &sellable.title) {
            self.text(&text.title);
        } else {
            self.value(title);
        }
        self.text(&text.after_title);
    }

    fn totals(&mut self, totals: &Totals) {
        let before_tax_included = [
            (r#","totals":{"subtotal":"#, totals.subtotal),
            (r#","discount":"#, totals.discount),
            (r#","shipping":"#, totals.shipping),
            (r#","tax":"#, totals.tax),
            (r#","total":"#, totals.total),
        ];
        for (name, amount) in before_tax_included {
            self.text(name);
            self.money(amount);
        }
        self.text(r#","tax_included":"#);
        self.text(if totals.tax_included { "true" } else { "false" });
        self.text(r#","gift_cards":"#);
        self.money(totals.gift_cards);
        self.text(r#","due":"#);
        self.money(totals.due);
        self.text("}");
    }

    fn problems(&mut self, cart: &Cart) {
        self.text(r#","problems":["#);
        for (index, problem) in cart.problems().iter().enumerate() {
            self.text(if index > 0 { "," } else { "" });
            self.value(&CartProblem::from(problem));
        }
        self.text("]");
    }

    fn money(&mut self, money: Money) {
        debug_assert_eq!(money.currency, self.currency, "a cart has one currency");
        self.text(r#"{"amount":"#);
        self.number(money.amount);
        self.text(r#","currency":""#);
        self.text(self.currency.code());
        self.text(r#""}"#);
    }

    fn number(&mut self, number: impl itoa::Integer) {
        self.text(itoa::Buffer::new().format(number));
    }

    /// What is known to need no escaping.
    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn value(&mut self, value: &impl Serialize) {
        serde_json::to_writer(&mut self.out, value).expect("texts and numbers always serialise");
    }
}

#[cfg(test)]
#[path = "cart_json_tests.rs"]
mod tests;
