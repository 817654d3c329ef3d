//! The rows of one table as a file: each key and value behind their lengths. Generic, so that a
//! backup can be read by a build whose rows have newer forms: it reads old rows anyway.

use std::io::{self, Read, Write};

/// A key or value longer than this is not one: a damaged length must not take all memory.
const BYTES_MAX: u32 = 64 << 20;

/// Writes one row.
pub fn write_row(out: &mut impl Write, key: &[u8], value: &[u8]) -> io::Result<()> {
    for part in [key, value] {
        let length = u32::try_from(part.len())
            .ok()
            .filter(|length| *length <= BYTES_MAX)
            .ok_or_else(|| io::Error::other("a row is too large for a backup"))?;
        out.write_all(&length.to_le_bytes())?;
    }
    out.write_all(key)?;
    out.write_all(value)
}

/// Reads one row; `None` at the end.
pub fn read_row(input: &mut impl Read) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
    let mut lengths = [0; 8];
    // An end between two rows is the end; within one, the file was cut off.
    if input.read(&mut lengths[..1])? == 0 {
        return Ok(None);
    }
    input.read_exact(&mut lengths[1..])?;
    let (key, value) = lengths.split_at(4);
    Ok(Some((read_part(input, key)?, read_part(input, value)?)))
}

fn read_part(input: &mut impl Read, length: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::from_le_bytes(length.try_into().expect("a length has four bytes"));
    if length > BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the length of a row is damaged"));
    }
    let mut part = vec![0; length as usize];
    input.read_exact(&mut part)?;
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_were_written() {
        let rows = [(&b"key"[..], &b"value"[..]), (b"", b""), (b"k", &[7; 100_000])];
        let mut file = Vec::new();
        for (key, value) in rows {
            write_row(&mut file, key, value).unwrap();
        }
        let mut input = &file[..];
        for (key, value) in rows {
            assert_eq!(read_row(&mut input).unwrap(), Some((key.to_vec(), value.to_vec())));
        }
        assert_eq!(read_row(&mut input).unwrap(), None);
    }

    #[test]
    fn a_file_that_was_cut_off_is_refused() {
        let mut file = Vec::new();
        write_row(&mut file, b"key", b"value").unwrap();
        for length in 1..file.len() {
            assert!(read_row(&mut &file[..length]).is_err(), "cut at {length}");
        }
        file[3] = 0xff;
        assert!(read_row(&mut &file[..]).is_err());
    }
}
