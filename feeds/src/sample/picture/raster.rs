//! From SVG to PNG.

use resvg::{tiny_skia, usvg};

use super::palette;

/// Pictures of products are squares of this many pixels; collections are twice as wide.
pub const WIDTH: u32 = 800;
pub const HEIGHT: u32 = 800;
pub const WIDE_WIDTH: u32 = 1600;

/// Rasterizes an SVG to an indexed PNG of `width` by [`HEIGHT`] pixels.
///
/// # Errors
/// Says why where the SVG cannot be read or the picture not be written.
pub fn png(svg: &str, width: u32) -> Result<Vec<u8>, String> {
    let options = usvg::Options::default();
    let tree = usvg::Tree::from_str(svg, &options).map_err(|error| error.to_string())?;
    let mut pixmap = tiny_skia::Pixmap::new(width, HEIGHT).ok_or("the picture has no size")?;
    let scale = width as f32 / tree.size().width();
    resvg::render(&tree, tiny_skia::Transform::from_scale(scale, scale), &mut pixmap.as_mut());
    encode(pixmap.data(), width).map_err(|error| error.to_string())
}

fn encode(rgba: &[u8], width: u32) -> Result<Vec<u8>, png::EncodingError> {
    let picture = palette::indexed(rgba);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, HEIGHT);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(picture.colors);
    // Filters guess the next pixel from its neighbors, which says nothing of an index.
    encoder.set_filter(png::Filter::NoFilter);
    encoder.set_compression(png::Compression::Balanced);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&picture.pixels)?;
    writer.finish()?;
    Ok(bytes)
}
