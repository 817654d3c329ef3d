//! Paper: pages with text, tables and figures, written as PDF with the fonts that every reader
//! has.

use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str, TextStr};
use resvg::{tiny_skia, usvg};

use super::picture::color::Rgb;

/// A4, in points.
const WIDTH: f32 = 595.0;
const HEIGHT: f32 = 842.0;
const MARGIN: f32 = 64.0;
/// Nothing but the footer stands below.
const FLOOR: f32 = 84.0;
/// Side of a figure.
const FIGURE: f32 = 300.0;
/// How far the text of a list stands in.
const INDENT: f32 = 22.0;

const REGULAR: Name<'static> = Name(b"F1");
const BOLD: Name<'static> = Name(b"F2");

const TEXT_COLOR: Rgb = Rgb(0x2b, 0x2a, 0x28);
const ACCENT: Rgb = Rgb(0x9b, 0x5b, 0x33);

/// How text is set.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    size: f32,
    /// From line to line.
    leading: f32,
    bold: bool,
    color: Rgb,
}

impl Style {
    pub const TITLE: Style = Style { size: 30.0, leading: 36.0, bold: true, color: TEXT_COLOR };
    pub const HEADING: Style = Style { size: 14.0, leading: 22.0, bold: true, color: ACCENT };
    pub const LEAD: Style = Style { size: 13.0, leading: 19.0, bold: false, color: TEXT_COLOR };
    pub const BODY: Style = Style { size: 10.5, leading: 15.5, bold: false, color: TEXT_COLOR };
    pub const SMALL: Style = Style { size: 9.0, leading: 13.0, bold: true, color: ACCENT };
}

/// Pages that are being written.
pub struct Paper {
    footer: String,
    done: Vec<Content>,
    page: Content,
    /// Where the next line begins, from the bottom.
    y: f32,
}

impl Paper {
    pub fn new(footer: &str) -> Paper {
        let (done, page) = (Vec::new(), Content::new());
        Paper { footer: footer.to_owned(), done, page, y: HEIGHT - MARGIN }
    }

    pub fn gap(&mut self, points: f32) {
        self.y -= points;
    }

    pub fn next_page(&mut self) {
        self.done.push(std::mem::replace(&mut self.page, Content::new()));
        self.y = HEIGHT - MARGIN;
    }

    /// A paragraph over the whole width. A heading keeps two lines with it.
    pub fn text(&mut self, text: &str, style: Style) {
        let together = if style.bold { 3.0 } else { 1.0 };
        self.make_room(style.leading * together);
        self.paragraph(text, style, MARGIN);
    }

    /// A line of a list with its mark.
    pub fn item(&mut self, mark: &str, text: &str) {
        let style = Style::BODY;
        self.make_room(style.leading);
        let y = self.y - style.size;
        self.line(mark, Style { bold: true, color: ACCENT, ..style }, MARGIN, y);
        self.paragraph(text, style, MARGIN + INDENT);
        self.y -= 3.0;
    }

    /// A table of two columns.
    pub fn table(&mut self, title: &str, rows: &[(String, String)]) {
        let row_height = Style::BODY.leading + 4.0;
        // A table that fits on a page is not torn.
        let height = Style::HEADING.leading + row_height * rows.len() as f32;
        self.make_room(height.min(HEIGHT - MARGIN - FLOOR));
        self.text(title, Style::HEADING);
        for (index, (name, value)) in rows.iter().enumerate() {
            self.make_room(row_height);
            if index % 2 == 0 {
                fill(&mut self.page, Rgb(0xf4, 0xef, 0xe7));
                self.page.rect(MARGIN, self.y - row_height, WIDTH - 2.0 * MARGIN, row_height);
                self.page.fill_nonzero();
            }
            let y = self.y - Style::BODY.size - 3.0;
            self.line(name, Style { bold: true, ..Style::BODY }, MARGIN + 8.0, y);
            self.line(value, Style::BODY, MARGIN + 190.0, y);
            self.y -= row_height;
        }
    }

