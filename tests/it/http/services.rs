//! A process that answers for a part of the shop only: what is not its own is not there.

use barrow_tests::server::{Launch, run};
use serde_json::json;

use crate::support::{Call, Client, goods, small_shop};

/// A shop of its own with that list of services.
fn serving(folder: &std::path::Path, services: &str) -> Launch {
    small_shop(folder).set(&format!("services={services}"))
}

/// The description is that of the whole shop: it does not say what one process lacks.
async fn is_not_there(call: Call) {
    let reply = call.send_unchecked().await.is(404);
    assert_eq!(reply.json()["code"], "not_found", "{reply:#?}");
}

#[tokio::test]
async fn a_process_of_the_catalog_has_products_and_no_carts() {
    let folder = tempfile::tempdir().unwrap();
    let server = serving(folder.path(), "catalog").start();
    let visitor = Client::of(&server.url);
    let first = goods::bulk().remove(0);
    let slug = first["slug"].as_str().unwrap();
    assert_eq!(visitor.read(&format!("/v1/products/{slug}")).await["slug"], slug);
    visitor.read("/v1/products").await;
    visitor.read("/v1/shop").await;
    is_not_there(visitor.post("/v1/sessions", json!({}))).await;
    is_not_there(visitor.post("/v1/carts", json!({}))).await;
    let cart = "/v1/carts/cart_0tpg4j1rg8jb145zt13dgk2bkn";
    is_not_there(visitor.get(cart)).await;
    // Adding a line has a way of its own past the routes.
    let line = json!({"sku": "BULK-0001", "quantity": 1});
    is_not_there(visitor.post(&format!("{cart}/lines"), line)).await;
    visitor.read("/readyz").await;
}

#[tokio::test]
async fn a_process_of_the_carts_sells_and_shows_no_products() {
    let folder = tempfile::tempdir().unwrap();
    let server = serving(folder.path(), "cart").start();
    let guest = Client::of(&server.url).guest().await;
    let cart = guest.cart().await;
    // What is sold it knows all the same.
    let filled = cart.add("BULK-0001", 2).ok().await;
    assert_eq!(filled["lines"][0]["quantity"], 2);
    let slug = goods::bulk().remove(0)["slug"].as_str().unwrap().to_owned();
    for path in ["/v1/products", &format!("/v1/products/{slug}"), "/v1/collections", "/v1/shop"] {
        is_not_there(guest.get(path)).await;
    }
    guest.read("/readyz").await;
}

#[test]
fn a_service_that_is_not_there_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for (services, said) in [("cart,orders", "not built in"), ("carts", "no service")] {
        let ended = run(folder.path(), &["serve", "--services", services]);
        assert_eq!(ended.code, Some(3), "{ended:#?}");
        assert!(ended.err.contains(said) && ended.err.contains("cart and catalog"), "{ended:#?}");
    }
}
