//! The small alphabet in which stored blobs are written: a version byte, then variable-length
//! integers and length-prefixed texts.
//!
//! Hand-written because a row of a cart has to fit a kilobyte, and because what is stored
//! outlives every library: nothing here may change for a version that was ever written. Reading
//! trusts nothing. Whatever the bytes are, it ends in a value or a [`DecodeError`], and it never
//! reserves more memory than the blob is long.

use crate::entity::DecodeError;
use crate::time::Timestamp;

/// The longest variable-length integer: 64 bits, seven a byte.
const VARINT_BYTES_MAX: usize = 10;

/// Appends values to a blob.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Starts a blob with the version of its form.
    pub fn new(out: &'a mut Vec<u8>, version: u8) -> Writer<'a> {
        out.push(version);
        Writer { out }
    }

    pub fn byte(&mut self, value: u8) {
        self.out.push(value);
    }

    /// Seven bits a byte, the lowest first; the high bit says that more follow.
    pub fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    /// A point in time: zigzag, so that times before 1970 stay short too.
    pub fn time(&mut self, value: Timestamp) {
        let millis = value.as_millis();
        self.varint(((millis << 1) ^ (millis >> 63)) as u64);
    }

    /// 128 bits, most significant first.
    pub fn id(&mut self, value: u128) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// Bytes whose number the reader knows.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// A text with its length before it.
    pub fn text(&mut self, text: &str) {
        self.varint(text.len() as u64);
        self.raw(text.as_bytes());
    }
}

/// Reads values off a blob.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Opens a blob and answers the version of its form, 1 to `supported`.
    ///
    /// # Errors
    /// `FutureVersion` for one that a newer build wrote, `Damaged` for an empty blob or version 0.
    pub fn open(blob: &'a [u8], supported: u8) -> Result<(u8, Reader<'a>), DecodeError> {
        match blob.split_first() {
            None => Err(DecodeError::Damaged("it is empty")),
            Some((0, _)) => Err(DecodeError::Damaged("there is no form of version 0")),
            Some((found, _)) if *found > supported => {
                Err(DecodeError::FutureVersion { found: *found, supported })
            }
            Some((version, rest)) => Ok((*version, Reader { rest })),
        }
    }

    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.raw(1)?[0])
    }

    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for index in 0..VARINT_BYTES_MAX {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit only.
            if index == VARINT_BYTES_MAX - 1 && bits > 1 {
                return Err(DecodeError::Damaged("an integer is too large"));
            }
            value |= bits << (7 * index);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Damaged("an integer does not end"))
    }

    pub fn varint_u32(&mut self) -> Result<u32, DecodeError> {
        let value = self.varint()?;
        u32::try_from(value).map_err(|_| DecodeError::Damaged("an integer is too large"))
    }

    /// How many things follow; every one of them takes at least a byte, so a number beyond what
    /// is left is damage, found before anything is reserved for it.
    pub fn count(&mut self, max: usize) -> Result<usize, DecodeError> {
        let count = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        if count > max || count > self.rest.len() {
            return Err(DecodeError::Damaged("it announces more than it can hold"));
        }
        Ok(count)
    }

    pub fn time(&mut self) -> Result<Timestamp, DecodeError> {
        let value = self.varint()?;
        Ok(Timestamp((value >> 1) as i64 ^ -((value & 1) as i64)))
    }

    pub fn id(&mut self) -> Result<u128, DecodeError> {
        Ok(u128::from_be_bytes(self.array()?))
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let bytes = self.raw(N)?;
        Ok(bytes.try_into().expect("exactly N bytes were taken"))
    }

    pub fn raw(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) =
            self.rest.split_at_checked(len).ok_or(DecodeError::Damaged("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub fn text(&mut self) -> Result<&'a str, DecodeError> {
        let len = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        std::str::from_utf8(self.raw(len)?).map_err(|_| DecodeError::Damaged("a text is not UTF-8"))
    }

    /// What was not read yet: the blob of whoever's form this one wraps.
    pub fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Everything has to have been read.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.rest {
            [] => Ok(()),
            _ => Err(DecodeError::Damaged("there is more than belongs to it")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_written_is_read_again(
            number: u64, millis: i64, id: u128, text in ".{0,40}", byte: u8,
        ) {
            let mut blob = Vec::new();
            let mut writer = Writer::new(&mut blob, 3);
            writer.varint(number);
            writer.time(Timestamp(millis));
            writer.id(id);
            writer.text(&text);
            writer.byte(byte);
            let (version, mut reader) = Reader::open(&blob, 3).unwrap();
            prop_assert_eq!(version, 3);
            prop_assert_eq!(reader.varint().unwrap(), number);
            prop_assert_eq!(reader.time().unwrap(), Timestamp(millis));
            prop_assert_eq!(reader.id().unwrap(), id);
            prop_assert_eq!(reader.text().unwrap(), text);
            prop_assert_eq!(reader.byte().unwrap(), byte);
            prop_assert!(reader.finish().is_ok());
        }
    }

    #[test]
    fn damage_is_an_error() {
        let damaged = |blob: &[u8], read: fn(&mut Reader<'_>) -> bool| {
            let (_, mut reader) = Reader::open(blob, 1).unwrap();
            assert!(read(&mut reader), "{blob:?}");
        };
        damaged(&[1], |reader| reader.byte().is_err());
        damaged(&[1, 0x80], |reader| reader.varint().is_err());
        damaged(&[&[1][..], &[0xff; 9], &[2]].concat(), |reader| reader.varint().is_err());
        damaged(&[&[1][..], &[0xff; 11]].concat(), |reader| reader.varint().is_err());
        damaged(&[&[1][..], &[0xff; 5]].concat(), |reader| reader.varint_u32().is_err());
        damaged(&[1, 5, b'a'], |reader| reader.text().is_err());
        damaged(&[1, 1, 0xff], |reader| reader.text().is_err());
        damaged(&[1, 3, 0, 0], |reader| reader.count(9).is_err());
        damaged(&[1, 2, 0, 0], |reader| reader.count(1).is_err());
        assert!(Reader::open(&[1, 0], 1).unwrap().1.finish().is_err());
    }

    #[test]
    fn versions_are_told_apart() {
        let open = |blob: &[u8]| Reader::open(blob, 2).map(|(version, _)| version);
        assert_eq!(open(&[1]), Ok(1));
        assert_eq!(open(&[2]), Ok(2));
        assert_eq!(open(&[3]), Err(DecodeError::FutureVersion { found: 3, supported: 2 }));
        assert!(matches!(open(&[0]), Err(DecodeError::Damaged(_))));
        assert!(matches!(open(&[]), Err(DecodeError::Damaged(_))));
    }
}
