//! The mutator: what fails decoders is mostly a valid input with something small wrong in it, so
//! it flips, cuts, repeats, swaps and splices, in bytes as in words and numbers. It is a pure
//! function of its arguments; a mutation less is a simpler mutant, which makes failures small.

/// The kind of a mutation, where it happens, of which length, and what else it needs.
pub type Edit = [u32; 4];

/// More mutations make noise of a sample.
pub const EDITS_MAX: usize = 6;

/// The longest mutant: what is beyond is cut off, so that no input takes long by its length.
pub const MUTANT_BYTES_MAX: usize = 64 * 1024;

/// The most times a piece is repeated.
const REPEATS_MAX: u32 = 64;

/// What stands for something in one of the formats, or where ranges end.
const TOKENS: &[&[u8]] = &[
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"\"\"",
    b"0",
    b"-0",
    b"-1",
    b"0.5",
    b"1e999",
    b"1E-400",
    b"255",
    b"256",
    b"65536",
    b"4294967295",
    b"4294967296",
    b"9007199254740992",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"18446744073709551615",
    b"18446744073709551616",
    b"99999999999999999999999999",
    b"NaN",
    b"inf",
    b"\0",
    b"\x7f",
    b"\xff",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    "ä".as_bytes(),
    "\u{202e}".as_bytes(),
    "\u{2028}".as_bytes(),
    "e\u{301}".as_bytes(),
    "\u{1f9fa}".as_bytes(),
    "٣".as_bytes(),
    b"%00",
    b"%ff",
    b"%",
    b"+",
    b"&",
    b"=",
    b";",
    b",",
    b":",
    b"-",
    b" ",
    b"\t",
    b"\n",
    b"\r\n",
    b"\r",
    b"\"",
    b"'",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\\n",
    b"[",
    b"{",
    b"]",
    b"}",
    b"../",
    b"/",
    b"#",
    b"*",
    b"---\n",
    b"&a ",
    b"*a",
    b"!!binary ",
    b"|\n",
    b"- ",
    b"W/",
    b"q=",
    b"..",
    b"s",
    b"KiB",
    b"_",
    b"=cmd",
];

/// Bytes at the borders of what bytes mean.
const BYTES: &[u8] = &[0, 1, 2, 3, 9, 10, 13, 31, 32, 34, 44, 48, 58, 92, 127, 128, 192, 255];

