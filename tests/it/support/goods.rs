//! The catalog of the shop under test: few products, each of them there for a reason, and as
//! plain lists of numbers what has to come out when they are filtered and sorted.

use serde_json::{Value, json};

/// A book of a long row of them: lists, pages, filters and sorts are proven with these.
#[derive(Debug, Clone)]
pub struct Book {
    pub slug: String,
    pub title: String,
    pub sku: String,
    pub genre: &'static str,
    pub cover: &'static str,
    /// Euro cents.
    pub price: i64,
    pub on_hand: u32,
    /// The place an editor gave it.
    pub featured: Option<u32>,
    /// Published ratings.
    pub ratings: Vec<u8>,
    /// Days after the first.
    pub age: usize,
}

pub const BOOKS: usize = 57;
pub const GENRES: [&str; 3] = ["crime", "poetry", "travel"];
pub const COVERS: [&str; 2] = ["hard", "soft"];

/// The books. No two have the same price, title or age, so every sort has one answer.
pub fn books() -> Vec<Book> {
    let book = |n: usize| {
        let shuffled = n * 23 % BOOKS;
        Book {
            slug: format!("book-{n:02}"),
            title: format!("Tome {shuffled:02} of the shelf"),
            sku: format!("BOOK-{n:02}"),
            genre: GENRES[n % 3],
            cover: COVERS[n / 3 % 2],
            price: 499 + 50 * (n as i64 * 31 % BOOKS as i64),
            on_hand: [0, 3, 40, 500][n % 4],
            featured: n.is_multiple_of(5).then_some(1_000 + shuffled as u32),
            ratings: (0..n % 4).map(|k| (1 + (n * 7 + k * 3) % 5) as u8).collect(),
            age: n * 41 % BOOKS,
        }
    };
    (0..BOOKS).map(book).collect()
}

impl Book {
    fn records(&self) -> Vec<Value> {
        let day = 1 + self.age % 28;
        let month = 1 + self.age / 28;
        let mut records = vec![json!({
            "type": "product",
            "slug": self.slug,
            "title": self.title,
            "collections": ["books"],
            "facets": {"genre": [self.genre], "cover": [self.cover]},
            "featured": self.featured,
            "created_at": format!("2026-{month:02}-{day:02}T08:00:00Z"),
            "variants": [{
                "sku": self.sku,
                "prices": [price(self.price, "EUR")],
                "tax_category": "reduced",
                "on_hand": self.on_hand,
            }],
        })];
        for (index, rating) in self.ratings.iter().enumerate() {
            records.push(review(&self.slug, *rating, index));
        }
        records
    }
}

/// SKUs for carts with many lines: `BULK-0001` to `BULK-1100`, all in stock.
pub const BULK: usize = 1_100;
const BULK_PER_PRODUCT: usize = 50;

pub fn bulk_sku(n: usize) -> String {
    format!("BULK-{:04}", n + 1)
}

/// What the unit of a bulk SKU costs, in euro cents.
pub fn bulk_price(n: usize) -> i64 {
    100 + (n as i64 * 37) % 900
}

pub fn bulk() -> Vec<Value> {
    (0..BULK / BULK_PER_PRODUCT)
        .map(|product| {
            let first = product * BULK_PER_PRODUCT;
            let sizes: Vec<String> = (0..BULK_PER_PRODUCT).map(|n| format!("{n}")).collect();
            let variants = sizes.iter().enumerate().map(|(index, size)| {
                json!({
                    "sku": bulk_sku(first + index),
                    "options": [{"name": "Size", "value": size}],
                    "prices": [price(bulk_price(first + index), "EUR")],
                    "on_hand": 1_000_000,
                })
            });
            json!({
                "type": "product",
                "slug": format!("bulk-{product:02}"),
                "title": format!("Screws {product:02}"),
                "collections": ["bulk"],
                "options": [{"name": "Size", "values": sizes}],
                "variants": variants.collect::<Vec<_>>(),
            })
        })
        .collect()
}

