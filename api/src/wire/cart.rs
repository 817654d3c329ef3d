//! CART and what it is made of, as clients read it. Every field is present in every reply;
//! what is not known is `null`. Whole carts are written by [`super::cart_json`].

use std::borrow::Cow;

use barrow_engine::cart::{self, Address, Addresses, Contact, LineId};
use barrow_engine::catalog::{ChannelId, CountryCode, Locale, SelectedOption, Sku};
use barrow_engine::ids::{CartId, CustomerId, OrderId};
use barrow_engine::money::{Currency, Money};
use barrow_engine::time::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use super::money::MoneySchema;

/// A cart as clients read it.
#[derive(Serialize, ToSchema)]
#[schema(as = Cart)]
pub struct CartBody<'a> {
    #[schema(value_type = String, example = "cart_06d3r8v2k9m5w1x7q4t0c3f8hn")]
    pub id: CartId,
    /// Counts the changes; also in `ETag`.
    #[schema(example = 3)]
    pub version: u64,
    #[schema(value_type = CartStatus)]
    pub status: &'static str,
    #[schema(value_type = String, example = "EUR")]
    pub currency: Currency,
    #[schema(value_type = String, example = "web")]
    pub channel: &'a ChannelId,
    #[schema(value_type = String, example = "en")]
    pub locale: &'a Locale,
    #[schema(required, value_type = Option<String>)]
    pub customer_id: Option<CustomerId>,
    pub lines: Vec<LineBody<'a>>,
    pub coupons: [CouponBody; 0],
    pub gift_cards: [GiftCardBody; 0],
    #[schema(required)]
    pub contact: Option<ContactBody<'a>>,
    #[schema(required)]
    pub addresses: Option<AddressesBody<'a>>,
    #[schema(required)]
    pub shipping_method: Option<ChosenShipping<'a>>,
    pub totals: TotalsBody,
    /// What keeps the cart from being bought as it is. Never what keeps it from being changed.
    pub problems: Vec<CartProblem>,
    /// While it is being bought, and once it was.
    #[schema(required, value_type = Option<String>)]
    pub order_id: Option<OrderId>,
    /// Where its shopper goes on once it was bought.
    #[schema(required, value_type = Option<String>)]
    pub next_cart_id: Option<CartId>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// The short answer to a change: `Prefer: return=minimal`.
#[derive(Serialize, ToSchema)]
pub struct MinimalCart {
    #[schema(value_type = String, example = "cart_06d3r8v2k9m5w1x7q4t0c3f8hn")]
    pub id: CartId,
    #[schema(example = 3)]
    pub version: u64,
    pub totals: TotalsBody,
    pub problems: Vec<CartProblem>,
}

/// Only an `open` cart takes changes.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum CartStatus {
    Open,
    CheckingOut,
    Ordered,
    Merged,
    Expired,
}

/// A coupon that was given.
#[derive(Serialize, ToSchema)]
#[schema(as = CartCoupon)]
pub struct CouponBody {
    pub code: String,
    pub applied: bool,
    #[schema(required)]
    pub reason: Option<String>,
}

/// A gift card that pays a part.
#[derive(Serialize, ToSchema)]
#[schema(as = CartGiftCard)]
pub struct GiftCardBody {
    pub id: String,
    pub last4: String,
    #[schema(value_type = MoneySchema)]
    pub amount: Money,
}

/// A line of a cart.
#[derive(Serialize, ToSchema)]
#[schema(as = CartLine)]
pub struct LineBody<'a> {
    #[schema(value_type = String, example = "line_1")]
    #[serde(serialize_with = "as_text")]
    pub id: LineId,
    #[schema(value_type = String, example = "OAK-CHAIR-NAT")]
    pub sku: &'a Sku,
    /// Empty where the SKU has gone from the catalog; then there is a problem, too.
    #[schema(value_type = String, example = "prod_06d3r8v2k9m5w1x7q4t0c3f8hn")]
    pub product_id: Cow<'a, str>,
    #[schema(example = "oak-chair")]
    pub slug: &'a str,
    #[schema(example = "Oak chair")]
    pub title: &'a str,
    #[schema(value_type = Vec<crate::wire::cart::ChosenOption>)]
    pub options: &'a [SelectedOption],
    /// A path is one of this server.
    #[schema(required)]
    pub image: Option<String>,
    #[schema(minimum = 1, maximum = 99_999)]
    pub quantity: u32,
    #[schema(value_type = MoneySchema)]
    pub unit_price: Money,
    /// Unit price times quantity.
    #[schema(value_type = MoneySchema)]
    pub line_total: Money,
    pub adjustments: Vec<AdjustmentBody<'a>>,
}

