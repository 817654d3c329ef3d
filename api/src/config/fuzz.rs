//! Fuzz targets: the configuration file and the texts of its values.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use barrow_fuzz::{INPUTS, INPUTS_FEW, Verdict, fuzz};

use super::*;

const FILE: &str = "profile = 'embedded'\n[server]\nlisten = '127.0.0.1:1'\nheader_timeout = \
    '30s'\ntrusted_proxies = ['10.0.0.0/8']\n[limits]\nbody = '1MiB'\nrequests = 2_048\n[auth]\n\
    signing_key = '0123456789abcdef0123456789abcdef-secret'\n[actors]\nmax_hot = 100\n";

#[test]
fn fuzz_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("barrow.toml");
    let from = |text: &[u8]| {
        std::fs::write(&path, text).unwrap();
        load(&Sources { file: Some(path.clone()), ..Sources::default() })
    };
    let manual = manual();
    fuzz("config_files", INPUTS_FEW, &[FILE.as_bytes(), manual.as_bytes()], |bytes| {
        let loaded = from(bytes);
        match &loaded {
            Ok(loaded) => {
                let printed = to_toml(&loaded.config);
                assert!(!printed.contains("cdef-secret"), "{printed}");
                // A masked key is too short to be taken for one.
                let printed = printed.replace(MASK, "0123456789abcdef0123456789abcdef");
                let again = from(printed.as_bytes()).expect("what is printed can be read");
                assert_eq!(to_toml(&again.config), to_toml(&loaded.config));
            }
            Err(error) => {
                assert!(!error.problems.is_empty());
                // What is said of a secret, and of a text that is no file at all, shows neither.
                let mut shown = error
                    .problems
                    .iter()
                    .filter(|problem| problem.key.is_empty() || problem.key == "auth.signing_key");
                assert!(shown.all(|problem| !problem.what.contains("cdef-secret")), "{error}");
            }
        }
        Verdict::of(&loaded)
    });
}

fn check<T>(name: &str, samples: &[&str])
where
    T: FromStr<Err = String> + Display + Debug + PartialEq,
{
    let samples: Vec<&[u8]> = samples.iter().map(|text| text.as_bytes()).collect();
    fuzz(name, INPUTS, &samples, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        let value = text.parse::<T>();
        match &value {
            Ok(value) => assert_eq!(value.to_string().parse::<T>().as_ref(), Ok(value)),
            Err(why) => assert!(!why.is_empty()),
        }
        Verdict::of(&value)
    });
}

#[test]
fn fuzz_values() {
    check::<Span>("spans", &["500ms", "30s", "1h 30m", "30days"]);
    check::<Size>("sizes", &["512B", "64KiB", "1.5 MiB", "2GB"]);
    check::<Address>("listen_addresses", &["127.0.0.1:8080", "[::1]:8080", "localhost:0"]);
    check::<Network>("networks", &["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"]);
}