/// A product that is in no cart, with a text that does not get shorter by being compressed.
pub fn never_wanted() -> Value {
    let text: Vec<String> =
        (1..1_000_u64).map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    json!({
        "type": "product",
        "slug": "never-wanted",
        "title": "Never wanted",
        "description": text.join(" "),
        "variants": [{"sku": "NEVER-WANTED", "prices": [price(100, "EUR")], "on_hand": 1}],
    })
}

/// Reviews of the oak chair, more than a page holds.
pub const CHAIR_REVIEWS: usize = 60;

pub fn price(amount: i64, currency: &str) -> Value {
    json!({"amount": {"amount": amount, "currency": currency}})
}

fn review(slug: &str, rating: u8, index: usize) -> Value {
    let (day, minute) = (1 + index % 28, index);
    json!({
        "type": "review",
        "product": slug,
        "rating": rating,
        "title": index.is_multiple_of(2).then(|| format!("Said {index}")),
        "body": format!("Review number {index}."),
        "author": "Ada L.",
        "verified": index.is_multiple_of(3),
        "created_at": format!("2026-03-{day:02}T10:{minute:02}:00Z"),
    })
}

fn oak_chair() -> Value {
    let variant = |sku: &str, finish: &str, cents: i64| {
        let mut euros = price(cents, "EUR");
        euros["compare_at"] = json!({"amount": cents + 3_000, "currency": "EUR"});
        let mut four = price(cents - 1_000, "EUR");
        four["min_quantity"] = json!(4);
        json!({
            "sku": sku,
            "options": [{"name": "Finish", "value": finish}],
            "prices": [euros, four, price(cents + 1_500, "USD"), price(cents - 900, "GBP")],
            "weight_g": 5_200,
            "on_hand": 500,
            "attributes": {"lacquered": finish == "Smoked"},
        })
    };
    json!({
        "type": "product",
        "slug": "oak-chair",
        "external_id": "ext-oak",
        "title": "Oak chair",
        "description": "A chair for a long evening.",
        "brand": "Hollow & Pine",
        "collections": ["chairs"],
        "facets": {"material": ["oak"], "color": ["natural", "smoked"]},
        "attributes": {
            "seat_height": {"type": "number", "value": "46.50", "unit": "cm"},
            "stackable": true,
            "wood": {"type": "choice", "value": "oak"},
            "since": {"type": "date", "value": "2025-03-01"},
            "rooms": ["dining", "office"],
            "care": "Oil once a year.",
        },
        "options": [{"name": "Finish", "values": ["Natural", "Smoked"]}],
        "media": [
            {"key": "goods/oak-chair.svg", "alt": "The chair", "width": 40, "height": 30},
            {"type": "manual", "key": "goods/oak-chair.pdf", "alt": "How to oil it"},
        ],
        "variants": [
            variant("OAK-NATURAL", "Natural", 12_900),
            variant("OAK-SMOKED", "Smoked", 13_900),
        ],
        "translations": {
            "de": {"title": "Eichenstuhl", "description": "Ein Stuhl.", "slug": "eichenstuhl"},
            "fr": {"title": "Chaise en chêne"},
        },
        "seo": {"title": "Oak chair | Barrow", "description": "Sit down."},
        "featured": 1,
        "former_slugs": ["old-oak-chair"],
        "created_at": "2025-06-01T00:00:00Z",
    })
}

/// A product of one variant, whose SKU is its slug in capitals.
fn simple(slug: &str, prices: Value, rest: Value) -> Value {
    let mut variant = json!({"sku": slug.to_uppercase(), "prices": prices, "on_hand": 200});
    let mut product = json!({"type": "product", "slug": slug, "title": slug.replace('-', " ")});
    for (name, value) in rest.as_object().expect("the rest is an object") {
        let of_variant = ["stock", "on_hand", "tax_category"].contains(&name.as_str());
        let target = if of_variant { &mut variant } else { &mut product };
        target[name] = value.clone();
    }
    product["variants"] = json!([variant]);
    product
}

