//! A frozen cart, as the order that it becomes.

use super::{Cart, CartStatus, Line};
use crate::orders::{NewOrder, OrderLine, ShippingCharge};

impl Cart {
    /// What is bought; `None` unless the cart is being checked out, and can be bought as it is now
    /// for what the shopper agreed to. Prices are those of the last [`Cart::refresh`], so the
    /// order takes them over once, when it is opened.
    pub fn to_order(&self, version: u64) -> Option<NewOrder> {
        let is_as_agreed = self.status == CartStatus::CheckingOut
            && self.problems().is_empty()
            && self.quote().totals().total == self.expected_total();
        if !is_as_agreed {
            return None;
        }
        let method = self.shipping_method()?;
        let lines: Option<Vec<OrderLine>> =
            self.lines().map(|line| self.to_order_line(line)).collect();
        let lines = lines?;
        let lines_tax: i64 = lines.iter().map(|line| line.tax).sum();
        Some(NewOrder {
            id: self.order_id(),
            cart: self.id,
            cart_version: version,
            freeze: self.freezes,
            owner: self.owner?,
            channel: self.channel().clone(),
            locale: self.locale.clone(),
            currency: self.currency(),
            tax_included: self.terms.tax_included,
            contact: self.contact.clone()?,
            addresses: self.addresses()?.clone(),
            shipping: ShippingCharge {
                method: method.id.to_owned(),
                name: method.name.to_owned(),
                price: self.quote().totals().shipping.amount,
                tax: self.quote().totals().tax.amount - lines_tax,
            },
            lines,
            exchange_of: None,
        })
    }

    fn to_order_line(&self, line: &Line) -> Option<OrderLine> {
        let sellable = line.sellable()?;
        Some(OrderLine {
            id: line.id(),
            sku: line.sku().clone(),
            product: sellable.product_id,
            title: sellable.title(&self.locale).to_string(),
            options: sellable.options.clone(),
            image: sellable.image.as_deref().map(str::to_owned),
            quantity: line.quantity().get(),
            unit_price: line.unit_price().amount,
            discount: -line.adjustments().iter().map(|one| one.amount.amount).sum::<i64>(),
            tax: line.tax().amount,
            tax_rate_bp: self.terms.tax_rate_bp(&sellable.tax_category),
            tracked: sellable.stock.track,
            max_per_customer: sellable.stock.max_per_customer,
            fulfilled: 0,
            returned: 0,
            refunded: 0,
        })
    }
}
