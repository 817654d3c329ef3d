//! What a start finds in the log.

use std::collections::BTreeMap;

use barrow_engine::entity::EntityKey;
use barrow_engine::ports::Row;

use super::frame::{self, BLOCK, Frame};
use super::segment::Segment;
use super::{LogError, damaged};

pub(in super::super) struct Found {
    /// The newest row of each entity in it.
    pub rows: BTreeMap<EntityKey, Row>,
    /// The newest write in it, or the one that the tables were known to hold.
    pub through: u64,
}

/// All that was written behind `through`, wherever it lies; without a gap, or acknowledged writes
/// are lost.
pub(super) fn recover(files: &[(Segment, Vec<u8>)], through: u64) -> Result<Found, LogError> {
    let mut found = Found { rows: BTreeMap::new(), through };
    for (sequence, frame) in frames_behind(files, through)? {
        if sequence != found.through + 1 {
            let missing = found.through + 1;
            return Err(damaged(format!(
                "write {missing} of the log is unreadable, and whole writes lie behind it, from \
                 write {sequence} on"
            )));
        }
        found.rows.extend(frame.rows().map_err(damaged)?);
        found.through = sequence;
    }
    if has_torn_tail(files, found.through + 1) {
        tracing::warn!(
            write = found.through + 1,
            "dropped the end of the log: a write that was cut off before it was acknowledged"
        );
    }
    Ok(found)
}

fn frames_behind(
    files: &[(Segment, Vec<u8>)],
    through: u64,
) -> Result<BTreeMap<u64, Frame<'_>>, LogError> {
    let blocks: usize = files.iter().map(|(segment, _)| segment.blocks()).sum();
    let wanted = through + 1..=through.saturating_add(blocks as u64);
    let mut frames = BTreeMap::new();
    for (segment, content) in files {
        let mut at = BLOCK;
        while at < content.len() {
            let Some(frame) = Frame::read(&content[at..], segment.salt, &wanted) else {
                at += BLOCK;
                continue;
            };
            at += frame.bytes();
            let sequence = frame.sequence;
            if frames.insert(sequence, frame).is_some() {
                return Err(damaged(format!("the log has write {sequence} twice")));
            }
        }
    }
    Ok(frames)
}

/// Whether there is a part of a frame with that number, or with one that differs by a bit.
fn has_torn_tail(files: &[(Segment, Vec<u8>)], next: u64) -> bool {
    files.iter().any(|(segment, content)| {
        content.chunks(BLOCK).skip(1).enumerate().any(|(index, block)| {
            let Some(claimed) = frame::claimed_sequence(block) else { return false };
            let bytes = &content[(index + 1) * BLOCK..];
            // Zeros were never written.
            (claimed ^ next).count_ones() <= 1
                && block.iter().any(|byte| *byte != 0)
                && Frame::read(bytes, segment.salt, &(claimed..=claimed)).is_none()
        })
    })
}
