//! Values with their unit in the text: `30s`, `64MiB`, `127.0.0.1:8080`. A bare number where a
//! unit belongs is refused rather than guessed.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a secret prints as, whatever it is.
pub const MASK: &str = "********";

/// A value that is read from text with a unit, with a message that shows the right form.
macro_rules! text_value {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // Whatever stands there is read as text first, so that a bare number is answered
                // with the form that is wanted, not with a type error.
                let value = serde_json::Value::deserialize(deserializer)?;
                let text = match value {
                    serde_json::Value::String(text) => text,
                    other => other.to_string(),
                };
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// A length of time: `500ms`, `30s`, `15m`, `24h`, `30days`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Span {
    pub const fn seconds(seconds: u64) -> Span {
        Span(Duration::from_secs(seconds))
    }

    pub const fn days(days: u64) -> Span {
        Span::seconds(days * 24 * 60 * 60)
    }

    pub fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Span, String> {
        humantime::parse_duration(text.trim()).map(Span).map_err(|_| {
            format!("'{text}' is not a duration with its unit, such as 500ms, 30s or 24h")
        })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

text_value!(Span);

/// A number of bytes: `512B`, `64KiB`, `64MiB`, `2GiB`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Size {
    pub const fn mib(mib: u64) -> Size {
        Size(mib * 1024 * 1024)
    }

    pub fn get(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Size, String> {
        let wrong = || format!("'{text}' is not a size with its unit, such as 64KiB or 1MiB");
        if text.trim().bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        text.trim().parse::<bytesize::ByteSize>().map(|size| Size(size.0)).map_err(|_| wrong())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The largest unit that loses nothing, so that what is printed can be read again.
        let (divisor, unit) = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
            .into_iter()
            .find(|(divisor, _)| self.0 >= *divisor && self.0.is_multiple_of(*divisor))
            .unwrap_or((1, "B"));
        write!(f, "{}{unit}", self.0 / divisor)
    }
}

impl fmt::Debug for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

text_value!(Size);

/// Where to listen: `127.0.0.1:8080`, `[::1]:8080`, `localhost:0`. Port 0 takes any free one.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

impl Address {
    pub fn new(host: &str, port: u16) -> Address {
        Address { host: host.to_owned(), port }
    }

    /// The host as a resolver takes it: an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.host)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn with_port(&self, port: u16) -> Address {
        Address { host: self.host.clone(), port }
    }
}

impl FromStr for Address {
    type Err = String;
    fn from_str(text: &str) -> Result<Address, String> {
        let wrong = || format!("'{text}' is not HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080");
        let (host, port) = text.trim().rsplit_once(':').ok_or_else(wrong)?;
        let bracketed = host.starts_with('[') && host.ends_with(']');
        if host.is_empty() || (host.contains(':') && !bracketed) {
            return Err(wrong());
        }
        Ok(Address { host: host.to_owned(), port: port.parse().map_err(|_| wrong())? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

text_value!(Address);

/// A network of addresses: `10.0.0.0/8`, or a single `10.0.0.7`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Network(pub IpNet);

impl FromStr for Network {
    type Err = String;
    fn from_str(text: &str) -> Result<Network, String> {
        let net = text.trim().parse::<IpNet>().ok();
        net.or_else(|| text.trim().parse::<IpAddr>().ok().map(IpNet::from))
            .map(Network)
            .ok_or_else(|| format!("'{text}' is not a network such as 10.0.0.0/8 or 10.0.0.7"))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

text_value!(Network);

/// Where a server is: `postgres://user:password@host/database`. Its password is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// The whole of it, with the password: for who connects.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What stands before `://`.
    pub fn scheme(&self) -> &str {
        self.0.split_once("://").map_or("", |(scheme, _)| scheme)
    }
}

impl FromStr for ServerUrl {
    type Err = String;
    fn from_str(text: &str) -> Result<ServerUrl, String> {
        // Not shown: there may be a password in it.
        let (scheme, rest) =
            text.trim().split_once("://").ok_or("it is not a URL such as redis://host:6379")?;
        match scheme.is_empty() || rest.is_empty() {
            true => Err("it is not a URL such as redis://host:6379".to_owned()),
            false => Ok(ServerUrl(text.trim().to_owned())),
        }
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("", &self.0));
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        match authority.rsplit_once('@') {
            Some((user, host)) => {
                let user = user.split_once(':').map_or(user, |(user, _)| user);
                write!(f, "{scheme}://{user}:{MASK}@{host}{tail}")
            }
            None => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

text_value!(ServerUrl);

/// A text that is never printed: neither by `config`, nor in a log, nor in an error.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The only way to the text: name it where it is used.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_print_as_they_are_read() {
        for text in ["500ms", "30s", "15m", "1h 30m", "30days"] {
            assert_eq!(
                text.parse::<Span>().unwrap().to_string().replace(' ', ""),
                text.replace(' ', "")
            );
        }
        for text in ["512B", "64KiB", "1MiB", "2GiB", "1025B"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        for text in ["127.0.0.1:8080", "[::1]:0", "localhost:80"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        let address = "[::1]:0".parse::<Address>().unwrap();
        assert_eq!((address.host(), address.with_port(7).to_string()), ("::1", "[::1]:7".into()));
        assert_eq!("10.0.0.7".parse::<Network>().unwrap().to_string(), "10.0.0.7/32");
    }

    #[test]
    fn a_bare_number_is_refused() {
        assert!("30".parse::<Span>().unwrap_err().contains("30s"));
        assert!("1048576".parse::<Size>().unwrap_err().contains("1MiB"));
        for text in ["8080", "host:", ":8080", "::1:8080", "host:70000"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
