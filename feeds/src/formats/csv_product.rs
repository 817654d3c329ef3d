//! One product out of the rows of our CSV.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use barrow_engine::catalog::{
    AttributeValue, Locale, MediaKind, Oversell, ProductOption, ProductStatus, SelectedOption, Sku,
    Slug,
};
use barrow_engine::money::{Currency, Money};

use super::cells::{attribute_of_cell, split_list, unguarded};
use super::columns::{Column, OPTIONS_MAX};
use super::csv::Columns;
use super::table::TableRow;
use crate::record::{
    CollectionRef, Field, MapChange, MediaContent, MediaRecord, Partial, PlainPrice, Position,
    PriceChange, ProductRecord, RowError, SlugSource, TranslationRecord, VariantRecord,
};
use crate::slug;

/// Reads cells of one row, and notes what is wrong with them.
struct Cells<'a> {
    columns: &'a Columns,
    row: &'a TableRow,
    file: &'a Arc<str>,
    errors: &'a mut Vec<RowError>,
}

impl<'a> Cells<'a> {
    /// The text of the cell; `None` where the table has no such column.
    fn text(&self, column: &Column) -> Option<&'a str> {
        self.columns.place(column).map(|place| unguarded(self.row.cell(place)))
    }

    /// The same without spaces around, for what is no prose.
    fn word(&self, column: &Column) -> Option<&'a str> {
        self.text(column).map(str::trim)
    }

    fn refuse(&mut self, column: &Column, code: &'static str, detail: impl Into<String>) {
        let position = Position { file: Arc::clone(self.file), row: self.row.number };
        self.errors.push(position.error(column.to_string(), code, detail));
    }

    /// `None` where the cell is empty, missing or wrong (and then noted).
    fn parsed<T>(&mut self, column: &Column) -> Option<T>
    where
        T: FromStr<Err: std::fmt::Display>,
    {
        let word = self.word(column).filter(|word| !word.is_empty())?;
        match word.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse(column, "out_of_range", format!("'{}': {error}", shortened(word)));
                None
            }
        }
    }

    /// One of the catalog's own words.
    fn known<T: serde::de::DeserializeOwned>(&mut self, column: &Column) -> Field<T> {
        let Some(word) = self.word(column).filter(|word| !word.is_empty()) else {
            return Field::Keep;
        };
        match serde_json::from_value(serde_json::Value::String(word.to_owned())) {
            Ok(value) => Field::Set(value),
            Err(error) => {
                self.refuse(column, "out_of_range", error.to_string());
                Field::Keep
            }
        }
    }

    /// Cleared where the column is there and the cell is empty.
    fn optional_text(&self, column: &Column) -> Field<Option<String>> {
        match self.text(column) {
            None => Field::Keep,
            Some("") => Field::Set(None),
            Some(text) => Field::Set(Some(text.to_owned())),
        }
    }

    fn amount(&mut self, column: &Column, currency: Currency) -> Field<Option<Money>> {
        let Some(word) = self.word(column) else { return Field::Keep };
        if word.is_empty() {
            return Field::Set(None);
        }
        match Money::parse_decimal(word, currency) {
            Ok(money) if money.amount >= 0 => Field::Set(Some(money)),
            Ok(_) => {
                self.refuse(column, "out_of_range", "a price is not negative");
                Field::Keep
            }
            Err(error) => {
                self.refuse(column, "out_of_range", error.to_string());
                Field::Keep
            }
        }
    }
}

/// Reads the product of the rows, and tells which rows its variants stand in.
pub fn product(
    columns: &Columns,
    rows: &[TableRow],
    position: &Position,
) -> Result<(ProductRecord, Vec<u64>), Vec<RowError>> {
    let mut errors = Vec::new();
    let first = rows.first().ok_or_else(Vec::new)?;
    let mut cells = Cells { columns, row: first, file: &position.file, errors: &mut errors };
    let record = described(&mut cells);
    for row in &rows[1..] {
        let mut cells = Cells { columns, row, file: &position.file, errors: &mut errors };
        refuse_other_product_cells(&mut cells, first);
    }
    let names = option_names(columns, first);
    let mut variants = Vec::new();
    let mut variant_rows = Vec::new();
    for row in rows {
        let mut cells = Cells { columns, row, file: &position.file, errors: &mut errors };
        if let Some(variant) = variant(&mut cells, &names) {
            variants.push(variant);
            variant_rows.push(row.number);
        }
    }
    match record {
        Some(mut record) if errors.is_empty() => {
            if columns.place(&Column::OptionName(1)).is_some() {
                record.options = Field::Set(options_of(&variants));
                record.partial.options = true;
            }
            record.variants = variants;
            Ok((record, variant_rows))
        }
        _ => {
            errors.sort_by_key(|error| error.row);
            Err(errors)
        }
    }
}

