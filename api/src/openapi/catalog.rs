//! The catalog's calls.

use utoipa::openapi::HttpMethod;

use super::examples;
use super::operation::{Needs, Operation, Param};
use crate::edge::Code;
use crate::wire::catalog::{
    CollectionBody, CollectionList, Page, ProductList, ReviewList, ShopBody,
};

const TAG: &str = "Catalog";
const CACHED: &str = "Changes with the body; `If-None-Match` with it is answered by 304.";

pub(super) fn operations() -> Vec<Operation> {
    vec![shop(), collections(), collection(), products(), page(), reviews(), media(), upload()]
}

/// A call of the catalog: public, with the codes that all of them share.
fn read(path: &'static str, id: &str, summary: &str) -> Operation {
    Operation::new(HttpMethod::Get, path, id, TAG, summary).needs(Needs::MaybeToken).refuses([
        Code::InvalidParameter,
        Code::UnknownParameter,
        Code::Overloaded,
        Code::Unavailable,
    ])
}

/// What decides prices, assortment and language.
fn selling() -> [Param; 4] {
    [
        Param::query("currency", "ISO 4217; one of the channel's. Default: its first.")
            .example("EUR"),
        Param::query("channel", "A selling context of the shop. Default: the shop's.")
            .example("web"),
        Param::query("locale", "The language of texts. Default: by `Accept-Language`.")
            .example("en"),
        Param::header("Accept-Language", "The languages the reader prefers."),
    ]
}

fn paging() -> [Param; 2] {
    [
        Param::number("limit", 1, 100, "How many at most. Default: 24."),
        Param::query("cursor", "`next_cursor` of the page before, with all else the same."),
    ]
}

/// Replies that a cache may keep if it asks each time.
trait Cached {
    fn cached(self) -> Self;
}

impl Cached for Operation {
    fn cached(self) -> Self {
        self.takes([Param::header("If-None-Match", "The `ETag` of what the client has.")])
            .with_header(200, "ETag", CACHED)
            .with_header(200, "Cache-Control", "`no-cache`: keep it, but ask each time.")
            .replies_empty(304, "The client has it already.")
    }
}

fn shop() -> Operation {
    read("/v1/shop", "getShop", "The shop and its channels")
        .about("What a client has to know first: where, in what and in which languages is sold.")
        .replies::<ShopBody>(200, "The shop.", examples::shop())
        .cached()
}

fn collections() -> Operation {
    read("/v1/collections", "listCollections", "All collections")
        .about("In the order of their slugs; `parent_id` makes them a tree.")
        .takes(selling())
        .takes(paging())
        .replies::<CollectionList>(200, "A page of collections.", examples::collections())
        .cached()
        .refuses([Code::InvalidCursor])
}

fn collection() -> Operation {
    read("/v1/collections/{name}", "getCollection", "A collection")
        .takes([Param::path("name", "Its id or its slug.").example("chairs")])
        .takes(selling())
        .replies::<CollectionBody>(200, "The collection.", examples::collection())
        .cached()
        .refuses([Code::NotFound])
}

fn products() -> Operation {
    let sorts = ["featured", "newest", "price", "-price", "title", "rating"];
    read("/v1/products", "listProducts", "Products, filtered and sorted")
        .about(
            "Only what the channel sells now. `total` and `facets` come with the first page \
             only; `total` is exact up to 10,000. A cursor is good for the filters and the sort \
             it was made for, and for no others.",
        )
        .takes([
            Param::query("collection", "The slug of a collection; all that lies below it counts.")
                .example("chairs"),
            Param::family(
                "facet.CODE",
                "The values of a facet, e.g. `facet.color=red&facet.color=blue`: any of the \
                 values of a code, all of the codes. The brand is the facet `brand`.",
            ),
            Param::number("price_min", 0, barrow_engine::money::AMOUNT_MAX, "In minor units."),
            Param::number("price_max", 0, barrow_engine::money::AMOUNT_MAX, "In minor units."),
            Param::flag("in_stock", "`true`: only what is on hand."),
            Param::choice("sort", &sorts, "Default: `featured`. Without a price comes last."),
        ])
        .takes(selling())
        .takes(paging())
        .replies::<ProductList>(200, "A page of products.", examples::products())
        .cached()
        .refuses([Code::InvalidCursor])
}

