//! From SVG to PNG.

use resvg::{tiny_skia, usvg};

/// Pictures of products are squares of this many pixels; collections are twice as wide.
pub const WIDTH: u32 = 800;
pub const HEIGHT: u32 = 800;
pub const WIDE_WIDTH: u32 = 1600;

/// Rasterizes an SVG to a PNG of `width` by [`HEIGHT`] pixels.
///
/// # Errors
/// Says why where the SVG cannot be read or the picture not be written.
pub fn png(svg: &str, width: u32) -> Result<Vec<u8>, String> {
    let options = usvg::Options::default();
    let tree = usvg::Tree::from_str(svg, &options).map_err(|error| error.to_string())?;
    let mut pixmap = tiny_skia::Pixmap::new(width, HEIGHT).ok_or("the picture has no size")?;
    let scale = width as f32 / tree.size().width();
    resvg::render(&tree, tiny_skia::Transform::from_scale(scale, scale), &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|error| error.to_string())
}
