//! The few colors that a picture makes do with. Illustrations have few hues, so 256 well-chosen
//! colors are as good as millions, and the file is a third of the size.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The most colors an indexed PNG has.
const COLORS_MAX: usize = 256;

/// A picture as indices into its colors.
pub struct Indexed {
    /// Three bytes each.
    pub colors: Vec<u8>,
    pub pixels: Vec<u8>,
}

/// A distinct color with how many pixels have it.
type Counted = ([u8; 3], u32);

/// By color. The default hasher is made against attackers, and would take longer than the
/// drawing does.
type ByColor<T> = HashMap<u32, T, BuildHasherDefault<Spreader>>;

/// Spreads the 24 bits of a color over 64.
#[derive(Default)]
struct Spreader(u64);

impl Hasher for Spreader {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, value: u32) {
        let mixed = (self.0 ^ u64::from(value)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

fn key(red: u8, green: u8, blue: u8) -> u32 {
    u32::from_be_bytes([0, red, green, blue])
}

/// Chooses the colors by median cut: the box of colors that is worst served by a single one is
/// cut in two, until there are enough.
pub fn indexed(rgba: &[u8]) -> Indexed {
    let mut counts: ByColor<u32> = ByColor::default();
    for run in rgba.as_chunks::<4>().0.chunk_by(|a, b| a == b) {
        let [red, green, blue, _] = run[0];
        *counts.entry(key(red, green, blue)).or_default() += run.len() as u32;
    }
    let color = |key: u32| {
        let [_, red, green, blue] = key.to_be_bytes();
        [red, green, blue]
    };
    let mut all: Vec<Counted> =
        counts.into_iter().map(|(key, count)| (color(key), count)).collect();
    all.sort_unstable();
    let mut boxes = vec![ColorBox::new(all)];
    while boxes.len() < COLORS_MAX {
        let worst = (0..boxes.len()).max_by_key(|index| (boxes[*index].error, *index));
        let Some(worst) = worst.filter(|index| boxes[*index].colors.len() > 1) else { break };
        let (low, high) = boxes.swap_remove(worst).cut();
        boxes.extend([low, high]);
    }
    let colors = boxes.iter().flat_map(ColorBox::mean).collect();
    let mut index_of: ByColor<u8> = ByColor::default();
    for (index, colors) in boxes.iter().enumerate() {
        index_of.extend(colors.colors.iter().map(|([r, g, b], _)| (key(*r, *g, *b), index as u8)));
    }
    let mut pixels = Vec::with_capacity(rgba.len() / 4);
    for run in rgba.as_chunks::<4>().0.chunk_by(|a, b| a == b) {
        let [red, green, blue, _] = run[0];
        pixels.resize(pixels.len() + run.len(), index_of[&key(red, green, blue)]);
    }
    Indexed { colors, pixels }
}

/// Colors that become one.
struct ColorBox {
    colors: Vec<Counted>,
    /// The channel in which they differ most.
    channel: usize,
    /// How badly one color serves them all: the sum of squares along the channel.
    error: u64,
}

impl ColorBox {
    fn new(colors: Vec<Counted>) -> ColorBox {
        let errors = [0, 1, 2].map(|channel| spread(&colors, channel));
        let channel = (0..3).max_by_key(|channel| errors[*channel]).unwrap_or(0);
        ColorBox { error: errors.iter().sum(), colors, channel }
    }

    /// Cuts at the mean of the channel, which is where the error falls most.
    fn cut(mut self) -> (ColorBox, ColorBox) {
        let channel = self.channel;
        let (sum, count) = sums(&self.colors, channel);
        let mean = (sum / count) as u8;
        self.colors.sort_unstable_by_key(|(color, _)| (color[channel], *color));
        let at = self.colors.partition_point(|(color, _)| color[channel] <= mean);
        let high = self.colors.split_off(at.clamp(1, self.colors.len() - 1));
        (ColorBox::new(self.colors), ColorBox::new(high))
    }

    fn mean(&self) -> [u8; 3] {
        [0, 1, 2].map(|channel| {
            let (sum, count) = sums(&self.colors, channel);
            ((sum + count / 2) / count) as u8
        })
    }
}

fn sums(colors: &[Counted], channel: usize) -> (u64, u64) {
    colors.iter().fold((0, 0), |(sum, count), (color, times)| {
        (sum + u64::from(color[channel]) * u64::from(*times), count + u64::from(*times))
    })
}

/// The sum of the squared distances from the mean.
fn spread(colors: &[Counted], channel: usize) -> u64 {
    let (sum, count) = sums(colors, channel);
    let mean = (sum / count.max(1)) as i64;
    let squares = colors.iter().map(|(color, times)| {
        let distance = i64::from(color[channel]) - mean;
        (distance * distance) as u64 * u64::from(*times)
    });
    squares.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_colors_are_kept_as_they_are() {
        let rgba = [[10, 20, 30, 255], [200, 0, 0, 255], [10, 20, 30, 255], [0, 0, 200, 255]];
        let found = indexed(rgba.as_flattened());
        assert_eq!(found.colors.len(), 9);
        for (pixel, index) in rgba.iter().zip(&found.pixels) {
            let at = usize::from(*index) * 3;
            assert_eq!(found.colors[at..at + 3], pixel[..3]);
        }
    }

    #[test]
    fn of_many_colors_none_is_moved_far() {
        let rgba: Vec<u8> = (0..40_000u32)
            .flat_map(|n| [(n % 200) as u8, (n / 200) as u8, ((n * 7) % 60) as u8, 255])
            .collect();
        let found = indexed(&rgba);
        assert_eq!(found.colors.len(), COLORS_MAX * 3);
        let far = rgba.chunks_exact(4).zip(&found.pixels).map(|(pixel, index)| {
            let at = usize::from(*index) * 3;
            (0..3).map(|c| pixel[c].abs_diff(found.colors[at + c])).max().unwrap()
        });
        assert!(far.max().unwrap() < 40);
    }
}
