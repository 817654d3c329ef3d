//! Lists in a file, item by item: a YAML sequence and a JSON array are taken apart as text, so
//! that a file of any length is held one item at a time, and each item has its line.

use std::io::{self, BufRead};

use super::lines::{Line, Lines, RECORD_BYTES_MAX};

/// One item as it stands in the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// The line it begins in, from 1.
    pub line: u64,
    pub text: Vec<u8>,
}

/// What comes next in a list.
#[derive(Debug)]
pub enum Next {
    Item(Item),
    /// An item longer than is read; it was passed over.
    TooLong {
        line: u64,
    },
    /// Not a list from here on; nothing more can be read.
    Broken {
        line: u64,
        detail: String,
    },
    End,
}

impl From<io::Error> for Next {
    fn from(error: io::Error) -> Next {
        Next::Broken { line: 0, detail: error.to_string() }
    }
}

/// The items of a YAML sequence at the top level, each beginning with `- ` at a line's start.
pub struct YamlItems<R> {
    lines: Lines<R>,
    line: Vec<u8>,
    /// The item that is being read; its text is dropped when it gets too long.
    current: Option<Item>,
    too_long: bool,
    ended: bool,
}

impl<R: BufRead> YamlItems<R> {
    pub fn new(input: R) -> YamlItems<R> {
        YamlItems {
            lines: Lines::new(input),
            line: Vec::new(),
            current: None,
            too_long: false,
            ended: false,
        }
    }

    pub fn bytes(&self) -> u64 {
        self.lines.bytes
    }

    pub fn next_item(&mut self) -> Next {
        while !self.ended {
            match self.lines.next_into(&mut self.line) {
                Err(error) => {
                    self.ended = true;
                    return Next::from(error);
                }
                Ok(Line::End) => self.ended = true,
                Ok(Line::TooLong) => self.too_long = true,
                Ok(Line::Whole) if self.line.starts_with(b"- ") || self.line == b"-" => {
                    let done = self.take();
                    let line = self.lines.number;
                    self.current = Some(Item { line, text: Vec::new() });
                    self.push_line();
                    if let Some(done) = done {
                        return done;
                    }
                }
                Ok(Line::Whole) if self.current.is_some() && !starts_at_margin(&self.line) => {
                    self.push_line();
                }
                Ok(Line::Whole) if is_no_content(&self.line) => {}
                Ok(Line::Whole) => {
                    self.ended = true;
                    let detail = "a list is wanted, each item beginning with '- '".to_owned();
                    return Next::Broken { line: self.lines.number, detail };
                }
            }
        }
        self.take().unwrap_or(Next::End)
    }

    fn push_line(&mut self) {
        let Some(item) = &mut self.current else { return };
        if item.text.len() + self.line.len() > RECORD_BYTES_MAX {
            self.too_long = true;
            item.text.clear();
        }
        if !self.too_long {
            item.text.extend_from_slice(&self.line);
            item.text.push(b'\n');
        }
    }

    fn take(&mut self) -> Option<Next> {
        let item = self.current.take()?;
        if std::mem::take(&mut self.too_long) {
            return Some(Next::TooLong { line: item.line });
        }
        Some(Next::Item(item))
    }
}

/// Whether the line has something at its first column that is no comment.
fn starts_at_margin(line: &[u8]) -> bool {
    line.first().is_some_and(|byte| !matches!(byte, b' ' | b'\t' | b'#'))
}

fn is_no_content(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
        || line.starts_with(b"#")
        || line == b"---"
        || line == b"..."
        || line.starts_with(b"%YAML")
}

/// The items of a JSON array.
pub struct JsonItems<R> {
    input: R,
    line: u64,
    pub bytes: u64,
    started: bool,
    ended: bool,
}

impl<R: BufRead> JsonItems<R> {
    pub fn new(input: R) -> JsonItems<R> {
        JsonItems { input, line: 1, bytes: 0, started: false, ended: false }
    }

    pub fn next_item(&mut self) -> Next {
        if self.ended {
            return Next::End;
        }
        let next = self.read_item().unwrap_or_else(Next::from);
        if matches!(next, Next::Broken { .. } | Next::End) {
            self.ended = true;
        }
        next
    }

