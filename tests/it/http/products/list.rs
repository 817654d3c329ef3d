//! Lists: filters, sorts, counts and pages, against a plain look through the same goods.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::assert_reply;
use crate::support::client::{list, number, text};
use crate::support::goods::{BOOKS, Book, COVERS, GENRES, books};
use crate::support::{Client, visitor};

fn slugs(page: &Value) -> Vec<String> {
    list(&page["items"]).iter().map(|item| text(&item["slug"]).to_owned()).collect()
}

/// Every item of a list, page by page.
async fn walk(client: &Client, query: &str, limit: usize) -> Vec<String> {
    let base = format!("/v1/products?{query}&limit={limit}");
    let mut path = base.clone();
    let mut seen = Vec::new();
    loop {
        let page = client.read(&path).await;
        let is_first = path == base;
        assert_eq!(page["total"].is_null(), !is_first, "totals on the first page only");
        assert_eq!(page["facets"].is_null(), !is_first, "facets on the first page only");
        let found = slugs(&page);
        let Some(cursor) = page["next_cursor"].as_str() else {
            seen.extend(found);
            return seen;
        };
        assert_eq!(found.len(), limit, "only the last page is short");
        seen.extend(found);
        path = format!("{base}&cursor={cursor}");
    }
}

/// The slugs of the books that pass, in the order of a key.
fn expected<K: Ord>(passes: impl Fn(&Book) -> bool, key: impl Fn(&Book) -> K) -> Vec<String> {
    let mut books: Vec<Book> = books().into_iter().filter(|book| passes(book)).collect();
    books.sort_by_key(|book| key(book));
    books.into_iter().map(|book| book.slug).collect()
}

#[tokio::test]
async fn every_sort_is_total_and_every_page_size_visits_each_once() {
    let visitor = visitor();
    for (sort, order) in [
        ("price", expected(|_| true, |book| book.price)),
        ("-price", expected(|_| true, |book| -book.price)),
        ("title", expected(|_| true, |book| book.title.clone())),
        ("newest", expected(|_| true, |book| -(book.age as i64))),
    ] {
        for limit in [1, 7, 24, 100] {
            let query = format!("collection=books&sort={sort}");
            assert_eq!(walk(&visitor, &query, limit).await, order, "{sort} by {limit}");
        }
    }
}

#[tokio::test]
async fn featured_goes_before_the_rest() {
    let visitor = visitor();
    for query in ["collection=books", "collection=books&sort=featured"] {
        let found = walk(&visitor, query, 10).await;
        let placed = expected(|book| book.featured.is_some(), |book| book.featured);
        assert_eq!(found[..placed.len()], placed);
        let distinct: BTreeSet<&String> = found.iter().collect();
        assert_eq!(distinct.len(), BOOKS);
    }
    assert_eq!(slugs(&visitor.read("/v1/products?limit=1").await), ["oak-chair"]);
}

#[tokio::test]
async fn rating_sorts_by_average_then_count() {
    let visitor = visitor();
    let found = walk(&visitor, "collection=books&sort=rating", 9).await;
    let all = books();
    let rank = |slug: &String| {
        let book = all.iter().find(|book| book.slug == *slug).unwrap();
        let sum: i64 = book.ratings.iter().map(|rating| i64::from(*rating)).sum();
        let count = book.ratings.len() as i64;
        // In hundredths, as shown; those without a rating last.
        let average = if count == 0 { -1 } else { (200 * sum + count) / (2 * count) };
        (-average, -count)
    };
    let ranks: Vec<(i64, i64)> = found.iter().map(rank).collect();
    assert!(ranks.is_sorted(), "{ranks:?}");
    assert_eq!(ranks.len(), BOOKS);
}

/// What the server finds and counts is what a plain look finds and counts.
async fn check(query: &str, passes: impl Fn(&Book) -> bool) {
    let visitor = visitor();
    let query = format!("collection=books&sort=price&{query}");
    let order = expected(&passes, |book| book.price);
    assert_eq!(walk(&visitor, &query, 10).await, order, "{query}");
    let first = visitor.read(&format!("/v1/products?{query}&limit=1")).await;
    assert_eq!(first["total"], json!({"count": order.len(), "exact": true}), "{query}");
}

