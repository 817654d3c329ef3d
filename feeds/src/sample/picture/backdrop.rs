//! What is behind and under a product: a bright studio for each form of it, a tinted room or
//! table for its main picture, and the shadow it throws.

use super::color::Rgb;
use super::template::Stance;
use super::{Look, Setting};

/// Muted wall and table colors that let a product stand out.
const TINTS: [Rgb; 12] = [
    Rgb(0xe9, 0xdc, 0xc8),
    Rgb(0xf0, 0xd3, 0xc6),
    Rgb(0xcf, 0xda, 0xc6),
    Rgb(0xc6, 0xd9, 0xe3),
    Rgb(0xd9, 0xd0, 0xe2),
    Rgb(0xe3, 0xc0, 0xa4),
    Rgb(0xd3, 0xdc, 0xdc),
    Rgb(0xf2, 0xdf, 0xad),
    Rgb(0xc3, 0xdc, 0xd1),
    Rgb(0xdc, 0xd6, 0xcb),
    Rgb(0xb9, 0xc8, 0xb4),
    Rgb(0xad, 0xc3, 0xd1),
];

/// How many room decorations there are.
const DECORATIONS: u64 = 6;

pub fn tint(seed: u64) -> Rgb {
    TINTS[(seed % TINTS.len() as u64) as usize]
}

/// The background for a product.
pub fn behind(look: &Look, setting: Setting, stance: Stance) -> String {
    match setting {
        Setting::Studio => studio(stance),
        Setting::Room(seed) => {
            let tint = suiting_tint(look.base, seed);
            let decoration = seed / 16 % DECORATIONS;
            match stance {
                Stance::Flat => table(tint, decoration),
                Stance::Stand(..) => room(tint, decoration),
                Stance::Hang => wall(tint, decoration),
            }
        }
    }
}

/// Of four candidates the tint that is farthest from the product's own color.
fn suiting_tint(base: Rgb, seed: u64) -> Rgb {
    let candidates = (0..4).map(|step| tint(seed + step * 5));
    candidates.max_by_key(|tint| tint.distance(base)).unwrap_or(TINTS[0])
}

fn studio(stance: Stance) -> String {
    let floor = match stance {
        Stance::Stand(..) => "<rect y=\"560\" width=\"800\" height=\"240\" fill=\"url(#floor)\"/>",
        _ => "",
    };
    format!(
        "<defs><radialGradient id=\"sweep\" cx=\".5\" cy=\".42\" r=\".75\">\
         <stop offset=\"0\" stop-color=\"#fdfcfa\"/><stop offset=\"1\" stop-color=\"#e8e5df\"/>\
         </radialGradient><linearGradient id=\"floor\" x2=\"0\" y2=\"1\">\
         <stop offset=\"0\" stop-color=\"#dcd8d0\" stop-opacity=\"0\"/>\
         <stop offset=\"1\" stop-color=\"#d3cec5\"/></linearGradient></defs>\
         <rect width=\"800\" height=\"800\" fill=\"url(#sweep)\"/>{floor}"
    )
}

fn gradient(id: &str, from: Rgb, to: Rgb) -> String {
    format!(
        "<linearGradient id=\"{id}\" x2=\".6\" y2=\"1\"><stop offset=\"0\" stop-color=\"{}\"/>\
         <stop offset=\"1\" stop-color=\"{}\"/></linearGradient>",
        from.hex(),
        to.hex()
    )
}

fn room(tint: Rgb, decoration: u64) -> String {
    let floor = tint.mix(Rgb(255, 255, 255), 38);
    let on_wall = decorate(tint, decoration);
    format!(
        "<defs>{}{}</defs><rect width=\"800\" height=\"800\" fill=\"url(#wall)\"/>{on_wall}\
         <rect y=\"590\" width=\"800\" height=\"210\" fill=\"url(#ground)\"/>\
         <rect y=\"588\" width=\"800\" height=\"3\" fill=\"{}\" opacity=\".5\"/>",
        gradient("wall", tint.light(), tint.dark().mix(tint, 45)),
        gradient("ground", floor, tint),
        tint.dark().hex(),
    )
}

fn wall(tint: Rgb, decoration: u64) -> String {
    let on_wall = decorate(tint, if decoration == 3 { 0 } else { decoration });
    format!(
        "<defs>{}</defs><rect width=\"800\" height=\"800\" fill=\"url(#wall)\"/>{on_wall}",
        gradient("wall", tint.light(), tint.dark().mix(tint, 30)),
    )
}

