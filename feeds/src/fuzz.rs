//! Fuzz targets: the files that a catalog comes by. Whatever they hold, each row ends as a
//! record or as errors with a code and a place, however the file arrives in pieces.

use std::io::BufReader;
use std::path::PathBuf;
use std::sync::Arc;

use barrow_engine::money::Currency;
use barrow_fuzz::{INPUTS, Verdict, fuzz};

use crate::detect::format_of;
use crate::formats::cells::{
    attribute_cell, attribute_of_cell, guarded, join_list, split_list, unguarded,
};
use crate::formats::csv::CsvProducts;
use crate::formats::eshop::Eshop;
use crate::formats::foreign::ForeignOptions;
use crate::formats::jsonl::{JsonLines, read_line};
use crate::formats::retail_demo::{List, RetailDemo};
use crate::formats::spree::{self, Translations};
use crate::formats::table::{Broken, Table, delimiter_of};
use crate::record::Row;
use crate::slug;

const JSONL: &str = include_str!("../tests/data/rich.jsonl");

const CSV: &str = "slug,external_id,title,description,brand,status,collections,facet.color,\
    attr.material,option1_name,option1_value,option2_name,option2_value,sku,price.EUR,\
    compare_at.EUR,price.USD,tax_category,weight_g,stock,oversell,images,manual,title.de,\
    description.de\n\
    shirt,S-1,Linen shirt,\"Cool, \"\"airy\"\"\nand light\",Weber,active,shirts|summer,\
    white|sand,number:180 g,Size,S,Color,White,SHIRT-S,39.90,49.90,44.00,standard,180,12,\
    backorder,https://example.com/shirt.webp,,Leinenhemd,Kühl\n\
    shirt,,,,,,,,,,L,,White,SHIRT-L,39.90,,44.00,,190,,,,,,\n\
    gift-card,,Gift card,,,,,,,,,,,GIFT,25,,,zero,,,,,,,\n";

const SPREE: &str = "slug,sku,name,price,compare_at_price,currency,status,description,tags,\
    tax_category,category1,option1_name,option1_value,image1_src,width,dimensions_unit,weight,\
    weight_unit,available_on,inventory_count,inventory_backorderable,custom_field.custom.wattage\n\
    shoe,SHOE,Shoe,45,60.00,EUR,active,\"Runs, far\",sport,standard,Shoes -> Running,,,\
    https://example.com/a.webp,13.8,in,19.8,lb,2026-01-01,5,FALSE,12 W\n\
    shoe,SHOE-40,,45,,EUR,,,,,,Size,40,https://example.com/40.webp,,,,,,7,TRUE,\n\
    sock,SOCK,Sock,4.50,,EUR,,,,,,,,,,,,,,9,,\n\
    sock,SOCK,,4,,USD,,,,,,,,,,,,,,,,\n";

const TRANSLATED: &str = "slug,locale,name,description\n\
    shoe,de,Schuh,\"Läuft,\nweit\"\nshoe,fr,Chaussure,\nboot,de,Stiefel,\n";

const ESHOP: &str = r#"[
  {"Id": 1, "Type": "Footwear", "Brand": "Daybird", "Name": "Hiking Boots",
   "Description": "Sleek \"black\"", "Price": 109.99},
  {"Id": 2, "Type": "Climbing", "Brand": "Gravitator", "Name": "Harness", "Price": 1e2}
]"#;

const LAMPS: &str = "# a list\n- id: a-1\n  name: Night light\n  category: cold light\n  \
    style: small\n  description: Folds over\n    two lines\n  price: 100.00\n  current_stock: 3\n  \
    image: nolight.jpg\n  gender_affinity: F\n  featured: true\n- id: a-2\n  name: 1984\n  \
    category: books\n  description: |\n    - not an item\n  price: 0.1\n  current_stock: 0\n";

const CATEGORIES: &str =
    "- id: 1\n  name: apparel\n  image: 6b.jpg\n  has_gender_affinity: true\n- id: 2\n  name: x\n";

/// The longest text that tells what is wrong: a long one would bury the next.
const DETAIL_CHARS_MAX: usize = 1_000;

fn is_code(code: &str) -> bool {
    !code.is_empty() && code.bytes().all(|b| b.is_ascii_lowercase() || b"_8".contains(&b))
}

fn check_rows(bytes: &[u8], rows: &[Row]) {
    // Even where each byte is a row of its own, and the end tells what is wrong with the whole.
    assert!(rows.len() <= bytes.len() + 1, "{} rows", rows.len());
    for row in rows {
        assert!(row.read_bytes <= bytes.len() as u64, "{} read", row.read_bytes);
        let Err(errors) = &row.outcome else { continue };
        assert!(!errors.is_empty(), "a row that failed says why");
        for error in errors {
            assert!(is_code(error.code), "{}", error.code);
            let column = error.column.as_ref().map_or(0, |column| column.chars().count());
            assert!(column <= DETAIL_CHARS_MAX, "{}: {column}", error.code);
            let length = error.detail.chars().count();
            assert!((1..=DETAIL_CHARS_MAX).contains(&length), "{}: {length}", error.code);
        }
    }
}

