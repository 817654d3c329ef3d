//! Carts of any size, for benchmarks and proofs: what a click costs has to be measured on carts
//! that are like those of shoppers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{By, Cart, CartAction, CartCommand, CartEntity, CartStep, Owner};
use crate::catalog::{Memo, ProductStatus, Sellable, Sku, Slug, StockPolicy};
use crate::entity::Entity;
use crate::ids::{PriceId, ProductId, SessionId, VariantId};
use crate::money::{Currency, Money};
use crate::pricing::{Price, PriceBook, Shop};
use crate::quantity::Quantity;
use crate::time::Timestamp;

/// When these carts are made: an instant like any other.
pub const NOW: Timestamp = Timestamp(1_763_800_000_000);

/// Whose they are.
pub const OWNER: Owner = Owner::Session(SessionId(7));

/// The currency of these carts.
pub fn currency() -> Currency {
    Currency::from_code("EUR").expect("the euro is a currency")
}

/// A SKU of 15 characters at that unit price in euros, always in stock, cheaper by the dozen.
pub fn sellable(index: u32, unit: i64) -> Sellable {
    let price = |id: u128, amount, min_quantity| Price {
        id: PriceId(id),
        amount: Money::new(amount, currency()),
        compare_at: None,
        channel: None,
        customer_group: None,
        min_quantity,
        valid_from: None,
        valid_until: None,
    };
    Sellable {
        sku: Sku::new(&format!("CHAIR-{index:05}-OAK")).expect("the text is a SKU"),
        product_id: ProductId(index.into()),
        variant_id: VariantId(index.into()),
        slug: Slug::new(&format!("chair-{index}")).expect("the text is a slug"),
        title: "A chair".into(),
        titles: BTreeMap::new(),
        options: Vec::new(),
        image: None,
        status: ProductStatus::Active,
        publish_at: None,
        channels: Vec::new(),
        prices: PriceBook { prices: vec![price(1, unit, 1), price(2, unit - unit / 10, 12)] },
        tax_category: "standard".into(),
        stock: StockPolicy::default(),
        units: Some(1_000_000),
        memo: Memo::default(),
    }
}

/// The command that puts two of the SKU of that index into a cart of [`OWNER`].
pub fn add_line(index: u32) -> CartCommand {
    let sellable = Arc::new(sellable(index, 1_999 + i64::from(index)));
    let quantity = Quantity::new(2).expect("two is a quantity");
    let steps = vec![CartStep::AddLine { sellable, quantity }];
    CartCommand { by: By::Shopper(OWNER), action: CartAction::Change(steps) }
}

/// The command that opens a cart for [`OWNER`].
pub fn create(shop: Arc<Shop>) -> CartCommand {
    let channel = shop.default_channel.clone();
    let locale = shop.channels[0].locales[0].clone();
    let action = CartAction::Create { currency: currency(), channel, locale, shop };
    CartCommand { by: By::Shopper(OWNER), action }
}

/// What a click costs the business: decide, apply, and the new total.
///
/// # Panics
/// If the cart refuses.
pub fn click(cart: &mut Cart, command: CartCommand) -> Money {
    let decision = CartEntity::decide(cart, command, NOW).expect("the cart takes the command");
    for event in decision.events {
        CartEntity::apply(cart, event);
    }
    cart.quote().totals().total
}

/// A cart of the default shop with that many lines, priced.
pub fn cart_of(lines: u32) -> Cart {
    let mut cart = CartEntity::initial(1);
    click(&mut cart, create(Arc::new(Shop::sample())));
    for index in 0..lines {
        click(&mut cart, add_line(index));
    }
    cart
}
