//! The documentation says what is the case: each public code has its page, and what the pages
//! name (files, tests, other pages) is there.

use std::collections::BTreeSet;
use std::path::Path;

use barrow_api::edge::Code;

use super::{expect_none, files, read, root};

/// The overview of the codes; every other page in its folder is one code's.
const OVERVIEW: &str = "README.md";

#[test]
fn every_code_has_its_page_and_every_page_its_code() {
    let folder = root().join("docs/errors");
    let pages: BTreeSet<String> = std::fs::read_dir(&folder)
        .expect("the codes have pages")
        .map(|entry| entry.expect("the folder can be read").file_name())
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name != OVERVIEW)
        .collect();
    let codes: BTreeSet<String> =
        Code::ALL.iter().map(|code| format!("{}.md", code.as_str())).collect();
    assert_eq!(pages, codes, "the pages in docs/errors, and the codes in use");
    let overview = read(&folder.join(OVERVIEW));
    let unlisted = codes.iter().filter(|page| !overview.contains(&format!("({page})")));
    expect_none("not in the overview of the codes", unlisted.cloned().collect());
}

/// What a reader looks for on the page of a code; that it fits its code, `api` checks.
const PARTS: &[&str] = &["## When\n", "## What to do\n", "## Example\n"];

#[test]
fn the_page_of_a_code_has_all_its_parts() {
    let mut offences = Vec::new();
    for code in Code::ALL {
        let name = code.as_str();
        let page = read(&root().join(format!("docs/errors/{name}.md")));
        let lacking = PARTS.iter().filter(|part| !page.contains(**part));
        offences.extend(lacking.map(|part| format!("{name}: {}", part.trim())));
    }
    expect_none("missing on the pages of codes", offences);
}

/// Our own pages, with their paths from the root.
fn pages() -> Vec<(String, String)> {
    let mut pages: Vec<(String, String)> = files(&[".md"])
        .into_iter()
        .filter(|(name, _)| name == "README.md" || name.starts_with("docs/"))
        .map(|(name, path)| (name, read(&path)))
        .collect();
    pages.retain(|(_, text)| !text.is_empty());
    assert!(pages.len() > 30, "the documentation was found");
    pages
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut offences = Vec::new();
    for (name, text) in pages() {
        let folder = Path::new(&name).parent().map_or_else(root, |folder| root().join(folder));
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            let is_ours = !target.is_empty() && !target.contains("://");
            if is_ours && !folder.join(target).exists() {
                offences.push(format!("{name}: {link}"));
            }
        }
    }
    expect_none("links that lead nowhere", offences);
}

/// What stands between single backticks, code blocks apart.
fn quoted(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|part| part.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn files_that_are_named_are_there() {
    const ROOMS: &[&str] = &[
        "engine/",
        "cluster/",
        "actors/",
        "adapters/",
        "feeds/",
        "api/",
        "tests/",
        "benches/",
        "fuzz/",
        "docs/",
        ".ci/",
    ];
    let mut offences = Vec::new();
    let mut seen = 0;
    for (name, text) in pages() {
        for path in quoted(&text) {
            let is_path = ROOMS.iter().any(|room| path.starts_with(room));
            // In a recipe, NAME stands for what the reader makes; a star for several files.
            let is_pattern = path.contains("NAME") || path.contains(['*', '{', ' ']);
            if is_path && !is_pattern {
                seen += 1;
                if !root().join(path).exists() {
                    offences.push(format!("{name}: {path}"));
                }
            }
        }
    }
    expect_none("files that are named and not there", offences);
    assert!(seen > 50, "paths were found: {seen}");
}

/// A name of this many words is that of a test, or of a function: it has to exist.
const TEST_NAME_WORDS_MIN: usize = 5;

#[test]
fn tests_that_are_named_exist() {
    let sources: Vec<String> = files(&[".rs"]).iter().map(|(_, path)| read(path)).collect();
    let mut offences = Vec::new();
    let mut seen = 0;
    for (name, text) in pages() {
        for word in quoted(&text) {
            let is_name =
                word.bytes().all(|b| b.is_ascii_lowercase() || b"_0123456789".contains(&b));
            let is_figure = word.starts_with("barrow_");
            if is_name && !is_figure && word.split('_').count() >= TEST_NAME_WORDS_MIN {
                seen += 1;
                let defined = format!("fn {word}(");
                if !sources.iter().any(|source| source.contains(&defined)) {
                    offences.push(format!("{name}: {word}"));
                }
            }
        }
    }
    expect_none("tests that are named and not there", offences);
    assert!(seen > 20, "names of tests were found: {seen}");
}
