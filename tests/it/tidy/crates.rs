//! I1: the arrows between our crates. I2: what the engine may be built of. I3: who may use
//! ractor. And under which licences the rest comes.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

use super::{expect_none, files, read, root};

fn metadata() -> Metadata {
    let manifest = root().join("Cargo.toml");
    let mut command = MetadataCommand::new();
    command.manifest_path(manifest).other_options(vec!["--locked".into()]);
    command.exec().expect("cargo knows the workspace")
}

#[test]
fn i1_the_arrows_between_our_crates_point_as_designed() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("barrow-engine", &[][..]),
        ("barrow-cluster", &[]),
        ("barrow-actors", &["barrow-engine", "barrow-cluster"]),
        ("barrow-adapters", &["barrow-engine", "barrow-cluster"]),
        ("barrow-documents", &["barrow-engine"]),
        ("barrow-feeds", &["barrow-engine"]),
        (
            "barrow-api",
            &[
                "barrow-engine",
                "barrow-cluster",
                "barrow-actors",
                "barrow-adapters",
                "barrow-documents",
                "barrow-feeds",
            ],
        ),
    ]);
    let mut offences = Vec::new();
    for package in metadata().workspace_packages() {
        let Some(allowed) = allowed.get(package.name.as_str()) else { continue };
        for dependency in &package.dependencies {
            let ours = dependency.name.starts_with("barrow-");
            let shipped = dependency.kind == DependencyKind::Normal;
            if ours && shipped && !allowed.contains(&dependency.name.as_str()) {
                offences.push(format!("{} -> {}", package.name, dependency.name));
            }
        }
    }
    expect_none("arrows that the design does not have", offences);
}

#[test]
fn only_the_wiring_names_an_adapter() {
    let allowed = |path: &str| {
        path.starts_with("adapters/")
            || path.starts_with("tests/")
            || path.starts_with("benches/")
            || path.starts_with("api/src/wiring")
            || path.starts_with("api/tests/")
            || path.starts_with("feeds/tests/")
    };
    let offences = files(&[".rs"])
        .into_iter()
        .filter(|(name, path)| !allowed(name) && read(path).contains("barrow_adapters"))
        .map(|(name, _)| name)
        .collect();
    expect_none("an adapter is named outside the wiring", offences);
}

#[test]
fn i2_the_engine_is_built_of_nothing_that_runs_reads_or_rolls_dice() {
    let banned = [
        "tokio",
        "async-std",
        "smol",
        "futures-executor",
        "rand",
        "getrandom",
        "fastrand",
        "chrono",
        "uuid",
        "reqwest",
        "hyper",
        "axum",
        "sqlx",
        "fjall",
        "moka",
        "ractor",
        "mio",
        "socket2",
        "tempfile",
        "rustix",
    ];
    let metadata = metadata();
    let tree = dependency_tree(&metadata, "barrow-engine");
    let offences = banned.iter().filter(|name| tree.contains(**name)).map(ToString::to_string);
    expect_none("in the engine's dependency tree", offences.collect());
    assert!(tree.contains("serde"), "the tree was read");
}

/// The names of all crates that are linked into a package, build scripts and macros apart.
fn dependency_tree(metadata: &Metadata, package: &str) -> BTreeSet<String> {
    let nodes = &metadata.resolve.as_ref().expect("resolved").nodes;
    let by_id: BTreeMap<_, _> = nodes.iter().map(|node| (&node.id, node)).collect();
    let start = metadata.packages.iter().find(|p| p.name == package).expect("it is a member");
    let mut names = BTreeSet::new();
    let mut open = vec![&start.id];
    while let Some(id) = open.pop() {
        let package = &metadata[id];
        let is_macro = package.targets.iter().any(|t| t.is_proc_macro());
        if is_macro || !names.insert(package.name.to_string()) {
            continue;
        }
        for dependency in &by_id[id].deps {
            if dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal) {
                open.push(&dependency.pkg);
            }
        }
    }
    names
}

#[test]
fn i3_only_the_actor_runtime_knows_ractor() {
    let offences = files(&[".rs"])
        .into_iter()
        .filter(|(name, _)| !name.starts_with("actors/src/runtime/") && name != file!())
        .filter(|(_, path)| read(path).contains("ractor::"))
        .filter(|(name, _)| !name.starts_with("tests/it/tidy/"))
        .map(|(name, _)| name)
        .collect();
    expect_none("ractor is imported outside the runtime", offences);
}

/// Licences that ask for no more than to be named. An expression is fine if one of its
/// alternatives is made of these alone.
const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unlicense",
    "CC0-1.0",
    "BSL-1.0",
    "Unicode-3.0",
    "MIT-0",
    "CDLA-Permissive-2.0",
];

/// Crates that a kept one replaces, or that would bring a second TLS.
const BANNED: &[&str] = &["openssl-sys", "native-tls", "serde_yaml"];

#[test]
fn everything_that_is_linked_may_be_shipped() {
    let metadata = metadata();
    let shipped = dependency_tree(&metadata, "barrow-api");
    let mut offences = Vec::new();
    for package in metadata.packages.iter().filter(|p| shipped.contains(p.name.as_str())) {
        let licence = package.license.as_deref().unwrap_or("none");
        let expression = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX);
        let fine = expression.is_ok_and(|expression| {
            expression.evaluate(|requirement| LICENCES.contains(&requirement.to_string().as_str()))
        });
        if !fine {
            offences.push(format!("{} {}: licence {licence}", package.name, package.version));
        }
        if BANNED.contains(&package.name.as_str()) {
            offences.push(format!("{}: banned", package.name));
        }
        let source = package.source.as_ref();
        if source.is_some_and(|source| !source.is_crates_io()) {
            offences.push(format!("{}: not from the registry", package.name));
        }
    }
    expect_none("may not be shipped", offences);
}
