//! Requests to S3 that carry their permission in their address (SigV4, query form). By hand, as
//! the client library leaves `Content-Length` out of what it signs, and a size that nobody signed
//! is a size that nobody promised.

use std::fmt::Write;
use std::time::Duration;

use barrow_engine::ports::SIGNED_TTL_MAX;
use barrow_engine::time::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use object_store::aws::AwsCredential;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

/// What SigV4 leaves as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Who signs, where and when.
pub(super) struct Signer<'a> {
    pub credential: &'a AwsCredential,
    pub region: &'a str,
    pub now: Timestamp,
    pub ttl: Duration,
}

impl Signer<'_> {
    /// `url` has no query, and a path that needs no escapes. Whoever makes the request has to
    /// send `headers` as they are, with names in lower case.
    pub fn sign(&self, method: &str, url: &str, headers: &[(&str, String)]) -> String {
        let (_, address) = url.split_once("://").unwrap_or(("", url));
        let (host, path) = address.split_at(address.find('/').unwrap_or(address.len()));
        let path = if path.is_empty() { "/" } else { path };
        let mut headers = headers.to_vec();
        headers.push(("host", host.to_owned()));
        headers.sort();
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let query = self.query(&names);
        let mut request = format!("{method}\n{path}\n{query}\n");
        for (name, value) in &headers {
            let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
            writeln!(request, "{name}:{value}").expect("a text takes what is written to it");
        }
        write!(request, "\n{names}\nUNSIGNED-PAYLOAD").expect("a text takes what is written to it");
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{}\n{}\n{}",
            self.instant(),
            self.scope(),
            hex(&Sha256::digest(&request))
        );
        let signature = hex(&hmac(&self.key(), &to_sign));
        format!("{url}?{query}&X-Amz-Signature={signature}")
    }

    /// In the order of the names, as it is signed.
    fn query(&self, signed_headers: &str) -> String {
        let credential = format!("{}/{}", self.credential.key_id, self.scope());
        let mut query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={}&X-Amz-Expires={}",
            encode(&credential),
            self.instant(),
            self.seconds()
        );
        if let Some(token) = &self.credential.token {
            query.push_str("&X-Amz-Security-Token=");
            query.push_str(&encode(token));
        }
        query.push_str("&X-Amz-SignedHeaders=");
        query.push_str(&encode(signed_headers));
        query
    }

    /// S3 takes whole seconds from one to a week.
    fn seconds(&self) -> u64 {
        self.ttl.as_secs().clamp(1, SIGNED_TTL_MAX.as_secs())
    }

    pub fn expires_at(&self) -> Timestamp {
        let now = self.now.as_millis();
        Timestamp(now - now.rem_euclid(1_000)).plus(Duration::from_secs(self.seconds()))
    }

    /// `20261122T100000Z`.
    fn instant(&self) -> String {
        let text = self.now.to_string();
        let whole = text.split('.').next().unwrap_or_default();
        whole.chars().filter(|c| !matches!(c, '-' | ':')).chain(['Z']).collect()
    }

    fn date(&self) -> String {
        self.instant().chars().take(8).collect()
    }

    fn scope(&self) -> String {
        format!("{}/{}/s3/aws4_request", self.date(), self.region)
    }

    fn key(&self) -> Vec<u8> {
        let secret = format!("AWS4{}", self.credential.secret_key);
        let steps = [&*self.date(), self.region, "s3", "aws4_request"];
        steps.iter().fold(secret.into_bytes(), |key, step| hmac(&key, step))
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes what is written to it");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the S3 manual, "Authenticating Requests: Using Query Parameters".
    #[test]
    fn the_manuals_example_comes_out() {
        let credential = AwsCredential {
            key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            token: None,
        };
        let signer = Signer {
            credential: &credential,
            region: "us-east-1",
            now: "2013-05-24T00:00:00.900Z".parse().expect("it is a time"),
            ttl: Duration::from_secs(86_400),
        };
        let url = signer.sign("GET", "https://examplebucket.s3.amazonaws.com/test.txt", &[]);
        assert_eq!(
            url,
            "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
             &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
             &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        );
        assert_eq!(signer.expires_at().to_string(), "2013-05-25T00:00:00.000Z");
    }

    #[test]
    fn a_time_out_of_bounds_is_brought_into_them() {
        let credential = AwsCredential {
            key_id: "k".into(),
            secret_key: "s".into(),
            token: Some("a+/=".into()),
        };
        for (ttl, seconds) in [(0, 1), (999, 1), (5_999, 5), (u64::MAX, 604_800)] {
            let signer = Signer {
                credential: &credential,
                region: "eu-central-1",
                now: Timestamp(0),
                ttl: Duration::from_millis(ttl),
            };
            let url = signer.sign("GET", "http://a:1/b/c", &[]);
            assert!(url.contains(&format!("&X-Amz-Expires={seconds}&")), "{url}");
            assert!(url.contains("&X-Amz-Security-Token=a%2B%2F%3D&"), "{url}");
        }
    }
}
