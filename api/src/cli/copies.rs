//! `barrow backup` and `barrow restore`.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::Loaded;
use crate::wiring::{self, Stores};

use super::args::{BackupArgs, RestoreArgs};
use super::backup::{self, Source, Target, Written};
use super::control::{self, Request};
use super::data_dir::{self, DataDir, LockState};
use super::failure::Failure;
use super::output;
use super::progress::Progress;

/// What a backup tells a machine.
#[derive(Debug, Serialize)]
struct BackupReport {
    #[serde(flatten)]
    written: Written,
    /// Whether a running server wrote it.
    while_serving: bool,
}

/// Asks the server that runs on the data directory for a backup, or writes it here.
pub fn backup(args: &BackupArgs, loaded: &Loaded) -> Result<(), Failure> {
    let data = loaded.config.data_dir();
    if data_dir::lock_state(data)? == LockState::Unused {
        return Err(Failure::refused(format!("there is nothing to save in {}", data.display()))
            .hint("name the data directory with --data"));
    }
    // The server may run elsewhere: it is told the whole path.
    let to = std::path::absolute(&args.to)?;
    let mut progress = Progress::start("saving", "rows and files", None);
    let request = Request::Backup { to: to.clone() };
    let answer = control::ask::<Written>(data, &request, |done| progress.set(done, None));
    let (written, while_serving) = match answer {
        Ok(Some(answer)) => (answer.map_err(Failure::refused)?, true),
        Ok(None) => (write_here(loaded, &to, &mut progress)?, false),
        Err(error) => {
            return Err(Failure::unreachable(format!("the running server: {error}"))
                .hint("look at its log, and try again"));
        }
    };
    progress.finish();
    if args.json {
        return output::json(&BackupReport { written, while_serving });
    }
    let Written { to, rows, media_files, bytes } = written;
    let size = bytesize::ByteSize(bytes).display().iec();
    let to = to.display();
    output::line(&format!("{to}: {rows} rows and {media_files} media files, {size}"))
}

fn write_here(loaded: &Loaded, to: &Path, progress: &mut Progress) -> Result<Written, Failure> {
    let config = &loaded.config;
    let data = DataDir::lock(config.data_dir(), "backup")?;
    let stores = super::runtime()?.block_on(super::open_stores(config, &data))?;
    write(&stores, &config.media_dir(), to, &mut |done| progress.set(done, None))
        .map_err(Failure::refused)
}

/// Writes a backup of open stores.
pub fn write(
    stores: &Stores,
    media: &Path,
    to: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Written, String> {
    backup::write(stores, media, to, progress)
}

impl Source for Stores {
    fn rows(&self, to: &Path, progress: &mut dyn FnMut(u64)) -> Result<u64, String> {
        self.dump(to, progress)
    }

    fn commerce(&self, to: &Path) -> Result<bool, String> {
        self.dump_commerce(to)
    }
}

/// An empty data directory.
struct Empty<'a>(&'a Path);

impl Target for Empty<'_> {
    fn rows(&mut self, from: &Path, progress: &mut dyn FnMut(u64)) -> Result<u64, String> {
        wiring::load(from, self.0, progress)
    }

    fn commerce(&mut self, from: &Path) -> Result<(), String> {
        wiring::load_commerce(from, self.0)
    }
}

/// Puts a backup into an empty data directory.
pub fn restore(args: &RestoreArgs, loaded: &Loaded) -> Result<(), Failure> {
    let config = &loaded.config;
    let (path, media) = (config.data_dir(), config.media_dir());
    for directory in [path, &media] {
        if !data_dir::is_empty(directory)? {
            return Err(Failure::refused(format!("{} is not empty", directory.display()))
                .hint("restore into an empty directory; name one with --data"));
        }
    }
    let was_there = path.exists();
    let data = DataDir::lock(path, "restore")?;
    let mut progress = Progress::start("restoring", "rows and files", None);
    let scratch = data.path().join("restore.unpacked");
    let restored = backup::restore(
        &args.from,
        &media,
        &scratch,
        &mut Empty(data.path()),
        &mut |done, total| progress.set(done, Some(total)),
    );
    progress.finish();
    let restored = match restored {
        Ok(restored) => restored,
        Err(what) => {
            // It was empty before: what is there now is half a restore, and of no use.
            let left = leftovers(&data, &media);
            drop(data);
            clear(path, was_there, &left);
            return Err(Failure::refused(what).hint("nothing was restored; try another backup"));
        }
    };
    if args.json {
        return output::json(&restored);
    }
    let backup::Restored { rows, media_files, bytes, made_at } = restored;
    let size = bytesize::ByteSize(bytes).display().iec();
    let path = data.path().display();
    output::line(&format!(
        "{path}: {rows} rows and {media_files} media files, {size}, verified; saved {made_at}"
    ))
}

fn leftovers(data: &DataDir, media: &Path) -> Vec<PathBuf> {
    let inside = |path| std::fs::read_dir(path).into_iter().flatten().flatten();
    let entries = inside(data.path()).chain(inside(media));
    entries.map(|entry| entry.path()).collect()
}

/// Makes the directory as empty as it was. What cannot be removed is told by the next attempt.
fn clear(path: &Path, was_there: bool, leftovers: &[PathBuf]) {
    for left in leftovers {
        let _ = match left.is_dir() {
            true => std::fs::remove_dir_all(left),
            false => std::fs::remove_file(left),
        };
    }
    if !was_there {
        let _ = std::fs::remove_dir(path);
    }
}
