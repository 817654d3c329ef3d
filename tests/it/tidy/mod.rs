//! The house rules, kept by a test: which crate may know which, how long a file and a function
//! may be, which words are ours, what may be shipped.

mod crates;
mod docs;
mod sources;
mod words;

use std::path::{Path, PathBuf};

/// The project's root folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the root").to_owned()
}

/// Every file below the folders of the house that ends in one of `endings`, with its path from
/// the root.
pub fn files(endings: &[&str]) -> Vec<(String, PathBuf)> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the tree can be read") {
            let path = entry.expect("the tree can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !["target", ".git", "node_modules"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let from_root = path.strip_prefix(&root).expect("it lies below the root");
                found.push((from_root.to_string_lossy().into_owned(), path));
            }
        }
    }
    found.sort();
    assert!(found.len() > 3, "the walk found the tree");
    found
}

pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a source file is UTF-8 text")
}

/// Fails with all of them at once, one a line.
pub fn expect_none(rule: &str, offences: Vec<String>) {
    assert!(offences.is_empty(), "{rule}:\n  {}", offences.join("\n  "));
}
