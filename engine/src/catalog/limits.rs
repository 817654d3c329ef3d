//! How much one product may hold: enough for any real catalog with room to spare, so that a
//! page stays readable and no single product can fill a batch or a memory.

/// A line on a page. Titles beyond it are descriptions.
pub const TITLE_CHARS_MAX: usize = 255;
/// Ten times the longest product text of a real catalog; a book belongs in a manual.
pub const DESCRIPTION_BYTES_MAX: usize = 64 * 1024;
/// Brands, facet values, option names and values, customer groups: a few words on a button.
pub const LABEL_CHARS_MAX: usize = 120;
/// Facet codes, attribute keys, tax categories: they stand in addresses and file headers.
pub const CODE_BYTES_MAX: usize = 64;
/// What other systems call a product; they use hashes and addresses at worst.
pub const EXTERNAL_ID_BYTES_MAX: usize = 255;
/// A text or one entry of a list, in an attribute.
pub const ATTRIBUTE_CHARS_MAX: usize = 4_000;
/// Entries of a list in an attribute.
pub const ATTRIBUTE_LIST_MAX: usize = 200;
/// Attributes of a product, and of a variant.
pub const ATTRIBUTES_MAX: usize = 200;
/// Ten sizes in fifty colours; every page shows all variants.
pub const VARIANTS_MAX: usize = 500;
/// Nobody chooses along more dimensions.
pub const OPTIONS_MAX: usize = 5;
/// Values of one option.
pub const OPTION_VALUES_MAX: usize = 200;
/// Prices of a variant: every cart line looks through them at each change.
pub const PRICES_MAX: usize = 200;
/// Pictures, manuals and videos; all are on the page.
pub const MEDIA_MAX: usize = 250;
/// An address; browsers and proxies take no longer ones for sure.
pub const MEDIA_ADDRESS_BYTES_MAX: usize = 2_000;
/// Collections a product lies in.
pub const COLLECTIONS_MAX: usize = 100;
/// Facets of a product.
pub const FACETS_MAX: usize = 50;
/// Values of one facet of a product.
pub const FACET_VALUES_MAX: usize = 50;
/// Languages.
pub const TRANSLATIONS_MAX: usize = 50;
/// Slugs that once led to the product; beyond it nobody follows the oldest.
pub const FORMER_SLUGS_MAX: usize = 100;
/// Problems told of one product: whoever has more has another problem.
pub const PROBLEMS_MAX: usize = 100;