/// Numbers at the borders of integers, as they lie in binary forms.
const NUMBERS: &[u64] = &[
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// The sample of that number after these mutations; others lend pieces.
pub fn mutant(samples: &[Vec<u8>], sample: usize, edits: &[Edit]) -> Vec<u8> {
    let mut bytes = samples[sample].clone();
    for edit in edits {
        apply(&mut bytes, samples, *edit);
        bytes.truncate(MUTANT_BYTES_MAX);
    }
    bytes
}

fn apply(bytes: &mut Vec<u8>, samples: &[Vec<u8>], [kind, place, length, other]: Edit) {
    let lender = &samples[other as usize % samples.len()];
    match kind % 16 {
        0 => flip(bytes, place, other),
        1 => set(bytes, place, pick(BYTES, other)),
        2 => drop(bytes.drain(piece(bytes, place, length))),
        3 => repeat(bytes, piece(bytes, place, length), other),
        4 => {
            let moved = piece(bytes, place, length);
            swap(bytes, moved, other);
        }
        5 => insert(bytes, place, &lender[piece(lender, other.rotate_left(16), length)]),
        6 => {
            bytes.truncate(at(bytes, place));
            bytes.extend_from_slice(&lender[at(lender, length)..]);
        }
        7 => insert(bytes, place, pick(TOKENS, other)),
        8 => replace(bytes, word(bytes, place), pick(TOKENS, other)),
        9 => replace(bytes, digits(bytes, place), pick(TOKENS, other)),
        10 => write_number(bytes, place, length, pick(NUMBERS, other)),
        11 => bytes.truncate(at(bytes, place)),
        12 => repeat(bytes, word(bytes, place), other),
        13 => drop(bytes.drain(word(bytes, place))),
        14 => {
            let moved = bytes[word(bytes, other)].to_vec();
            replace(bytes, word(bytes, place), &moved);
        }
        _ => repeat(bytes, line(bytes, place), other),
    }
}

type Piece = std::ops::Range<usize>;

fn pick<T: Copy>(from: &[T], number: u32) -> T {
    from[number as usize % from.len()]
}

/// A place within or at the end.
fn at(bytes: &[u8], place: u32) -> usize {
    place as usize % (bytes.len() + 1)
}

/// A piece from that place on; short ones are as likely as long ones.
fn piece(bytes: &[u8], place: u32, length: u32) -> Piece {
    let start = at(bytes, place);
    let longest = 1usize << (length % 13);
    let length = (length >> 8) as usize % longest + 1;
    start..(start + length).min(bytes.len())
}

/// The run around the place of what is alike: digits and letters, or anything else.
fn word(bytes: &[u8], place: u32) -> Piece {
    run(bytes, place, |byte| byte.is_ascii_alphanumeric() || byte >= 0x80)
}

fn line(bytes: &[u8], place: u32) -> Piece {
    let found = run(bytes, place, |byte| byte != b'\n');
    found.start..(found.end + 1).min(bytes.len())
}

fn run(bytes: &[u8], place: u32, inside: impl Fn(u8) -> bool) -> Piece {
    let start = at(bytes, place);
    let Some(first) = bytes.get(start) else { return start..start };
    let alike = |byte: &u8| inside(*byte) == inside(*first);
    let before = bytes[..start].iter().rev().take_while(|byte| alike(byte)).count();
    let behind = bytes[start..].iter().take_while(|byte| alike(byte)).count();
    start - before..start + behind
}

/// The first number behind the place.
fn digits(bytes: &[u8], place: u32) -> Piece {
    let from = at(bytes, place);
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let start = bytes[from..].iter().position(is_digit).map_or(bytes.len(), |start| from + start);
    start..start + bytes[start..].iter().take_while(|byte| is_digit(byte)).count()
}

fn flip(bytes: &mut [u8], place: u32, bit: u32) {
    let place = at(bytes, place);
    if let Some(byte) = bytes.get_mut(place) {
        *byte ^= 1 << (bit % 8);
    }
}

fn set(bytes: &mut [u8], place: u32, value: u8) {
    let place = at(bytes, place);
    if let Some(byte) = bytes.get_mut(place) {
        *byte = value;
    }
}

fn insert(bytes: &mut Vec<u8>, place: u32, what: &[u8]) {
    let place = at(bytes, place);
    replace(bytes, place..place, what);
}

fn replace(bytes: &mut Vec<u8>, piece: Piece, with: &[u8]) {
    bytes.splice(piece, with.iter().copied());
}

fn repeat(bytes: &mut Vec<u8>, piece: Piece, times: u32) {
    let times = (times % REPEATS_MAX) as usize + 1;
    let room = MUTANT_BYTES_MAX.saturating_sub(bytes.len()) / piece.len().max(1);
    let copies = bytes[piece.clone()].repeat(times.min(room));
    replace(bytes, piece.end..piece.end, &copies);
}

/// Exchanges a piece with another of its length, where they do not overlap.
fn swap(bytes: &mut [u8], piece: Piece, other: u32) {
    let start = at(bytes, other);
    let (first, second) =
        if start < piece.start { (start, piece.start) } else { (piece.start, start) };
    let length = piece.len().min(second - first).min(bytes.len() - second);
    let (head, tail) = bytes.split_at_mut(second);
    head[first..first + length].swap_with_slice(&mut tail[..length]);
}

/// Overwrites one, two, four or eight bytes, in either order.
fn write_number(bytes: &mut [u8], place: u32, form: u32, number: u64) {
    let width = 1usize << (form % 4);
    let place = at(bytes, place);
    let Some(target) = bytes.get_mut(place..place + width) else { return };
    if form & 4 == 0 {
        target.copy_from_slice(&number.to_le_bytes()[..width]);
    } else {
        target.copy_from_slice(&number.to_be_bytes()[8 - width..]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_is_asked_for_ends_in_a_bounded_mutant(
            samples in proptest::collection::vec(any::<Vec<u8>>(), 1..4),
            edits in proptest::collection::vec(any::<Edit>(), 0..20),
        ) {
            let made = mutant(&samples, samples.len() - 1, &edits);
            prop_assert!(made.len() <= MUTANT_BYTES_MAX);
            prop_assert_eq!(&made, &mutant(&samples, samples.len() - 1, &edits));
        }
    }

    #[test]
    fn words_numbers_and_lines_are_found() {
        let text = b"ab: 12,\n\"cd\"";
        assert_eq!(word(text, 1), 0..2);
        assert_eq!(word(text, 2), 2..4);
        assert_eq!(digits(text, 1), 4..6);
        assert_eq!(digits(text, 7), 12..12);
        assert_eq!(line(text, 3), 0..8);
        assert_eq!(line(text, 9), 8..12);
    }

    #[test]
    fn every_kind_of_mutation_changes_something() {
        let samples = [b"{\"a\": 12, \"b\": [1, 2]}\n".to_vec(), b"- x: 7\n- y: 8\n".to_vec()];
        for kind in 0..16 {
            let changed = (0..200).any(|n: u32| {
                let edit = [kind, n, n.wrapping_mul(0x9e37_79b9), n.wrapping_mul(0x85eb_ca6b)];
                mutant(&samples, 0, &[edit]) != samples[0]
            });
            assert!(changed, "kind {kind}");
        }
    }
}
