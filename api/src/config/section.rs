//! How a section of the configuration is declared: fields with their default, whose doc comments
//! are the manual that `barrow config --manual` prints.

/// Declares one section: the struct, its defaults, and its manual.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        pub struct $name:ident {
            $($(#[doc = $doc:literal])+ pub $field:ident: $type:ty = $default:expr,)*
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                $name { $($field: $default,)* }
            }
        }

        impl $name {
            /// What each key means, in the order of the struct.
            pub const MANUAL: &'static [(&'static str, &'static str)] =
                &[$((stringify!($field), concat!($($doc, "\n"),+)),)*];

            /// What the section is about.
            pub const ABOUT: &'static str = concat!($($about, "\n"),+);
        }
    };
}

pub(super) use section;