    /// A drawing on a tinted square, in the middle of the page.
    pub fn figure(&mut self, svg: &str, tint: Rgb) -> Result<(), String> {
        let tree = usvg::Tree::from_str(svg, &usvg::Options::default())
            .map_err(|error| error.to_string())?;
        let (left, bottom) = ((WIDTH - FIGURE) / 2.0, self.y - FIGURE);
        fill(&mut self.page, tint);
        self.page.rect(MARGIN, bottom, WIDTH - 2.0 * MARGIN, FIGURE).fill_nonzero();
        let scale = FIGURE / tree.size().width();
        self.page.save_state();
        self.page.transform([scale, 0.0, 0.0, -scale, left, bottom + FIGURE]);
        draw_group(&mut self.page, tree.root(), 1.0);
        self.page.restore_state();
        self.y = bottom;
        Ok(())
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.next_page();
        let count = self.done.len();
        for (number, page) in (1..).zip(&mut self.done) {
            let style = Style { bold: false, color: Rgb(0x80, 0x7a, 0x72), ..Style::SMALL };
            show(page, &self.footer, style, MARGIN, 46.0);
            let number = format!("{number} / {count}");
            let x = WIDTH - MARGIN - width(&number, style);
            show(page, &number, style, x, 46.0);
        }
        bound(self.done, &self.footer)
    }

    fn make_room(&mut self, height: f32) {
        if self.y - height < FLOOR {
            self.next_page();
        }
    }

    fn paragraph(&mut self, text: &str, style: Style, left: f32) {
        for line in wrapped(text, style, WIDTH - MARGIN - left) {
            self.make_room(style.leading);
            self.line(&line, style, left, self.y - style.size);
            self.y -= style.leading;
        }
    }

    fn line(&mut self, text: &str, style: Style, x: f32, y: f32) {
        show(&mut self.page, text, style, x, y);
    }
}

/// Binds the pages into a file.
fn bound(pages: Vec<Content>, title: &str) -> Vec<u8> {
    let (catalog, tree, regular, bold, info) =
        (Ref::new(1), Ref::new(2), Ref::new(3), Ref::new(4), Ref::new(5));
    let first = 6;
    let page_ref = |index: usize| Ref::new(first + 2 * index as i32);
    let content_ref = |index: usize| Ref::new(first + 1 + 2 * index as i32);
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(tree);
    pdf.document_info(info).title(TextStr(title));
    pdf.pages(tree).kids((0..pages.len()).map(page_ref)).count(pages.len() as i32);
    for (index, content) in pages.into_iter().enumerate() {
        let mut page = pdf.page(page_ref(index));
        page.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).parent(tree);
        page.contents(content_ref(index));
        page.resources().fonts().pair(REGULAR, regular).pair(BOLD, bold);
        page.finish();
        pdf.stream(content_ref(index), &content.finish());
    }
    let encoding = Name(b"WinAnsiEncoding");
    pdf.type1_font(regular).base_font(Name(b"Helvetica")).encoding_predefined(encoding);
    pdf.type1_font(bold).base_font(Name(b"Helvetica-Bold")).encoding_predefined(encoding);
    pdf.finish()
}

fn fill(page: &mut Content, color: Rgb) {
    let part = |value: u8| f32::from(value) / 255.0;
    page.set_fill_rgb(part(color.0), part(color.1), part(color.2));
}

fn show(page: &mut Content, text: &str, style: Style, x: f32, y: f32) {
    fill(page, style.color);
    page.begin_text();
    page.set_font(if style.bold { BOLD } else { REGULAR }, style.size);
    page.next_line(x, y);
    page.show(Str(&encoded(text)));
    page.end_text();
}

/// In the code page of the built-in fonts.
fn encoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\u{2019}' => bytes.push(0x92),
            '\u{2013}' => bytes.push(0x96),
            'Ω' => bytes.extend(b"ohm"),
            _ => bytes.push(u8::try_from(u32::from(letter)).unwrap_or(b'?')),
        }
    }
    bytes
}

/// Widths of the letters from space to tilde, in thousandths of the size, as the font has them.
const WIDTHS: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

fn width(text: &str, style: Style) -> f32 {
    let letters = encoded(text).into_iter().map(|byte| {
        let index = usize::from(byte).wrapping_sub(32);
        u32::from(WIDTHS.get(index).copied().unwrap_or(556))
    });
    let sum = letters.sum::<u32>() as f32 * style.size / 1000.0;
    // The bold letters are a little wider.
    if style.bold { sum * 1.07 } else { sum }
}

