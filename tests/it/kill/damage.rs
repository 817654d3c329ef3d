//! Files that a disk gave back wrong: the start is refused, or what it serves is a state that
//! the shop was in; never one it was not in.

use std::fs;
use std::path::{Path, PathBuf};

use barrow_tests::server::{Ended, Launch, Server};
use serde_json::Value;
use tempfile::TempDir;

use super::{copy_folder, files, stocked};
use crate::support::goods::{self, bulk_sku};
use crate::support::{Cart, Client, import};

/// Changes of the cart before the kill.
const CHANGES: usize = 60;

/// What a killed server left, and every state of its cart that a client was told.
struct Remains {
    folder: TempDir,
    token: String,
    path: String,
    /// By version, from 1.
    states: Vec<Value>,
}

impl Remains {
    async fn make() -> Remains {
        let (folder, launch) = stocked();
        // The last write of all may be lost with its frame: no cart is about this one.
        import(folder.path(), &goods::lines(&[goods::never_wanted()]));
        let server = launch.start();
        let guest = Client::of(&server.url).guest().await;
        let cart: Cart = guest.cart().await;
        let mut states = vec![cart.read().await];
        for n in 0..CHANGES {
            states.push(cart.add(&bulk_sku(n), 1 + n % 3).ok().await);
        }
        tokio::task::spawn_blocking(|| server.kill()).await.unwrap();
        Remains { folder, token: guest.token.unwrap(), path: cart.path, states }
    }

    /// The file of the log that was written to.
    fn log(&self, folder: &Path) -> PathBuf {
        let files = files(&folder.join("data/store/log"));
        files.into_iter().max_by_key(|path| written(&fs::read(path).unwrap())).unwrap()
    }

    /// The end of what was written in it; behind it lie zeros.
    fn written(&self) -> usize {
        written(&fs::read(self.log(self.folder.path())).unwrap())
    }

    /// Changes the log of a copy, and starts a server on it.
    fn damaged(&self, change: impl FnOnce(&mut Vec<u8>)) -> (TempDir, Result<Server, Ended>) {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(&self.folder.path().join("data"), &copy.path().join("data"));
        let log = self.log(copy.path());
        let mut bytes = fs::read(&log).unwrap();
        change(&mut bytes);
        fs::write(&log, bytes).unwrap();
        let started = Launch::at(copy.path()).try_start();
        (copy, started)
    }

    /// How many changes are there; every field is as it was told at that version.
    async fn changes_found(&self, server: &Server) -> usize {
        let client = Client::of(&server.url).with_token(&self.token);
        let reply = client.get(&self.path).send().await;
        if reply.status == 404 {
            return 0;
        }
        let cart = reply.is(200).json();
        let version = cart["version"].as_u64().unwrap() as usize;
        assert_eq!(cart, self.states[version - 1], "a state the cart was never in");
        // What was recovered takes changes again.
        let shelf = Cart { client, path: self.path.clone() };
        let next = shelf.add(&bulk_sku(CHANGES + 1), 1).ok().await;
        assert_eq!(next["version"].as_u64().unwrap() as usize, version + 1);
        version
    }
}

/// Behind what was written may lie zeros that nobody reads.
fn written(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

/// A refusal that a person can act on.
fn is_clear(ended: &Ended) {
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.err.contains("damage"), "{ended:#?}");
    assert!(ended.err.contains("backup"), "it says what to do: {ended:#?}");
    assert!(!ended.err.contains("panicked"), "{ended:#?}");
}

/// Each second what is in the log is moved to the tables, and damage to the log does no harm to
/// it. Should that have been just before the kill, there was nothing to damage: once more.
const TRIES: usize = 3;

#[tokio::test]
async fn a_cut_tail_is_recovered_to_a_state_that_was() {
    for _ in 0..TRIES {
        let remains = Remains::make().await;
        let written = remains.written();
        let (_copy, whole) = remains.damaged(|_| {});
        let found = remains.changes_found(&whole.expect("nothing was damaged")).await;
        assert_eq!(found, CHANGES + 1, "all of it is there");
        let mut before = CHANGES + 1;
        // Each write begins in a block of its own, of 4,096 bytes.
        for cut in [1, 333, 5_000, 9_000, 30_000] {
            let (_copy, started) = remains.damaged(|bytes| bytes.truncate(written - cut));
            let server = started.expect("a torn tail is what a crash leaves");
            let found = remains.changes_found(&server).await;
            assert!(found <= before && found > 0, "cut by {cut}: {found} of {before}");
            before = found;
        }
        if before < CHANGES {
            return;
        }
    }
    panic!("the cuts did not cut");
}