/// The value of an option that makes the variant.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct ChosenOption {
    #[schema(example = "Size")]
    name: String,
    #[schema(example = "M")]
    value: String,
}

/// One signed part of a line's price besides unit price times quantity.
#[derive(Serialize, ToSchema)]
#[schema(as = Adjustment)]
pub struct AdjustmentBody<'a> {
    /// `promotion` or `manual`.
    pub kind: &'static str,
    pub id: &'a str,
    #[schema(required)]
    pub code: Option<&'a str>,
    pub label: &'a str,
    /// Negative for a discount.
    #[schema(value_type = MoneySchema)]
    pub amount: Money,
}

/// What a cart costs.
#[derive(Serialize, ToSchema)]
#[schema(as = Totals)]
pub struct TotalsBody {
    /// The sum of the line totals.
    #[schema(value_type = MoneySchema)]
    pub subtotal: Money,
    /// What adjustments take off; not negative.
    #[schema(value_type = MoneySchema)]
    pub discount: Money,
    #[schema(value_type = MoneySchema)]
    pub shipping: Money,
    #[schema(value_type = MoneySchema)]
    pub tax: Money,
    /// `subtotal - discount + shipping`, plus `tax` unless it is included.
    #[schema(value_type = MoneySchema)]
    pub total: Money,
    pub tax_included: bool,
    #[schema(value_type = MoneySchema)]
    pub gift_cards: Money,
    /// `total - gift_cards`.
    #[schema(value_type = MoneySchema)]
    pub due: Money,
}

/// Something that blocks checkout, never the cart.
#[derive(Serialize, ToSchema)]
pub struct CartProblem {
    /// `insufficient_stock`, `price_changed`, `variant_unavailable`, `quantity_limit`,
    /// `cart_empty`, `contact_missing`, `shipping_address_missing`,
    /// `shipping_method_missing`, `shipping_method_unavailable`.
    #[schema(value_type = String, example = "insufficient_stock")]
    pub code: &'static str,
    #[schema(required, value_type = Option<String>, example = "line_1")]
    #[serde(serialize_with = "as_optional_text")]
    pub line_id: Option<LineId>,
    #[schema(example = "Only 2 of 5 are available.")]
    pub detail: Cow<'static, str>,
    /// With `insufficient_stock`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested: Option<u32>,
    /// With `insufficient_stock`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<u64>,
    /// With `price_changed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneySchema>)]
    pub old_price: Option<Money>,
    /// With `price_changed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneySchema>)]
    pub new_price: Option<Money>,
    /// With `quantity_limit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<u32>,
}

/// How the shopper is reached.
#[derive(Serialize, ToSchema)]
#[schema(as = Contact)]
pub struct ContactBody<'a> {
    #[schema(example = "ada@example.com")]
    pub email: &'a str,
    #[schema(required, example = "+49 30 1234567")]
    pub phone: Option<&'a str>,
}

/// Where it goes, and to whom the invoice is made out if that is somebody else.
#[derive(Serialize, ToSchema)]
#[schema(as = Addresses)]
pub struct AddressesBody<'a> {
    pub shipping: AddressBody<'a>,
    #[schema(required)]
    pub billing: Option<AddressBody<'a>>,
}

/// ADDRESS.
#[derive(Serialize, ToSchema)]
#[schema(as = Address)]
pub struct AddressBody<'a> {
    pub first_name: &'a str,
    pub last_name: &'a str,
    #[schema(required)]
    pub company: Option<&'a str>,
    pub line1: &'a str,
    #[schema(required)]
    pub line2: Option<&'a str>,
    pub city: &'a str,
    #[schema(required)]
    pub region: Option<&'a str>,
    pub postal_code: &'a str,
    /// ISO 3166-1 alpha-2.
    #[schema(value_type = String, example = "DE")]
    pub country: &'a CountryCode,
    #[schema(required)]
    pub phone: Option<&'a str>,
}