    fn read_item(&mut self) -> io::Result<Next> {
        let mut item = Item::default();
        let mut scan = Scan::default();
        let mut too_long = false;
        while let Some(byte) = self.next_byte()? {
            if !self.started {
                match byte {
                    b'[' => self.started = true,
                    0xef | 0xbb | 0xbf => {}
                    byte if byte.is_ascii_whitespace() => {}
                    _ => return Ok(self.broken("a list is wanted, beginning with '['")),
                }
                continue;
            }
            if scan.is_outside() && matches!(byte, b',' | b']') {
                self.ended = byte == b']';
                return Ok(match (too_long, item.line) {
                    (true, line) => Next::TooLong { line },
                    (false, 0) if self.ended => Next::End,
                    (false, 0) => self.broken("a value is missing before ','"),
                    (false, _) => Next::Item(item),
                });
            }
            if item.line == 0 && byte.is_ascii_whitespace() {
                continue;
            }
            if item.line == 0 {
                item.line = self.line;
            }
            scan.step(byte);
            if item.text.len() == RECORD_BYTES_MAX {
                too_long = true;
                item.text.clear();
            }
            if !too_long {
                item.text.push(byte);
            }
        }
        Ok(self.broken("the list has no end"))
    }

    fn broken(&self, detail: &str) -> Next {
        Next::Broken { line: self.line, detail: detail.to_owned() }
    }

    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        let Some(byte) = self.input.fill_buf()?.first().copied() else { return Ok(None) };
        self.input.consume(1);
        self.bytes += 1;
        if byte == b'\n' {
            self.line += 1;
        }
        Ok(Some(byte))
    }
}

/// Where in a JSON text one is: in brackets, in a string, behind a backslash.
#[derive(Default)]
struct Scan {
    depth: u64,
    in_string: bool,
    escaped: bool,
}

impl Scan {
    fn is_outside(&self) -> bool {
        self.depth == 0 && !self.in_string
    }

    fn step(&mut self, byte: u8) {
        match (self.in_string, byte) {
            (true, _) if self.escaped => self.escaped = false,
            (true, b'\\') => self.escaped = true,
            (true, b'"') => self.in_string = false,
            (true, _) => {}
            (false, b'"') => self.in_string = true,
            (false, b'[' | b'{') => self.depth += 1,
            (false, b']' | b'}') => self.depth = self.depth.saturating_sub(1),
            (false, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yaml_sequence_comes_apart_into_its_items() {
        let text = b"# shop\n---\n- id: 1\n  text: a\n    - no item\n\n  # still\n- id: 2\n";
        let mut items = YamlItems::new(&text[..]);
        let Next::Item(first) = items.next_item() else { panic!("an item") };
        assert_eq!((first.line, first.text.starts_with(b"- id: 1\n")), (3, true));
        assert!(first.text.windows(7).any(|part| part == b"no item"));
        let Next::Item(second) = items.next_item() else { panic!("an item") };
        assert_eq!((second.line, &second.text[..]), (8, &b"- id: 2\n"[..]));
        assert!(matches!(items.next_item(), Next::End));
        let mut items = YamlItems::new(&b"products:\n  - id: 1\n"[..]);
        assert!(matches!(items.next_item(), Next::Broken { line: 1, .. }));
    }

    #[test]
    fn a_json_array_comes_apart_into_its_items() {
        let text = b" [ {\"a\": \"],{\\\"\"},\n  {\"b\": [1, 2]} ]\n";
        let mut items = JsonItems::new(&text[..]);
        let Next::Item(first) = items.next_item() else { panic!("an item") };
        assert_eq!((first.line, &first.text[..]), (1, &b"{\"a\": \"],{\\\"\"}"[..]));
        let Next::Item(second) = items.next_item() else { panic!("an item") };
        assert_eq!(second.line, 2);
        assert!(matches!(items.next_item(), Next::End));
        assert!(matches!(JsonItems::new(&b"[]"[..]).next_item(), Next::End));
        for broken in [&b"[1, 2"[..], b"{}", b"", b"[,]"] {
            let mut items = JsonItems::new(broken);
            let broken = (0..3).any(|_| matches!(items.next_item(), Next::Broken { .. }));
            assert!(broken);
        }
    }
}
