//! Colors of products: the names that options use, what each looks like, and which shade a
//! lit edge or a shadow of it has.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// A color as it is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

/// A color that options may name, and the family that the `color` facet puts it in.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedColor {
    pub hex: String,
    pub family: String,
}

const WHITE: Rgb = Rgb(255, 255, 255);
/// Shadows are warm: mixed with this rather than with black, they do not look dirty.
const SHADE: Rgb = Rgb(38, 26, 24);

impl Rgb {
    /// Reads `#rrggbb`.
    pub fn parse(hex: &str) -> Option<Rgb> {
        let digits = hex.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        let value = u32::from_str_radix(digits, 16).ok()?;
        let [_, r, g, b] = value.to_be_bytes();
        Some(Rgb(r, g, b))
    }

    pub fn hex(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }

    /// `percent` of `other`, the rest of this.
    pub fn mix(self, other: Rgb, percent: u32) -> Rgb {
        let blend = |a: u8, b: u8| {
            let mixed = u32::from(a) * (100 - percent) + u32::from(b) * percent;
            (mixed / 100) as u8
        };
        Rgb(blend(self.0, other.0), blend(self.1, other.1), blend(self.2, other.2))
    }

    pub fn light(self) -> Rgb {
        self.mix(WHITE, if self.luma() < 90 { 22 } else { 34 })
    }

    pub fn dark(self) -> Rgb {
        self.mix(SHADE, if self.luma() > 200 { 13 } else { 24 })
    }

    pub fn deep(self) -> Rgb {
        self.mix(SHADE, if self.luma() > 200 { 27 } else { 45 })
    }

    /// How bright it looks, 0 to 255.
    pub fn luma(self) -> u32 {
        (u32::from(self.0) * 299 + u32::from(self.1) * 587 + u32::from(self.2) * 114) / 1000
    }

    /// How far apart two colors are; 0 for the same.
    pub fn distance(self, other: Rgb) -> u32 {
        let gap = |a: u8, b: u8| u32::from(a.abs_diff(b));
        gap(self.0, other.0) * 3 + gap(self.1, other.1) * 4 + gap(self.2, other.2) * 2
    }
}

/// All named colors.
pub fn palette() -> &'static BTreeMap<String, NamedColor> {
    static PALETTE: OnceLock<BTreeMap<String, NamedColor>> = OnceLock::new();
    PALETTE.get_or_init(|| {
        serde_saphyr::from_str(include_str!("../data/palette.yaml"))
            .expect("the palette is part of the program and read by a test")
    })
}

/// The color of a name, or of `#rrggbb`.
pub fn named(name: &str) -> Option<Rgb> {
    match palette().get(name) {
        Some(color) => Rgb::parse(&color.hex),
        None => Rgb::parse(name),
    }
}
