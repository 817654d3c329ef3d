//! One product out of the rows that Spree's table has of it.

use std::collections::BTreeMap;

use barrow_engine::catalog::{
    AttributeValue, MediaKind, Oversell, ProductOption, ProductStatus, SelectedOption, Seo, Sku,
    Slug,
};
use barrow_engine::money::Currency;
use barrow_engine::time::Timestamp;

use super::foreign;
use super::spree::Header;
use super::table::TableRow;
use crate::record::{
    CollectionRef, Field, MapChange, MediaRecord, PlainPrice, PriceChange, Problem, ProductRecord,
    SlugSource, VariantRecord,
};
use crate::slug;

/// The most options, categories and pictures a row has columns for.
const OPTION_COLUMNS: usize = 3;
const CATEGORY_COLUMNS: usize = 3;
const IMAGE_COLUMNS: usize = 10;

/// A product as it was read, and what is wrong, each with its row.
pub struct ProductOfRows {
    pub record: ProductRecord,
    pub variant_rows: Vec<u64>,
    pub problems: Vec<(u64, Problem)>,
}

/// Reads the product of the rows.
pub fn product(
    header: &Header,
    rows: &[TableRow],
    slug: Slug,
    currency: Currency,
) -> ProductOfRows {
    let mut reader = Reader { header, currency, problems: Vec::new() };
    let mut record = ProductRecord::new(SlugSource::Given(slug));
    // The product's own row is the one with a name.
    let own = rows.iter().find(|row| !header.cell(row, "name").is_empty());
    if let Some(own) = own {
        reader.describe(&mut record, own);
    }
    let own_sku = own.map_or("", |row| header.cell(row, "sku"));
    let is_own = |row: &TableRow| own.is_some_and(|own| own.number == row.number);
    let has_variants = rows.iter().any(|row| !is_own(row) && header.cell(row, "sku") != own_sku);
    let mut variants: Vec<(u64, VariantRecord)> = Vec::new();
    let mut places: BTreeMap<Sku, usize> = BTreeMap::new();
    for row in rows {
        // A product row that has variant rows is no variant: its SKU and price are ignored.
        if has_variants && is_own(row) {
            continue;
        }
        let Some(sku) = reader.sku(row, record.slug.slug()) else { continue };
        let prices = reader.price(row);
        match places.get(&sku) {
            Some(place) => reader.add_price(row, &mut variants[*place].1, prices),
            None => {
                places.insert(sku.clone(), variants.len());
                variants.push((row.number, reader.variant(row, sku, prices, own.is_some())));
            }
        }
    }
    if own.is_some() {
        record.options = Field::Set(options_of(variants.iter().map(|(_, variant)| variant)));
        record.partial.options = true;
        record.media = Field::Set(reader.media(own, rows, &mut variants, &places));
        record.partial.media_kinds = vec![MediaKind::Image];
    }
    let variant_rows = variants.iter().map(|(row, _)| *row).collect();
    record.variants = variants.into_iter().map(|(_, variant)| variant).collect();
    ProductOfRows { record, variant_rows, problems: reader.problems }
}

struct Reader<'h> {
    header: &'h Header,
    currency: Currency,
    problems: Vec<(u64, Problem)>,
}