#[tokio::test]
async fn filters_leave_what_fits() {
    check("facet.genre=crime", |book| book.genre == "crime").await;
    check("facet.genre=crime&facet.genre=poetry", |book| book.genre != "travel").await;
    check("facet.genre=crime&facet.cover=soft", |book| {
        book.genre == "crime" && book.cover == "soft"
    })
    .await;
    check("facet.genre=unheard-of", |_| false).await;
    check("facet.unheard=of", |_| false).await;
    check("in_stock=true", |book| book.on_hand > 0).await;
    check("in_stock=false", |_| true).await;
    check("price_min=1000", |book| book.price >= 1_000).await;
    check("price_max=999", |book| book.price <= 999).await;
    check("price_min=549&price_max=549", |book| book.price == 549).await;
    check("price_min=550&price_max=598", |_| false).await;
    check("price_max=0", |_| false).await;
    let all = "facet.genre=travel&facet.cover=hard&in_stock=true&price_min=700&price_max=2500";
    check(all, |book| {
        book.genre == "travel"
            && book.cover == "hard"
            && book.on_hand > 0
            && (700..=2_500).contains(&book.price)
    })
    .await;
}

#[tokio::test]
async fn facets_count_what_choosing_them_would_find() {
    let visitor = visitor();
    let query = "/v1/products?collection=books&facet.genre=crime&facet.cover=soft&limit=1";
    let facets = visitor.read(query).await["facets"].clone();
    assert_reply!("products_facets", facets.clone());
    let count = |code: &str, value: &str| {
        let facet = list(&facets).iter().find(|facet| facet["code"] == code).unwrap();
        let value = list(&facet["values"]).iter().find(|one| one["value"] == value).unwrap();
        (number(&value["count"]) as usize, value["selected"] == true)
    };
    // A facet does not narrow itself, and is narrowed by the others.
    let of = |genre: &str, cover: &str| {
        books().iter().filter(|book| book.genre == genre && book.cover == cover).count()
    };
    for genre in GENRES {
        assert_eq!(count("genre", genre), (of(genre, "soft"), genre == "crime"), "{genre}");
    }
    for cover in COVERS {
        assert_eq!(count("cover", cover), (of("crime", cover), cover == "soft"), "{cover}");
    }
    let one =
        visitor.read("/v1/products?collection=books&facet.genre=crime&facet.cover=soft").await;
    assert_eq!(number(&one["total"]["count"]) as usize, of("crime", "soft"));
}

#[tokio::test]
async fn the_brand_is_a_facet_and_collections_hold_what_lies_below() {
    let visitor = visitor();
    let brand = visitor.read("/v1/products?facet.brand=Hollow+%26+Pine&sort=price").await;
    assert_eq!(slugs(&brand), ["pine-chair", "oak-chair"]);
    let furniture = visitor.read("/v1/products?collection=furniture&sort=price").await;
    assert_eq!(slugs(&furniture), ["pine-chair", "oak-chair", "back-table"]);
    assert_eq!(slugs(&visitor.read("/v1/products?collection=bare").await), [""; 0]);
    let nowhere = visitor.read("/v1/products?collection=nowhere").await;
    assert_eq!(nowhere["total"], json!({"count": 0, "exact": true}));
}

#[tokio::test]
async fn only_what_the_channel_sells_is_listed() {
    let visitor = visitor();
    let web = walk(&visitor, "sort=title", 100).await;
    for hidden in ["us-cap", "draft-stool", "archived-stool", "future-stool"] {
        assert!(!web.contains(&hidden.to_owned()), "{hidden}");
    }
    assert!(web.contains(&"priceless".to_owned()), "what has no price is shown, without one");
    let us = walk(&visitor, "channel=us&sort=title", 100).await;
    assert!(us.contains(&"us-cap".to_owned()));
    let total = visitor.read("/v1/products?limit=1").await["total"].clone();
    assert_eq!(total, json!({"count": web.len(), "exact": true}));
}

