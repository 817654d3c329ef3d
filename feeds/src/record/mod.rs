//! What a file says of the catalog, in one form that is the same for every format.
//!
//! A record says what it says and no more: a field that the file does not have is kept as it is
//! in the shop, a field that it has is set, an empty one cleared. So a file of SKUs and prices
//! changes prices alone, and the same file read twice changes nothing the second time. The
//! sample catalog and the generator make the same records as the importers read, so there is one
//! way into the shop.

mod row;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use barrow_engine::catalog::{
    AttributeValue, ChannelId, Locale, Location, MediaKind, Oversell, ProductOption, ProductStatus,
    SelectedOption, Seo, Sku, Slug,
};
use barrow_engine::ids::{PriceId, VariantId};
use barrow_engine::money::{Currency, Money};
use barrow_engine::time::Timestamp;

pub use row::{Naming, Position, Problem, Row, RowError, locate};

/// One thing a file says.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    Product(Box<ProductRecord>),
    Collection(CollectionRecord),
    Stock(StockRecord),
    Review(ReviewRecord),
}

/// A field of a record: left as the shop has it, or set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Field<T> {
    /// The file does not speak of it: as it is, or its default where the thing is new.
    #[default]
    Keep,
    Set(T),
}

impl<T> Field<T> {
    /// Puts the value into `target`, if there is one.
    pub fn put_into(self, target: &mut T) {
        if let Field::Set(value) = self {
            *target = value;
        }
    }

    pub fn as_set(&self) -> Option<&T> {
        match self {
            Field::Keep => None,
            Field::Set(value) => Some(value),
        }
    }
}

impl<T> From<T> for Field<T> {
    fn from(value: T) -> Field<T> {
        Field::Set(value)
    }
}

/// Where a product's slug comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlugSource {
    /// The file names it: it is the key where there is no external id, and must be free.
    Given(Slug),
    /// Made from the title, since the file names none: a product that is there keeps the one it
    /// has; a new one whose slug is taken gets `-2`, `-3` and so on, in the order of the file.
    Made(Slug),
}

impl SlugSource {
    /// The slug as given, or as first made.
    pub fn slug(&self) -> &Slug {
        match self {
            SlugSource::Given(slug) | SlugSource::Made(slug) => slug,
        }
    }
}

/// What a file says of named values: attributes, facets, translations.
#[derive(Debug, Clone, PartialEq)]
pub struct MapChange<K: Ord, V> {
    /// Whether names that are not mentioned are removed.
    pub replace_all: bool,
    /// `None` removes the name.
    pub entries: BTreeMap<K, Option<V>>,
}

impl<K: Ord, V> Default for MapChange<K, V> {
    /// Nothing is said.
    fn default() -> Self {
        MapChange { replace_all: false, entries: BTreeMap::new() }
    }
}

impl<K: Ord, V> MapChange<K, V> {
    /// The whole map, as it shall be.
    pub fn all(map: BTreeMap<K, V>) -> Self {
        let entries = map.into_iter().map(|(name, value)| (name, Some(value))).collect();
        MapChange { replace_all: true, entries }
    }
}

/// A collection as a product names it; it is made where there is none of that slug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionRef {
    pub slug: Slug,
    /// The title it is made with; where none is given, one is made from the slug.
    pub title: Option<String>,
    /// The collection it is made in, which is made too.
    pub parent: Option<Box<CollectionRef>>,
}

impl CollectionRef {
    /// A collection known by its slug alone.
    pub fn of_slug(slug: Slug) -> CollectionRef {
        CollectionRef { slug, title: None, parent: None }
    }
}