fn decorate(tint: Rgb, decoration: u64) -> String {
    let (light, dark) = (tint.light().hex(), tint.dark().hex());
    match decoration {
        0 => format!("<circle cx=\"400\" cy=\"390\" r=\"270\" fill=\"{light}\" opacity=\".8\"/>"),
        1 => format!(
            "<path d=\"M150 800 V400 A250 250 0 0 1 650 400 V800 Z\" fill=\"{light}\" \
             opacity=\".85\"/>"
        ),
        2 => format!(
            "<path d=\"M90 800 V330 A150 150 0 0 1 390 330 V800 Z\" fill=\"{dark}\" \
             opacity=\".3\"/><circle cx=\"590\" cy=\"270\" r=\"110\" fill=\"{light}\" \
             opacity=\".85\"/>"
        ),
        3 => "<g fill=\"#fff\" opacity=\".3\"><path d=\"M420 60 L560 20 L520 300 L380 340 Z\"/>\
              <path d=\"M576 16 L716 -24 L676 256 L536 296 Z\"/><path d=\"M376 362 L516 322 \
              L480 560 L340 600 Z\"/><path d=\"M532 318 L672 278 L636 516 L496 556 Z\"/></g>"
            .to_owned(),
        4 => format!(
            "<path d=\"M0 590 V430 Q180 330 400 430 T800 400 V590 Z\" fill=\"{light}\" \
             opacity=\".7\"/><circle cx=\"620\" cy=\"220\" r=\"84\" fill=\"{light}\" \
             opacity=\".9\"/>"
        ),
        _ => format!(
            "<rect x=\"0\" width=\"290\" height=\"800\" fill=\"{dark}\" opacity=\".16\"/>\
             <rect x=\"520\" width=\"280\" height=\"800\" fill=\"{light}\" opacity=\".5\"/>"
        ),
    }
}

fn table(tint: Rgb, decoration: u64) -> String {
    let (light, dark) = (tint.light().hex(), tint.dark().hex());
    let on_table = match decoration {
        0 => format!("<circle cx=\"400\" cy=\"400\" r=\"330\" fill=\"{light}\" opacity=\".7\"/>"),
        1 => format!("<path d=\"M0 800 L800 0 V800 Z\" fill=\"{light}\" opacity=\".55\"/>"),
        2 => format!("<rect width=\"270\" height=\"800\" fill=\"{dark}\" opacity=\".2\"/>"),
        3 => "<path d=\"M520 -40 L700 -40 L160 840 L-20 840 Z M740 -40 L800 -40 L260 840 \
              L200 840 Z\" fill=\"#fff\" opacity=\".24\"/>"
            .to_owned(),
        4 => format!(
            "<circle cx=\"110\" cy=\"690\" r=\"250\" fill=\"{dark}\" opacity=\".18\"/>\
             <circle cx=\"700\" cy=\"100\" r=\"190\" fill=\"{light}\" opacity=\".75\"/>"
        ),
        _ => format!(
            "<rect y=\"520\" width=\"800\" height=\"280\" fill=\"{light}\" \
                      opacity=\".6\"/>"
        ),
    };
    format!(
        "<defs>{}</defs><rect width=\"800\" height=\"800\" fill=\"url(#wall)\"/>{on_table}",
        gradient("wall", tint.light(), tint.dark().mix(tint, 40)),
    )
}

/// A room as wide as a banner.
pub fn wide(tint: Rgb) -> String {
    let floor = tint.mix(Rgb(255, 255, 255), 38);
    format!(
        "<defs>{}{}</defs><rect width=\"1600\" height=\"800\" fill=\"url(#wall)\"/>\
         <circle cx=\"860\" cy=\"400\" r=\"330\" fill=\"{}\" opacity=\".75\"/>\
         <path d=\"M120 800 V420 A190 190 0 0 1 500 420 V800 Z\" fill=\"{}\" opacity=\".2\"/>\
         <rect y=\"612\" width=\"1600\" height=\"188\" fill=\"url(#ground)\"/>",
        gradient("wall", tint.light(), tint.dark().mix(tint, 45)),
        gradient("ground", floor, tint),
        tint.light().hex(),
        tint.dark().hex(),
    )
}

/// The shadow on the floor; what lies or hangs has another one, or none.
pub fn shadow(stance: Stance) -> String {
    let Stance::Stand(x, width) = stance else { return String::new() };
    let half = width / 2;
    format!(
        "<defs><radialGradient id=\"shadow\"><stop offset=\"0\" stop-color=\"#2a1d14\" \
         stop-opacity=\".5\"/><stop offset=\".55\" stop-color=\"#2a1d14\" stop-opacity=\".26\"/>\
         <stop offset=\"1\" stop-color=\"#2a1d14\" stop-opacity=\"0\"/></radialGradient></defs>\
         <ellipse cx=\"{}\" cy=\"650\" rx=\"{}\" ry=\"40\" fill=\"url(#shadow)\"/>\
         <ellipse cx=\"{x}\" cy=\"648\" rx=\"{}\" ry=\"16\" fill=\"url(#shadow)\"/>",
        x + 22,
        half + half / 3,
        half + half / 12,
    )
}
