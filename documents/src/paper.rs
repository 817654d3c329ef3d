//! Pages of A4: where the next line goes, how wide a text is, and where it has to be broken.
//!
//! What is to be drawn is collected first and drawn at the end, when it is known how many pages
//! there are. Letters stand one after another, as Latin, Greek and Cyrillic are written; a letter
//! that the font has not is a box, and a mark that would turn the writing around is left out.

use krilla::Document;
use krilla::geom::{PathBuilder, Point};
use krilla::metadata::Metadata;
use krilla::page::PageSettings;
use krilla::paint::Stroke;
use krilla::text::{Font, GlyphId, KrillaGlyph};
use unicode_normalization::UnicodeNormalization;

use crate::DocumentError;

const REGULAR: &[u8] = include_bytes!("../fonts/DejaVuSansCondensed.ttf");
const BOLD: &[u8] = include_bytes!("../fonts/DejaVuSansCondensed-Bold.ttf");

const PAGE_WIDTH: f32 = 595.28;
const PAGE_HEIGHT: f32 = 841.89;

pub(crate) const LEFT: f32 = 48.0;
pub(crate) const RIGHT: f32 = PAGE_WIDTH - 48.0;
const TOP: f32 = 56.0;
/// Below it stands the foot of the page alone.
const BOTTOM: f32 = PAGE_HEIGHT - 72.0;

/// The most lines that one text is broken into; what is more is cut off. So a row of a table
/// always fits on a page.
const LINES_MAX: usize = 20;

/// The most characters of one text that are looked at.
const CHARS_MAX: usize = 4_000;

pub(crate) const SMALL: f32 = 7.5;
pub(crate) const NORMAL: f32 = 9.0;
pub(crate) const LARGE: f32 = 18.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    Regular,
    Bold,
}

/// The height of a line of text.
pub(crate) fn line_height(size: f32) -> f32 {
    size * 1.35
}

struct Face {
    font: Font,
    letters: ttf_parser::Face<'static>,
}

impl Face {
    fn new(bytes: &'static [u8]) -> Face {
        Face {
            font: Font::new(bytes.into(), 0).expect("the font is one"),
            letters: ttf_parser::Face::parse(bytes, 0).expect("the font is one"),
        }
    }

    /// The glyph of a letter, and its width in parts of the font's size.
    fn letter(&self, letter: char) -> (u16, f32) {
        let glyph = self.letters.glyph_index(letter).unwrap_or_default();
        let width = self.letters.glyph_hor_advance(glyph).unwrap_or_default();
        (glyph.0, f32::from(width) / f32::from(self.letters.units_per_em()))
    }

    fn width(&self, text: &str) -> f32 {
        text.chars().map(|letter| self.letter(letter).1).sum()
    }

    fn glyphs(&self, text: &str) -> Vec<KrillaGlyph> {
        let letters = text.char_indices().map(|(at, letter)| {
            let (glyph, width) = self.letter(letter);
            let range = at..at + letter.len_utf8();
            KrillaGlyph::new(GlyphId::new(glyph.into()), width, 0.0, 0.0, 0.0, range, None)
        });
        letters.collect()
    }
}

enum Mark {
    Text { x: f32, y: f32, weight: Weight, size: f32, text: String },
    Rule { from: f32, to: f32, y: f32 },
}

pub(crate) struct Paper {
    regular: Face,
    bold: Face,
    pages: Vec<Vec<Mark>>,
    /// Where the next line begins, from the top.
    pub y: f32,
}

impl Paper {
    pub fn new() -> Paper {
        let (regular, bold) = (Face::new(REGULAR), Face::new(BOLD));
        Paper { regular, bold, pages: vec![Vec::new()], y: TOP }
    }