type Pieces<'a> = BufReader<&'a [u8]>;

/// Reads a file as a whole and a few bytes at a time; both have to see the same.
fn check_file(name: &str, sample: &str, read: impl Fn(Pieces<'_>) -> Vec<Row>) {
    fuzz(name, INPUTS / 2, &[sample.as_bytes()], |bytes| {
        let rows = read(BufReader::new(bytes));
        check_rows(bytes, &rows);
        let in_pieces = read(BufReader::with_capacity(3, bytes));
        let seen = |rows: &[Row]| -> Vec<_> {
            rows.iter().map(|row| (row.position.clone(), row.outcome.clone())).collect()
        };
        assert_eq!(seen(&in_pieces), seen(&rows));
        (!rows.is_empty() && rows.iter().all(|row| row.outcome.is_ok())).into()
    });
}

fn options() -> ForeignOptions {
    ForeignOptions { currency: Currency::from_code("EUR").unwrap() }
}

fn file() -> Arc<str> {
    "a".into()
}

fn folder() -> PathBuf {
    PathBuf::from("/nowhere")
}

#[test]
fn fuzz_json_lines() {
    check_file("json_lines", JSONL, |input| JsonLines::new(input, file(), 0).collect());
    let samples: Vec<&[u8]> = JSONL.lines().map(str::as_bytes).collect();
    fuzz("json_line", INPUTS, &samples, |bytes| {
        let read = read_line(bytes);
        for problem in read.as_ref().err().into_iter().flatten() {
            assert!(is_code(problem.code), "{problem:?}");
            assert!(problem.pointer.is_empty() || problem.pointer.starts_with('/'), "{problem:?}");
        }
        Verdict::of(&read)
    });
}

fn table(input: Pieces<'_>) -> Result<Table<Pieces<'_>>, Broken> {
    Table::open(input, b',')
}

#[test]
fn fuzz_csv() {
    check_file("csv", CSV, |input| CsvProducts::new(table(input), folder(), file(), 0).collect());
}

#[test]
fn fuzz_foreign_tables() {
    check_file("spree_products", SPREE, |input| {
        let source = spree::Source { table: table(input), file: file(), input: 0 };
        spree::products(source, options(), &mut Translations::default())
    });
    check_file("spree_translations", TRANSLATED, |input| {
        let source = spree::Source { table: table(input), file: file(), input: 0 };
        let (translations, mut rows) = spree::translations(source);
        rows.extend(translations.rest(&file(), 0));
        rows
    });
}

#[test]
fn fuzz_foreign_lists() {
    check_file("eshop", ESHOP, |input| Eshop::new(input, options(), folder(), file(), 0).collect());
    for (name, sample, list) in [
        ("retail_demo_products", LAMPS, List::Products),
        ("retail_demo_categories", CATEGORIES, List::Categories),
    ] {
        check_file(name, sample, |input| {
            RetailDemo::new(input, list, options(), folder(), file(), 0).collect()
        });
    }
}

#[test]
fn fuzz_the_look_at_a_file() {
    let samples = [JSONL, CSV, SPREE, TRANSLATED, ESHOP, LAMPS, CATEGORIES].map(str::as_bytes);
    fuzz("formats", INPUTS, &samples, |bytes| {
        assert!(b",;\t|".contains(&delimiter_of(bytes)));
        let format = format_of(bytes);
        if let Err(detail) = &format {
            assert!((1..=DETAIL_CHARS_MAX).contains(&detail.len()), "{detail}");
        }
        Verdict::of(&format)
    });
}

#[test]
fn fuzz_cells() {
    let samples: [&[u8]; 6] =
        [b"number:1400 W", b"list:a|b\\|c", b"date:2026-11-22", b"'=1", b"boolean:true", b"text:x"];
    fuzz("cells", INPUTS, &samples, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        assert_eq!(unguarded(&guarded(&text)), text);
        let list = split_list(&text);
        assert_eq!(split_list(&join_list(&list)), list);
        let value = attribute_of_cell(&text);
        if let Ok(value) = &value {
            assert_eq!(attribute_of_cell(&attribute_cell(value)).as_ref(), Ok(value));
        }
        Verdict::of(&value)
    });
}

#[test]
fn fuzz_slugs_of_titles() {
    fuzz("titles", INPUTS, &["Größe 2: Öl & Weiß".as_bytes(), b"Oak-Table"], |bytes| {
        let made = slug::from_title(&String::from_utf8_lossy(bytes));
        assert_eq!(slug::from_title(made.as_str()), made, "a slug stays what it is");
        assert!(slug::numbered(&made, u32::MAX).as_str().ends_with("-4294967295"));
        Verdict::Taken
    });
}
