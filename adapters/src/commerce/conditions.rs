//! The condition that a list of orders is asked for.

use std::time::Duration;

use barrow_engine::orders::{Order, OrderNumber, OrderStatus};
use barrow_engine::ports::{ORDER_PAGE_MAX, OrderQuery, OrderSort};
use barrow_engine::time::Timestamp;
use sqlx::{Database, Encode, QueryBuilder, Type};

use super::order_row::status_name;
use super::rows::limit;

/// A value that is bound to a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
    Id([u8; 16]),
}

/// A piece of a condition: SQL with a `?` for each value. Column names stand in braces, so that a
/// database can be kept from searching by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    pub sql: &'static str,
    pub values: Vec<Value>,
}

/// What a query comes to.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    /// The number, or the range of addresses and names, that a text means.
    pub text: Option<Condition>,
    pub placed: Option<Condition>,
    /// Those that an index has in front of the order of lists.
    pub others: Vec<Condition>,
    /// Where a page begins: behind the last one, or where nothing newer can have been placed.
    pub from: Option<Condition>,
    /// ` DESC` or nothing: which way the list goes.
    pub direction: &'static str,
    pub limit: i64,
}

/// As many orders are sorted at once. No database knows well how many rows a text leaves, and
/// SQLite does not of any condition: so it is counted so far. Where there are more, the newest
/// orders are walked along instead, and a page is found soon.
pub(crate) const NARROW_MAX: usize = 2_000;

/// An order is opened before it is placed, by the clocks of machines that are no further apart.
const CLOCKS_DIFFER_MAX: Duration = Duration::from_secs(86_400);

/// Not one of these begins with a text and comes after the text with this behind it.
const LAST: char = char::MAX;

/// A list for each status that is named, or one of all: an index finds the newest of one status,
/// and none the newest of several.
pub(crate) fn conditions(query: &OrderQuery) -> Vec<Conditions> {
    match &query.statuses[..] {
        [] => vec![conditions_of(query, None)],
        statuses => statuses.iter().map(|status| conditions_of(query, Some(*status))).collect(),
    }
}

/// Makes one page of the lists of a query.
pub(crate) fn merge(query: &OrderQuery, mut orders: Vec<Order>) -> Vec<Order> {
    if query.statuses.len() > 1 {
        match query.sort {
            OrderSort::Newest => orders.sort_by_key(|it| std::cmp::Reverse((it.created_at, it.id))),
            OrderSort::Oldest => orders.sort_by_key(|it| (it.created_at, it.id)),
        }
        orders.truncate(query.limit.min(ORDER_PAGE_MAX));
    }
    orders
}

fn conditions_of(query: &OrderQuery, status: Option<OrderStatus>) -> Conditions {
    let equal = |sql, name: Option<&'static str>| {
        name.map(|name| Condition { sql, values: vec![Value::Text(name.to_owned())] })
    };
    let others = [
        equal("{status} = ?", status.map(status_name)),
        equal("{payment} = ?", query.payment.map(|it| it.as_str())),
        equal("{fulfilment} = ?", query.fulfilment.map(|it| it.as_str())),
    ];
    Conditions {
        text: query.text.as_deref().and_then(of_text),
        placed: of_placed(query.placed_after, query.placed_before),
        others: others.into_iter().flatten().collect(),
        from: match query.sort {
            OrderSort::Newest => of_place(query),
            OrderSort::Oldest => of_place_upward(query),
        },
        direction: match query.sort {
            OrderSort::Newest => " DESC",
            OrderSort::Oldest => "",
        },
        limit: limit(query.limit.min(ORDER_PAGE_MAX)),
    }
}

/// Walking along the newest begins at the older of the two.
fn of_place(query: &OrderQuery) -> Option<Condition> {
    let placed = query.placed_before.map(|before| before.plus(CLOCKS_DIFFER_MAX));
    Some(match (query.after, placed) {
        (Some((created_at, id)), placed) if placed.is_none_or(|it| created_at < it) => Condition {
            sql: "({created_at}, {id}) < (?, ?)",
            values: vec![Value::Number(created_at.as_millis()), Value::Id(id.0.to_be_bytes())],
        },
        (_, Some(placed)) => {
            Condition { sql: "{created_at} < ?", values: vec![Value::Number(placed.as_millis())] }
        }
        (_, None) => return None,
    })
}

/// What was placed late may have been opened at any time before: nothing can be skipped.
fn of_place_upward(query: &OrderQuery) -> Option<Condition> {
    query.after.map(|(created_at, id)| Condition {
        sql: "({created_at}, {id}) > (?, ?)",
        values: vec![Value::Number(created_at.as_millis()), Value::Id(id.0.to_be_bytes())],
    })
}

