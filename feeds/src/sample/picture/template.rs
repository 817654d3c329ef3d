//! How a drawing is made from its template. A template is SVG, line by line, with a few words of
//! its own: `#stand X W`, `#flat` or `#hang` says how the thing is held; `body: PATH` names its
//! outline, which `$body` stands for; `?word` keeps a line only where the look has the word,
//! `!word` only where it has not; `=skin` lays the look's patterns over the outline; `$base`,
//! `$accent` and their shades are colors.

use super::color::Rgb;
use super::{Look, shapes};

/// How a thing is held, which decides about its shadow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stance {
    /// It stands on the floor: the middle and the width of its shadow.
    Stand(i32, i32),
    /// It lies on a table, seen from above.
    Flat,
    /// It hangs.
    Hang,
}

/// A template filled in.
pub struct Drawing {
    pub stance: Stance,
    pub defs: String,
    pub body: String,
}

/// Patterns that a look may lay over the outline of its shape.
const SKINS: [&str; 13] = [
    "stripes", "bands", "dots", "check", "grid", "knit", "waffle", "herring", "speckle", "stars",
    "sprig", "grain", "weave",
];

/// How a look may stretch its shape: word, width and height in percent.
const STRETCHES: [(&str, i32, i32); 7] = [
    ("tall", 94, 116),
    ("squat", 112, 86),
    ("wide", 120, 100),
    ("slim", 82, 106),
    ("small", 84, 84),
    ("large", 110, 110),
    ("tiny", 70, 70),
];

const DEFS: &str = include_str!("defs.svg");

pub fn draw(look: &Look) -> Drawing {
    let shape = look.words.first().map_or("", String::as_str);
    let template = shapes::template(shape).unwrap_or_default();
    let mut stance = Stance::Flat;
    let mut outline = String::new();
    let mut lines = Vec::new();
    for line in template.lines() {
        let Some(line) = kept(line, &look.words) else { continue };
        if let Some(word) = line.strip_prefix('#') {
            stance = parse_stance(word);
        } else if let Some(path) = line.strip_prefix("body: ") {
            outline = path.to_owned();
        } else if line == "=skin" {
            lines.extend(skins(&look.words));
        } else {
            lines.push(line.to_owned());
        }
    }
    let body = lines.concat().replace("$body", &outline);
    let body = format!("<g transform=\"{}\">{body}</g>", stretch(&look.words, stance));
    Drawing { stance, defs: colored(DEFS, look), body: colored(&body, look) }
}

/// The line without its conditions, or `None` where one does not hold.
fn kept<'a>(line: &'a str, words: &[String]) -> Option<&'a str> {
    let mut rest = line;
    loop {
        let wanted = rest.starts_with('?');
        if !wanted && !rest.starts_with('!') {
            return Some(rest);
        }
        let (condition, after) = rest[1..].split_once(' ')?;
        if words.iter().skip(1).any(|word| word == condition) != wanted {
            return None;
        }
        rest = after;
    }
}

fn parse_stance(text: &str) -> Stance {
    let mut words = text.split(' ');
    match words.next() {
        Some("stand") => {
            let mut number = || words.next().and_then(|word| word.parse().ok()).unwrap_or(400);
            Stance::Stand(number(), number())
        }
        Some("hang") => Stance::Hang,
        _ => Stance::Flat,
    }
}

fn skins(words: &[String]) -> impl Iterator<Item = String> + '_ {
    let chosen = SKINS.iter().filter(|skin| words.iter().skip(1).any(|word| word == *skin));
    chosen.map(|skin| format!("<path d=\"$body\" fill=\"url(#{skin})\"/>"))
}

fn stretch(words: &[String], stance: Stance) -> String {
    let (mut width, mut height) = (100, 100);
    for (word, x, y) in STRETCHES {
        if words.iter().skip(1).any(|own| own == word) {
            width = width * x / 100;
            height = height * y / 100;
        }
    }
    if words.iter().any(|word| word == "flip") {
        width = -width;
    }
    let pivot = match stance {
        Stance::Stand(..) => 648,
        Stance::Flat => 400,
        Stance::Hang => 0,
    };
    let (x, y) = (f64::from(width) / 100.0, f64::from(height) / 100.0);
    format!("translate(400 {pivot}) scale({x} {y}) translate(-400 -{pivot})")
}

/// Fills in the colors. Longer names come first, since `$adark` begins as `$a` does.
fn colored(text: &str, look: &Look) -> String {
    let (base, accent) = (look.base, look.accent);
    let has = |word: &str| look.words.iter().any(|own| own == word);
    let grip = if has("woodgrip") { Rgb(0xb0, 0x7c, 0x4a) } else { Rgb(0x33, 0x34, 0x37) };
    let speck = if base.luma() > 110 { base.deep() } else { Rgb(0xee, 0xe8, 0xdc) };
    let dark_face = has("darkface");
    let face = if dark_face { "#2c2f33" } else { "#faf7ef" };
    let ink = if dark_face { "#f3efe4" } else { "#2f2d2b" };
    let lid = if has("woodlid") {
        "wood"
    } else if has("steellid") {
        "steel"
    } else {
        "ah"
    };
    let fills = [
        ("$adark", accent.dark().hex()),
        ("$adeep", accent.deep().hex()),
        ("$alight", accent.light().hex()),
        ("$accent", accent.hex()),
        ("$base", base.hex()),
        ("$dark", base.dark().hex()),
        ("$deep", base.deep().hex()),
        ("$light", base.light().hex()),
        ("$gripdark", grip.dark().hex()),
        ("$griplight", grip.light().hex()),
        ("$speck", speck.hex()),
        ("$face", face.to_owned()),
        ("$ink", ink.to_owned()),
        ("$lid", lid.to_owned()),
        ("$met", if has("brass") { "brassh" } else { "steel" }.to_owned()),
        ("$shaft", if has("darkshaft") { "inkh" } else { "wood" }.to_owned()),
        ("$tilt", if has("leftward") { "-14" } else { "9" }.to_owned()),
    ];
    fills.iter().fold(text.to_owned(), |text, (name, fill)| text.replace(name, fill))
}

/// Puts `prefix` before every id of the SVG and every reference to one.
pub fn prefix_ids(svg: &str, prefix: &str) -> String {
    svg.replace(" id=\"", &format!(" id=\"{prefix}")).replace("url(#", &format!("url(#{prefix}"))
}
