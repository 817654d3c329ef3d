//! Where a backup is written to and read from: a directory, or one .tar file. Writing goes to a
//! name beside the target, which is renamed at the end: what has the target's name is whole.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::manifest::FileEntry;

/// What the name of a backup ends in until it is whole.
const PARTIAL: &str = ".barrow-partial";

/// Whether the target is to be a file.
pub fn is_tar(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "tar")
}

/// A backup that is being written.
pub struct Writer {
    target: PathBuf,
    /// The name it has until it is whole.
    partial: PathBuf,
    tar: Option<tar::Builder<File>>,
    files: Vec<FileEntry>,
}

impl Writer {
    /// Begins a backup. The target must not exist.
    pub fn create(target: &Path) -> io::Result<Writer> {
        let mut partial = target.as_os_str().to_owned();
        partial.push(PARTIAL);
        let partial = PathBuf::from(partial);
        remove(&partial)?;
        let tar = match is_tar(target) {
            true => Some(tar::Builder::new(private_file(&partial)?)),
            false => {
                private_dir(&partial)?;
                None
            }
        };
        Ok(Writer { target: target.to_owned(), partial, tar, files: Vec::new() })
    }

    /// Adds a file that `fill` makes at the path it is given.
    pub fn file<E: From<io::Error>>(
        &mut self,
        path: &str,
        fill: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), E> {
        self.optional_file(path, |place| fill(place).map(|()| true))
    }

    /// The same, where `fill` may make none.
    pub fn optional_file<E: From<io::Error>>(
        &mut self,
        path: &str,
        fill: impl FnOnce(&Path) -> Result<bool, E>,
    ) -> Result<(), E> {
        let place = match &self.tar {
            // A tar file wants the size before the content, so it is written aside first.
            Some(_) => self.aside(),
            None => self.partial.join(path),
        };
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        if !fill(&place)? {
            return Ok(());
        }
        let mut hashing = Hashing::new(File::open(&place)?);
        let bytes = hashing.inner.metadata()?.len();
        match &mut self.tar {
            Some(tar) => {
                let mut header = tar::Header::new_gnu();
                header.set_size(bytes);
                header.set_mode(0o600);
                tar.append_data(&mut header, path, &mut hashing)?;
                fs::remove_file(&place)?;
            }
            None => {
                io::copy(&mut hashing, &mut io::sink())?;
                hashing.inner.sync_all()?;
            }
        }
        self.files.push(FileEntry { path: path.to_owned(), bytes, sha256: hashing.digest() });
        Ok(())
    }

    /// Where a file of a tar file is written before it is added.
    fn aside(&self) -> PathBuf {
        let mut path = self.partial.as_os_str().to_owned();
        path.push("-file");
        PathBuf::from(path)
    }

    /// The files so far.
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// Makes it durable and gives it its name.
    pub fn finish(mut self) -> io::Result<()> {
        match self.tar.take() {
            Some(tar) => tar.into_inner()?.sync_all()?,
            None => sync_dirs(&self.partial)?,
        }
        fs::rename(&self.partial, &self.target)?;
        match self.target.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => File::open(parent)?.sync_all(),
            None => File::open(".")?.sync_all(),
        }
    }
}

impl Drop for Writer {
    /// What was not finished is no backup and would only take room.
    fn drop(&mut self) {
        let _ = remove(&self.partial);
        let _ = remove(&self.aside());
    }
}

/// A backup that is being read.
pub struct Reader {
    root: PathBuf,
    /// Of a tar file: where each file's content begins, and its size.
    index: Option<BTreeMap<String, (u64, u64)>>,
}

impl Reader {
    pub fn open(root: &Path) -> io::Result<Reader> {
        let index = match root.is_dir() {
            true => None,
            false => Some(index_tar(root)?),
        };
        Ok(Reader { root: root.to_owned(), index })
    }

