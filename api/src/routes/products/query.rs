//! What a list of products is asked by: filters, a sort, a place to go on from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use barrow_actors::catalog::{ListQuery, Sort, Viewpoint};
use barrow_engine::catalog::Slug;
use barrow_engine::money::AMOUNT_MAX;

use crate::edge::Problem;
use crate::edge::params::{Params, invalid};

/// The longest facet code or value that is looked for; longer ones are in no catalog of ours.
const FACET_TEXT_MAX: usize = 200;

const SORTS: &str = "one of featured, newest, price, -price, title, rating";

/// Takes all parameters of a product list but `limit`, `cursor` and those of the viewpoint.
pub fn list_query(params: &mut Params, view: &Viewpoint) -> Result<ListQuery, Problem> {
    let collection = match params.one("collection")? {
        None => None,
        Some(text) => Some(
            Slug::new(&text).map_err(|_| invalid("collection", "it must be a collection's slug"))?,
        ),
    };
    let price_min = amount(params, "price_min")?;
    let price_max = amount(params, "price_max")?;
    if let (Some(min), Some(max)) = (price_min, price_max)
        && min > max
    {
        return Err(invalid("price_max", "it must not be less than price_min"));
    }
    let in_stock = match params.one("in_stock")?.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(invalid("in_stock", "it must be true or false")),
    };
    let sort = match params.one("sort")? {
        None => Sort::Featured,
        Some(text) => sort(&text).ok_or_else(|| invalid("sort", &format!("it must be {SORTS}")))?,
    };
    Ok(ListQuery {
        channel: view.channel.clone(),
        currency: view.currency,
        collection,
        facets: facets(params)?,
        price_min,
        price_max,
        in_stock,
        sort,
    })
}

fn sort(text: &str) -> Option<Sort> {
    Some(match text {
        "featured" => Sort::Featured,
        "newest" => Sort::Newest,
        "price" => Sort::PriceUp,
        "-price" => Sort::PriceDown,
        "title" => Sort::Title,
        "rating" => Sort::Rating,
        _ => return None,
    })
}

fn amount(params: &mut Params, name: &str) -> Result<Option<i64>, Problem> {
    let what = "a whole number of minor units, not negative";
    let amount: Option<i64> = params.parsed(name, what)?;
    if amount.is_some_and(|amount| !(0..=AMOUNT_MAX).contains(&amount)) {
        return Err(invalid(name, &format!("it must be {what}")));
    }
    Ok(amount)
}

fn facets(params: &mut Params) -> Result<BTreeMap<String, BTreeSet<String>>, Problem> {
    let mut facets: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (code, value) in params.with_prefix("facet.") {
        if code.is_empty() || code.len() > FACET_TEXT_MAX {
            return Err(invalid("facet.CODE", "CODE must be that of a facet"));
        }
        if value.is_empty() || value.len() > FACET_TEXT_MAX {
            return Err(invalid(&format!("facet.{code}"), "it must be a value of the facet"));
        }
        facets.entry(code).or_default().insert(value);
    }
    Ok(facets)
}

/// The question in one form, however it was asked: what its cursors are bound to. The limit and
/// the language may change from page to page.
pub fn question(query: &ListQuery) -> String {
    let mut text = format!(
        "products {:?} {} {} {:?} {:?} {}",
        query.sort,
        query.channel,
        query.currency,
        query.price_min,
        query.price_max,
        query.in_stock
    );
    if let Some(collection) = &query.collection {
        let _ = write!(text, " in {collection}");
    }
    for (code, values) in &query.facets {
        // Debug quotes them, so that no value can pass for the next.
        let _ = write!(text, " {code:?}={values:?}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrow_engine::catalog::{ChannelId, Locale};
    use barrow_engine::money::Currency;
    use barrow_engine::time::Timestamp;

    fn view() -> Viewpoint {
        Viewpoint {
            channel: ChannelId::new("web").unwrap(),
            currency: Currency::from_code("EUR").unwrap(),
            locale: Locale::new("en").unwrap(),
            now: Timestamp(0),
        }
    }

    fn parse(query: &str) -> Result<ListQuery, &'static str> {
        let mut params = Params::parse(Some(query)).map_err(|problem| problem.code().as_str())?;
        let query =
            list_query(&mut params, &view()).map_err(|problem| problem.code().as_str())?;
        params.finish().map_err(|problem| problem.code().as_str())?;
        Ok(query)
    }

    #[test]
    fn reads_every_filter() {
        let query = parse(
            "collection=chairs&facet.material=oak&facet.color=red&facet.color=blue&facet.color=red\
             &price_min=100&price_max=9900&in_stock=true&sort=-price",
        )
        .unwrap();
        assert_eq!(query.collection.as_ref().map(Slug::as_str), Some("chairs"));
        assert_eq!(query.facets["color"].iter().collect::<Vec<_>>(), ["blue", "red"]);
        assert_eq!(query.facets["material"].iter().collect::<Vec<_>>(), ["oak"]);
        assert_eq!((query.price_min, query.price_max), (Some(100), Some(9900)));
        assert!(query.in_stock);
        assert_eq!(query.sort, Sort::PriceDown);
        let nothing = parse("").unwrap();
        assert_eq!(nothing.sort, Sort::Featured);
        assert!(!nothing.in_stock && nothing.facets.is_empty() && nothing.collection.is_none());
    }

    #[test]
    fn refuses_what_is_wrong() {
        for (query, code) in [
            ("colour=red", "unknown_parameter"),
            ("facets.color=red", "unknown_parameter"),
            ("collection=Chairs", "invalid_parameter"),
            ("collection=", "invalid_parameter"),
            ("collection=a&collection=b", "invalid_parameter"),
            ("facet.=red", "invalid_parameter"),
            ("facet.color=", "invalid_parameter"),
            ("price_min=-1", "invalid_parameter"),
            ("price_min=1.5", "invalid_parameter"),
            ("price_max=9007199254740992", "invalid_parameter"),
            ("price_max=99999999999999999999", "invalid_parameter"),
            ("price_min=2&price_max=1", "invalid_parameter"),
            ("in_stock=yes", "invalid_parameter"),
            ("in_stock=", "invalid_parameter"),
            ("sort=cheapest", "invalid_parameter"),
            ("sort=%2Dtitle", "invalid_parameter"),
        ] {
            assert_eq!(parse(query).map(|_| ()), Err(code), "{query}");
        }
    }

    #[test]
    fn the_same_question_has_one_form_and_another_question_another() {
        let form = |query: &str| question(&parse(query).unwrap());
        assert_eq!(
            form("facet.a=1&facet.b=2&facet.a=3&sort=price"),
            form("sort=price&facet.a=3&facet.b=2&facet.a=1")
        );
        assert_eq!(form("in_stock=false"), form(""));
        let forms = [
            "",
            "sort=price",
            "sort=-price",
            "collection=a",
            "facet.a=b",
            "facet.a=b&facet.a=c",
            "facet.a=b%22%2C%20%22c",
            "price_min=1",
            "price_max=1",
            "in_stock=true",
        ];
        let distinct: BTreeSet<String> = forms.iter().map(|query| form(query)).collect();
        assert_eq!(distinct.len(), forms.len());
    }
}
