//! Fuzz targets: what a backup says of itself, and the file it comes in.

use std::fs;
use std::io::Read;

use barrow_fuzz::{INPUTS, INPUTS_FEW, Verdict, fuzz};

use super::archive::{Reader, Writer};
use super::manifest::{FileEntry, Manifest};

#[test]
fn fuzz_manifests() {
    let entry = |path: &str| FileEntry { path: path.into(), bytes: 3, sha256: "00".repeat(32) };
    let manifest = Manifest {
        format: 1,
        barrow: "0.1.0".into(),
        made_at: "2026-11-22T10:00:00Z".into(),
        rows: 12,
        files: vec![entry("store.backup"), entry("media/p/b.png")],
    };
    let sample = serde_json::to_vec_pretty(&manifest).unwrap();
    let largest = String::from_utf8(sample.clone()).unwrap();
    let largest = largest.replace("\"bytes\": 3", "\"bytes\": 18446744073709551615");
    fuzz("manifests", INPUTS, &[&sample, largest.as_bytes()], |bytes| {
        let read = Manifest::read(bytes);
        match &read {
            Ok(manifest) => {
                let written = serde_json::to_vec(manifest).unwrap();
                assert_eq!(Manifest::read(&written).as_ref(), Ok(manifest));
                let _ = (manifest.store(), manifest.media().count(), manifest.bytes());
            }
            Err(why) => assert!(!why.is_empty()),
        }
        Verdict::of(&read)
    });
}

#[test]
fn fuzz_archives() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tar");
    let mut writer = Writer::create(&path).unwrap();
    for (name, content) in [("store.backup", &b"rows"[..]), ("media/p/b.png", &[9; 600])] {
        writer.file(name, |place| fs::write(place, content)).unwrap();
    }
    let files = writer.files().to_vec();
    writer.finish().unwrap();
    let sample = fs::read(&path).unwrap();
    fuzz("archives", INPUTS_FEW, &[&sample], |bytes| {
        fs::write(&path, bytes).unwrap();
        let Ok(reader) = Reader::open(&path) else { return Verdict::Refused };
        let mut whole = true;
        for file in &files {
            let Ok(()) = reader.verify(file) else {
                whole = false;
                continue;
            };
            let mut content = Vec::new();
            reader.file(&file.path).unwrap().read_to_end(&mut content).unwrap();
            assert_eq!(content.len() as u64, file.bytes);
        }
        for outside in ["../store.backup", "/etc/hostname", "media/../../x", "", "."] {
            assert!(reader.file(outside).is_err(), "{outside}");
        }
        whole.into()
    });
}
