//! Fuzz targets: what routes read of an address, a query and a cursor.

use barrow_actors::catalog::Viewpoint;
use barrow_engine::catalog::{ChannelId, Locale};
use barrow_engine::ids::ProductId;
use barrow_engine::money::Currency;
use barrow_engine::time::Timestamp;
use barrow_fuzz::{INPUTS, Verdict, fuzz};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::Cursors;
use super::name::Name;
use super::products::query::{Question, question};
use super::range::{Wanted, wanted};
use crate::edge::fuzz::check_problem;
use crate::edge::{Code, Params, Problem};

fn view() -> Viewpoint {
    Viewpoint {
        channel: ChannelId::new("web").unwrap(),
        currency: Currency::from_code("EUR").unwrap(),
        locale: Locale::new("en").unwrap(),
        now: Timestamp(0),
    }
}

fn asked(query: &str) -> Result<Question, Problem> {
    let mut params = Params::parse(Some(query))?;
    let question = question(&mut params, &view())?;
    params.finish()?;
    Ok(question)
}

/// The question as a query again.
fn query(question: &Question) -> String {
    let Question { collection, query } = question;
    let coded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut pairs = vec![format!("sort={}&limit={}", query.sort, query.limit)];
    pairs.extend(collection.iter().map(|slug| format!("collection={slug}")));
    pairs.extend(query.price_min.iter().map(|price| format!("price_min={price}")));
    pairs.extend(query.price_max.iter().map(|price| format!("price_max={price}")));
    pairs.push(format!("in_stock={}", query.in_stock));
    for (code, values) in query.facets.iter() {
        let code = coded(code);
        pairs.extend(values.iter().map(|value| format!("facet.{code}={}", coded(value))));
    }
    pairs.join("&")
}

#[test]
fn fuzz_questions() {
    let samples: [&[u8]; 2] = [
        b"collection=chairs&facet.material=oak&facet.color=red&facet.color=d%C3%A4mmer+grau\
          &price_min=100&price_max=9900&in_stock=true&sort=-price&limit=7",
        b"sort=title&in_stock=false&facet.color=blue%22%2C%20%22red",
    ];
    fuzz("questions", INPUTS, &samples, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        let question = asked(text);
        match &question {
            Ok(question) => {
                let again = asked(&query(question)).expect("it was asked before");
                assert_eq!(again.text(), question.text());
            }
            Err(problem) => {
                check_problem(problem, &[Code::InvalidParameter, Code::UnknownParameter]);
            }
        }
        Verdict::of(&question)
    });
}

#[test]
fn fuzz_cursors() {
    let cursors = Cursors::new(&[7; 32]);
    let sealed = cursors.seal("products price web", br#"{"s":"price","k":1299,"i":"prod_"}"#);
    let other = cursors.seal("products price", b"web");
    let stranger = Cursors::new(&[8; 32]);
    fuzz("cursors", INPUTS, &[sealed.as_bytes()], |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        assert!(stranger.open("products price web", text).is_err());
        assert!(cursors.open("products price", text).is_err() || text == other);
        let opened = cursors.open("products price web", text);
        if let Err(problem) = &opened {
            check_problem(problem, &[Code::InvalidCursor]);
        } else {
            assert_eq!(text, sealed, "a cursor has one form");
        }
        Verdict::of(&opened)
    });
}

#[test]
fn fuzz_ranges() {
    let samples: [&[u8]; 4] = [b"bytes=0-3", b"bytes=4-", b"bytes=-3", b"bytes=2-99"];
    fuzz("ranges", INPUTS, &samples, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        for length in [0, 1, 10, u64::MAX] {
            if let Wanted::Part(part) = wanted(Some(text), length) {
                assert!(part.start < part.end && part.end <= length, "{part:?} of {length}");
            }
        }
        matches!(wanted(Some(text), 10), Wanted::Part(_)).into()
    });
}

#[test]
fn fuzz_names_in_addresses() {
    fuzz("names", INPUTS, &[b"oak-chair", b"prod_5s7y8w15af44ktmqzgy3wddxzm"], |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        let name = Name::<ProductId>::read(text);
        match &name {
            Some(Name::Id(id)) => assert_eq!(id.to_string(), text),
            Some(Name::Slug(slug)) => assert_eq!(slug.as_str(), text),
            None => {}
        }
        name.is_some().into()
    });
}
