//! Pictures of the sample products: each is drawn, as an illustration of its kind in its own
//! colors, and turned into a PNG file where it is wanted. The same look always makes the same
//! bytes.

mod backdrop;
pub mod color;
mod palette;
mod raster;
mod shapes;
mod template;

pub use raster::{HEIGHT, WIDE_WIDTH, WIDTH, png};
pub use shapes::names as shape_names;

use color::Rgb;

/// What a product looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The drawn kind, then what is special of it: `["mug", "band", "tall"]`.
    pub words: Vec<String>,
    pub base: Rgb,
    pub accent: Rgb,
}

/// What a product stands or lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// Plain and bright, as shops show one form of a product.
    Studio,
    /// A room in a tint that suits the product; the number picks which.
    Room(u64),
}

/// The picture of one product.
///
/// # Errors
/// Says why where it cannot be drawn.
pub fn product_png(look: &Look, setting: Setting) -> Result<Vec<u8>, String> {
    let drawing = template::draw(look);
    let behind = backdrop::behind(look, setting, drawing.stance);
    let (defs, body) = (&drawing.defs, &drawing.body);
    match drawing.stance {
        template::Stance::Flat => raster::png_over(&square(&behind), &figure_svg(look)),
        stance => {
            let shadow = backdrop::shadow(stance);
            let svg = square(&format!("<defs>{defs}</defs>{behind}{shadow}{body}"));
            raster::png(&svg, WIDTH)
        }
    }
}

fn square(content: &str) -> String {
    format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 800\">{content}</svg>")
}

/// The SVG of a collection: three of its products, on the left, on the right, and in the middle.
pub fn collection_svg(looks: &[Look], seed: u64) -> String {
    let tint = backdrop::tint(seed);
    let mut parts = vec![backdrop::wide(tint)];
    let places = [(60, 250, 62), (1130, 250, 62), (535, 150, 80)];
    for (index, (look, (x, y, percent))) in looks.iter().zip(places).enumerate() {
        let drawing = template::draw(look);
        let shadow = match drawing.stance {
            template::Stance::Flat => backdrop::shadow(template::Stance::Stand(400, 380)),
            stance => backdrop::shadow(stance),
        };
        // Each drawing brings its own gradients; a prefix keeps them apart.
        let inner = format!("<defs>{}</defs>{shadow}{}", drawing.defs, drawing.body);
        let inner = template::prefix_ids(&inner, &format!("p{index}-"));
        let scale = f64::from(percent) / 100.0;
        parts.push(format!("<g transform=\"translate({x} {y}) scale({scale})\">{inner}</g>"));
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1600 800\">{}</svg>",
        parts.concat()
    )
}

/// The SVG of a product without anything behind it, for print.
pub fn figure_svg(look: &Look) -> String {
    let drawing = template::draw(look);
    square(&format!("<defs>{}</defs>{}", drawing.defs, drawing.body))
}