fn described(cells: &mut Cells<'_>) -> Option<ProductRecord> {
    let slug: Option<Slug> = cells.parsed(&Column::Slug);
    let external_id =
        cells.word(&Column::ExternalId).filter(|id| !id.is_empty()).map(str::to_owned);
    let title = cells.text(&Column::Title).map(str::to_owned);
    let slug = match (slug, &external_id) {
        (Some(slug), _) => SlugSource::Given(slug),
        (None, Some(id)) => SlugSource::Made(slug::from_title(title.as_ref().unwrap_or(id))),
        (None, None) => {
            if cells.word(&Column::Slug).is_none_or(str::is_empty) {
                let detail = "name the product by its slug or external_id";
                cells.refuse(&Column::Slug, "required", detail);
            }
            return None;
        }
    };
    let collections = collections(cells);
    let status: Field<ProductStatus> = cells.known(&Column::Status);
    let (media, media_kinds) = media(cells);
    Some(ProductRecord {
        external_id,
        title: title.map_or(Field::Keep, Field::Set),
        description: cells
            .text(&Column::Description)
            .map_or(Field::Keep, |text| Field::Set(text.to_owned())),
        brand: cells.optional_text(&Column::Brand),
        status,
        collections,
        facets: facets(cells),
        attributes: attributes(cells),
        media,
        translations: translations(cells),
        partial: Partial { options: false, media_kinds },
        ..ProductRecord::new(slug)
    })
}

/// The product is described once; rows that follow may repeat it, not contradict it.
fn refuse_other_product_cells(cells: &mut Cells<'_>, first: &TableRow) {
    let columns = cells.columns;
    for (place, column) in columns.all.iter().filter(|(_, column)| column.is_of_product()) {
        let cell = cells.row.cell(*place);
        if !cell.trim().is_empty() && cell != first.cell(*place) {
            let detail = format!("the product's first row, {}, says otherwise", first.number);
            cells.refuse(column, "out_of_range", detail);
        }
    }
}

fn collections(cells: &mut Cells<'_>) -> Field<Vec<CollectionRef>> {
    let Some(cell) = cells.word(&Column::Collections) else { return Field::Keep };
    let mut collections = Vec::new();
    for name in split_list(cell) {
        match Slug::new(name.trim()) {
            Ok(slug) => collections.push(CollectionRef::of_slug(slug)),
            Err(error) => cells.refuse(&Column::Collections, "out_of_range", error.to_string()),
        }
    }
    Field::Set(collections)
}

fn facets(cells: &Cells<'_>) -> MapChange<String, Vec<String>> {
    let mut change = MapChange::default();
    for (_, column) in &cells.columns.all {
        if let (Column::Facet(code), Some(cell)) = (column, cells.text(column)) {
            let values = Some(split_list(cell)).filter(|values| !values.is_empty());
            change.entries.insert(code.clone(), values);
        }
    }
    change
}

fn attributes(cells: &mut Cells<'_>) -> MapChange<String, AttributeValue> {
    let mut change = MapChange::default();
    for (_, column) in &cells.columns.all {
        let (Column::Attribute(key), Some(cell)) = (column, cells.text(column)) else { continue };
        if cell.is_empty() {
            change.entries.insert(key.clone(), None);
            continue;
        }
        match attribute_of_cell(cell) {
            Ok(value) => {
                change.entries.insert(key.clone(), Some(value));
            }
            Err(detail) => cells.refuse(column, "wrong_type", detail),
        }
    }
    change
}

fn translations(cells: &Cells<'_>) -> MapChange<Locale, TranslationRecord> {
    let mut said: BTreeMap<Locale, TranslationRecord> = BTreeMap::new();
    for (_, column) in &cells.columns.all {
        match column {
            Column::TitleIn(locale) => {
                said.entry(locale.clone()).or_default().title = cells.optional_text(column);
            }
            Column::DescriptionIn(locale) => {
                said.entry(locale.clone()).or_default().description = cells.optional_text(column);
            }
            _ => {}
        }
    }
    let entries = said.into_iter().map(|(locale, said)| (locale, Some(said))).collect();
    MapChange { replace_all: false, entries }
}

fn media(cells: &Cells<'_>) -> (Field<Vec<MediaRecord>>, Vec<MediaKind>) {
    let mut media = Vec::new();
    let mut kinds = Vec::new();
    for (column, kind) in [(Column::Images, MediaKind::Image), (Column::Manual, MediaKind::Manual)]
    {
        let Some(cell) = cells.word(&column) else { continue };
        kinds.push(kind);
        for name in split_list(cell) {
            media.push(medium(kind, name.trim(), &cells.columns.folder));
        }
    }
    if kinds.is_empty() { (Field::Keep, kinds) } else { (Field::Set(media), kinds) }
}

/// An address, a file beside the table, or a key of the media store.
fn medium(kind: MediaKind, name: &str, folder: &Path) -> MediaRecord {
    let mut record = MediaRecord::at(kind, name);
    let is_plain = Path::new(name)
        .components()
        .all(|component| matches!(component, std::path::Component::Normal(_)));
    if is_plain && !name.contains("://") {
        let path = folder.join(name);
        if path.is_file() {
            record.content = MediaContent::File(path);
        }
    }
    record
}