fn wrapped(text: &str, style: Style, room: f32) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if line.is_empty() || width(&longer, style) <= room {
            *line = longer;
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Draws what the group holds, flat: a gradient becomes its middle color, and what is so faint
/// that it is only a shine is left out.
fn draw_group(page: &mut Content, group: &usvg::Group, opacity: f32) {
    let opacity = opacity * group.opacity().get();
    for node in group.children() {
        match node {
            usvg::Node::Group(inner) => draw_group(page, inner, opacity),
            usvg::Node::Path(path) => draw_path(page, path, opacity),
            _ => {}
        }
    }
}

/// Below this it is a shine or a shadow.
const FAINT: f32 = 0.55;

fn draw_path(page: &mut Content, path: &usvg::Path, opacity: f32) {
    let flat = |paint: &usvg::Paint, own: f32| {
        (own * opacity >= FAINT).then(|| flat_color(paint)).flatten()
    };
    let filled = path.fill().and_then(|fill| flat(fill.paint(), fill.opacity().get()));
    let stroked = path.stroke().and_then(|stroke| {
        let color = flat(stroke.paint(), stroke.opacity().get())?;
        Some((color, stroke.width().get(), stroke.linecap()))
    });
    if filled.is_none() && stroked.is_none() {
        return;
    }
    let matrix = path.abs_transform();
    page.save_state();
    page.transform([matrix.sx, matrix.ky, matrix.kx, matrix.sy, matrix.tx, matrix.ty]);
    if let Some(color) = filled {
        fill(page, color);
    }
    if let Some((color, width, cap)) = stroked {
        let part = |value: u8| f32::from(value) / 255.0;
        page.set_stroke_rgb(part(color.0), part(color.1), part(color.2));
        page.set_line_width(width);
        page.set_line_cap(match cap {
            usvg::LineCap::Round => pdf_writer::types::LineCapStyle::RoundCap,
            _ => pdf_writer::types::LineCapStyle::ButtCap,
        });
    }
    outline(page, path.data());
    match (filled.is_some(), stroked.is_some()) {
        (true, true) => page.fill_nonzero_and_stroke(),
        (true, false) => page.fill_nonzero(),
        _ => page.stroke(),
    };
    page.restore_state();
}

fn flat_color(paint: &usvg::Paint) -> Option<Rgb> {
    let middle = |stops: &[usvg::Stop]| {
        let stop = stops.get(stops.len() / 2).filter(|stop| stop.opacity().get() >= FAINT)?;
        let color = stop.color();
        Some(Rgb(color.red, color.green, color.blue))
    };
    match paint {
        usvg::Paint::Color(color) => Some(Rgb(color.red, color.green, color.blue)),
        usvg::Paint::LinearGradient(gradient) => middle(gradient.stops()),
        usvg::Paint::RadialGradient(gradient) => middle(gradient.stops()),
        usvg::Paint::Pattern(_) => None,
    }
}

fn outline(page: &mut Content, path: &tiny_skia::Path) {
    let mut at = tiny_skia::Point::zero();
    for segment in path.segments() {
        match segment {
            tiny_skia::PathSegment::MoveTo(to) => {
                page.move_to(to.x, to.y);
                at = to;
            }
            tiny_skia::PathSegment::LineTo(to) => {
                page.line_to(to.x, to.y);
                at = to;
            }
            tiny_skia::PathSegment::QuadTo(bend, to) => {
                // PDF has cubic curves only.
                let toward = |from: f32, bend: f32| from + (bend - from) * 2.0 / 3.0;
                let (x1, y1) = (toward(at.x, bend.x), toward(at.y, bend.y));
                let (x2, y2) = (toward(to.x, bend.x), toward(to.y, bend.y));
                page.cubic_to(x1, y1, x2, y2, to.x, to.y);
                at = to;
            }
            tiny_skia::PathSegment::CubicTo(one, two, to) => {
                page.cubic_to(one.x, one.y, two.x, two.y, to.x, to.y);
                at = to;
            }
            tiny_skia::PathSegment::Close => {
                page.close_path();
            }
        }
    }
}
