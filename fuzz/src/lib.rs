//! Fuzzing of whatever reads bytes from outside, on stable Rust: valid samples are mutated, and
//! the decoder is asked what it makes of them. An input that fails is made as small as it can be,
//! kept in `corpus`, and tried first from then on.
//!
//! The targets stand beside the decoders, each in a test of its own. A target answers whether it
//! took the input; it panics where a property does not hold.

mod mutate;

use std::fs;
use std::path::{Path, PathBuf};

use proptest::arbitrary::any;
use proptest::collection::vec;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

pub use mutate::{EDITS_MAX, Edit, MUTANT_BYTES_MAX, mutant};

/// Inputs of a target in an everyday run: with all targets together a few seconds.
pub const INPUTS: u32 = 2_000;
/// For targets that go through files.
pub const INPUTS_FEW: u32 = 200;
/// How many times as many `BARROW_TEST_LONG=1` tries.
const LONG_FACTOR: u32 = 100;

/// Whether the target took an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Taken,
    Refused,
}

impl Verdict {
    pub fn of<T, E>(result: &Result<T, E>) -> Verdict {
        if result.is_ok() { Verdict::Taken } else { Verdict::Refused }
    }
}

impl From<bool> for Verdict {
    fn from(taken: bool) -> Verdict {
        if taken { Verdict::Taken } else { Verdict::Refused }
    }
}

/// Tries the samples as they are, all that failed before, and so many mutants of both. The
/// samples have to be taken: else the mutants would not reach deep.
///
/// # Panics
/// Where a property of the target does not hold; the smallest input that was found is kept.
pub fn fuzz(name: &str, inputs: u32, samples: &[&[u8]], target: impl Fn(&[u8]) -> Verdict) {
    assert!(!samples.is_empty(), "{name} needs a sample");
    for (index, sample) in samples.iter().enumerate() {
        let told = Telling(format!("sample {index} of {name}"));
        assert_eq!(target(sample), Verdict::Taken, "{}", told.0);
    }
    let corpus = corpus(name);
    let mut all: Vec<Vec<u8>> = samples.iter().map(|sample| sample.to_vec()).collect();
    for path in failed_before(&corpus) {
        let _told = Telling(path.display().to_string());
        let bytes = fs::read(&path).expect("the corpus can be read");
        target(&bytes);
        all.push(bytes);
    }
    let long = std::env::var("BARROW_TEST_LONG").is_ok_and(|long| long == "1");
    let cases = if long { inputs.saturating_mul(LONG_FACTOR) } else { inputs };
    // The input itself is kept, not the seed that led to it: that outlives the mutator.
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let strategy = (0..all.len(), vec(any::<Edit>(), 1..=EDITS_MAX));
    let result = TestRunner::new(config).run(&strategy, |(sample, edits)| {
        let verdict = target(&mutant(&all, sample, &edits));
        std::hint::black_box(verdict);
        Ok::<(), TestCaseError>(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Abort(reason)) => panic!("{name}: {reason}"),
        Err(TestError::Fail(reason, (sample, edits))) => {
            let input = mutant(&all, sample, &edits);
            let path = keep(&corpus, &input);
            let text = String::from_utf8_lossy(&input);
            panic!("{name}: {reason}\ninput, kept as {}: {text:?}", path.display());
        }
    }
}

/// Says which input it was if the target panics on it.
struct Telling(String);

impl Drop for Telling {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was {}", self.0);
        }
    }
}

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name)
}

fn failed_before(corpus: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(corpus) else { return Vec::new() };
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.expect("the corpus can be read").path()).collect();
    paths.sort();
    paths
}

fn keep(corpus: &Path, input: &[u8]) -> PathBuf {
    let path = corpus.join(format!("{:016x}", xxhash_rust::xxh3::xxh3_64(input)));
    // Where nothing can be written, the message has it.
    let _ = fs::create_dir_all(corpus).and_then(|()| fs::write(&path, input));
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planted_fault_is_found_and_made_small() {
        // What panics on a length that lies, deep within a text that is mostly sound.
        let target = |bytes: &[u8]| {
            let Some((length, text)) = bytes.split_first() else { return Verdict::Refused };
            if !text.starts_with(b"{") || text.last() != Some(&b'}') {
                return Verdict::Refused;
            }
            assert!(usize::from(*length) <= text.len(), "it reads beyond the end");
            Verdict::Taken
        };
        let corpus = corpus("planted");
        let found = std::panic::catch_unwind(|| {
            fuzz("planted", INPUTS, &[b"\x05{abcdefgh}"], target);
        });
        let kept = failed_before(&corpus);
        let small: Vec<usize> = kept.iter().map(|path| fs::read(path).unwrap().len()).collect();
        fs::remove_dir_all(&corpus).unwrap();
        assert!(found.is_err(), "the fault was not found");
        assert!(matches!(small[..], [length] if length <= 32), "{small:?}");
    }

    #[test]
    #[should_panic(expected = "sample 0 of refused")]
    fn a_sample_that_is_refused_is_told() {
        fuzz("refused", 1, &[b"a"], |_| Verdict::Refused);
    }
}