fn page() -> Operation {
    read("/v1/products/{name}", "getProduct", "The product page in one call")
        .about(
            "A section that cannot be had is `null` and `unavailable` in `sections`; the page is \
             200 all the same, and says so in `X-Degraded`. With a shop token the product is \
             remembered as recently viewed.",
        )
        .takes([Param::path("name", "Its id, its slug or one of its translated slugs.")
            .example("oak-chair")])
        .takes(selling())
        .replies::<Page>(200, "The page.", examples::page())
        .with_header(200, "ETag", "The product's version, for conditional changes of it.")
        .with_header(200, "X-Degraded", "A section that could not be had.")
        .replies_empty(301, "A former slug: the product is at another now.")
        .with_header(301, "Location", "Where it is.")
        .refuses([Code::NotFound])
}

fn reviews() -> Operation {
    read("/v1/products/{name}/reviews", "listReviews", "What customers say of a product")
        .about("Published ones, newest first.")
        .takes([Param::path("name", "The product's id or slug.").example("oak-chair")])
        .takes(selling())
        .takes(paging())
        .replies::<ReviewList>(200, "A page of reviews.", examples::reviews())
        .cached()
        .replies_empty(301, "A former slug: the product is at another now.")
        .with_header(301, "Location", "Where they are.")
        .refuses([Code::NotFound, Code::InvalidCursor])
}

fn media() -> Operation {
    read("/media/{key}", "getMedia", "A picture, manual or video")
        .about("The type is that of the key's ending. A key may hold slashes.")
        .takes([
            Param::path("key", "As in the `url` of MEDIA.").example("sample/oak-chair-1.png"),
            Param::query("expires", "Of a signed address: until when, in seconds since 1970."),
            Param::query("signature", "Of a signed address. Private files have no other."),
            Param::header("Range", "One range of bytes; of several the whole file is sent.")
                .example("bytes=0-1023"),
            Param::header("If-Range", "The `ETag` the range is of."),
            Param::header("If-None-Match", "The `ETag` of what the client has."),
        ])
        .replies_as(200, "The file.", "application/octet-stream", "")
        .with_header(200, "ETag", "Changes with the content.")
        .replies_as(206, "The part that was asked for.", "application/octet-stream", "")
        .with_header(206, "Content-Range", "Which part, and of how many bytes.")
        .replies_empty(304, "The client has it already.")
        .replies_empty(416, "The range begins behind the end.")
        .with_header(416, "Content-Range", "How many bytes there are.")
        .refuses([Code::NotFound, Code::SignatureInvalid, Code::SignatureExpired])
}

fn upload() -> Operation {
    let what = "The file, of exactly the size, type and SHA-256 that were announced.";
    Operation::new(HttpMethod::Put, "/media/{key}", "putMedia", TAG, "Send an announced file")
        .about(
            "The address is made by the shop when the upload is announced, and is used as it was \
             given. It may be used more than once until it expires. Where media lie in S3, the \
             address that was given is one of S3, and this call refuses all.",
        )
        .needs(Needs::MaybeToken)
        .takes([
            Param::path("key", "As it was signed.").example("sample/oak-chair-1.png"),
            Param::query("content_type", "What `Content-Type` has to be."),
            Param::query("bytes", "What `Content-Length` has to be."),
            Param::query("sha256", "The digest of the file, in 64 hexadecimal digits."),
            Param::query("expires", "Until when, in seconds since 1970."),
            Param::query("signature", "Of all of this."),
        ])
        .body_of_bytes(what)
        .replies_empty(200, "The file is stored.")
        .with_header(200, "ETag", "Changes with the content.")
        .refuses([
            Code::InvalidParameter,
            Code::UnknownParameter,
            Code::SignatureInvalid,
            Code::SignatureExpired,
            Code::UploadMismatch,
            Code::NotFound,
            Code::Overloaded,
            Code::Unavailable,
        ])
}
