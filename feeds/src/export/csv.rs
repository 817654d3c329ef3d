//! The products as a table: a row a variant, in the columns that the products need. They are
//! read twice, first for the columns, then for the rows.

use std::collections::{BTreeSet, HashMap};
use std::io::Write;

use barrow_engine::catalog::{MediaKind, Product, Sku, Slug, StockPolicy, Variant};
use barrow_engine::inventory::{DEFAULT_LOCATION, Level};
use barrow_engine::ports::levels_of;
use barrow_engine::pricing::Price;
use serde::Serialize;

use super::{ExportError, ExportSummary, Pages, Source};
use crate::formats::cells::{attribute_cell, guarded, join_list};
use crate::formats::columns::Column;
use crate::plan::is_plain;

/// The most columns of a table: what spreadsheets take is 16,384; beyond this nobody reads it.
const COLUMNS_MAX: usize = 2_000;

pub async fn export(
    source: Source<'_>,
    out: &mut (dyn Write + Send),
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<ExportSummary, ExportError> {
    let columns = columns_needed(source).await?;
    let mut summary = ExportSummary::default();
    let mut writer = ::csv::Writer::from_writer(out);
    writer.write_record(columns.iter().map(Column::to_string))?;
    let mut pages = Pages::of(source);
    loop {
        let page = pages.next().await?;
        if page.is_empty() {
            break;
        }
        let skus: Vec<Sku> =
            page.iter().flat_map(|product| &product.variants).map(|v| v.sku.clone()).collect();
        let (here, elsewhere): (Vec<Level>, Vec<Level>) = levels_of(source.stock, &skus)
            .await?
            .into_iter()
            .partition(|level| level.location.as_str() == DEFAULT_LOCATION);
        summary.leave_out("stock at other locations than the default one", elsewhere.len());
        let levels: HashMap<Sku, u64> =
            here.into_iter().map(|level| (level.sku, level.on_hand)).collect();
        summary.stock_levels += levels.len() as u64;
        for product in &page {
            for row in rows(product, &levels) {
                let cells = columns.iter().map(|column| row.cell(column));
                writer.write_record(cells)?;
            }
            note_left_out(product, &mut summary);
            summary.products += 1;
        }
        progress(summary.products);
    }
    writer.flush()?;
    let collections = source.products.collections().await?;
    summary.collections = collections.len() as u64;
    let with_more = collections.iter().filter(|collection| {
        collection.parent.is_some()
            || collection.image.is_some()
            || collection.title != crate::slug::to_title(&collection.slug)
    });
    let with_more = with_more.count();
    summary.leave_out("titles, parents and pictures of collections", with_more);
    Ok(summary)
}

async fn columns_needed(source: Source<'_>) -> Result<Vec<Column>, ExportError> {
    let mut columns: BTreeSet<Column> = [
        Column::Slug,
        Column::ExternalId,
        Column::Title,
        Column::Description,
        Column::Brand,
        Column::Status,
        Column::Collections,
        Column::OptionName(1),
        Column::OptionValue(1),
        Column::OptionName(2),
        Column::OptionValue(2),
        Column::Sku,
        Column::TaxCategory,
        Column::WeightG,
        Column::Stock,
        Column::Oversell,
        Column::Images,
        Column::Manual,
    ]
    .into();
    let mut pages = Pages::of(source);
    loop {
        let page = pages.next().await?;
        if page.is_empty() {
            break;
        }
        for product in &page {
            columns.extend(product.facets.keys().cloned().map(Column::Facet));
            columns.extend(product.attributes.keys().cloned().map(Column::Attribute));
            for number in 1..=product.options.len() {
                columns.extend([Column::OptionName(number), Column::OptionValue(number)]);
            }
            for price in product.variants.iter().flat_map(|variant| &variant.prices) {
                let currency = price.amount.currency;
                columns.extend([Column::Price(currency), Column::CompareAt(currency)]);
            }
            for locale in product.translations.keys() {
                let locale = locale.clone();
                columns.extend([Column::TitleIn(locale.clone()), Column::DescriptionIn(locale)]);
            }
        }
        if columns.len() > COLUMNS_MAX {
            let detail = format!(
                "the products need more than {COLUMNS_MAX} columns; export JSON Lines instead"
            );
            return Err(ExportError::Write(std::io::Error::other(detail)));
        }
    }
    let mut columns: Vec<Column> = columns.into_iter().collect();
    columns.sort_by_key(Column::place);
    Ok(columns)
}

/// One row: a variant, and on the first one the product.
struct CsvRow<'p> {
    product: &'p Product,
    /// Whether the product's columns are filled.
    first: bool,
    variant: Option<&'p Variant>,
    on_hand: Option<u64>,
}

fn rows<'p>(product: &'p Product, levels: &HashMap<Sku, u64>) -> Vec<CsvRow<'p>> {
    if product.variants.is_empty() {
        return vec![CsvRow { product, first: true, variant: None, on_hand: None }];
    }
    let variants = product.variants.iter().enumerate();
    variants
        .map(|(index, variant)| CsvRow {
            product,
            first: index == 0,
            variant: Some(variant),
            on_hand: levels.get(&variant.sku).copied(),
        })
        .collect()
}