#[tokio::test]
async fn prices_are_those_of_the_currency() {
    let visitor = visitor();
    let of = async |query: &str| {
        let page = visitor.read(&format!("/v1/products?collection=chairs&{query}")).await;
        let items = list(&page["items"]).iter();
        let oak = items.clone().find(|item| item["slug"] == "oak-chair").unwrap();
        oak["price"].clone()
    };
    let euros = of("currency=EUR").await;
    assert_eq!(
        (&euros["from"]["amount"], &euros["to"]["amount"]),
        (&json!(12_900), &json!(13_900))
    );
    assert_eq!(euros["compare_at"]["amount"], 15_900);
    let pounds = of("currency=GBP").await;
    assert_eq!(pounds["from"], json!({"amount": 12_000, "currency": "GBP"}));
    assert_eq!(of("channel=us").await["from"], json!({"amount": 14_400, "currency": "USD"}));
    // A price filter leaves out what has no price in the currency.
    let cheap = visitor.read("/v1/products?currency=USD&price_max=100000000&sort=price").await;
    assert!(slugs(&cheap).iter().all(|slug| !slug.starts_with("book")), "{:?}", slugs(&cheap));
    // Without a filter they come last, whichever way the sort goes.
    for sort in ["price", "-price"] {
        let all = walk(&visitor, &format!("currency=GBP&sort={sort}"), 50).await;
        let last_priced = all.iter().rposition(|slug| slug == "oak-chair").unwrap();
        let first_unpriced = all.iter().position(|slug| slug.starts_with("book")).unwrap();
        assert!(last_priced < first_unpriced, "{sort}");
    }
}

#[tokio::test]
async fn items_have_their_shape() {
    let visitor = visitor();
    let page = visitor.get("/v1/products?collection=furniture&sort=price").send().await.is(200);
    assert_eq!(page.header("content-language"), "en");
    assert_reply!("products", page.json());
    let german = visitor.get("/v1/products?collection=chairs").header("accept-language", "de");
    let german = german.send().await.is(200);
    assert_eq!(german.header("content-language"), "de");
    assert!(german.header("vary").contains("accept-language"));
    assert_eq!(german.json()["items"][0]["title"], "Eichenstuhl");
    let named =
        visitor.get("/v1/products?collection=chairs&locale=fr").header("accept-language", "de");
    assert_eq!(named.ok().await["items"][0]["title"], "Chaise en chêne");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let visitor = visitor();
    for (query, code) in [
        ("limit=0", "invalid_parameter"),
        ("limit=101", "invalid_parameter"),
        ("limit=-1", "invalid_parameter"),
        ("limit=1e1", "invalid_parameter"),
        ("limit=1&limit=2", "invalid_parameter"),
        ("sort=cheapest", "invalid_parameter"),
        ("price_min=-1", "invalid_parameter"),
        ("price_min=abc", "invalid_parameter"),
        ("price_min=2&price_max=1", "invalid_parameter"),
        ("price_max=99999999999999999999", "invalid_parameter"),
        ("in_stock=maybe", "invalid_parameter"),
        ("facet.=x", "invalid_parameter"),
        ("facet.color=", "invalid_parameter"),
        ("collection=Not%20a%20slug", "invalid_parameter"),
        ("currency=XXX", "invalid_parameter"),
        ("currency=eur", "invalid_parameter"),
        ("channel=moon", "invalid_parameter"),
        ("channel=us&currency=EUR", "invalid_parameter"),
        ("locale=xx", "invalid_parameter"),
        ("q=chair", "unknown_parameter"),
        ("colour=red", "unknown_parameter"),
        ("page=2", "unknown_parameter"),
        ("%FF=1", "invalid_parameter"),
        ("sort=%FF", "invalid_parameter"),
    ] {
        visitor.get(&format!("/v1/products?{query}")).refused(400, code).await;
    }
}

#[tokio::test]
async fn a_cursor_is_good_for_its_question_alone() {
    let visitor = visitor();
    let base = "/v1/products?collection=books&sort=price";
    let cursor = visitor.read(&format!("{base}&limit=5")).await["next_cursor"].clone();
    let cursor = text(&cursor).to_owned();
    assert!(cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    // The page size may change on the way, and so may the language.
    let next = visitor.read(&format!("{base}&limit=3&locale=de&cursor={cursor}")).await;
    assert_eq!(slugs(&next), expected(|_| true, |book| book.price)[5..8]);
    for other in [
        "/v1/products?collection=books&sort=-price",
        "/v1/products?collection=books&sort=price&in_stock=true",
        "/v1/products?sort=price",
        "/v1/products?collection=books&sort=price&currency=USD",
        "/v1/products?collection=books&sort=price&facet.genre=crime",
        "/v1/collections?limit=2",
    ] {
        visitor.get(&format!("{other}&cursor={cursor}")).refused(400, "invalid_cursor").await;
    }
    let mut forged = cursor.clone().into_bytes();
    let last = forged.len() - 2;
    forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    for bad in [forged.as_str(), "", "x", "AAAA", "%00", &"A".repeat(6_000)] {
        visitor.get(&format!("{base}&cursor={bad}")).refused(400, "invalid_cursor").await;
    }
}
