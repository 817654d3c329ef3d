//! A backup is what was there, and what is restored is what was backed up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::restore::Target;
use super::*;

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// Stores in memory, shared so that a test can look at what was restored.
#[derive(Debug, Clone, Default)]
struct Memory {
    tables: Arc<Mutex<BTreeMap<String, Rows>>>,
    /// Loses the last row of each batch, as a store that lies would.
    is_lossy: bool,
}

impl Snapshot for Memory {
    fn tables(&self) -> Vec<String> {
        self.tables.lock().unwrap().keys().cloned().collect()
    }

    fn rows(
        &self,
        table: &str,
        each: &mut dyn FnMut(&[u8], &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let rows = self.tables.lock().unwrap().get(table).cloned().unwrap_or_default();
        rows.iter().try_for_each(|(key, value)| each(key, value))
    }
}

impl Target for Memory {
    fn put(&mut self, table: &str, mut rows: Vec<(Vec<u8>, Vec<u8>)>) -> io::Result<()> {
        if self.is_lossy {
            rows.pop();
        }
        self.tables.lock().unwrap().entry(table.to_owned()).or_default().extend(rows);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<Box<dyn Snapshot + '_>> {
        Ok(Box::new(self.clone()))
    }
}

fn filled() -> Memory {
    let rows = (0..2_500u32).map(|n| (n.to_be_bytes().to_vec(), vec![7; n as usize % 90]));
    let tables = BTreeMap::from([
        ("entities".to_owned(), rows.collect()),
        ("empty".to_owned(), Rows::new()),
    ]);
    Memory { tables: Arc::new(Mutex::new(tables)), is_lossy: false }
}

/// A media folder with a picture, and with what is none.
fn media(dir: &Path) -> PathBuf {
    let media = dir.join("media");
    std::fs::create_dir_all(media.join("p")).unwrap();
    std::fs::write(media.join("p/one.webp"), b"picture").unwrap();
    std::fs::write(media.join("manual.pdf"), b"manual").unwrap();
    std::fs::write(media.join("p/two.webp#1"), b"being written").unwrap();
    media
}

fn check(name: &str) {
    let dir = tempfile::tempdir().unwrap();
    let (from, source) = (media(dir.path()), filled());
    let to = dir.path().join(name);
    let summary = write(&source, &from, &to, &mut |_| Ok(())).unwrap();
    assert_eq!((summary.rows, summary.media_files), (2_500, 2));

    let restored_media = dir.path().join("restored");
    let target = Memory::default();
    let open = || Ok(Box::new(target.clone()) as Box<dyn Target>);
    let restored = restore(&to, &restored_media, open, &mut |_, _| {}).unwrap();
    assert_eq!((restored.rows, restored.media_files), (2_500, 2));
    assert_eq!(restored.bytes, summary.bytes);
    assert_eq!(*target.tables.lock().unwrap(), *source.tables.lock().unwrap());
    assert_eq!(std::fs::read(restored_media.join("p/one.webp")).unwrap(), b"picture");
    assert_eq!(media_keys(&restored_media).unwrap(), ["manual.pdf", "p/one.webp"]);

    let again = write(&source, &from, &to, &mut |_| Ok(())).unwrap_err();
    assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
}

#[test]
fn a_directory_restores_to_what_was_there() {
    check("backup");
}

#[test]
fn a_tar_file_restores_to_what_was_there() {
    check("backup.tar");
}

#[test]
fn a_damaged_backup_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("backup");
    write(&filled(), &media(dir.path()), &to, &mut |_| Ok(())).unwrap();
    for file in ["tables/entities", "media/p/one.webp"] {
        let path = to.join(file);
        let whole = std::fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        damaged[3] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        let open = || -> io::Result<Box<dyn Target>> { panic!("the stores were opened") };
        let refusal = restore(&to, &dir.path().join("r"), open, &mut |_, _| {}).unwrap_err();
        assert!(refusal.contains(file) && refusal.contains("damaged"), "{refusal}");
        std::fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn a_store_that_loses_rows_is_found_out() {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("backup");
    write(&filled(), &media(dir.path()), &to, &mut |_| Ok(())).unwrap();
    let open = || {
        let lossy = Memory { is_lossy: true, ..Memory::default() };
        Ok(Box::new(lossy) as Box<dyn Target>)
    };
    let refusal = restore(&to, &dir.path().join("r"), open, &mut |_, _| {}).unwrap_err();
    assert!(refusal.contains("entities is not what was saved"), "{refusal}");
}

#[test]
fn a_backup_of_a_newer_build_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("backup");
    write(&filled(), &media(dir.path()), &to, &mut |_| Ok(())).unwrap();
    let path = to.join(MANIFEST);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"format\": 1", "\"format\": 2")).unwrap();
    let open = || -> io::Result<Box<dyn Target>> { panic!("the stores were opened") };
    let refusal = restore(&to, &dir.path().join("r"), open, &mut |_, _| {}).unwrap_err();
    assert!(refusal.contains("format 2"), "{refusal}");
}

#[test]
fn a_backup_that_is_given_up_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("backup");
    let give_up = &mut |done| match done {
        100 => Err(io::Error::other("stopped")),
        _ => Ok(()),
    };
    write(&filled(), &media(dir.path()), &to, give_up).unwrap_err();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "only the media folder");
}