impl Reader<'_> {
    fn cell<'r>(&self, row: &'r TableRow, name: &str) -> &'r str {
        self.header.cell(row, name)
    }

    fn refuse(&mut self, row: &TableRow, problem: Problem) {
        self.problems.push((row.number, problem));
    }

    fn describe(&mut self, record: &mut ProductRecord, row: &TableRow) {
        let text = |name: &str| {
            let cell = self.header.cell(row, name);
            (!cell.is_empty()).then(|| cell.to_owned())
        };
        record.title = Field::Set(text("name").unwrap_or_default());
        record.description = Field::Set(text("description").unwrap_or_default());
        record.seo =
            Field::Set(Seo { title: text("meta_title"), description: text("meta_description") });
        record.collections = Field::Set(self.collections(row));
        record.facets = self.facets(row);
        record.attributes = self.custom_fields(row);
        let status = self.cell(row, "status").to_owned();
        record.status = match status.as_str() {
            "" => Field::Keep,
            "active" => Field::Set(ProductStatus::Active),
            "draft" => Field::Set(ProductStatus::Draft),
            "archived" | "paused" => Field::Set(ProductStatus::Archived),
            _ => {
                let detail = format!("'{status}' is not active, draft or archived");
                self.refuse(row, Problem::new("status", "out_of_range", detail));
                Field::Keep
            }
        };
        if let Some(text) = Some(self.cell(row, "available_on")).filter(|text| !text.is_empty()) {
            // A day alone begins at midnight.
            let time = text.parse::<Timestamp>();
            match time.or_else(|_| format!("{text}T00:00:00Z").parse()) {
                Ok(time) => record.publish_at = Field::Set(Some(time)),
                Err(error) => {
                    let problem = Problem::new("available_on", "out_of_range", error.to_string());
                    self.refuse(row, problem);
                }
            }
        }
    }

    /// "Kitchen -> Blenders" is the collection of blenders in that of the kitchen; the product
    /// is in both.
    fn collections(&self, row: &TableRow) -> Vec<CollectionRef> {
        let mut collections: Vec<CollectionRef> = Vec::new();
        for number in 1..=CATEGORY_COLUMNS {
            let mut parent: Option<Box<CollectionRef>> = None;
            let mut path = String::new();
            let names = self.cell(row, &format!("category{number}")).split("->").map(str::trim);
            for name in names.filter(|name| !name.is_empty()) {
                path = if path.is_empty() { name.to_owned() } else { format!("{path} {name}") };
                let collection = CollectionRef {
                    slug: slug::from_title(&path),
                    title: Some(slug::capitalized(name)),
                    parent,
                };
                if collections.iter().all(|known| known.slug != collection.slug) {
                    collections.push(collection.clone());
                }
                parent = Some(Box::new(collection));
            }
        }
        collections
    }

    fn facets(&self, row: &TableRow) -> MapChange<String, Vec<String>> {
        let mut tags: Vec<String> = Vec::new();
        for tag in self.cell(row, "tags").split(',').map(str::trim) {
            if !tag.is_empty() && tags.iter().all(|known| known != tag) {
                tags.push(tag.to_owned());
            }
        }
        let mut change = MapChange::default();
        change.entries.insert("tags".to_owned(), (!tags.is_empty()).then_some(tags));
        let kind = foreign::facet_values(self.cell(row, "product_type"));
        change.entries.insert("product_type".to_owned(), kind);
        change
    }

    /// `custom_field.NAMESPACE.KEY` is the attribute KEY.
    fn custom_fields(&self, row: &TableRow) -> MapChange<String, AttributeValue> {
        let mut change = MapChange::default();
        for (name, place) in self.header.beginning_with("custom_field.") {
            let key = name.rsplit_once('.').map_or(name, |(_, key)| key);
            let cell = row.trimmed(place);
            let value = (!cell.is_empty()).then(|| AttributeValue::Text { value: cell.to_owned() });
            change.entries.insert(key.to_owned(), value);
        }
        change
    }

    /// Without a SKU the slug, the only id there is, is it.
    fn sku(&mut self, row: &TableRow, slug: &Slug) -> Option<Sku> {
        let cell = self.cell(row, "sku");
        let text = if cell.is_empty() { slug.as_str() } else { cell };
        match foreign::sku(text, "sku") {
            Ok(sku) => Some(sku),
            Err(problem) => {
                self.refuse(row, problem);
                None
            }
        }
    }

    fn price(&mut self, row: &TableRow) -> Option<PlainPrice> {
        let currency = match self.cell(row, "currency") {
            "" => self.currency,
            code => match Currency::from_code(code) {
                Ok(currency) => currency,
                Err(error) => {
                    self.refuse(row, Problem::new("currency", "out_of_range", error.to_string()));
                    return None;
                }
            },
        };
        let text = self.cell(row, "price");
        if text.is_empty() {
            return None;
        }
        let mut read = |text: &str, column: &str| match foreign::amount(text, currency, column) {
            Ok(amount) => Some(amount),
            Err(problem) => {
                self.problems.push((row.number, problem));
                None
            }
        };
        let amount = read(text, "price")?;
        // Zero stands for none.
        let compare_at = match self.header.cell(row, "compare_at_price") {
            "" => None,
            text => read(text, "compare_at_price").filter(|amount| amount.amount > 0),
        };
        Some(PlainPrice {
            currency,
            amount: Field::Set(Some(amount)),
            compare_at: Field::Set(compare_at),
        })
    }

    /// The same SKU again: a price in another currency.
    fn add_price(
        &mut self,
        row: &TableRow,
        variant: &mut VariantRecord,
        price: Option<PlainPrice>,
    ) {
        let (Some(price), PriceChange::Plain(prices)) = (price, &mut variant.prices) else {
            return;
        };
        match prices.iter().find(|known| known.currency == price.currency) {
            None => prices.push(price),
            Some(known) if *known == price => {}
            Some(_) => {
                let detail = format!("the SKU has another price in {} above", price.currency);
                self.refuse(row, Problem::new("price", "duplicate", detail));
            }
        }
    }

    fn variant(
        &mut self,
        row: &TableRow,
        sku: Sku,
        price: Option<PlainPrice>,
        is_described: bool,
    ) -> VariantRecord {
        let mut variant = VariantRecord::new(sku);
        variant.prices = PriceChange::Plain(price.into_iter().collect());
        // Rows of prices alone, without the product's row, say no more than prices.
        if !is_described {
            return variant;
        }
        variant.options = Field::Set(self.selected(row));
        variant.on_hand = self.integer(row, "inventory_count");
        variant.stock.oversell = match self.cell(row, "inventory_backorderable") {
            "" => Field::Keep,
            text if is_true(text) => Field::Set(Oversell::Backorder),
            _ => Field::Set(Oversell::Deny),
        };
        variant.stock.track = match self.cell(row, "track_inventory") {
            "" => Field::Keep,
            text => Field::Set(is_true(text)),
        };
        variant.tax_category = match self.cell(row, "tax_category") {
            "" => Field::Keep,
            "Default" | "default" => Field::Set("standard".to_owned()),
            other => Field::Set(slug::from_title(other).to_string()),
        };
        variant.weight_g = self.weight(row);
        variant.attributes = self.dimensions(row);
        variant
    }

    fn integer(&mut self, row: &TableRow, name: &str) -> Option<u32> {
        let text = self.cell(row, name);
        if text.is_empty() {
            return None;
        }
        let number = text.parse().ok();
        if number.is_none() {
            let detail = format!("'{text}' is not a whole number in range");
            self.refuse(row, Problem::new(name, "out_of_range", detail));
        }
        number
    }

    fn selected(&self, row: &TableRow) -> Vec<SelectedOption> {
        let options = (1..=OPTION_COLUMNS).filter_map(|number| {
            let name = self.cell(row, &format!("option{number}_name"));
            let value = self.cell(row, &format!("option{number}_value"));
            (!name.is_empty() && !value.is_empty())
                .then(|| SelectedOption { name: name.to_owned(), value: value.to_owned() })
        });
        options.collect()
    }

    fn weight(&mut self, row: &TableRow) -> Field<Option<u32>> {
        let text = self.cell(row, "weight");
        if text.is_empty() {
            return Field::Keep;
        }
        let unit = self.cell(row, "weight_unit");
        match grams(text, unit) {
            Some(grams) => Field::Set(Some(grams)),
            None => {
                let detail = format!("'{text} {unit}' is no weight in g, kg, lb or oz");
                self.refuse(row, Problem::new("weight", "out_of_range", detail));
                Field::Keep
            }
        }
    }

    fn dimensions(&self, row: &TableRow) -> MapChange<String, AttributeValue> {
        let mut change = MapChange::default();
        let unit = self.cell(row, "dimensions_unit");
        for name in ["width", "height", "depth"] {
            let value = self.cell(row, name);
            let value = (!value.is_empty()).then(|| AttributeValue::Number {
                value: value.to_owned(),
                unit: (!unit.is_empty()).then(|| unit.to_owned()),
            });
            change.entries.insert(name.to_owned(), value);
        }
        change
    }

    /// The product's pictures first, then the variants', each of which is the variant's own too.
    fn media(
        &self,
        own: Option<&TableRow>,
        rows: &[TableRow],
        variants: &mut [(u64, VariantRecord)],
        places: &BTreeMap<Sku, usize>,
    ) -> Vec<MediaRecord> {
        let mut media: Vec<MediaRecord> = Vec::new();
        let mut add = |address: &str| {
            if media.iter().all(|known| known.key != address) {
                media.push(MediaRecord::at(MediaKind::Image, address));
            }
        };
        own.into_iter().flat_map(|row| self.images(row)).for_each(&mut add);
        for row in rows.iter().filter(|row| own.is_none_or(|own| own.number != row.number)) {
            let images = self.images(row);
            images.iter().for_each(|image| add(image));
            let place = Sku::new(self.cell(row, "sku")).ok().and_then(|sku| places.get(&sku));
            if let (Some(place), false) = (place, images.is_empty()) {
                let images = images.into_iter().map(str::to_owned).collect();
                variants[*place].1.media = Field::Set(images);
            }
        }
        media
    }

    fn images<'r>(&self, row: &'r TableRow) -> Vec<&'r str> {
        let images = (1..=IMAGE_COLUMNS).map(|number| format!("image{number}_src"));
        images.map(|name| self.cell(row, &name)).filter(|image| !image.is_empty()).collect()
    }
}

