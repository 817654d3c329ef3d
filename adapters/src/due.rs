//! What several answers about due entities come to, taken together.

use barrow_engine::ports::DueEntity;

/// The earliest of them, at most `limit`.
pub(crate) fn earliest(mut found: Vec<DueEntity>, limit: usize) -> Vec<DueEntity> {
    found.sort_by_key(|entity| entity.due);
    found.truncate(limit);
    found
}
