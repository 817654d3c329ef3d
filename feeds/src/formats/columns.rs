//! The columns of our CSV, by name and in order.

use std::fmt;

use barrow_engine::catalog::Locale;
use barrow_engine::money::Currency;

/// The most option columns: as many options as a product may have.
pub const OPTIONS_MAX: usize = barrow_engine::catalog::limits::OPTIONS_MAX;

/// A column. The order of the variants is the order of columns in an export.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    Slug,
    ExternalId,
    Title,
    Description,
    Brand,
    Status,
    Collections,
    Facet(String),
    Attribute(String),
    OptionName(usize),
    OptionValue(usize),
    Sku,
    Price(Currency),
    CompareAt(Currency),
    TaxCategory,
    WeightG,
    Stock,
    Oversell,
    Images,
    Manual,
    TitleIn(Locale),
    DescriptionIn(Locale),
}

impl Column {
    /// The column of that name; `None` where there is none.
    pub fn of_name(name: &str) -> Option<Column> {
        if let Some(column) = Column::of_plain_name(name) {
            return Some(column);
        }
        if let Some((head, end)) = name.strip_prefix("option").and_then(|n| n.split_once('_')) {
            let number: usize = head.parse().ok().filter(|n| (1..=OPTIONS_MAX).contains(n))?;
            return match end {
                "name" => Some(Column::OptionName(number)),
                "value" => Some(Column::OptionValue(number)),
                _ => None,
            };
        }
        let (head, rest) = name.split_once('.')?;
        match head {
            "facet" if !rest.is_empty() => Some(Column::Facet(rest.to_owned())),
            "attr" if !rest.is_empty() => Some(Column::Attribute(rest.to_owned())),
            "price" => Currency::from_code(rest).ok().map(Column::Price),
            "compare_at" => Currency::from_code(rest).ok().map(Column::CompareAt),
            "title" => Locale::new(rest).ok().map(Column::TitleIn),
            "description" => Locale::new(rest).ok().map(Column::DescriptionIn),
            _ => None,
        }
    }

    fn of_plain_name(name: &str) -> Option<Column> {
        Some(match name {
            "slug" => Column::Slug,
            "external_id" => Column::ExternalId,
            "title" => Column::Title,
            "description" => Column::Description,
            "brand" => Column::Brand,
            "status" => Column::Status,
            "collections" => Column::Collections,
            "sku" => Column::Sku,
            "tax_category" => Column::TaxCategory,
            "weight_g" => Column::WeightG,
            "stock" => Column::Stock,
            "oversell" => Column::Oversell,
            "images" => Column::Images,
            "manual" => Column::Manual,
            _ => return None,
        })
    }

    /// Whether it describes the product, on the first of its rows; the others describe the
    /// variant of each row.
    pub fn is_of_product(&self) -> bool {
        !matches!(
            self,
            Column::OptionName(_)
                | Column::OptionValue(_)
                | Column::Sku
                | Column::Price(_)
                | Column::CompareAt(_)
                | Column::TaxCategory
                | Column::WeightG
                | Column::Stock
                | Column::Oversell
        )
    }

    /// Where it stands in an export: the order of [`Column`], but names and values of options
    /// and prices of a currency side by side.
    pub fn place(&self) -> (Column, u8) {
        match self {
            Column::OptionName(number) => (Column::OptionName(*number), 0),
            Column::OptionValue(number) => (Column::OptionName(*number), 1),
            Column::Price(currency) => (Column::Price(*currency), 0),
            Column::CompareAt(currency) => (Column::Price(*currency), 1),
            Column::TitleIn(locale) => (Column::TitleIn(locale.clone()), 0),
            Column::DescriptionIn(locale) => (Column::TitleIn(locale.clone()), 1),
            other => (other.clone(), 0),
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Column::Slug => f.write_str("slug"),
            Column::ExternalId => f.write_str("external_id"),
            Column::Title => f.write_str("title"),
            Column::Description => f.write_str("description"),
            Column::Brand => f.write_str("brand"),
            Column::Status => f.write_str("status"),
            Column::Collections => f.write_str("collections"),
            Column::Facet(code) => write!(f, "facet.{code}"),
            Column::Attribute(key) => write!(f, "attr.{key}"),
            Column::OptionName(number) => write!(f, "option{number}_name"),
            Column::OptionValue(number) => write!(f, "option{number}_value"),
            Column::Sku => f.write_str("sku"),
            Column::Price(currency) => write!(f, "price.{currency}"),
            Column::CompareAt(currency) => write!(f, "compare_at.{currency}"),
            Column::TaxCategory => f.write_str("tax_category"),
            Column::WeightG => f.write_str("weight_g"),
            Column::Stock => f.write_str("stock"),
            Column::Oversell => f.write_str("oversell"),
            Column::Images => f.write_str("images"),
            Column::Manual => f.write_str("manual"),
            Column::TitleIn(locale) => write!(f, "title.{locale}"),
            Column::DescriptionIn(locale) => write!(f, "description.{locale}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_is_read_by_the_name_it_is_written_with() {
        let names = "slug external_id title description brand status collections facet.color \
                     attr.material option1_name option1_value option2_name option2_value sku \
                     price.EUR compare_at.EUR price.USD compare_at.USD tax_category weight_g stock \
                     oversell images manual title.de description.de title.pt-BR description.pt-BR";
        let columns: Vec<Column> = names
            .split(' ')
            .filter(|name| !name.is_empty())
            .map(|name| Column::of_name(name).expect(name))
            .collect();
        let mut sorted = columns.clone();
        sorted.sort_by_key(Column::place);
        assert_eq!(sorted, columns, "the order of an export");
        let written: Vec<String> = columns.iter().map(Column::to_string).collect();
        assert_eq!(written.join(" "), names.split_whitespace().collect::<Vec<_>>().join(" "));
    }

    #[test]
    fn other_names_are_no_columns() {
        for name in [
            "",
            "Title",
            "facet.",
            "price",
            "price.XXQ",
            "option0_name",
            "option9_name",
            "title.DE",
        ] {
            assert_eq!(Column::of_name(name), None, "{name}");
        }
    }
}
