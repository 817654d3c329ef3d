//! A frame: the changes that one sync makes durable, with a checksum over all of them.
//!
//! A frame begins at a multiple of [`BLOCK`] and is filled up with zeros to the next, so that no
//! two frames share what a disk writes at once: a write that is cut off cannot harm the frame
//! before it. Integers are little-endian: checksum (8 bytes), sequence number (8), length of the
//! content (4), number of changes (4); then for each change the entity's key (17), the length of
//! its row (4) and the row.

use barrow_engine::entity::EntityKey;
use barrow_engine::ports::Row;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::super::group_commit::Change;
use super::super::row_codec::{decode_row, push_row};

pub(super) const BLOCK: usize = 4096;

const HEADER: usize = 24;

/// Writes a frame into a buffer that is used again and again. `salt` is the segment's.
pub(super) fn encode(buffer: &mut Vec<u8>, changes: &[Change], sequence: u64) {
    buffer.clear();
    buffer.extend_from_slice(&[0; 8]);
    buffer.extend_from_slice(&sequence.to_le_bytes());
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(&length_of(changes.len()));
    for Change { key, row, .. } in changes {
        buffer.extend_from_slice(&key.to_bytes());
        let length_at = buffer.len();
        buffer.extend_from_slice(&[0; 4]);
        push_row(row, buffer);
        let length = length_of(buffer.len() - length_at - 4);
        buffer[length_at..length_at + 4].copy_from_slice(&length);
    }
    let length = length_of(buffer.len() - HEADER);
    buffer[16..20].copy_from_slice(&length);
}

/// Ends a frame for the segment with that salt: a frame of another segment, or of another
/// store, is none there.
pub(super) fn seal(buffer: &mut Vec<u8>, salt: u64) {
    let checksum = xxh3_64_with_seed(&buffer[8..], salt);
    buffer[..8].copy_from_slice(&checksum.to_le_bytes());
    buffer.resize(buffer.len().next_multiple_of(BLOCK), 0);
}

fn length_of(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("a batch is a few MiB at most").to_le_bytes()
}

/// The number that a frame would have that begins with these bytes.
pub(super) fn claimed_sequence(bytes: &[u8]) -> Option<u64> {
    let (sequence, _) = bytes.get(8..)?.split_first_chunk::<8>()?;
    Some(u64::from_le_bytes(*sequence))
}

/// A frame that was read, whole.
pub(super) struct Frame<'a> {
    pub sequence: u64,
    changes: u32,
    content: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame that these bytes begin with, if it is one of the sequence numbers that are
    /// looked for; `None` unless it is whole and its checksum is right.
    pub fn read(
        bytes: &'a [u8],
        salt: u64,
        wanted: &std::ops::RangeInclusive<u64>,
    ) -> Option<Frame<'a>> {
        let (checksum, rest) = bytes.split_first_chunk::<8>()?;
        let (sequence, rest) = rest.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (changes, rest) = rest.split_first_chunk::<4>()?;
        let sequence = u64::from_le_bytes(*sequence);
        if !wanted.contains(&sequence) {
            return None;
        }
        let content = rest.get(..u32::from_le_bytes(*length) as usize)?;
        let actual = xxh3_64_with_seed(&bytes[8..HEADER + content.len()], salt);
        (actual == u64::from_le_bytes(*checksum)).then_some(Frame {
            sequence,
            changes: u32::from_le_bytes(*changes),
            content,
        })
    }

    /// What it takes in its segment.
    pub fn bytes(&self) -> usize {
        (HEADER + self.content.len()).next_multiple_of(BLOCK)
    }

    /// The rows in it; an error says why a build of today cannot read them.
    pub fn rows(&self) -> Result<Vec<(EntityKey, Row)>, String> {
        let cut = || format!("write {} of the log ends within a row", self.sequence);
        let mut rest = self.content;
        let mut rows = Vec::new();
        for _ in 0..self.changes {
            let (key, after) = rest.split_first_chunk::<{ EntityKey::LEN }>().ok_or_else(cut)?;
            let (length, after) = after.split_first_chunk::<4>().ok_or_else(cut)?;
            let length = u32::from_le_bytes(*length) as usize;
            let (row, after) = after.split_at_checked(length).ok_or_else(cut)?;
            let key = EntityKey::from_bytes(key)
                .ok_or_else(|| format!("write {} of the log has an unknown key", self.sequence))?;
            rows.push((key, decode_row(row).map_err(|error| error.to_string())?));
            rest = after;
        }
        if rest.is_empty() { Ok(rows) } else { Err(cut()) }
    }
}