fn euros(amount: i64) -> Value {
    json!([price(amount, "EUR")])
}

fn in_all_currencies(amount: i64) -> Value {
    json!([price(amount, "EUR"), price(amount, "USD"), price(amount, "GBP")])
}

/// What a shop sells on ordinary days, in every state of stock.
fn everyday() -> Vec<Value> {
    let wood = json!({"material": ["pine"], "color": ["natural"]});
    let lamp = |color: &str, on_hand: u32| {
        let facets = json!({"color": [color]});
        json!({"collections": ["lamps"], "facets": facets, "on_hand": on_hand})
    };
    let backorder = json!({"oversell": "backorder", "expected_at": "2099-06-01T00:00:00Z"});
    let preorder = json!({"oversell": "preorder", "oversell_limit": 20});
    let all = in_all_currencies;
    let pine = json!({"collections": ["chairs"], "brand": "Hollow & Pine", "facets": wood});
    let back = json!({"collections": ["furniture"], "on_hand": 0, "stock": backorder});
    vec![
        simple("pine-chair", all(4_999), pine),
        simple("red-lamp", all(1_999), lamp("red", 50)),
        simple("low-lamp", all(2_999), lamp("red", 3)),
        simple("out-lamp", all(3_999), lamp("black", 0)),
        simple("back-table", all(19_900), back),
        simple("pre-table", all(29_900), json!({"on_hand": 0, "stock": preorder})),
        simple("download", all(1_200), json!({"on_hand": 0, "stock": {"track": false}})),
    ]
}

/// What a cart trips over.
fn odd() -> Vec<Value> {
    let all = in_all_currencies;
    vec![
        simple("odd-cup", euros(333), json!({"tax_category": "reduced"})),
        simple("sticker", euros(0), json!({})),
        simple("limited-print", euros(5_000), json!({"stock": {"max_per_customer": 2}})),
        simple("gold-bar", euros(2_000_000_000_000), json!({})),
        simple("us-cap", json!([price(1_995, "USD")]), json!({"channels": ["us"]})),
        simple("priceless", json!([]), json!({})),
        simple("draft-stool", all(900), json!({"status": "draft"})),
        simple("archived-stool", all(900), json!({"status": "archived"})),
        simple("future-stool", all(900), json!({"publish_at": "2099-01-01T00:00:00Z"})),
    ]
}

/// All of it, as a file of JSON Lines.
pub fn catalog() -> String {
    let collection = |slug: &str, title: &str, parent: Option<&str>| {
        let (kind, parent) = ("collection", json!(parent));
        json!({"type": kind, "slug": slug, "title": title, "parent": parent})
    };
    let mut records = vec![
        collection("furniture", "Furniture", None),
        collection("chairs", "Chairs", Some("furniture")),
        collection("lamps", "Lamps", None),
        collection("books", "Books", None),
        collection("bulk", "By the dozen", None),
        collection("bare", "Bare shelf", None),
        oak_chair(),
    ];
    records.extend(everyday());
    records.extend(odd());
    records.extend(books().iter().flat_map(Book::records));
    records.extend(bulk());
    records.extend((0..CHAIR_REVIEWS).map(|n| review("oak-chair", 1 + (n % 5) as u8, n)));
    lines(&records)
}

/// Records as JSON Lines.
pub fn lines(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}

/// The files that the catalog speaks of, by their keys.
pub fn media() -> Vec<(&'static str, Vec<u8>)> {
    let circle = r#"<circle cx="20" cy="15" r="9"/>"#.repeat(60);
    let drawing =
        format!(r#"<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30">{circle}</svg>"#);
    // Longer than what the server reads at once, and every stretch of it unlike every other.
    let mut manual = b"%PDF-1.4\n".to_vec();
    manual.extend((0..200_000u32).flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_le_bytes()));
    vec![("goods/oak-chair.svg", drawing.into_bytes()), ("goods/oak-chair.pdf", manual)]
}