/// A product: the fields of PRODUCT, without id and version.
#[derive(Debug, Clone, PartialEq)]
pub struct ProductRecord {
    pub slug: SlugSource,
    /// Its name in the system it comes from: the key where there is one.
    pub external_id: Option<String>,
    /// Required where the product is new.
    pub title: Field<String>,
    pub description: Field<String>,
    pub brand: Field<Option<String>>,
    pub status: Field<ProductStatus>,
    pub publish_at: Field<Option<Timestamp>>,
    /// Empty for all.
    pub channels: Field<Vec<ChannelId>>,
    pub collections: Field<Vec<CollectionRef>>,
    pub facets: MapChange<String, Vec<String>>,
    pub attributes: MapChange<String, AttributeValue>,
    pub options: Field<Vec<ProductOption>>,
    pub media: Field<Vec<MediaRecord>>,
    /// Matched by SKU; a variant that is not named stays as it is.
    pub variants: Vec<VariantRecord>,
    pub translations: MapChange<Locale, TranslationRecord>,
    pub seo: Field<Seo>,
    pub featured: Field<Option<u32>>,
    /// Slugs that lead here too; they are added to those it has.
    pub former_slugs: Vec<Slug>,
    /// Used where the product is new; else the time of the import.
    pub created_at: Option<Timestamp>,
    pub partial: Partial,
}

/// Which lists of a record name only a part of the product's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Partial {
    /// `options` are those that the record's variants use; others the product has stay.
    pub options: bool,
    /// `media` are all of these kinds; those of other kinds stay. Empty: all there are.
    pub media_kinds: Vec<MediaKind>,
}

impl ProductRecord {
    /// A record that says nothing but which product it is about.
    pub fn new(slug: SlugSource) -> ProductRecord {
        ProductRecord {
            slug,
            external_id: None,
            title: Field::Keep,
            description: Field::Keep,
            brand: Field::Keep,
            status: Field::Keep,
            publish_at: Field::Keep,
            channels: Field::Keep,
            collections: Field::Keep,
            facets: MapChange::default(),
            attributes: MapChange::default(),
            options: Field::Keep,
            media: Field::Keep,
            variants: Vec::new(),
            translations: MapChange::default(),
            seo: Field::Keep,
            featured: Field::Keep,
            former_slugs: Vec::new(),
            created_at: None,
            partial: Partial::default(),
        }
    }
}

/// A translation, field by field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TranslationRecord {
    pub title: Field<Option<String>>,
    pub description: Field<Option<String>>,
    pub slug: Field<Option<Slug>>,
}

/// A variant, known by its SKU.
#[derive(Debug, Clone, PartialEq)]
pub struct VariantRecord {
    pub sku: Sku,
    /// Used where the variant is new; else derived from the SKU.
    pub id: Option<VariantId>,
    pub options: Field<Vec<SelectedOption>>,
    pub prices: PriceChange,
    pub stock: StockPolicyRecord,
    pub tax_category: Field<String>,
    pub weight_g: Field<Option<u32>>,
    /// Keys or addresses; each must be among the product's media.
    pub media: Field<Vec<String>>,
    pub attributes: MapChange<String, AttributeValue>,
    /// Units on hand, set where the variant is new or stock is to be set.
    pub on_hand: Option<u32>,
}

impl VariantRecord {
    /// A record that says nothing but which variant it is about.
    pub fn new(sku: Sku) -> VariantRecord {
        VariantRecord {
            sku,
            id: None,
            options: Field::Keep,
            prices: PriceChange::Keep,
            stock: StockPolicyRecord::default(),
            tax_category: Field::Keep,
            weight_g: Field::Keep,
            media: Field::Keep,
            attributes: MapChange::default(),
            on_hand: None,
        }
    }
}

/// What may be sold when too little is on hand, field by field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StockPolicyRecord {
    pub track: Field<bool>,
    pub oversell: Field<Oversell>,
    pub oversell_limit: Field<Option<u32>>,
    pub expected_at: Field<Option<Timestamp>>,
    pub max_per_customer: Field<Option<u32>>,
}

