//! `/v1/shop`: what a client has to know first.

use serde_json::json;

use crate::assert_reply;
use crate::support::visitor;

#[tokio::test]
async fn the_shop_names_its_channels() {
    let shop = visitor().read("/v1/shop").await;
    assert_reply!("shop", shop.clone());
    assert_eq!(shop["default_channel"], shop["channels"][0]["id"]);
    let us = &shop["channels"][1];
    assert_eq!((&us["currencies"], &us["tax_included"]), (&json!(["USD"]), &json!(false)));
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let visitor = visitor();
    for path in ["/v1/shop", "/v1/collections", "/v1/collections/chairs", "/v1/products?limit=2"] {
        let first = visitor.get(path).send().await.is(200);
        let tag = first.header("etag").to_owned();
        assert_eq!(first.header("cache-control"), "no-cache", "{path}");
        let again = visitor.get(path).header("if-none-match", &tag).send().await.is(304);
        assert!(again.body.is_empty() && again.header("etag") == tag, "{again:?}");
        visitor.get(path).header("if-none-match", "\"other\"").send().await.is(200);
    }
}
