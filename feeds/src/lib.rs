//! The files a catalog arrives in and leaves by: import, export, the sample catalog.

pub mod derive;
pub mod formats;
pub mod import;
pub mod plan;
pub mod record;
pub mod slug;
