//! The size and shape of source files.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::{expect_none, files, read};

/// A file that is longer holds more than one thing.
const FILE_LINES_MAX: usize = 500;
/// A function that is longer is read in pieces anyway.
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 100;

#[test]
fn files_and_lines_are_short() {
    let mut offences = Vec::new();
    for (name, path) in files(&[".rs"]) {
        let text = read(&path);
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            offences.push(format!("{name}: {lines} lines"));
        }
        for (line, number) in text.lines().zip(1..) {
            if line.chars().count() > LINE_COLUMNS_MAX {
                offences.push(format!("{name}:{number}: {} columns", line.chars().count()));
            }
        }
    }
    expect_none("too long", offences);
}

#[derive(Default)]
struct LongFunctions {
    found: Vec<(String, usize)>,
}

impl LongFunctions {
    fn measure(&mut self, name: &syn::Ident, body: &syn::Block) {
        let span = body.span();
        let lines = span.end().line - span.start().line + 1;
        if lines > FUNCTION_LINES_MAX {
            self.found.push((name.to_string(), lines));
        }
    }
}

impl<'ast> Visit<'ast> for LongFunctions {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig.ident, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig.ident, &function.block);
        visit::visit_impl_item_fn(self, function);
    }
}

#[test]
fn functions_are_short() {
    let mut offences = Vec::new();
    for (name, path) in files(&[".rs"]) {
        let file = syn::parse_file(&read(&path)).expect("it compiles, so it parses");
        let mut long = LongFunctions::default();
        long.visit_file(&file);
        for (function, lines) in long.found {
            offences.push(format!("{name}: {function} has {lines} lines"));
        }
    }
    expect_none("functions too long", offences);
}

#[test]
fn every_module_says_what_it_is() {
    let offences = files(&[".rs"])
        .into_iter()
        .filter(|(_, path)| {
            let text = read(path);
            !text.trim_start().starts_with("//!")
        })
        .map(|(name, _)| name)
        .collect();
    expect_none("opens without a `//!` paragraph", offences);
}
