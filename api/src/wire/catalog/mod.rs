//! The catalog as clients read it: ITEM, PAGE, VARIANT and what they are made of. Every field
//! is present in every reply; what is not known is `null`.

mod availability;
mod collection;
mod item;
mod list;
mod media;
mod page;
mod review;
mod shop;
mod variant;

pub use availability::{Availability, ItemAvailability};
pub use collection::{CollectionBody, CollectionRef};
pub use item::{Item, ItemRating, Range};
pub use list::{Facet, FacetValue, List, ProductList, Total};
pub use media::{Media, MediaUrls};
pub use page::{Attribute, Page, Reviews, Section, Sections, SeoBody, Sources};
pub use review::ReviewBody;
pub use shop::{ChannelBody, ShopBody};
pub use variant::{OptionValue, Tier, VariantBody, VariantPrice};

/// A code as people read it: `max_power` becomes "Max power".
pub(crate) fn label(code: &str) -> String {
    let spaced = code.replace(['_', '-'], " ");
    let mut letters = spaced.trim().chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => code.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn labels_are_readable() {
        for (code, label) in [
            ("color", "Color"),
            ("max_power", "Max power"),
            ("ean-code", "Ean code"),
            ("_", "_"),
            ("", ""),
            ("größe", "Größe"),
            ("äußeres", "Äußeres"),
        ] {
            assert_eq!(super::label(code), label);
        }
    }
}
