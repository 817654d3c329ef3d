//! Addresses of the shop that carry their own permission: what may be done, until when, and a
//! keyed hash of both. Nothing is stored of them, so any number may be given away.

use std::fmt::Write;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use barrow_engine::ports::{Clock, GateError, SIGNED_TTL_MAX, Seal, SignedRequest, Upload};
use barrow_engine::time::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The key that addresses are signed with, and the clock by which they expire.
pub struct MediaSigning {
    key: [u8; 32],
    clock: Arc<dyn Clock>,
}

impl MediaSigning {
    /// With a key that somebody keeps: all who serve the same shop need the same.
    pub fn new(key: [u8; 32], clock: Arc<dyn Clock>) -> MediaSigning {
        MediaSigning { key, clock }
    }

    /// With the key in this file, which is made if there is none. Losing it costs no more than
    /// the addresses that have not expired.
    pub fn load(file: &Path, clock: Arc<dyn Clock>) -> io::Result<MediaSigning> {
        let key = match std::fs::read(file) {
            Ok(bytes) => bytes.try_into().map_err(|_| {
                let what = format!("{} is not a key of 32 bytes; remove it", file.display());
                io::Error::other(what)
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => make_key(file)?,
            Err(error) => return Err(error),
        };
        Ok(MediaSigning { key, clock })
    }

    pub(super) fn upload(&self, upload: &Upload, ttl: Duration) -> SignedRequest {
        let seal = self.seal_of_upload(upload, ttl);
        let url = format!(
            "/media/{}?content_type={}&bytes={}&sha256={}&expires={}&signature={}",
            upload.key,
            utf8_percent_encode(&upload.content_type, NON_ALPHANUMERIC),
            upload.bytes,
            hex(&upload.sha256),
            seal.expires,
            seal.signature
        );
        SignedRequest {
            method: "PUT",
            url,
            headers: vec![("content-type".to_owned(), upload.content_type.clone())],
            expires_at: Timestamp(seal.expires.saturating_mul(1_000)),
        }
    }

    pub(super) fn download(&self, key: &str, ttl: Duration) -> String {
        let expires = self.expires(ttl);
        let signature = self.sign(&download_text(key, expires));
        format!("/media/{key}?expires={expires}&signature={}", signature.to_hex())
    }

    pub(super) fn seal_of_upload(&self, upload: &Upload, ttl: Duration) -> Seal {
        let expires = self.expires(ttl);
        let signature = self.sign(&upload_text(upload, expires));
        Seal { expires, signature: signature.to_hex().to_string() }
    }

    pub(super) fn check_upload(&self, upload: &Upload, seal: &Seal) -> Result<(), GateError> {
        self.check(&upload_text(upload, seal.expires), seal)
    }

    pub(super) fn check_download(&self, key: &str, seal: &Seal) -> Result<(), GateError> {
        self.check(&download_text(key, seal.expires), seal)
    }

    /// The signature first: of a forged address not even the time is looked at.
    fn check(&self, text: &str, seal: &Seal) -> Result<(), GateError> {
        let said = blake3::Hash::from_hex(&seal.signature).map_err(|_| GateError::NotSigned)?;
        // Hashes compare in constant time.
        if said != self.sign(text) {
            return Err(GateError::NotSigned);
        }
        match self.clock.now().as_millis() < seal.expires.saturating_mul(1_000) {
            true => Ok(()),
            false => Err(GateError::Expired),
        }
    }

    fn sign(&self, text: &str) -> blake3::Hash {
        blake3::keyed_hash(&self.key, text.as_bytes())
    }

    /// The next full second after the time is over.
    fn expires(&self, ttl: Duration) -> i64 {
        let millis = self.clock.now().plus(ttl.min(SIGNED_TTL_MAX)).as_millis();
        millis.div_euclid(1_000) + i64::from(millis.rem_euclid(1_000) > 0)
    }
}

/// What is signed. Of the fields only the content type could hold a line break, and as a number of
/// fixed form stands on either side of it, two uploads never have one text.
fn upload_text(upload: &Upload, expires: i64) -> String {
    let Upload { key, content_type, bytes, sha256 } = upload;
    format!("PUT\n{key}\n{expires}\n{content_type}\n{bytes}\n{}", hex(sha256))
}

fn download_text(key: &str, expires: i64) -> String {
    format!("GET\n{key}\n{expires}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes what is written to it");
        text
    })
}

