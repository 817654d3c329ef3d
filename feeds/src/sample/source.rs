//! How the sample catalog is written down: a file per collection, one short entry per product,
//! made to be read and written by people. Several things share a line (`Color = Sage, Oat; Size
//! = S, M +300`); this module takes them apart again.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One file: a collection and its products.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shelf {
    pub collection: Heading,
    #[serde(default)]
    pub products: Vec<Entry>,
}

/// A collection as its file opens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heading {
    pub slug: String,
    /// What the SKUs of its products begin with.
    #[serde(default)]
    pub code: String,
    pub title: String,
    #[serde(default)]
    pub parent: Option<String>,
    /// The slugs of the three products on its picture: left, right, and large in the middle.
    pub show: Vec<String>,
}

/// A product as it is written down.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub title: String,
    /// The brand.
    pub by: String,
    /// `WORDS / ACCENT / BASE`: what its picture shows.
    pub draw: String,
    /// In euro cents, with tax.
    pub price: i64,
    #[serde(default)]
    pub options: String,
    #[serde(default)]
    pub facets: String,
    #[serde(default)]
    pub specs: String,
    /// `FAMILY NOUN, COUNT`: what its reviews are made of, and how many there are.
    pub talk: String,
    /// `WORD VALUE; WORD`: all that few products have.
    #[serde(default)]
    pub more: String,
    pub text: String,
}

/// A text in another language.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    pub title: String,
    pub text: String,
}

/// An option with its values; each value may cost something more, in euro cents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionLine {
    pub name: String,
    pub values: Vec<(String, i64)>,
}

/// What the picture shows, as words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrawLine {
    pub words: Vec<String>,
    pub accent: String,
    /// Where no option says the color.
    pub base: Option<String>,
}

/// What reviews are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TalkLine {
    pub family: String,
    pub noun: String,
    pub count: u32,
}

const SHELVES: [&str; 14] = [
    include_str!("data/home.yaml"),
    include_str!("data/kitchen.yaml"),
    include_str!("data/lighting.yaml"),
    include_str!("data/living.yaml"),
    include_str!("data/outdoors.yaml"),
    include_str!("data/camp.yaml"),
    include_str!("data/garden.yaml"),
    include_str!("data/desk.yaml"),
    include_str!("data/stationery.yaml"),
    include_str!("data/bags.yaml"),
    include_str!("data/apparel.yaml"),
    include_str!("data/audio.yaml"),
    include_str!("data/wellness.yaml"),
    include_str!("data/kids.yaml"),
];

/// All shelves, in the order of the shop.
pub fn shelves() -> Vec<Shelf> {
    SHELVES.iter().map(|text| read(text)).collect()
}

/// Translations by language, then by the product's slug.
pub fn translations() -> BTreeMap<&'static str, BTreeMap<String, Words>> {
    BTreeMap::from([
        ("de", read(include_str!("data/de.yaml"))),
        ("fr", read(include_str!("data/fr.yaml"))),
    ])
}

/// Reads a file that is part of the program.
pub fn read<T: for<'de> Deserialize<'de>>(text: &str) -> T {
    match serde_saphyr::from_str(text) {
        Ok(read) => read,
        Err(error) => panic!("the sample's files are part of the program and tested: {error}"),
    }
}

impl Entry {
    pub fn options(&self) -> Vec<OptionLine> {
        let parts = parts(&self.options, ';').filter_map(|part| part.split_once('='));
        parts
            .map(|(name, values)| OptionLine {
                name: name.trim().to_owned(),
                values: self::parts(values, ',').map(priced).collect(),
            })
            .collect()
    }

    /// Facet codes with their values.
    pub fn facets(&self) -> BTreeMap<String, Vec<String>> {
        let parts = parts(&self.facets, ';').filter_map(|part| part.split_once(' '));
        parts
            .map(|(code, values)| {
                (code.to_owned(), self::parts(values, ',').map(str::to_owned).collect())
            })
            .collect()
    }

    /// Names of attributes with their values, as written.
    pub fn specs(&self) -> Vec<(&str, &str)> {
        let parts = parts(&self.specs, ';').filter_map(|part| part.split_once(' '));
        parts.map(|(name, value)| (name, value.trim())).collect()
    }

    pub fn drawing(&self) -> DrawLine {
        let mut parts = self.draw.split('/').map(str::trim);
        let words = parts.next().unwrap_or_default();
        DrawLine {
            words: words.split(' ').map(str::to_owned).collect(),
            accent: parts.next().unwrap_or("Oak").to_owned(),
            base: parts.next().map(str::to_owned),
        }
    }

    pub fn talk(&self) -> TalkLine {
        let (subject, count) = self.talk.rsplit_once(',').unwrap_or((&self.talk, "0"));
        let (family, noun) = subject.split_once(' ').unwrap_or((subject, "thing"));
        TalkLine {
            family: family.to_owned(),
            noun: noun.to_owned(),
            count: count.trim().parse().unwrap_or(0),
        }
    }

    /// The value behind a word of `more`: empty where the word stands alone, `None` where it is
    /// not there.
    pub fn more(&self, word: &str) -> Option<&str> {
        parts(&self.more, ';').find_map(|part| {
            let (own, value) = part.split_once(' ').unwrap_or((part, ""));
            (own == word).then_some(value)
        })
    }

    /// The number behind a word of `more`.
    pub fn number(&self, word: &str) -> Option<u32> {
        self.more(word).and_then(|value| value.parse().ok())
    }
}

fn parts(text: &str, mark: char) -> impl Iterator<Item = &str> {
    text.split(mark).map(str::trim).filter(|part| !part.is_empty())
}

/// Takes `Large +1800` apart. A plus sign before anything but digits belongs to the value.
fn priced(text: &str) -> (String, i64) {
    let found = text.rsplit_once(" +").and_then(|(value, more)| Some((value, more.parse().ok()?)));
    match found {
        Some((value, more)) => (value.to_owned(), more),
        None => (text.to_owned(), 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_options_is_taken_apart() {
        let check = |text: &str, expected: &[(&str, &[(&str, i64)])]| {
            let mut entry = shelves().remove(1).products.remove(0);
            entry.options = text.to_owned();
            let expected: Vec<OptionLine> = expected
                .iter()
                .map(|(name, values)| OptionLine {
                    name: name.to_string(),
                    values: values.iter().map(|(value, more)| (value.to_string(), *more)).collect(),
                })
                .collect();
            assert_eq!(entry.options(), expected, "{text}");
        };
        check("", &[]);
        check("Color = Sage", &[("Color", &[("Sage", 0)])]);
        check(
            "Color = Sage, Oat; Comfort = +5, -2 +4000",
            &[("Color", &[("Sage", 0), ("Oat", 0)]), ("Comfort", &[("+5", 0), ("-2", 4000)])],
        );
    }

    #[test]
    fn every_file_reads() {
        assert_eq!(shelves().len(), SHELVES.len());
        assert_eq!(translations().len(), 2);
    }
}
