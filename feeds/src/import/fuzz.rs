//! Fuzz target: pictures. Only their heads are looked at, and by far the most of what a shop is
//! handed as a picture by an address is not made by the shop.

use barrow_fuzz::{INPUTS, fuzz};

use super::media::{Format, size_of};

#[test]
fn fuzz_pictures() {
    let webp = b"RIFF\x24\x00\x00\x00WEBPVP8 \x18\x00\x00\x00\x30\x01\x00\x9d\x01\x2a\x02\x00\x03\
        \x00\x02\x00\x34\x25\xa4\x00\x03\x70\x00\xfe\xfb\x94\x00\x00";
    let lossless = b"RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x01\x80\x00\x00\x00\x00\x00";
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x03\0\0\0\x02\x08\x02\0\0\0\x12\x16\xf1\x4d";
    let jpeg = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xc0\0\x11\x08\0\x02\0\
        \x03\x03\x01\x22\0\x02\x11\x01\x03\x11\x01\xff\xd9";
    let avif = b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf\0\0\0\x38meta\0\0\0\0\0\0\0\x2ciprp\0\0\0\
        \x24ipco\0\0\0\x14ispe\0\0\0\0\0\0\0\x03\0\0\0\x02\0\0\0\x08free\0\0\0\x08mdat";
    let gif = b"GIF89a\x03\x00\x02\x00\x80\x00\x00";
    let samples: [&[u8]; 7] = [webp, lossless, png, jpeg, avif, gif, b"%PDF-1.7\n1 0 obj"];
    fuzz("pictures", INPUTS, &samples, |bytes| {
        let _ = size_of(bytes);
        let format = Format::of(bytes);
        // It is told from the head: what follows changes nothing.
        assert!(format.is_none() || Format::of(&[bytes, b"more"].concat()) == format);
        format.is_some().into()
    });
}