/// Readable by nobody else, and under its name only when all of it is on the disk.
fn make_key(file: &Path) -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let fresh = file.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut written = options.open(&fresh)?;
    written.write_all(&key)?;
    written.sync_all()?;
    std::fs::rename(&fresh, file)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stands still at this many milliseconds.
    struct At(i64);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            Timestamp(self.0)
        }

        fn uptime(&self) -> Duration {
            Duration::ZERO
        }
    }

    fn at(millis: i64) -> MediaSigning {
        MediaSigning::new([1; 32], Arc::new(At(millis)))
    }

    fn upload() -> Upload {
        Upload {
            key: "a.png".to_owned(),
            content_type: "image/png".to_owned(),
            bytes: 10,
            sha256: [9; 32],
        }
    }

    #[test]
    fn a_seal_holds_until_its_second() {
        let seal = at(10_500).seal_of_upload(&upload(), Duration::from_secs(2));
        assert_eq!(seal.expires, 13);
        for (now, holds) in [(0, true), (12_999, true), (13_000, false), (99_000, false)] {
            let checked = at(now).check_upload(&upload(), &seal);
            assert_eq!(checked, if holds { Ok(()) } else { Err(GateError::Expired) }, "{now}");
        }
        let longest = at(0).seal_of_upload(&upload(), Duration::MAX);
        assert_eq!(longest.expires, 7 * 24 * 3600);
    }

    #[test]
    fn a_seal_is_of_everything_that_was_said() {
        let signing = at(0);
        let seal = signing.seal_of_upload(&upload(), Duration::from_secs(9));
        let changes: [fn(&mut Upload); 5] = [
            |upload| upload.key = "b.png".to_owned(),
            |upload| upload.content_type = "image/gif".to_owned(),
            |upload| upload.bytes += 1,
            |upload| upload.sha256[31] = 0,
            |upload| upload.content_type = "image/png\n10".to_owned(),
        ];
        for change in changes {
            let mut changed = upload();
            change(&mut changed);
            assert_eq!(signing.check_upload(&changed, &seal), Err(GateError::NotSigned));
        }
        let later = Seal { expires: seal.expires + 1, ..seal.clone() };
        assert_eq!(signing.check_upload(&upload(), &later), Err(GateError::NotSigned));
        assert_eq!(signing.check_download("a.png", &seal), Err(GateError::NotSigned));
        let other = MediaSigning::new([2; 32], Arc::new(At(0)));
        assert_eq!(other.check_upload(&upload(), &seal), Err(GateError::NotSigned));
        for signature in ["", "00", "ä", &"0".repeat(64), &"0".repeat(65)] {
            let forged = Seal { signature: signature.to_owned(), ..seal.clone() };
            assert_eq!(signing.check_upload(&upload(), &forged), Err(GateError::NotSigned));
        }
    }

    #[test]
    fn a_key_is_made_once_and_is_nobody_elses() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("deeper/media.key");
        let load = || MediaSigning::load(&file, Arc::new(At(0)));
        let seal = load().expect("it is made").seal_of_upload(&upload(), Duration::from_secs(9));
        let again = load().expect("it is read");
        assert_eq!(again.check_upload(&upload(), &seal), Ok(()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&file).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::write(&file, b"short").expect("it can be written");
        let error = load().err().expect("it is no key").to_string();
        assert!(error.contains("media.key is not a key of 32 bytes"), "{error}");
    }
}
