//! What is restored is what was backed up, or nothing is.

use std::fs;
use std::path::{Path, PathBuf};

use super::manifest::{COMMERCE, MANIFEST, STORE};
use super::write::media_keys;
use super::*;

const ROWS: &[u8] = &[7; 100_000];

const ORDERS: &[u8] = b"orders";

/// Stores that have rows, and orders in a file.
struct Full;

impl Source for Full {
    fn rows(&self, to: &Path, progress: &mut dyn FnMut(u64)) -> Result<u64, String> {
        progress(10);
        fs::write(to, ROWS).map(|()| 25).map_err(|error| error.to_string())
    }

    fn commerce(&self, to: &Path) -> Result<bool, String> {
        fs::write(to, ORDERS).map(|()| true).map_err(|error| error.to_string())
    }
}

/// What was handed over to be loaded.
#[derive(Default)]
struct Loaded {
    rows: Vec<u8>,
    commerce: Vec<u8>,
}

impl Target for Loaded {
    fn rows(&mut self, from: &Path, progress: &mut dyn FnMut(u64)) -> Result<u64, String> {
        self.rows = fs::read(from).unwrap();
        progress(25);
        Ok(25)
    }

    fn commerce(&mut self, from: &Path) -> Result<(), String> {
        self.commerce = fs::read(from).unwrap();
        Ok(())
    }
}

/// A media folder with two files, and one that is being written.
fn media(dir: &Path) -> PathBuf {
    let media = dir.join("media");
    fs::create_dir_all(media.join("p")).unwrap();
    fs::write(media.join("p/one.webp"), b"picture").unwrap();
    fs::write(media.join("manual.pdf"), b"manual").unwrap();
    fs::write(media.join("p/two.webp#1"), b"being written").unwrap();
    media
}

fn check(name: &str) {
    let dir = tempfile::tempdir().unwrap();
    let from = media(dir.path());
    let to = dir.path().join(name);
    let mut seen = Vec::new();
    let written = write(&Full, &from, &to, &mut |done| seen.push(done)).unwrap();
    assert_eq!((written.rows, written.media_files, seen), (25, 2, vec![10, 26, 27]));

    let target = dir.path().join("restored");
    let mut loaded = Loaded::default();
    let mut seen = Vec::new();
    let scratch = dir.path().join("scratch");
    let restored =
        restore(&to, &target, &scratch, &mut loaded, &mut |done, of| seen.push((done, of)))
            .unwrap();
    assert_eq!((restored.rows, restored.media_files), (25, 2));
    assert_eq!(restored.bytes, written.bytes);
    assert_eq!(seen, [(25, 27), (26, 27), (27, 27)]);
    assert_eq!((&*loaded.rows, &*loaded.commerce), (ROWS, ORDERS));
    assert_eq!(fs::read(target.join("p/one.webp")).unwrap(), b"picture");
    assert_eq!(media_keys(&target).unwrap(), ["manual.pdf", "p/one.webp"]);
    assert!(!scratch.exists());

    let again = write(&Full, &from, &to, &mut |_| {}).unwrap_err();
    assert!(again.contains("there already"), "{again}");
}

#[test]
fn a_directory_restores_to_what_was_there() {
    check("backup");
}

#[test]
fn a_tar_file_restores_to_what_was_there() {
    check("backup.tar");
}

/// Writes a backup, spoils it, and tells how the restore refuses it.
fn refused(spoil: impl FnOnce(&Path)) -> String {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("backup");
    write(&Full, &media(dir.path()), &to, &mut |_| {}).unwrap();
    spoil(&to);
    let target = dir.path().join("restored");
    let (scratch, mut loaded) = (dir.path().join("s"), Loaded::default());
    let refusal = restore(&to, &target, &scratch, &mut loaded, &mut |_, _| {}).unwrap_err();
    assert!(!target.exists() && loaded.rows.is_empty() && loaded.commerce.is_empty());
    refusal
}

#[test]
fn a_damaged_backup_is_refused_before_anything_is_written() {
    for file in [STORE, COMMERCE, "media/p/one.webp"] {
        let refusal = refused(|to| {
            let mut content = fs::read(to.join(file)).unwrap();
            content[3] ^= 1;
            fs::write(to.join(file), content).unwrap();
        });
        assert!(refusal.contains(file) && refusal.contains("damaged"), "{refusal}");
        let refusal = refused(|to| fs::remove_file(to.join(file)).unwrap());
        assert!(refusal.contains(file), "{refusal}");
    }
    let refusal = refused(|to| fs::remove_file(to.join(MANIFEST)).unwrap());
    assert!(refusal.contains("not a backup"), "{refusal}");
}

#[test]
fn a_backup_of_a_newer_build_is_refused() {
    let refusal = refused(|to| {
        let path = to.join(MANIFEST);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("\"format\": 2", "\"format\": 3")).unwrap();
    });
    assert!(refusal.contains("format 3"), "{refusal}");
}

/// Stores that break while they are read.
struct Broken;

impl Source for Broken {
    fn rows(&self, to: &Path, _: &mut dyn FnMut(u64)) -> Result<u64, String> {
        fs::write(to, b"half").unwrap();
        Err("the store is gone".to_owned())
    }

    fn commerce(&self, _: &Path) -> Result<bool, String> {
        Ok(false)
    }
}

#[test]
fn a_backup_that_fails_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["backup", "backup.tar"] {
        let error = write(&Broken, &dir.path().join("m"), &dir.path().join(name), &mut |_| {});
        assert!(error.unwrap_err().contains("the store is gone"));
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
