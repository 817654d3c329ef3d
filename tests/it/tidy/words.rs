//! One word per thing, and nothing left undone.

use super::{expect_none, files, read};

/// The word we do not use, and ours.
const SYNONYMS: &[(&str, &str)] =
    &[("basket", "cart"), ("fulfillment", "fulfilment"), ("shopping bag", "cart")];

/// What says that something is unfinished, or speaks of something else than the project.
const UNDONE: &[&str] = &["todo!(", "unimplemented!(", "TODO", "FIXME", "XXX:", "HACK", "#[ignore"];

fn is_this_check(name: &str) -> bool {
    name.starts_with("tests/it/tidy/")
}

#[test]
fn things_have_one_name() {
    let mut offences = Vec::new();
    for (name, path) in files(&[".rs", ".md", ".toml"]) {
        // The sample shop sells what it likes, baskets among it.
        let goods = name.starts_with("feeds/src/sample/") || name.contains("testdata");
        if is_this_check(&name) || goods {
            continue;
        }
        let text = read(&path).to_lowercase();
        for (synonym, ours) in SYNONYMS {
            if text.contains(synonym) {
                offences.push(format!("{name}: \"{synonym}\" is \"{ours}\" here"));
            }
        }
    }
    expect_none("words that are not ours", offences);
}

#[test]
fn nothing_is_left_undone() {
    let mut offences = Vec::new();
    for (name, path) in files(&[".rs", ".sh", "dev"]) {
        if is_this_check(&name) {
            continue;
        }
        let text = read(&path);
        for mark in UNDONE {
            if text.contains(mark) {
                offences.push(format!("{name}: {mark}"));
            }
        }
    }
    expect_none("left undone", offences);
}
