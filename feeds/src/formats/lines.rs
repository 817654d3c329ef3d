//! Lines of a file, read with a bound: a file without line ends, or one that is no text at all,
//! costs no memory.

use std::io::{self, BufRead};

/// The longest line, list item or table row that is read, in bytes: far above any product, and
/// small enough to hold.
pub const RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A line, or what is left of one that is too long.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Without its line end.
    Whole,
    /// Longer than [`RECORD_BYTES_MAX`]; it was skipped to its end.
    TooLong,
    End,
}

/// Reads lines, counting lines and bytes.
pub struct Lines<R> {
    input: R,
    /// The number of the line read last, from 1.
    pub number: u64,
    /// All bytes read so far.
    pub bytes: u64,
}

impl<R: BufRead> Lines<R> {
    pub fn new(input: R) -> Lines<R> {
        Lines { input, number: 0, bytes: 0 }
    }

    /// Reads the next line into `line`, which it clears first.
    pub fn next_into(&mut self, line: &mut Vec<u8>) -> io::Result<Line> {
        line.clear();
        let mut too_long = false;
        let mut any = false;
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            any = true;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(buffer.len(), |end| end + 1);
            let text = &buffer[..end.unwrap_or(buffer.len())];
            if line.len() + text.len() > RECORD_BYTES_MAX {
                too_long = true;
                line.clear();
            } else if !too_long {
                line.extend_from_slice(text);
            }
            self.input.consume(used);
            self.bytes += used as u64;
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(Line::End);
        }
        self.number += 1;
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if self.number == 1 && line.starts_with(b"\xef\xbb\xbf") {
            line.drain(..3);
        }
        Ok(if too_long { Line::TooLong } else { Line::Whole })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_and_their_ends_taken_off() {
        let mut lines = Lines::new(&b"\xef\xbb\xbfone\r\n\ntwo"[..]);
        let mut line = Vec::new();
        for expected in [&b"one"[..], b"", b"two"] {
            assert_eq!(lines.next_into(&mut line).expect("reads"), Line::Whole);
            assert_eq!(line, expected);
        }
        assert_eq!(lines.next_into(&mut line).expect("reads"), Line::End);
        assert_eq!((lines.number, lines.bytes), (3, 12));
    }

    #[test]
    fn a_line_too_long_is_skipped_and_the_next_one_read() {
        let mut text = vec![b'x'; RECORD_BYTES_MAX + 1];
        text.extend_from_slice(b"\nnext\n");
        let mut lines = Lines::new(io::BufReader::new(&text[..]));
        let mut line = Vec::new();
        assert_eq!(lines.next_into(&mut line).expect("reads"), Line::TooLong);
        assert!(line.is_empty());
        assert_eq!(lines.next_into(&mut line).expect("reads"), Line::Whole);
        assert_eq!(line, b"next");
    }
}