fn is_true(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text == "1" || text.eq_ignore_ascii_case("yes")
}

fn options_of<'v>(variants: impl Iterator<Item = &'v VariantRecord>) -> Vec<ProductOption> {
    let mut options: Vec<ProductOption> = Vec::new();
    for selected in variants.filter_map(|variant| variant.options.as_set()).flatten() {
        match options.iter_mut().find(|option| option.name == selected.name) {
            Some(option) if option.values.contains(&selected.value) => {}
            Some(option) => option.values.push(selected.value.clone()),
            None => options.push(ProductOption {
                name: selected.name.clone(),
                values: vec![selected.value.clone()],
            }),
        }
    }
    options
}

/// A weight in whole grams, rounded half up, reckoned in integers.
fn grams(text: &str, unit: &str) -> Option<u32> {
    // Hundred thousandths of a gram in one of the unit.
    let factor: u128 = match unit {
        "g" => 100_000,
        "" | "kg" => 100_000_000,
        "lb" => 45_359_237,
        "oz" => 2_834_952,
        _ => return None,
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > 15 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?) * 100_000;
    let value = digits.parse::<u128>().ok()? * factor;
    u32::try_from((value + scale / 2) / scale).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_become_whole_grams() {
        for (text, unit, expected) in [
            ("19.8", "lb", Some(8981)),
            ("1", "lb", Some(454)),
            ("2.5", "kg", Some(2500)),
            ("0.4", "g", Some(0)),
            ("0.5", "g", Some(1)),
            ("16", "oz", Some(454)),
            ("heavy", "kg", None),
            ("-1", "kg", None),
            ("1", "stone", None),
        ] {
            assert_eq!(grams(text, unit), expected, "{text} {unit}");
        }
    }
}
