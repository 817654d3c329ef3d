//! From SVG to PNG.

use resvg::{tiny_skia, usvg};

use super::palette;

/// Pictures of products are squares of this many pixels; collections are twice as wide.
pub const WIDTH: u32 = 800;
pub const HEIGHT: u32 = 800;
pub const WIDE_WIDTH: u32 = 1600;

/// How much smaller than the picture a cast shadow is drawn: blurred, nobody can tell.
const CAST_SCALE: u32 = 4;
/// How far a shadow is blurred, in its own pixels, and how often, which rounds the blur.
const CAST_BLUR: usize = 3;
const CAST_PASSES: usize = 3;
/// Where it falls, in pixels of the picture, and how dark it is in percent.
const CAST_OFFSET: (f32, f32) = (10.0, 16.0);
const CAST_PERCENT: u32 = 36;
/// What a shadow is made of: warm and dark.
const CAST_COLOR: [u32; 3] = [42, 29, 20];

/// Rasterizes an SVG to an indexed PNG of `width` by [`HEIGHT`] pixels.
///
/// # Errors
/// Says why where the SVG cannot be read or the picture not be written.
pub fn png(svg: &str, width: u32) -> Result<Vec<u8>, String> {
    let mut pixmap = pixmap(width, HEIGHT)?;
    draw(svg, &mut pixmap)?;
    encode(pixmap.data(), width).map_err(|error| error.to_string())
}

/// Rasterizes a figure that lies on a background and throws its shadow there. (An SVG filter
/// could do that too, and would take ten times as long as all the rest.)
///
/// # Errors
/// As with [`png()`].
pub fn png_over(background: &str, figure: &str) -> Result<Vec<u8>, String> {
    let mut pixmap = pixmap(WIDTH, HEIGHT)?;
    draw(background, &mut pixmap)?;
    let shadow = cast(figure)?;
    let quality = tiny_skia::FilterQuality::Bilinear;
    let paint = tiny_skia::PixmapPaint { quality, ..tiny_skia::PixmapPaint::default() };
    let (scale, (x, y)) = (CAST_SCALE as f32, CAST_OFFSET);
    let place = tiny_skia::Transform::from_scale(scale, scale).post_translate(x, y);
    pixmap.draw_pixmap(0, 0, shadow.as_ref(), &paint, place, None);
    draw(figure, &mut pixmap)?;
    encode(pixmap.data(), WIDTH).map_err(|error| error.to_string())
}

fn pixmap(width: u32, height: u32) -> Result<tiny_skia::Pixmap, String> {
    tiny_skia::Pixmap::new(width, height).ok_or_else(|| "the picture has no size".to_owned())
}

fn draw(svg: &str, pixmap: &mut tiny_skia::Pixmap) -> Result<(), String> {
    let tree =
        usvg::Tree::from_str(svg, &usvg::Options::default()).map_err(|error| error.to_string())?;
    let scale = pixmap.width() as f32 / tree.size().width();
    resvg::render(&tree, tiny_skia::Transform::from_scale(scale, scale), &mut pixmap.as_mut());
    Ok(())
}

/// The shadow of a figure, small.
fn cast(figure: &str) -> Result<tiny_skia::Pixmap, String> {
    let (width, height) = (WIDTH / CAST_SCALE, HEIGHT / CAST_SCALE);
    let mut small = pixmap(width, height)?;
    draw(figure, &mut small)?;
    let mut alpha: Vec<u8> = small.data().iter().skip(3).step_by(4).copied().collect();
    for _ in 0..CAST_PASSES {
        alpha = blurred_and_turned(&alpha, width as usize);
        alpha = blurred_and_turned(&alpha, height as usize);
    }
    for (pixel, alpha) in small.data_mut().as_chunks_mut::<4>().0.iter_mut().zip(alpha) {
        let alpha = u32::from(alpha) * CAST_PERCENT / 100;
        let [r, g, b] = CAST_COLOR.map(|part| (part * alpha / 255) as u8);
        *pixel = [r, g, b, alpha as u8];
    }
    Ok(small)
}

/// Blurs each row and turns rows into columns, so that a second call does the columns and turns
/// them back.
fn blurred_and_turned(rows: &[u8], width: usize) -> Vec<u8> {
    let height = rows.len() / width;
    let mut turned = vec![0; rows.len()];
    for (y, row) in rows.chunks_exact(width).enumerate() {
        for x in 0..width {
            let near = &row[x.saturating_sub(CAST_BLUR)..(x + CAST_BLUR + 1).min(width)];
            let sum: usize = near.iter().map(|part| usize::from(*part)).sum();
            // Outside of the picture there is nothing, which counts as none.
            turned[x * height + y] = (sum / (2 * CAST_BLUR + 1)) as u8;
        }
    }
    turned
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
