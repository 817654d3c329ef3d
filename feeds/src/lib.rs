//! The files a catalog arrives in and leaves by: import, export, the sample catalog.

pub mod record;