    /// Opens one of its files. Only names that the manifest holds are asked for, but that may
    /// have been tampered with, so a name never leads out of the backup.
    pub fn file(&self, path: &str) -> io::Result<Box<dyn Read>> {
        let plain = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("{path} is missing"));
        if !plain {
            return Err(missing());
        }
        let Some(index) = &self.index else {
            return Ok(Box::new(BufReader::new(File::open(self.root.join(path))?)));
        };
        let (position, bytes) = *index.get(path).ok_or_else(missing)?;
        let mut file = File::open(&self.root)?;
        file.seek(SeekFrom::Start(position))?;
        Ok(Box::new(BufReader::new(file.take(bytes))))
    }

    /// Where a file lies as a file of its own, if it does.
    pub fn place(&self, path: &str) -> Option<PathBuf> {
        self.index.is_none().then(|| self.root.join(path))
    }

    /// Reads a file to its end and says whether it is what its entry says.
    pub fn verify(&self, entry: &FileEntry) -> Result<(), String> {
        self.copy(entry, &mut io::sink())
    }

    /// Copies a file, and says whether it is what its entry says.
    pub fn copy(&self, entry: &FileEntry, to: &mut impl Write) -> Result<(), String> {
        let wrong = |what: String| format!("{}: {what}", entry.path);
        let input = self.file(&entry.path).map_err(|error| wrong(error.to_string()))?;
        let mut hashing = Hashing::new(input);
        let bytes = io::copy(&mut hashing, to).map_err(|error| wrong(error.to_string()))?;
        if (bytes, &hashing.digest()) != (entry.bytes, &entry.sha256) {
            return Err(wrong("the checksum does not fit; the backup is damaged".to_owned()));
        }
        Ok(())
    }
}

fn index_tar(path: &Path) -> io::Result<BTreeMap<String, (u64, u64)>> {
    let mut archive = tar::Archive::new(File::open(path)?);
    let entries = archive.entries_with_seek()?;
    entries
        .map(|entry| {
            let entry = entry?;
            let name = entry.path()?.to_string_lossy().into_owned();
            Ok((name, (entry.raw_file_position(), entry.size())))
        })
        .collect()
}

/// Hashes what is read through it.
struct Hashing<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Hashing<R> {
    fn new(inner: R) -> Hashing<R> {
        Hashing { inner, hash: Sha256::new() }
    }

    /// The checksum of all that was read, as `sha256sum` prints it.
    fn digest(self) -> String {
        self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}

/// Carts hold addresses: only this user may read them.
fn private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn private_dir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(path)
}

fn sync_dirs(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_dirs(&entry.path())?;
        }
    }
    File::open(path)?.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = match path.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    };
    removed.or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str) {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join(name);
        let mut writer = Writer::create(&target).unwrap();
        for (path, content) in [("store.backup", &b"one"[..]), ("media/p/b.png", &[9; 70_000])] {
            writer.file(path, |place| fs::write(place, content)).unwrap();
        }
        let files = writer.files().to_vec();
        assert!(!target.exists(), "it has no name before it is whole");
        writer.finish().unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");

        let reader = Reader::open(&target).unwrap();
        for file in &files {
            reader.verify(file).unwrap();
        }
        let mut content = Vec::new();
        reader.file("media/p/b.png").unwrap().read_to_end(&mut content).unwrap();
        assert_eq!(content, [9; 70_000]);
        assert!(reader.file("media/../store.backup").is_err());
        assert!(reader.file("media/missing").is_err());
        let other = FileEntry { sha256: files[1].sha256.clone(), ..files[0].clone() };
        assert!(reader.verify(&other).unwrap_err().contains("damaged"));
    }

    #[test]
    fn a_directory_is_read_as_it_was_written() {
        check("backup");
    }

    #[test]
    fn a_tar_file_is_read_as_it_was_written() {
        check("backup.tar");
    }

    #[test]
    fn what_was_not_finished_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["backup", "backup.tar"] {
            let mut writer = Writer::create(&dir.path().join(name)).unwrap();
            writer.file("a/b", |place| fs::write(place, b"one")).unwrap();
            drop(writer);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
