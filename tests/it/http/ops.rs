//! What operators ask: health, figures, the document and its pages.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::support::{guest, shop, visitor};

#[tokio::test]
async fn health_is_told_to_anybody() {
    let visitor = visitor();
    assert_eq!(visitor.read("/healthz").await, json!({"status": "alive"}));
    assert_eq!(visitor.read("/readyz").await, json!({"status": "ready"}));
    // A balancer that sends a stale token must not take the server for dead.
    let stale = visitor.with_token("shop_stale");
    stale.read("/healthz").await;
    stale.read("/readyz").await;
}

/// The families of an exposition: name, type, samples.
fn families(text: &str) -> BTreeMap<String, (String, Vec<String>)> {
    let mut families: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            let before = families.insert(name.to_owned(), (kind.to_owned(), Vec::new()));
            assert!(before.is_none(), "{name} is declared twice");
        } else if let Some(rest) = line.strip_prefix("# HELP ") {
            assert!(rest.split_once(' ').is_some_and(|(_, help)| !help.is_empty()), "{line}");
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let name = series.split('{').next().unwrap();
            assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{line}");
            let labels = series.strip_prefix(name).unwrap();
            assert!(
                labels.is_empty() || labels.starts_with('{') && labels.ends_with('}'),
                "{line}"
            );
            let family = families.keys().rev().find(|family| {
                let rest = name.strip_prefix(family.as_str());
                rest.is_some_and(|rest| ["", "_bucket", "_sum", "_count"].contains(&rest))
            });
            let family = family.unwrap_or_else(|| panic!("{line} has no TYPE")).clone();
            families.get_mut(&family).unwrap().1.push(line.to_owned());
        }
    }
    families
}

#[tokio::test]
async fn metrics_are_prometheus_text_and_count() {
    let guest = guest().await;
    let cart = guest.cart().await;
    cart.add("RED-LAMP", 1).ok().await;
    let reply = guest.get("/metrics").send().await.is(200);
    assert!(reply.header("content-type").starts_with("text/plain; version=0.0.4"), "{reply:?}");
    assert!(reply.text().ends_with('\n'));
    let families = families(reply.text());
    assert!(families.len() > 20, "{:?}", families.keys());
    for (name, (kind, samples)) in &families {
        let series: BTreeSet<&str> =
            samples.iter().map(|line| line.rsplit_once(' ').unwrap().0).collect();
        assert_eq!(series.len(), samples.len(), "{name} has a series twice");
        if kind == "counter" {
            assert!(name.ends_with("_total"), "{name}");
        }
    }
    let sum = |text: &str, prefix: &str| -> f64 {
        let samples = text.lines().filter(|line| line.starts_with(prefix));
        samples.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
    };
    let added = "barrow_entity_commands_total{entity=\"cart\"}";
    let before = sum(reply.text(), added);
    cart.add("RED-LAMP", 1).ok().await;
    let after = sum(guest.get("/metrics").send().await.text(), added);
    assert!(after > before && before >= 2.0, "{before} {after}");
    assert!(!reply.text().contains(guest.token.as_deref().unwrap()), "no secret is told");
}

#[tokio::test]
async fn the_docs_can_be_browsed() {
    let visitor = visitor();
    let mut page = visitor.get("/docs").send().await;
    if (300..400).contains(&page.status) {
        let location = page.header("location").to_owned();
        page = visitor.get(&location).send().await;
    }
    let page = page.is(200);
    assert!(page.header("content-type").starts_with("text/html"), "{page:?}");
    // What the page needs comes from this server, not from somebody else's.
    let base = reqwest::Url::parse(&shop().url).unwrap().join("/docs/").unwrap();
    let mut parts = 0;
    for attribute in ["src=\"", "href=\""] {
        for part in page.text().split(attribute).skip(1) {
            let address = base.join(part.split('"').next().unwrap()).unwrap();
            assert_eq!(address.origin(), base.origin(), "{address}");
            if address.path() != "/" {
                let found = reqwest::get(address.clone()).await.unwrap();
                assert_eq!(found.status().as_u16(), 200, "{address}");
                parts += 1;
            }
        }
    }
    assert!(parts >= 2, "a script and a style are loaded");
}

#[tokio::test]
async fn a_code_without_a_page_is_404() {
    visitor().get("/docs/errors/no_such_code").refused(404, "not_found").await;
}

#[tokio::test]
async fn what_is_not_built_is_absent() {
    let guest = guest().await;
    let cart = guest.cart().await;
    for path in ["/v1/search?q=chair", "/v1/recommendations", "/admin/v1/carts"] {
        guest.get(path).refused(404, "not_found").await;
    }
    for below in ["/coupons", "/gift_cards"] {
        guest.post(&cart.at(below), json!({})).refused(404, "not_found").await;
    }
    for path in ["/v1/customers", "/v1/sessions/current/login", "/v1/events"] {
        guest.post(path, json!({})).refused(404, "not_found").await;
    }
}