#[tokio::test]
async fn a_flipped_bit_is_refused_or_undone_and_never_served() {
    for _ in 0..TRIES {
        let remains = Remains::make().await;
        let written = remains.written();
        let mut refused = 0;
        for (index, place) in [10, 30, 50, 70, 90, 95].into_iter().enumerate() {
            let at = written * place / 100;
            let (_copy, started) = remains.damaged(|bytes| bytes[at] ^= 1 << index);
            match started {
                Err(ended) => {
                    is_clear(&ended);
                    refused += 1;
                }
                // Only where nothing that was acknowledged lies behind, or is there otherwise.
                Ok(server) => {
                    let found = remains.changes_found(&server).await;
                    assert!(found >= CHANGES, "{found} of {CHANGES} at {place} %");
                }
            }
        }
        // The last write, which a crash could have torn.
        let (_copy, started) = remains.damaged(|bytes| bytes[written - 10] ^= 0x20);
        match started {
            Err(ended) => is_clear(&ended),
            Ok(server) => assert!(remains.changes_found(&server).await >= CHANGES),
        }
        if refused > 0 {
            return;
        }
    }
    panic!("no start was refused");
}

#[tokio::test]
async fn a_lost_journal_or_log_is_not_an_empty_shop() {
    let remains = Remains::make().await;
    let is_journal = |path: &Path| path.extension().is_some_and(|it| it == "jnl" || it == "log");
    for file in files(&remains.folder.path().join("data/store")) {
        if !is_journal(&file) {
            continue;
        }
        let copy = tempfile::tempdir().unwrap();
        copy_folder(&remains.folder.path().join("data"), &copy.path().join("data"));
        fs::remove_file(copy.path().join(file.strip_prefix(remains.folder.path()).unwrap()))
            .unwrap();
        let Err(ended) = Launch::at(copy.path()).try_start() else {
            panic!("a shop without {file:?} is served");
        };
        is_clear(&ended);
    }
}

/// What became of a start on damaged files.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Came {
    /// Refused, with a message that a person can act on.
    Refused,
    /// It serves, but says that it cannot read the cart.
    Withheld,
    /// It serves an earlier state, and has said that it dropped something.
    Recovered,
    /// It serves what was acknowledged, all of it.
    Whole,
}

impl Remains {
    /// Damages a file of the store, by its path below the store, and starts a server on it.
    async fn with_damage(&self, file: &Path, change: impl FnOnce(&mut Vec<u8>)) -> Came {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(&self.folder.path().join("data"), &copy.path().join("data"));
        let path = copy.path().join("data/store").join(file);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let launch = Launch::at(copy.path());
        let started = tokio::task::spawn_blocking(|| launch.try_start()).await.unwrap();
        let server = match started {
            Ok(server) => server,
            Err(ended) => {
                assert!(matches!(ended.code, Some(1 | 4)), "{file:?}: {ended:#?}");
                assert!(ended.err.contains("error: "), "{file:?}: {ended:#?}");
                assert!(ended.err.contains("data/store"), "it says where: {file:?}: {ended:#?}");
                assert!(!ended.err.contains("panicked"), "{file:?}: {ended:#?}");
                return Came::Refused;
            }
        };
        let client = Client::of(&server.url).with_token(&self.token);
        let reply = client.get(&self.path).send_unchecked().await;
        if reply.status == 503 {
            assert_eq!(reply.json()["code"], "unavailable", "{file:?}: {reply:#?}");
            return Came::Withheld;
        }
        let found = self.changes_found(&server).await;
        if found == self.states.len() {
            return Came::Whole;
        }
        assert!(server.said().contains("WARN"), "{file:?}: {found} changes, and not a word");
        Came::Recovered
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_file_is_damaged_nothing_wrong_is_served() {
    let remains = Remains::make().await;
    let store = remains.folder.path().join("data/store");
    let mut came = Vec::new();
    for path in files(&store) {
        let file = path.strip_prefix(&store).unwrap();
        if written(&fs::read(&path).unwrap()) == 0 {
            continue;
        }
        let flipped = remains.with_damage(file, |bytes| {
            let at = written(bytes) / 2;
            bytes[at] ^= 0x04;
        });
        came.push((flipped.await, "flipped", file.to_owned()));
        // Of a log, some of the last changes.
        let cut = remains.with_damage(file, |bytes| {
            let end = written(bytes);
            bytes.truncate(end - end.div_ceil(10).min(2_000));
        });
        came.push((cut.await, "cut", file.to_owned()));
    }
    assert!(came.len() > 30, "{came:#?}");
    let refused = came.iter().filter(|(came, ..)| *came == Came::Refused).count();
    // What holds no data, the locks, does no harm.
    assert!(refused * 2 > came.len(), "{refused} were refused: {came:#?}");
    let lost = came.iter().any(|(came, how, _)| *came == Came::Recovered && *how == "flipped");
    assert!(!lost, "a flipped bit costs no change: {came:#?}");
}
