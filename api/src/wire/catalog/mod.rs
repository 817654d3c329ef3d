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
pub use list::{CollectionList, Facet, FacetValue, ProductList, ReviewList, Total};
pub use media::Media;
pub use page::{Attribute, Page, Reviews, Section, Sections, SeoBody, Sources};
pub use review::ReviewBody;
pub use shop::{ChannelBody, ShopBody};
pub use variant::{OptionValue, Tier, VariantBody, VariantPrice};