fn of_text(text: &str) -> Option<Condition> {
    let begin = text.trim().to_lowercase();
    if begin.is_empty() {
        return None;
    }
    let end = format!("{begin}{LAST}");
    let range = [begin, end].map(Value::Text);
    let both = range.iter().chain(&range).cloned();
    Some(match text.parse::<OrderNumber>() {
        Ok(number) => Condition {
            sql: "({email} >= ? AND {email} < ? OR {last_name} >= ? AND {last_name} < ? \
                  OR {number} = ?)",
            values: both.chain([Value::Text(number.to_string())]).collect(),
        },
        Err(_) => Condition {
            sql: "({email} >= ? AND {email} < ? OR {last_name} >= ? AND {last_name} < ?)",
            values: both.collect(),
        },
    })
}

fn of_placed(after: Option<Timestamp>, before: Option<Timestamp>) -> Option<Condition> {
    let number = |time: Timestamp| Value::Number(time.as_millis());
    Some(match (after, before) {
        (None, None) => return None,
        (Some(after), None) => Condition { sql: "{placed_at} >= ?", values: vec![number(after)] },
        (None, Some(before)) => Condition { sql: "{placed_at} < ?", values: vec![number(before)] },
        (Some(after), Some(before)) => Condition {
            sql: "{placed_at} >= ? AND {placed_at} < ?",
            values: vec![number(after), number(before)],
        },
    })
}

/// Adds a condition to a statement. Columns that are not to be searched by stand behind a sign
/// that means nothing, but for which no index is looked at.
pub(crate) fn push<DB: Database>(
    statement: &mut QueryBuilder<DB>,
    condition: &Condition,
    is_searched: bool,
) where
    String: Encode<'static, DB> + Type<DB>,
    i64: Encode<'static, DB> + Type<DB>,
    Vec<u8>: Encode<'static, DB> + Type<DB>,
{
    let sql = condition.sql.replace('{', if is_searched { "" } else { "+" }).replace('}', "");
    let mut values = condition.values.iter();
    for (place, piece) in sql.split('?').enumerate() {
        if place > 0 {
            match values.next() {
                Some(Value::Text(text)) => statement.push_bind(text.clone()),
                Some(Value::Number(number)) => statement.push_bind(*number),
                Some(Value::Id(id)) => statement.push_bind(id.to_vec()),
                None => statement.push("NULL"),
            };
        }
        statement.push(piece);
    }
}

#[cfg(test)]
mod tests {
    use barrow_engine::ids::OrderId;

    use super::*;

    #[test]
    fn a_text_is_a_number_or_the_beginning_of_a_name() {
        let check = |text: &str, expected: Option<(usize, &str)>| {
            let found = of_text(text);
            let found = found.as_ref().map(|it| (it.values.len(), &it.values[0]));
            let expected = expected.map(|(count, begin)| (count, Value::Text(begin.to_owned())));
            assert_eq!(found, expected.as_ref().map(|(count, begin)| (*count, begin)), "{text:?}");
        };
        check("", None);
        check("  ", None);
        check(" Ärger", Some((4, "ärger")));
        check("562 398 909", Some((5, "562 398 909")));
        check("562 398 908", Some((4, "562 398 908")));
    }

    #[test]
    fn a_list_begins_at_the_older_of_its_two_places() {
        let check = |after: Option<i64>, before: Option<i64>, expected: Option<i64>| {
            let query = OrderQuery {
                after: after.map(|at| (Timestamp(at), OrderId(1))),
                placed_before: before.map(Timestamp),
                ..OrderQuery::default()
            };
            let found = of_place(&query).map(|it| it.values[0].clone());
            assert_eq!(found, expected.map(Value::Number), "{after:?} {before:?}");
        };
        check(None, None, None);
        check(Some(5), None, Some(5));
        check(None, Some(5), Some(86_400_005));
        check(Some(86_400_004), Some(5), Some(86_400_004));
        check(Some(86_400_005), Some(5), Some(86_400_005));
        check(Some(99_000_000), Some(5), Some(86_400_005));
    }

    #[test]
    fn each_value_has_its_place() {
        let query = OrderQuery { text: Some("562398909".into()), ..OrderQuery::default() };
        let text = conditions(&query).remove(0).text.unwrap();
        let mut statement = QueryBuilder::<sqlx::Sqlite>::new("");
        push(&mut statement, &text, false);
        let sql = statement.into_string();
        assert!(sql.starts_with("(+email >= ?"), "{sql}");
        assert_eq!(sql.matches('?').count(), text.values.len(), "{sql}");
    }
}
