//! The compare-and-set of a row and its due, as one script on the server.
//!
//! A row is one value, in the form of the embedded store, under `prefix:{sN}:r:KEY`; `N` is its
//! shard. What is due in a shard is a sorted set, `prefix:{sN}:d`; the braces put both into one
//! slot. A score is a double, and times beyond 2^53 share some: so a member begins with the exact
//! due, in bytes that sort as it does, and equal scores are ordered by their members.

use barrow_engine::entity::{EntityKey, Shard};
use barrow_engine::ports::{DueEntity, Expected, Row, StoreError};
use barrow_engine::time::Timestamp;
use bytes::Bytes;
use fred::types::Value;
use fred::util::{redis_keyslot, sha1_hash};

use crate::embedded::row_codec::push_row;

/// Bytes of a row, counted from 1: its format (1), flags (2), version and write id (3 to 26), due
/// if bit 0 of the flags is set (27 to 34, little-endian).
///
/// A row that carries the write id of the new one was written by an earlier attempt of this very
/// write. It is written again, the same, so that the replicas have something new to acknowledge:
/// `WAIT` is promised to speak of the writes of its own connection only (that Redis 7 means all
/// that came before is nowhere promised), and the first attempt was made on another. Being found
/// again also makes it harmless that a request which was given up arrives late, before or after
/// its repeat: it finds its own id, or another's, and the condition does not hold any more (R1,
/// R2).
///
/// `SET` comes first of the writes: where the server refuses for want of memory or rights, it
/// does so before anything was changed.
pub const SOURCE: &str = r"
local found, new = redis.call('GET', KEYS[1]), ARGV[1]
if found then
    local stamp = string.sub(found, 3, 26)
    local known = string.byte(found, 1) == string.byte(new, 1)
    if not known or (stamp ~= ARGV[2] and stamp ~= string.sub(new, 3, 26)) then
        return found
    end
elseif ARGV[2] ~= '' then
    return false
end
local function due(row)
    if not row or string.byte(row, 2) % 2 == 0 then return false end
    local big = string.reverse(string.sub(row, 27, 34))
    return string.char((string.byte(big, 1) + 128) % 256) .. string.sub(big, 2)
end
redis.call('SET', KEYS[1], new)
local before, after = due(found), due(new)
if before and before ~= after then
    redis.call('ZREM', KEYS[2], before .. ARGV[3])
end
if after and before ~= after then
    redis.call('ZADD', KEYS[2], ARGV[4], after .. ARGV[3])
end
return 1
";

/// The script by its text, for a server that does not know it yet, and by its hash.
pub(super) struct Script {
    hash: Value,
    source: Value,
}

impl Script {
    pub(super) fn new() -> Script {
        let hash = sha1_hash(SOURCE);
        Script { hash: Value::from(hash), source: Value::from_static_str(SOURCE) }
    }

    /// `EVALSHA` and its arguments.
    pub(super) fn by_hash(&self, write: &EncodedWrite) -> (&'static str, Vec<Value>) {
        ("EVALSHA", write.behind(self.hash.clone()))
    }

    /// `EVAL` and its arguments; the server knows the script from then on.
    pub(super) fn by_source(&self, write: &EncodedWrite) -> (&'static str, Vec<Value>) {
        ("EVAL", write.behind(self.source.clone()))
    }
}

/// A write as the script takes it. Its parts share a buffer, so that handing them to the client
/// and keeping them costs little.
pub(super) struct EncodedWrite {
    row_key: Bytes,
    due_key: Bytes,
    row: Bytes,
    stamp: Bytes,
    entity: Bytes,
    score: Option<String>,
}

impl EncodedWrite {
    pub(super) fn new(keys: &Keys, key: EntityKey, expected: Expected, row: &Row) -> EncodedWrite {
        let shard = keys.shard(key.shard());
        let mut buffer = Vec::with_capacity(shard.row_prefix.len() + 128 + row.blob.len());
        let mut ends = [0; 3];
        buffer.extend_from_slice(&shard.row_prefix);
        buffer.extend_from_slice(&key.to_bytes());
        ends[0] = buffer.len();
        push_stamp(expected, &mut buffer);
        ends[1] = buffer.len();
        push_row(row, &mut buffer);
        ends[2] = buffer.len();
        let buffer = Bytes::from(buffer);
        EncodedWrite {
            row_key: buffer.slice(..ends[0]),
            due_key: shard.due.clone(),
            row: buffer.slice(ends[1]..ends[2]),
            stamp: buffer.slice(ends[0]..ends[1]),
            // The name of a row ends with its entity.
            entity: buffer.slice(shard.row_prefix.len()..ends[0]),
            score: row.due.map(score),
        }
    }

