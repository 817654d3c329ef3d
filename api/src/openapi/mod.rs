//! The API's description for machines and for browsing: an OpenAPI 3.1 document, made of the
//! structs that replies are written from and of one entry a call. A test holds it to the router:
//! no route without its entry, no entry without its route.

pub mod admin;
pub mod admin_commands;
pub mod admin_papers;
mod carts;
mod catalog;
mod error_pages;
mod examples;
mod examples_orders;
mod merge;
mod operation;
mod ops;
mod orders;
mod payments;
mod problems;
mod sessions;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use utoipa::openapi::schema::ComponentsBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, PathsBuilder, ServerBuilder,
};

use crate::edge::ProblemBody;
use operation::{API_KEY, BEARER, Operation, register};

pub use error_pages::{index as error_index, page as error_page};
pub use operation::Needs;
pub use problems::example as problem_example;

/// What a reader has to know before any single call.
const INTRODUCTION: &str = "\
A shop over HTTP: a catalog that anybody may read, carts whose every acknowledged change is \
durable, and orders.

**Form.** JSON in UTF-8, `snake_case`, times in RFC 3339 UTC, money in integer minor units. In \
replies every field is present; a client ignores those it does not know.

**Who asks.** `POST /v1/sessions` gives a guest a token; it goes into `Authorization: Bearer` of \
every further call. The catalog needs none. The house calls `/admin/v1` with an API key, which \
`barrow api-key create` makes; each call names the scope it needs.

**Safe repeats.** Every change takes an `Idempotency-Key`. The same key with the same payload \
takes effect once, however often it is sent; the replay carries `Idempotent-Replayed: true`.

**Versions.** A cart carries `version` and `ETag`; `If-Match` makes a change conditional on it.

**Refusals** are `application/problem+json` (RFC 9457) with a stable `code`; `type` is the \
address of a page that explains it.

**Lists** answer `items` and `next_cursor`; the cursor gets the next page.
";

fn operations() -> Vec<Operation> {
    [
        catalog::operations(),
        sessions::operations(),
        carts::operations(),
        orders::operations(),
        payments::operations(),
        admin::operations(),
        ops::operations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Every call, and who may make it.
pub fn access() -> Vec<(http::Method, &'static str, Needs)> {
    let of = |it: Operation| {
        let needs = it.needs.expect("a test holds that each call says who may make it");
        (operation::method(&it.method), it.path, needs)
    };
    operations().into_iter().map(of).collect()
}

/// The document.
pub fn document() -> OpenApi {
    let mut paths: BTreeMap<&'static str, PathItem> = BTreeMap::new();
    let mut order = Vec::new();
    let mut components = register::<ProblemBody<'_>>(ComponentsBuilder::new());
    for operation in operations() {
        if !order.contains(&operation.path) {
            order.push(operation.path);
        }
        components = operation.add_to(&mut paths, components);
    }
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("shop_...")
        .description(Some("The token of a shop session, from `POST /v1/sessions`."));
    let key = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("barrow_key_...");
    let key = key.description(Some("A key of the house, from `barrow api-key create`."));
    let components = components
        .security_scheme(BEARER, SecurityScheme::Http(bearer.build()))
        .security_scheme(API_KEY, SecurityScheme::Http(key.build()));
    let paths = order.into_iter().fold(PathsBuilder::new(), |all, path| {
        let item = paths.remove(path).expect("each path was put in once");
        all.path(path, item)
    });
    let (mut components, paths) = (components.build(), paths.build());
    merge::merge_variants(&mut components, &paths);
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Barrow")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(INTRODUCTION))
                .license(Some(
                    LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build(),
                )),
        )
        .servers(Some([ServerBuilder::new().url("/").description(Some("This server")).build()]))
        .tags(Some(tags()))
        .paths(paths)
        .components(Some(components))
        .build()
}

fn tags() -> Vec<utoipa::openapi::Tag> {
    [
        ("Catalog", "What the shop sells. Open to everybody."),
        ("Sessions", "Who is asking: a guest's token."),
        ("Carts", "What a shopper is about to buy."),
        ("Orders", "What was bought, from checkout to delivery."),
        ("Payments", "What gateways and their pages tell."),
        ("Orders of the house", "All orders and returns. For API keys."),
        ("Stock of the house", "How units come and go. For API keys."),
        ("Carts of the house", "Any cart. For API keys."),
        ("Deliveries", "Who is told of what happens. For API keys."),
        ("Operations", "Whether the server lives, what it does, and this document."),
    ]
    .into_iter()
    .map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build())
    .collect()
}

/// The document as it is served.
pub fn document_json() -> &'static str {
    static JSON: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    JSON.get_or_init(|| document().to_json().expect("the document is plain data"))
}
