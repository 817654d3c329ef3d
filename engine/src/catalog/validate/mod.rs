//! Whether a product holds together: checked where one comes in, before it is stored. All that
//! is wrong is told at once, each with its place, so that an editor mends it in one go.

mod attributes;
mod variants;

use std::collections::HashSet;
use std::hash::Hash;

use super::limits::*;
use super::{Media, Product, Translation};
use crate::ports::is_media_key;
use crate::pricing::CHANNELS_MAX;

/// One thing that is wrong with a product.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {code}: {detail}")]
pub struct ProductProblem {
    /// A JSON pointer into the product: `/variants/0/sku`.
    pub path: String,
    /// `required`, `too_long`, `too_many`, `duplicate`, `out_of_range`, `invalid` or
    /// `unknown_reference`.
    pub code: &'static str,
    pub detail: String,
}

impl Product {
    /// All that is wrong, at most [`PROBLEMS_MAX`] of it; empty for a sound product. Whether
    /// its slug and SKUs are free of other products is the product store's to say.
    pub fn validate(&self) -> Vec<ProductProblem> {
        let mut found = Problems::default();
        found.label("/title", &self.title, TITLE_CHARS_MAX);
        found.prose("/description", &self.description);
        found.optional_label("/brand", self.brand.as_deref(), LABEL_CHARS_MAX);
        check_external_id(&mut found, self.external_id.as_deref());
        found.count("/former_slugs", self.former_slugs.len(), FORMER_SLUGS_MAX);
        found.count("/channels", self.channels.len(), CHANNELS_MAX);
        found.unique("/channels", &self.channels);
        found.count("/collections", self.collections.len(), COLLECTIONS_MAX);
        found.unique("/collections", &self.collections);
        check_facets(&mut found, self);
        attributes::check(&mut found, "/attributes", &self.attributes);
        check_media(&mut found, &self.media);
        check_translations(&mut found, self);
        found.optional_label("/seo/title", self.seo.title.as_deref(), TITLE_CHARS_MAX);
        found.prose("/seo/description", self.seo.description.as_deref().unwrap_or_default());
        variants::check(&mut found, self);
        found.list
    }
}

fn check_external_id(found: &mut Problems, external_id: Option<&str>) {
    let Some(external_id) = external_id else { return };
    if external_id.is_empty() {
        found.add("/external_id", "required", "must not be empty".into());
    }
    if external_id.len() > EXTERNAL_ID_BYTES_MAX {
        let detail = format!("is longer than {EXTERNAL_ID_BYTES_MAX} bytes");
        found.add("/external_id", "too_long", detail);
    }
    if external_id.chars().any(char::is_control) {
        found.add("/external_id", "invalid", "holds a control character".into());
    }
}

fn check_facets(found: &mut Problems, product: &Product) {
    found.count("/facets", product.facets.len(), FACETS_MAX);
    for (code, values) in &product.facets {
        let path = format!("/facets/{}", escaped(code));
        found.code(&path, code);
        found.count(&path, values.len(), FACET_VALUES_MAX);
        found.unique(&path, values);
        for (index, value) in values.iter().enumerate().take(FACET_VALUES_MAX) {
            found.label(&format!("{path}/{index}"), value, LABEL_CHARS_MAX);
        }
    }
}

fn check_media(found: &mut Problems, media: &[Media]) {
    found.count("/media", media.len(), MEDIA_MAX);
    found.unique("/media", media.iter().map(|media| &media.key));
    found.unique("/media", media.iter().map(|media| media.id));
    for (index, media) in media.iter().enumerate() {
        let path = format!("/media/{index}");
        if !is_media_key(&media.key) && !is_address(&media.key) {
            let detail = "is neither a media key nor an http(s) address".into();
            found.add(&format!("{path}/key"), "invalid", detail);
        }
        found.label(&format!("{path}/mime"), &media.mime, LABEL_CHARS_MAX);
        if media.alt.chars().count() > TITLE_CHARS_MAX {
            found.too_long(&format!("{path}/alt"), TITLE_CHARS_MAX);
        }
    }
}

fn is_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && text.len() <= MEDIA_ADDRESS_BYTES_MAX)
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

fn check_translations(found: &mut Problems, product: &Product) {
    found.count("/translations", product.translations.len(), TRANSLATIONS_MAX);
    for (locale, Translation { title, description, .. }) in &product.translations {
        let path = format!("/translations/{locale}");
        found.optional_label(&format!("{path}/title"), title.as_deref(), TITLE_CHARS_MAX);
        found.prose(&format!("{path}/description"), description.as_deref().unwrap_or_default());
    }
}

/// Escapes a key for a JSON pointer.
fn escaped(key: &str) -> String {
    key.chars().take(CODE_BYTES_MAX).collect::<String>().replace('~', "~0").replace('/', "~1")
}

/// What was found so far.
#[derive(Default)]
struct Problems {
    list: Vec<ProductProblem>,
}

impl Problems {
    fn add(&mut self, path: &str, code: &'static str, detail: String) {
        if self.list.len() < PROBLEMS_MAX {
            self.list.push(ProductProblem { path: path.to_owned(), code, detail });
        }
    }

    fn too_long(&mut self, path: &str, chars_max: usize) {
        self.add(path, "too_long", format!("is longer than {chars_max} characters"));
    }

    fn count(&mut self, path: &str, found: usize, most: usize) {
        if found > most {
            self.add(path, "too_many", format!("{found} are more than {most}"));
        }
    }

    fn unique<T: Hash + Eq + std::fmt::Debug>(
        &mut self,
        path: &str,
        list: impl IntoIterator<Item = T>,
    ) {
        let mut seen = HashSet::new();
        for (index, one) in list.into_iter().enumerate() {
            let name = format!("{one:?}");
            if !seen.insert(one) {
                let detail = format!("{name} stands there twice");
                self.add(&format!("{path}/{index}"), "duplicate", detail);
            }
        }
    }

    /// One line that people read.
    fn label(&mut self, path: &str, text: &str, chars_max: usize) {
        if text.trim().is_empty() {
            self.add(path, "required", "must not be empty".into());
        }
        if text.chars().count() > chars_max {
            self.too_long(path, chars_max);
        }
        if text.chars().any(char::is_control) {
            self.add(path, "invalid", "holds a control character".into());
        }
    }

    fn optional_label(&mut self, path: &str, text: Option<&str>, chars_max: usize) {
        if let Some(text) = text {
            self.label(path, text, chars_max);
        }
    }

    /// Text of several lines; may be empty.
    fn prose(&mut self, path: &str, text: &str) {
        if text.len() > DESCRIPTION_BYTES_MAX {
            let detail = format!("is longer than {DESCRIPTION_BYTES_MAX} bytes");
            self.add(path, "too_long", detail);
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            self.add(path, "invalid", "holds a control character".into());
        }
    }

    /// A key that stands in addresses and file headers.
    fn code(&mut self, path: &str, code: &str) {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if !(1..=CODE_BYTES_MAX).contains(&code.len()) || !code.bytes().all(is_plain) {
            let detail = format!("must be 1 to {CODE_BYTES_MAX} letters, digits, '_' or '-'");
            self.add(path, "invalid", detail);
        }
    }
}

#[cfg(test)]
mod tests;
