//! The cart as the peers answer it: the members and the size of the shop's.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use serde::{Deserialize, Serialize};

use crate::catalog::{PRODUCTS, sku};

/// The body of an add.
#[derive(Deserialize)]
pub struct AddLine {
    pub sku: String,
    pub quantity: i32,
}

/// The whole catalog.
#[derive(Clone)]
pub struct Products(Arc<Vec<Product>>);

struct Product {
    slug: String,
    title: String,
    unit: i64,
}

#[derive(Serialize)]
struct Cart<'a> {
    id: &'a str,
    version: u64,
    status: &'a str,
    currency: &'a str,
    channel: &'a str,
    locale: &'a str,
    customer_id: Option<&'a str>,
    lines: Vec<Line<'a>>,
    coupons: [(); 0],
    gift_cards: [(); 0],
    contact: Option<()>,
    addresses: Option<()>,
    shipping_method: Option<()>,
    totals: Totals,
    problems: [Problem<'a>; 3],
    order_id: Option<&'a str>,
    next_cart_id: Option<&'a str>,
    created_at: &'a str,
    updated_at: &'a str,
}

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    sku: String,
    product_id: &'a str,
    slug: &'a str,
    title: &'a str,
    options: [Choice<'a>; 1],
    image: Option<&'a str>,
    quantity: i64,
    unit_price: Money,
    line_total: Money,
    adjustments: [(); 0],
}

#[derive(Serialize)]
struct Choice<'a> {
    name: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
struct Money {
    amount: i64,
    currency: &'static str,
}

#[derive(Serialize)]
struct Totals {
    subtotal: Money,
    discount: Money,
    shipping: Money,
    tax: Money,
    total: Money,
    tax_included: bool,
    gift_cards: Money,
    due: Money,
}

#[derive(Serialize)]
struct Problem<'a> {
    code: &'a str,
    line_id: Option<&'a str>,
    detail: &'a str,
}

const ID: &str = "06d3r8v2k9m5w1x7q4t0c3f8hn";
const AT: &str = "2026-11-22T12:00:00.000Z";

impl Products {
    pub fn new() -> Products {
        let product = |n: usize| Product {
            slug: format!("product-{n}"),
            title: format!("A believable product name {n}"),
            unit: 500 + n as i64,
        };
        Products(Arc::new((0..PRODUCTS).map(product).collect()))
    }

    fn get(&self, sku: &str) -> Option<&Product> {
        self.0.get(sku.strip_prefix("SKU-")?.parse::<usize>().ok()?)
    }

    pub fn has(&self, sku: &str) -> bool {
        self.get(sku).is_some()
    }

    /// The cart of these SKUs and quantities, priced.
    pub fn cart(&self, id: &str, mut quantities: Vec<(String, i64)>) -> Response {
        quantities.sort_unstable();
        let priced = quantities.into_iter().filter_map(|(sku, quantity)| {
            let Product { slug, title, unit } = self.get(&sku)?;
            Some(Line {
                id: "line_1",
                sku,
                product_id: ID,
                slug,
                title,
                options: [Choice { name: "Size", value: "M" }],
                image: None,
                quantity,
                unit_price: euros(*unit),
                line_total: euros(unit * quantity),
                adjustments: [],
            })
        });
        let lines: Vec<Line<'_>> = priced.collect();
        let total = lines.iter().map(|line| line.line_total.amount).sum();
        Json(cart(id, lines, total)).into_response()
    }
}

fn cart<'a>(id: &'a str, lines: Vec<Line<'a>>, total: i64) -> Cart<'a> {
    let problem = |code| Problem { code, line_id: None, detail: "The cart has none of it yet." };
    Cart {
        id,
        version: 1,
        status: "open",
        currency: "EUR",
        channel: "web",
        locale: "en",
        customer_id: None,
        lines,
        coupons: [],
        gift_cards: [],
        contact: None,
        addresses: None,
        shipping_method: None,
        totals: Totals {
            subtotal: euros(total),
            discount: euros(0),
            shipping: euros(0),
            tax: euros(total / 6),
            total: euros(total),
            tax_included: true,
            gift_cards: euros(0),
            due: euros(total),
        },
        problems: [
            problem("contact_missing"),
            problem("shipping_address_missing"),
            problem("shipping_method_missing"),
        ],
        order_id: None,
        next_cart_id: None,
        created_at: AT,
        updated_at: AT,
    }
}

fn euros(amount: i64) -> Money {
    Money { amount, currency: "EUR" }
}

/// What each of the 10,000 carts has at first.
pub fn first_lines(cart: usize, lines: usize) -> impl Iterator<Item = String> {
    (0..lines).map(move |line| sku(cart * 7 + line))
}

/// 500 with what went wrong.
pub fn failure(error: impl std::fmt::Display) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
}

/// Serves until it is killed, with the socket options of the others.
pub async fn listen(app: axum::Router) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, app).await?)
}
