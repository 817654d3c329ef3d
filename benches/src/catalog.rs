//! The catalog of the shop under load: products that are like those of a shop.

use std::fmt::Write;
use std::path::Path;

use anyhow::ensure;
use serde_json::{Value, json};

use crate::load::requests::Request;
use crate::role;

pub const PRODUCTS: usize = 1_000;
/// Products of one collection look alike, and stand on each other's page.
const COLLECTIONS: usize = 20;
const SIZES: [&str; 3] = ["S", "M", "L"];

/// The SKU that carts hold of a product; products beyond the last begin anew.
pub fn sku(n: usize) -> String {
    format!("SKU-{:07}", n % PRODUCTS)
}

pub fn page(n: usize) -> Request {
    Request::get(&format!("/v1/products/product-{}", n % PRODUCTS), "")
}

/// Imports it into the data directory `data` in that folder.
pub fn import(folder: &Path) -> anyhow::Result<()> {
    let mut lines = String::new();
    for n in 0..PRODUCTS {
        writeln!(lines, "{}", product(n))?;
        writeln!(lines, "{}", json!({"type": "stock", "sku": sku(n), "on_hand": 1_000_000}))?;
    }
    let file = folder.join("catalog.jsonl");
    std::fs::write(&file, lines)?;
    let data = folder.join("data");
    let output = role("shop")?.arg("import").arg(&file).arg("--data").arg(data).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the catalog could not be imported: {said}");
    Ok(())
}

fn product(n: usize) -> Value {
    let price = || json!([{"amount": {"amount": 500 + n as i64, "currency": "EUR"}}]);
    let variants = SIZES.iter().map(|size| {
        let sku = if *size == "M" { sku(n) } else { format!("{}-{size}", sku(n)) };
        json!({"sku": sku, "options": [{"name": "Size", "value": size}], "prices": price()})
    });
    let sentence = "Made to be used every day and to look good while it is. ";
    json!({
        "type": "product", "slug": format!("product-{n}"), "external_id": format!("p{n}"),
        "title": format!("A believable product name {n}"), "status": "active",
        "brand": "Harbour & Sons", "description": sentence.repeat(10),
        "collections": [format!("collection-{}", n % COLLECTIONS)],
        "attributes": {"material": "oak", "washable": true, "weight": 1.2},
        "options": [{"name": "Size", "values": SIZES}],
        "variants": variants.collect::<Vec<_>>(),
    })
}