    /// What it takes of memory while it is on its way, about.
    pub(super) fn bytes(&self) -> usize {
        self.row.len() + self.row_key.len() + self.due_key.len() + 256
    }

    fn behind(&self, script: Value) -> Vec<Value> {
        let key = |bytes: &Bytes| Value::Bytes(bytes.clone());
        let score = self.score.as_deref();
        vec![
            script,
            Value::Integer(2),
            key(&self.row_key),
            key(&self.due_key),
            key(&self.row),
            key(&self.stamp),
            key(&self.entity),
            score.map_or_else(|| Value::from_static_str(""), Value::from),
        ]
    }
}

/// Version and write id as they lie in a row; nothing where no row is expected.
fn push_stamp(expected: Expected, bytes: &mut Vec<u8>) {
    if let Expected::Present { version, write_id } = expected {
        bytes.extend_from_slice(&version.to_le_bytes());
        bytes.extend_from_slice(&write_id.0.to_le_bytes());
    }
}

/// The score of a due: the nearest double. Rounding keeps the order, though not the difference.
pub(super) fn score(due: Timestamp) -> String {
    format!("{}", due.as_millis() as f64)
}

/// The exact due and the entity, as a member of the sorted set has them.
pub(super) fn read_member(member: &[u8]) -> Result<DueEntity, StoreError> {
    let unreadable = || StoreError::Damaged("an entry of what is due is unreadable".to_owned());
    let (due, key) = member.split_first_chunk::<8>().ok_or_else(unreadable)?;
    let due = Timestamp((u64::from_be_bytes(*due) ^ (1 << 63)) as i64);
    Ok(DueEntity { due, key: EntityKey::from_bytes(key).ok_or_else(unreadable)? })
}

/// The names of the keys, made once for each shard.
pub(super) struct Keys {
    shards: Vec<ShardKeys>,
}

struct ShardKeys {
    slot: u16,
    row_prefix: Vec<u8>,
    due: Bytes,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Keys {
        let shard = |index: u16| ShardKeys {
            slot: redis_keyslot(format!("s{index}").as_bytes()),
            row_prefix: format!("{prefix}:{{s{index}}}:r:").into_bytes(),
            due: format!("{prefix}:{{s{index}}}:d").into(),
        };
        Keys { shards: Shard::all().map(|it| shard(it.index())).collect() }
    }

    fn shard(&self, shard: Shard) -> &ShardKeys {
        &self.shards[usize::from(shard.index())]
    }

    pub(super) fn row(&self, key: EntityKey) -> Bytes {
        let mut name = self.shard(key.shard()).row_prefix.clone();
        name.extend_from_slice(&key.to_bytes());
        name.into()
    }

    pub(super) fn due(&self, shard: Shard) -> Bytes {
        self.shard(shard).due.clone()
    }

    pub(super) fn slot(&self, shard: Shard) -> u16 {
        self.shard(shard).slot
    }
}

#[cfg(test)]
mod tests {
    use barrow_engine::entity::EntityKind;
    use barrow_engine::ports::WriteId;

    use super::*;

    #[test]
    fn the_keys_of_a_shard_share_a_slot() {
        let keys = Keys::new("barrow");
        for id in 0..100 {
            let key = EntityKey::new(EntityKind::Probe, id << 100 | id);
            let slot = keys.slot(key.shard());
            assert_eq!(redis_keyslot(&keys.row(key)), slot);
            assert_eq!(redis_keyslot(&keys.due(key.shard())), slot);
        }
    }

    #[test]
    fn scores_keep_the_order_of_all_times() {
        let dues = [i64::MIN, -1, 0, 1 << 53, (1 << 53) + 1, i64::MAX - 1, i64::MAX];
        let scores = dues.map(|due| score(Timestamp(due)).parse::<f64>().unwrap());
        assert!(scores.is_sorted(), "{scores:?}");
    }

    /// The script cuts the rows up at fixed places.
    #[test]
    fn the_script_knows_where_a_row_has_its_stamp_and_due() {
        let write_id = WriteId(u128::from_le_bytes([7; 16]));
        let due = Some(Timestamp(i64::from_le_bytes([9; 8])));
        let row =
            Row { version: 5, write_id, due, expires: None, blob: Bytes::from_static(b"blob") };
        let (mut bytes, mut stamp) = (Vec::new(), Vec::new());
        push_row(&row, &mut bytes);
        push_stamp(Expected::Present { version: 5, write_id }, &mut stamp);
        assert_eq!(bytes[2..26], stamp[..]);
        assert_eq!((bytes[1], &bytes[26..34]), (1, &[9; 8][..]));
    }
}
