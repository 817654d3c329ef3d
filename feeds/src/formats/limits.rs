//! How much of everything one record may hold. A product beyond these is a mistake in the file,
//! or wants to be several products.

/// Members of a list: values of an option, collections, pictures.
pub const LIST_MAX: usize = 1_000;

/// Names in a map: attributes, facets, translations.
pub const ENTRIES_MAX: usize = 500;

/// Variants of one record, and so rows of a table that belong together: as many as a product
/// may have.
pub const VARIANTS_MAX: usize = barrow_engine::catalog::limits::VARIANTS_MAX;

/// The largest foreign file that has to be held in memory, because what belongs together lies
/// apart in it: far above any file of its kind, far below the memory of the smallest machine.
pub const WHOLE_FILE_BYTES_MAX: u64 = 128 * 1024 * 1024;