    fn face(&self, weight: Weight) -> &Face {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Bold => &self.bold,
        }
    }

    fn mark(&mut self, mark: Mark) {
        self.pages.last_mut().expect("there is a first page").push(mark);
    }

    pub fn has_room(&self, height: f32) -> bool {
        self.y + height <= BOTTOM
    }

    pub fn new_page(&mut self) {
        self.pages.push(Vec::new());
        self.y = TOP;
    }

    /// Begins a page unless so much fits on this one.
    pub fn make_room(&mut self, height: f32) {
        if !self.has_room(height) {
            self.new_page();
        }
    }

    /// A text as lines of at most this width.
    pub fn wrap(&self, weight: Weight, size: f32, width: f32, text: &str) -> Vec<String> {
        wrap(&clean(text), width / size, &|text| self.face(weight).width(text))
    }

    /// One line whose top is at `y`, from `x` on.
    pub fn put(&mut self, x: f32, y: f32, weight: Weight, size: f32, text: &str) {
        let text = clean(text);
        self.mark(Mark::Text { x, y: y + size, weight, size, text });
    }

    /// One line that ends at `x`.
    pub fn put_right(&mut self, x: f32, y: f32, weight: Weight, size: f32, text: &str) {
        let text = clean(text);
        let width = self.face(weight).width(&text) * size;
        self.mark(Mark::Text { x: x - width, y: y + size, weight, size, text });
    }

    /// A text of any length from `x` on; where it ends.
    pub fn block(&mut self, x: f32, y: f32, width: f32, style: (Weight, f32), text: &str) -> f32 {
        let (weight, size) = style;
        let mut y = y;
        for line in self.wrap(weight, size, width, text) {
            self.put(x, y, weight, size, &line);
            y += line_height(size);
        }
        y
    }

    pub fn rule(&mut self, from: f32, to: f32) {
        let y = self.y;
        self.mark(Mark::Rule { from, to, y });
        self.y += 4.0;
    }

    /// The file: each page with its number and the foot, each but the first with the title.
    pub fn finish(mut self, title: &str, footer: Option<&str>) -> Result<Vec<u8>, DocumentError> {
        let count = self.pages.len();
        let width = RIGHT - LEFT - 90.0;
        let footer = self.wrap(Weight::Regular, SMALL, width, footer.unwrap_or_default());
        let mut document = Document::new();
        document.set_metadata(Metadata::new().title(clean(title)));
        for (at, mut marks) in std::mem::take(&mut self.pages).into_iter().enumerate() {
            let number = format!("Page {} of {count}", at + 1);
            let x = RIGHT - self.regular.width(&number) * SMALL;
            let line = |x, y, text| Mark::Text { x, y, weight: Weight::Regular, size: SMALL, text };
            marks.push(line(x, BOTTOM + 20.0, number));
            if at > 0 {
                marks.push(line(LEFT, TOP - 16.0, clean(title)));
            }
            let lines = footer.iter().take(4).enumerate();
            marks.extend(lines.map(|(at, text)| {
                line(LEFT, BOTTOM + 20.0 + at as f32 * line_height(SMALL), text.clone())
            }));
            self.draw(&mut document, &marks);
        }
        document.finish().map_err(|error| DocumentError::Page(format!("{error:?}")))
    }

    fn draw(&self, document: &mut Document, marks: &[Mark]) {
        let size = PageSettings::from_wh(PAGE_WIDTH, PAGE_HEIGHT).expect("a page has a size");
        let mut page = document.start_page_with(size);
        let mut surface = page.surface();
        for mark in marks {
            match mark {
                Mark::Text { x, y, weight, size, text } if !text.is_empty() => {
                    let face = self.face(*weight);
                    let (start, glyphs) = (Point::from_xy(*x, *y), face.glyphs(text));
                    surface.draw_glyphs(start, &glyphs, face.font.clone(), text, *size, false);
                }
                Mark::Text { .. } => {}
                Mark::Rule { from, to, y } => {
                    let mut path = PathBuilder::new();
                    path.move_to(*from, *y);
                    path.line_to(*to, *y);
                    surface.set_stroke(Some(Stroke { width: 0.5, ..Stroke::default() }));
                    surface.draw_path(&path.finish().expect("a line is a path"));
                    surface.set_stroke(None);
                }
            }
        }
        surface.finish();
        page.finish();
    }
}

/// A text that can stand on a page: composed letters, no line ends, nothing that is not seen.
fn clean(text: &str) -> String {
    let seen = text.nfc().take(CHARS_MAX).filter_map(|letter| match letter {
        '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => None,
        letter if letter.is_control() || letter.is_whitespace() => Some(' '),
        letter => Some(letter),
    });
    seen.collect()
}

/// Breaks a text between its words, and a word that is wider than a line wherever it has to be.
fn wrap(text: &str, width: f32, width_of: &dyn Fn(&str) -> f32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let joined = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if width_of(&joined) <= width {
            line = joined;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for letter in word.chars() {
            line.push(letter);
            if width_of(&line) > width && line.chars().count() > 1 {
                line.pop();
                lines.push(std::mem::replace(&mut line, letter.to_string()));
            }
        }
        if lines.len() > LINES_MAX {
            break;
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    if lines.len() > LINES_MAX {
        lines.truncate(LINES_MAX);
        lines.last_mut().expect("there are some").push('…');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_broken_between_words_where_they_can_be() {
        let check = |text: &str, expected: &[&str]| {
            let found = wrap(&clean(text), 10.0, &|text| text.chars().count() as f32);
            assert_eq!(found, expected, "{text}");
        };
        check("", &[]);
        check("one two three", &["one two", "three"]);
        check("a\tb\r\nc", &["a b c"]);
        check("Donaudampfschiff", &["Donaudampf", "schiff"]);
        check("a Donaudampfschiff b", &["a", "Donaudampf", "schiff b"]);
        check("e\u{301}\u{202e}x\u{feff}", &["\u{e9}x"]);
        let long = "word ".repeat(10_000);
        let lines = wrap(&clean(&long), 10.0, &|text| text.chars().count() as f32);
        assert_eq!((lines.len(), lines[LINES_MAX - 1].as_str()), (LINES_MAX, "word word…"));
    }
}
