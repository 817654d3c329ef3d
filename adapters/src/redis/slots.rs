//! Which server holds which slot of a cluster, as one of its nodes says (`CLUSTER SLOTS`).

use fred::types::Value;

use super::client::Address;

/// The slots of a Redis cluster: fixed by its protocol.
pub(super) const SLOTS: usize = 16_384;

/// Slots `first` to `last` are held by this primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SlotRange {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) primary: Address,
}

/// Reads the answer. `asked` stands in where a node does not name itself.
pub(super) fn read_slots(answer: &Value, asked: &Address) -> Option<Vec<SlotRange>> {
    let Value::Array(ranges) = answer else { return None };
    ranges.iter().map(|range| read_range(range, asked)).collect()
}

fn read_range(range: &Value, asked: &Address) -> Option<SlotRange> {
    let Value::Array(parts) = range else { return None };
    let [first, last, Value::Array(primary), ..] = parts.as_slice() else { return None };
    let [host, port, ..] = primary.as_slice() else { return None };
    // A node that knows no name of its own leaves it empty: the one that we know is right.
    let host = match host.as_string() {
        Some(host) if !host.is_empty() && host != "?" => host,
        _ => asked.host.clone(),
    };
    let slot = |value: &Value| {
        u16::try_from(value.as_i64()?).ok().filter(|slot| usize::from(*slot) < SLOTS)
    };
    let port = u16::try_from(port.as_i64()?).ok()?;
    Some(SlotRange { first: slot(first)?, last: slot(last)?, primary: Address { host, port } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: Value, port: i64) -> Value {
        Value::Array(vec![host, port.into(), "id".into()])
    }

    fn asked() -> Address {
        Address { host: "asked".to_owned(), port: 1 }
    }

    #[test]
    fn the_first_node_of_a_range_is_its_primary() {
        let replica = node("replica".into(), 3);
        let one = Value::Array(vec![0.into(), 99.into(), node("one".into(), 2), replica]);
        let two = Value::Array(vec![100.into(), 16_383.into(), node(Value::Null, 4)]);
        let ranges = read_slots(&Value::Array(vec![one, two]), &asked()).unwrap();
        let primaries: Vec<_> = ranges.iter().map(|range| range.primary.to_string()).collect();
        assert_eq!(primaries, ["one:2", "asked:4"]);
        assert_eq!((ranges[1].first, ranges[1].last), (100, 16_383));
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_none() {
        let beyond = Value::Array(vec![0.into(), 16_384.into(), node("one".into(), 2)]);
        for answer in [Value::Null, Value::Array(vec![1.into()]), Value::Array(vec![beyond])] {
            assert_eq!(read_slots(&answer, &asked()), None);
        }
    }
}
