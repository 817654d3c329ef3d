//! The nodes of a cluster, as its other nodes know them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Names one run of a node's process. A node that starts again is a new member: nothing is
/// revived, so no message, row or lease of the former run can be taken for the new one's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberId(pub u128);

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// It is not 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a member's id is 32 hexadecimal digits")]
pub struct MemberIdError;

impl FromStr for MemberId {
    type Err = MemberIdError;

    fn from_str(text: &str) -> Result<MemberId, MemberIdError> {
        let is_plain = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = is_plain.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        id.map(MemberId).ok_or(MemberIdError)
    }
}

impl Serialize for MemberId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MemberId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<MemberId, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What the view says of a member: all that a plan looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub id: MemberId,
    /// For people: the host, or the task it runs in.
    pub name: String,
    /// How many shards it takes, in proportion to the others'. 0 for a node that answers requests
    /// but hosts no entities.
    pub weight: u32,
    /// The build it runs. While members differ in it, a deploy is under way.
    pub build: String,
    /// The newest form of a stored row that it reads: nobody writes a newer one.
    pub reads: u8,
    /// It is about to leave: its shards go to others, and it gets none.
    pub draining: bool,
}

impl Member {
    /// Whether shards may be given to it.
    pub fn takes_shards(&self) -> bool {
        self.weight > 0 && !self.draining
    }
}

/// How a member is reached, from its own heartbeat row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    pub id: MemberId,
    pub name: String,
    /// Host and port of its peer listener.
    pub address: String,
    /// The certificate that it made at its start, in DER: whoever shows another one is not it.
    #[serde(with = "hex")]
    pub certificate: Vec<u8>,
    /// Names of the members that it did not reach lately. For operators: nobody is evicted on
    /// suspicion.
    #[serde(default)]
    pub unreachable: Vec<String>,
}

/// Bytes as hexadecimal digits.
mod hex {
    use std::fmt::Write as _;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(bytes.len() * 2);
        for byte in bytes {
            write!(text, "{byte:02x}").expect("a text takes what is written to it");
        }
        serializer.serialize_str(&text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let pairs = text.as_bytes().chunks(2);
        let byte = |pair: &[u8]| match pair {
            [high, low] => {
                let digit = |digit: u8| (digit as char).to_digit(16);
                Some((digit(*high)? << 4 | digit(*low)?) as u8)
            }
            _ => None,
        };
        let bytes: Option<Vec<u8>> = pairs.map(byte).collect();
        bytes.ok_or_else(|| serde::de::Error::custom("not pairs of hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_written() {
        let id = MemberId(0x0123_4567_89ab_cdef);
        assert_eq!(id.to_string(), "00000000000000000123456789abcdef");
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "12", "+0000000000000000123456789abcdef", "g".repeat(32).as_str()] {
            assert_eq!(wrong.parse::<MemberId>(), Err(MemberIdError), "{wrong}");
        }
    }

    #[test]
    fn a_heartbeat_of_a_later_build_is_read_by_an_earlier_one() {
        let row = r#"{"id": "000000000000000000000000000000ff", "name": "a", "address": "h:1",
            "certificate": "00ff", "news": 7}"#;
        let peer: Peer = serde_json::from_str(row).unwrap();
        assert_eq!((peer.id, peer.certificate.as_slice()), (MemberId(255), &[0, 255][..]));
        assert_eq!(peer.unreachable, Vec::<String>::new());
        let written = serde_json::to_string(&peer).unwrap();
        assert_eq!(serde_json::from_str::<Peer>(&written).unwrap(), peer);
        for wrong in ["0", "0g", "é"] {
            let row = row.replace("00ff\",", &format!("{wrong}\","));
            assert!(serde_json::from_str::<Peer>(&row).is_err(), "{wrong}");
        }
    }
}