/// What a file says of a variant's prices.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PriceChange {
    #[default]
    Keep,
    /// All prices of the variant.
    All(Vec<PriceRecord>),
    /// The plain prices (no channel, group, tier or validity) of the currencies named; all
    /// other prices stay.
    Plain(Vec<PlainPrice>),
}

/// One price of a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceRecord {
    /// Used where the price is new; else derived from the SKU and what the price is for.
    pub id: Option<PriceId>,
    pub amount: Money,
    pub compare_at: Option<Money>,
    pub channel: Option<ChannelId>,
    pub customer_group: Option<String>,
    pub min_quantity: u32,
    pub valid_from: Option<Timestamp>,
    pub valid_until: Option<Timestamp>,
}

impl PriceRecord {
    /// The price for everybody, from one unit on, for ever.
    pub fn plain(amount: Money) -> PriceRecord {
        PriceRecord {
            id: None,
            amount,
            compare_at: None,
            channel: None,
            customer_group: None,
            min_quantity: 1,
            valid_from: None,
            valid_until: None,
        }
    }
}

/// The plain price of a currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainPrice {
    pub currency: Currency,
    /// `None` inside removes the price.
    pub amount: Field<Option<Money>>,
    pub compare_at: Field<Option<Money>>,
}

/// A picture, manual or video.
#[derive(Debug, Clone, PartialEq)]
pub struct MediaRecord {
    pub kind: MediaKind,
    /// A key of the media store, or an `https://` address.
    pub key: String,
    /// What is to be put under the key, where it does not lie there already.
    pub content: MediaContent,
    pub alt: Field<String>,
    /// Told from the content or the key's ending where not given.
    pub mime: Option<String>,
    pub width: Option<u32>,
    pub height: Option<u32>,
    pub bytes: Option<u64>,
}

impl MediaRecord {
    /// A file that lies in the media store already, or an address.
    pub fn at(kind: MediaKind, key: impl Into<String>) -> MediaRecord {
        MediaRecord {
            kind,
            key: key.into(),
            content: MediaContent::Elsewhere,
            alt: Field::Keep,
            mime: None,
            width: None,
            height: None,
            bytes: None,
        }
    }
}

/// Makes the bytes of a media file when they are wanted. It is called on a thread that may work
/// long, and must make the same bytes each time.
pub type MakeContent = Arc<dyn Fn() -> Result<Vec<u8>, String> + Send + Sync>;

/// Where the bytes of a media file come from.
#[derive(Clone)]
pub enum MediaContent {
    /// They lie in the media store, or at the address.
    Elsewhere,
    /// A file beside the imported one.
    File(PathBuf),
    /// Made when wanted: the sample catalog draws its pictures.
    Made(MakeContent),
}

impl std::fmt::Debug for MediaContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            MediaContent::Elsewhere => f.write_str("Elsewhere"),
            MediaContent::File(path) => write!(f, "File({})", path.display()),
            MediaContent::Made(_) => f.write_str("Made"),
        }
    }
}

impl PartialEq for MediaContent {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (MediaContent::Elsewhere, MediaContent::Elsewhere) => true,
            (MediaContent::File(a), MediaContent::File(b)) => a == b,
            (MediaContent::Made(a), MediaContent::Made(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

/// A collection, known by its slug.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectionRecord {
    pub slug: Slug,
    /// Required where the collection is new.
    pub title: Field<String>,
    pub parent: Field<Option<Slug>>,
    pub image: Field<Option<MediaRecord>>,
}

/// The units on hand of a SKU at a location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockRecord {
    pub sku: Sku,
    pub location: Location,
    pub on_hand: u32,
}

/// Which product a review is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ProductKey {
    Slug(Slug),
    ExternalId(String),
}

/// A published review, known by its product, author and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewRecord {
    pub product: ProductKey,
    /// 1 to 5.
    pub rating: u8,
    pub title: Option<String>,
    pub body: String,
    pub author: String,
    pub verified: bool,
    pub created_at: Timestamp,
}