impl CsvRow<'_> {
    fn cell(&self, column: &Column) -> String {
        match column {
            // Each row names its product, so that rows may be sorted and filtered.
            Column::Slug => self.product.slug.to_string(),
            column if column.is_of_product() => {
                if self.first {
                    guarded(&self.product_cell(column))
                } else {
                    String::new()
                }
            }
            Column::OptionName(number) => {
                let option = self.product.options.get(*number - 1);
                guarded(&option.map(|option| option.name.clone()).unwrap_or_default())
            }
            column => {
                let cell = self.variant.map(|variant| self.variant_cell(variant, column));
                guarded(&cell.unwrap_or_default())
            }
        }
    }

    fn product_cell(&self, column: &Column) -> String {
        let product = self.product;
        let media = |kind: MediaKind| {
            let media = product.media.iter().filter(|media| media.kind == kind);
            join_list(&media.map(|media| media.key.as_str()).collect::<Vec<_>>())
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        match column {
            Column::ExternalId => text(&product.external_id),
            Column::Title => product.title.clone(),
            Column::Description => product.description.clone(),
            Column::Brand => text(&product.brand),
            Column::Status => word(&product.status),
            Column::Collections => {
                join_list(&product.collections.iter().map(Slug::as_str).collect::<Vec<_>>())
            }
            Column::Facet(code) => {
                product.facets.get(code).map(|values| join_list(values)).unwrap_or_default()
            }
            Column::Attribute(key) => {
                product.attributes.get(key).map(attribute_cell).unwrap_or_default()
            }
            Column::Images => media(MediaKind::Image),
            Column::Manual => media(MediaKind::Manual),
            Column::TitleIn(locale) => {
                product.translations.get(locale).map(|it| text(&it.title)).unwrap_or_default()
            }
            Column::DescriptionIn(locale) => {
                product.translations.get(locale).map(|it| text(&it.description)).unwrap_or_default()
            }
            _ => String::new(),
        }
    }

    fn variant_cell(&self, variant: &Variant, column: &Column) -> String {
        let plain = |currency| {
            variant.prices.iter().find(|it| it.amount.currency == currency && is_plain(it))
        };
        match column {
            Column::OptionValue(number) => variant
                .options
                .get(*number - 1)
                .map(|selected| selected.value.clone())
                .unwrap_or_default(),
            Column::Sku => variant.sku.to_string(),
            Column::Price(currency) => {
                plain(*currency).map(|price| price.amount.to_decimal()).unwrap_or_default()
            }
            Column::CompareAt(currency) => plain(*currency)
                .and_then(|price| price.compare_at)
                .map(|amount| amount.to_decimal())
                .unwrap_or_default(),
            Column::TaxCategory => variant.tax_category.clone(),
            Column::WeightG => variant.weight_g.map(|g| g.to_string()).unwrap_or_default(),
            Column::Stock => self.on_hand.map(|units| units.to_string()).unwrap_or_default(),
            Column::Oversell => word(&variant.stock.oversell),
            _ => String::new(),
        }
    }
}

/// One of the catalog's own words, as JSON has it.
fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// What the table does not say of the product.
fn note_left_out(product: &Product, summary: &mut ExportSummary) {
    let variants = &product.variants;
    let prices = || variants.iter().flat_map(|variant| &variant.prices);
    let count = |matches: &dyn Fn(&Price) -> bool| prices().filter(|price| matches(price)).count();
    summary.leave_out(
        "prices of channels, customer groups, quantities and times",
        count(&|price| !is_plain(price)),
    );
    let same = |a: &Price, b: &Price| a.amount.currency == b.amount.currency;
    let doubled = variants.iter().flat_map(|variant| {
        let plain: Vec<&Price> = variant.prices.iter().filter(|price| is_plain(price)).collect();
        plain
            .iter()
            .enumerate()
            .filter(|(index, price)| plain[..*index].iter().any(|other| same(other, price)))
            .map(|_| ())
            .collect::<Vec<_>>()
    });
    summary.leave_out("further plain prices in one currency", doubled.count());
    summary.leave_out("publishing times", usize::from(product.publish_at.is_some()));
    summary.leave_out("channels of products", usize::from(!product.channels.is_empty()));
    summary.leave_out("texts for search engines", usize::from(product.seo != Default::default()));
    summary.leave_out("places among featured products", usize::from(product.featured.is_some()));
    summary.leave_out("former slugs", product.former_slugs.len());
    let slugs = product.translations.values().filter(|it| it.slug.is_some()).count();
    summary.leave_out("translated slugs", slugs);
    let media = &product.media;
    let videos = media.iter().filter(|media| media.kind == MediaKind::Video).count();
    summary.leave_out("videos", videos);
    let alts = media.iter().filter(|media| !media.alt.is_empty()).count();
    summary.leave_out("alternative texts of media", alts);
    let of_variants = variants.iter().filter(|variant| !variant.media.is_empty()).count();
    summary.leave_out("media of variants", of_variants);
    let attributes = variants.iter().map(|variant| variant.attributes.len()).sum();
    summary.leave_out("attributes of variants", attributes);
    let rules = variants.iter().filter(|variant| {
        let StockPolicy { track, oversell: _, oversell_limit, expected_at, max_per_customer } =
            &variant.stock;
        !track || oversell_limit.is_some() || expected_at.is_some() || max_per_customer.is_some()
    });
    let rules = rules.count();
    summary.leave_out("stock rules beyond 'oversell'", rules);
    summary.leave_out(
        "reviews",
        product.rating.map_or(0, |rating| {
            rating.rating().map_or(0, |rating| usize::try_from(rating.count).unwrap_or(usize::MAX))
        }),
    );
}