/// The chosen way to ship.
#[derive(Serialize, ToSchema)]
pub struct ChosenShipping<'a> {
    #[schema(example = "standard")]
    pub id: &'a str,
    pub name: &'a str,
    #[schema(value_type = MoneySchema)]
    pub price: Money,
}

/// A way to ship the cart.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ShippingMethodBody {
    #[schema(example = "standard")]
    pub id: String,
    pub name: String,
    #[schema(value_type = MoneySchema)]
    pub price: Money,
    /// What the shopper is told: "2 to 4 working days".
    pub estimate: String,
}

/// The ways to ship a cart.
#[derive(Serialize, ToSchema)]
pub struct ShippingMethodList {
    pub items: Vec<ShippingMethodBody>,
    #[schema(required)]
    pub next_cursor: Option<String>,
}

impl<'a> From<&'a cart::Adjustment> for AdjustmentBody<'a> {
    fn from(adjustment: &'a cart::Adjustment) -> AdjustmentBody<'a> {
        let label = &*adjustment.label;
        AdjustmentBody { kind: "manual", id: label, code: None, label, amount: adjustment.amount }
    }
}

impl From<&cart::Totals> for TotalsBody {
    fn from(totals: &cart::Totals) -> TotalsBody {
        TotalsBody {
            subtotal: totals.subtotal,
            discount: totals.discount,
            shipping: totals.shipping,
            tax: totals.tax,
            total: totals.total,
            tax_included: totals.tax_included,
            gift_cards: totals.gift_cards,
            due: totals.due,
        }
    }
}

impl From<&cart::Problem> for CartProblem {
    fn from(problem: &cart::Problem) -> CartProblem {
        let mut body = CartProblem {
            code: problem.code(),
            line_id: problem.line(),
            detail: problem.detail(),
            requested: None,
            available: None,
            old_price: None,
            new_price: None,
            maximum: None,
        };
        match *problem {
            cart::Problem::InsufficientStock { requested, available, .. } => {
                body.requested = Some(requested);
                body.available = Some(available);
            }
            cart::Problem::PriceChanged { old_price, new_price, .. } => {
                body.old_price = Some(old_price);
                body.new_price = Some(new_price);
            }
            cart::Problem::QuantityLimit { maximum, .. } => body.maximum = Some(maximum),
            _ => {}
        }
        body
    }
}

impl<'a> From<&'a Contact> for ContactBody<'a> {
    fn from(contact: &'a Contact) -> ContactBody<'a> {
        ContactBody { email: &contact.email, phone: contact.phone.as_deref() }
    }
}

impl<'a> From<&'a Addresses> for AddressesBody<'a> {
    fn from(addresses: &'a Addresses) -> AddressesBody<'a> {
        AddressesBody {
            shipping: AddressBody::from(&addresses.shipping),
            billing: addresses.billing.as_ref().map(AddressBody::from),
        }
    }
}

impl<'a> From<&'a Address> for AddressBody<'a> {
    fn from(address: &'a Address) -> AddressBody<'a> {
        AddressBody {
            first_name: &address.first_name,
            last_name: &address.last_name,
            company: address.company.as_deref(),
            line1: &address.line1,
            line2: address.line2.as_deref(),
            city: &address.city,
            region: address.region.as_deref(),
            postal_code: &address.postal_code,
            country: &address.country,
            phone: address.phone.as_deref(),
        }
    }
}

impl<'a> From<cart::ShippingOption<'a>> for ChosenShipping<'a> {
    fn from(option: cart::ShippingOption<'a>) -> ChosenShipping<'a> {
        ChosenShipping { id: option.id, name: option.name, price: option.price }
    }
}

impl From<cart::ShippingOption<'_>> for ShippingMethodBody {
    fn from(option: cart::ShippingOption<'_>) -> ShippingMethodBody {
        ShippingMethodBody {
            id: option.id.to_owned(),
            name: option.name.to_owned(),
            price: option.price,
            estimate: option.estimate.to_owned(),
        }
    }
}

pub(in crate::wire) fn as_text<S: Serializer>(
    id: &LineId,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

fn as_optional_text<S: Serializer>(id: &Option<LineId>, out: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => out.collect_str(id),
        None => out.serialize_none(),
    }
}
