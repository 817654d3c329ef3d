//! Invoices, packing slips and exports: whose they are, of which orders, and what is in them.

use reqwest::Method;
use serde_json::{Value, json};

use super::staff;
use crate::http::checkout::{buy, fill, order_path};
use crate::support::client::{Reply, list, text};
use crate::support::{Client, small_shop};

/// More than a page of an export has.
const MANY: usize = 53;

/// A PDF of that name, which nobody may keep.
fn is_paper(reply: &Reply, name: &str) {
    assert_eq!(reply.header("content-type"), "application/pdf");
    assert_eq!(reply.header("cache-control"), "no-store");
    let disposition = format!("attachment; filename=\"{name}\"");
    assert_eq!(reply.header("content-disposition"), disposition);
    assert!(reply.body.starts_with(b"%PDF-"), "{} bytes", reply.body.len());
}

async fn paper(client: &Client, path: &str, name: &str) -> Vec<u8> {
    let reply = client.get(path).send().await.is(200);
    is_paper(&reply, name);
    reply.body
}

#[tokio::test]
async fn papers_are_for_the_buyer_and_the_house_once_the_order_is_placed() {
    let folder = tempfile::tempdir().unwrap();
    let server = small_shop(folder.path()).set("legal.name=Oak & Co").start();
    let house = staff(folder.path(), &server.url, &["orders:write"]);
    let visitor = Client::of(&server.url);
    let buyer = visitor.guest().await;
    let order = buy(&fill(&buyer, &[(1, 2)]).await, "ok", "an-order-with-papers").await;
    let order = order.made().await;
    let number = text(&order["number"]);
    let (own, of_house) = (order_path(&order), format!("/admin{}", order_path(&order)));

    let name = format!("invoice-{number}.pdf");
    let invoice = paper(&buyer, &format!("{own}/invoice.pdf"), &name).await;
    let by_number = format!("/admin/v1/orders/{number}/invoice.pdf");
    for path in [format!("{of_house}/invoice.pdf"), by_number] {
        let found = paper(&house, &path, &name).await;
        assert!(found == invoice, "it is the same paper, whoever asks: {path}");
    }
    visitor.guest().await.get(&format!("{own}/invoice.pdf")).refused(404, "not_found").await;
    visitor.get(&format!("{own}/invoice.pdf")).refused(401, "unauthenticated").await;
    buyer.get(&format!("{own}/packing_slip.pdf")).refused(404, "not_found").await;
    buyer.get("/v1/orders/ord_nothing/invoice.pdf").refused(404, "not_found").await;
    buyer.get(&format!("{own}/invoice.pdf?as=html")).refused(400, "unknown_parameter").await;

    let slip = format!("{of_house}/packing_slip.pdf");
    let name = format!("packing-slip-{number}.pdf");
    let all = paper(&house, &slip, &name).await;
    let parcel = json!({"lines": [{"line_id": order["lines"][0]["id"], "quantity": 1}]});
    let sent = house.post(&format!("{of_house}/fulfilments"), parcel).ok().await;
    let parcel = text(&sent["fulfilments"][0]["id"]);
    let of_parcel = paper(&house, &format!("{slip}?fulfilment_id={parcel}"), &name).await;
    let rest = paper(&house, &slip, &name).await;
    assert!(all != rest && rest != of_parcel, "each has other units on it");
    for unknown in ["ful_0tpg4j1rg8jb145zt13dgk2bkn", "x", ""] {
        let path = format!("{slip}?fulfilment_id={unknown}");
        house.get(&path).refused(404, "not_found").await;
    }
}

#[tokio::test]
async fn what_was_never_placed_has_no_papers() {
    let folder = tempfile::tempdir().unwrap();
    let server = small_shop(folder.path()).start();
    let house = staff(folder.path(), &server.url, &["orders:read"]);
    let buyer = Client::of(&server.url).guest().await;
    let cart = fill(&buyer, &[(2, 1)]).await;
    buy(&cart, "declined", "a-purchase-in-vain").await.refused(402, "payment_declined").await;
    let pending = house.read("/admin/v1/orders?status=pending").await;
    let own = order_path(&pending["items"][0]);
    buyer.get(&format!("{own}/invoice.pdf")).refused(409, "order_state").await;
    for paper in ["invoice.pdf", "packing_slip.pdf"] {
        house.get(&format!("/admin{own}/{paper}")).refused(409, "order_state").await;
        let unknown = format!("/admin/v1/orders/562-398-908/{paper}");
        house.get(&unknown).refused(404, "not_found").await;
    }
}

/// The ids of a list, walked to its end.
async fn listed(house: &Client, query: &str) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = house.read(&format!("/admin/v1/orders?limit=20{query}{cursor}")).await;
        ids.extend(list(&page["items"]).iter().map(|order| text(&order["id"]).to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

#[tokio::test]
async fn an_export_has_every_order_of_its_query_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = small_shop(folder.path()).start();
    let house = staff(folder.path(), &server.url, &["orders:read"]);
    let visitor = Client::of(&server.url);
    let file = async |query: &str| {
        let reply = house.get(&format!("/admin/v1/orders/export{query}")).send().await.is(200);
        assert_eq!(reply.header("cache-control"), "no-store");
        reply
    };
    let header = file("").await.text().to_owned();
    assert!(header.starts_with("order_id,number,") && header.lines().count() == 1, "{header}");
    assert_eq!(file("?format=jsonl").await.text(), "", "nothing was sold");
    let mut last = Value::Null;
    for order in 0..MANY {
        let cart = fill(&visitor.guest().await, &[(order % 100, 1)]).await;
        last = buy(&cart, "ok", &format!("an-order-of-the-export-{order}")).await.made().await;
    }

    let csv = file("?format=csv").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"orders.csv\"");
    let (first, rows) = csv.text().split_once('\n').unwrap();
    assert_eq!(format!("{first}\n"), header);
    let ids: Vec<_> = rows.lines().map(|row| row.split(',').next().unwrap()).collect();
    assert_eq!(ids, listed(&house, "").await, "each has one line, as the list has them");
    assert_eq!(ids.len(), MANY);

    let lines = file("?format=jsonl&sort=oldest&status=placed").await;
    assert_eq!(lines.header("content-type"), "application/jsonl");
    assert_eq!(lines.header("content-disposition"), "attachment; filename=\"orders.jsonl\"");
    let lines = lines.text().lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let ids: Vec<_> = lines.map(|order| text(&order["id"]).to_owned()).collect();
    assert_eq!(ids, listed(&house, "&sort=oldest&status=placed").await);
    assert_eq!(ids.len(), MANY);

    let one = file(&format!("?format=jsonl&q={}", text(&last["number"]))).await;
    assert_eq!(one.text().lines().count(), 1, "its filters are the list's");
    assert_eq!(file("?status=cancelled").await.text(), header);
    let head = house.call(Method::HEAD, "/admin/v1/orders/export").send().await.is(200);
    assert!(head.body.is_empty());
    for bad in ["format=xml", "status=draft", "placed_after=now"] {
        let path = format!("/admin/v1/orders/export?{bad}");
        house.get(&path).refused(400, "invalid_parameter").await;
    }
    house.get("/admin/v1/orders/export?limit=1").refused(400, "unknown_parameter").await;
}