/// The names of the options, from the product's first row.
fn option_names(columns: &Columns, first: &TableRow) -> Vec<(usize, String)> {
    let names = (1..=OPTIONS_MAX).filter_map(|number| {
        let place = columns.place(&Column::OptionName(number))?;
        let name = unguarded(first.cell(place)).to_owned();
        (!name.is_empty()).then_some((number, name))
    });
    names.collect()
}

/// The values that the variants use, in the order they come.
fn options_of(variants: &[VariantRecord]) -> Vec<ProductOption> {
    let mut options: Vec<ProductOption> = Vec::new();
    for selected in variants.iter().filter_map(|variant| variant.options.as_set()).flatten() {
        let place = options.iter().position(|option| option.name == selected.name);
        let place = place.unwrap_or_else(|| {
            options.push(ProductOption { name: selected.name.clone(), values: Vec::new() });
            options.len() - 1
        });
        if !options[place].values.contains(&selected.value) {
            options[place].values.push(selected.value.clone());
        }
    }
    options
}

/// The variant of a row; `None` where the row names no SKU.
fn variant(cells: &mut Cells<'_>, names: &[(usize, String)]) -> Option<VariantRecord> {
    if cells.word(&Column::Sku).is_none_or(str::is_empty) {
        refuse_variant_cells(cells);
        return None;
    }
    let sku: Option<Sku> = cells.parsed(&Column::Sku);
    let options = selected_options(cells, names);
    let prices = prices(cells);
    let tax_category = match cells.word(&Column::TaxCategory) {
        None | Some("") => Field::Keep,
        Some(category) => Field::Set(category.to_owned()),
    };
    let weight_g = match cells.word(&Column::WeightG) {
        None => Field::Keep,
        Some("") => Field::Set(None),
        Some(_) => cells.parsed(&Column::WeightG).map_or(Field::Keep, |g| Field::Set(Some(g))),
    };
    let on_hand: Option<u32> = cells.parsed(&Column::Stock);
    let oversell: Field<Oversell> = cells.known(&Column::Oversell);
    let mut variant = VariantRecord::new(sku?);
    variant.options = options;
    variant.prices = prices;
    variant.tax_category = tax_category;
    variant.weight_g = weight_g;
    variant.on_hand = on_hand;
    variant.stock.oversell = oversell;
    Some(variant)
}

/// A row without a SKU has no variant, so nothing can be said of one.
fn refuse_variant_cells(cells: &mut Cells<'_>) {
    let columns = cells.columns;
    let of_variants = columns.all.iter().filter(|(_, column)| {
        // Option names stand on the first row, whether or not it has a variant.
        !column.is_of_product() && !matches!(column, Column::OptionName(_) | Column::Sku)
    });
    for (place, column) in of_variants {
        if !cells.row.trimmed(*place).is_empty() {
            let detail = format!("the row has no SKU that '{column}' could belong to");
            cells.refuse(&Column::Sku, "required", detail);
            return;
        }
    }
}

fn selected_options(
    cells: &mut Cells<'_>,
    names: &[(usize, String)],
) -> Field<Vec<SelectedOption>> {
    if cells.columns.place(&Column::OptionName(1)).is_none() {
        return Field::Keep;
    }
    let mut selected = Vec::new();
    for (number, name) in names {
        let own = cells.text(&Column::OptionName(*number)).unwrap_or_default();
        if !own.is_empty() && own != name {
            let detail = format!("the product's first row calls this option '{name}'");
            cells.refuse(&Column::OptionName(*number), "out_of_range", detail);
        }
        match cells.text(&Column::OptionValue(*number)) {
            None | Some("") => {
                let detail = format!("the variant has no value of the option '{name}'");
                cells.refuse(&Column::OptionValue(*number), "required", detail);
            }
            Some(value) => {
                selected.push(SelectedOption { name: name.clone(), value: value.to_owned() });
            }
        }
    }
    Field::Set(selected)
}

fn prices(cells: &mut Cells<'_>) -> PriceChange {
    let columns = cells.columns;
    let mut currencies: Vec<Currency> = Vec::new();
    for (_, column) in &columns.all {
        if let Column::Price(currency) | Column::CompareAt(currency) = column
            && !currencies.contains(currency)
        {
            currencies.push(*currency);
        }
    }
    let mut prices = Vec::new();
    for currency in currencies {
        let amount = cells.amount(&Column::Price(currency), currency);
        let compare_at = cells.amount(&Column::CompareAt(currency), currency);
        if amount == Field::Set(None) && matches!(compare_at, Field::Set(Some(_))) {
            let detail = "there is no price to compare it with";
            cells.refuse(&Column::Price(currency), "required", detail);
        }
        prices.push(PlainPrice { currency, amount, compare_at });
    }
    if prices.is_empty() { PriceChange::Keep } else { PriceChange::Plain(prices) }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}
