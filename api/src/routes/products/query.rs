//! What a list of products is asked by: filters, a sort, a place to go on from.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use barrow_actors::catalog::Viewpoint;
use barrow_engine::catalog::Slug;
use barrow_engine::catalog::listing::ListingQuery;
use barrow_engine::money::AMOUNT_MAX;

use crate::edge::Problem;
use crate::edge::params::{Params, invalid};

/// The longest facet code or value that is looked for; longer ones are in no catalog of ours.
const FACET_TEXT_MAX: usize = 200;

const SORTS: &str = "one of featured, newest, price, -price, title, rating";

/// A question, with the collection still by its name.
#[derive(Debug)]
pub struct Question {
    pub collection: Option<Slug>,
    /// All but the collections, and where to go on from.
    pub query: ListingQuery,
}

/// Takes all parameters of a product list but `cursor` and those of the viewpoint.
pub fn question(params: &mut Params, view: &Viewpoint) -> Result<Question, Problem> {
    let collection = match params.one("collection")? {
        None => None,
        Some(text) => Some(
            Slug::new(&text)
                .map_err(|_| invalid("collection", "it must be a collection's slug"))?,
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
    let query = ListingQuery {
        facets: facets(params)?,
        price_min,
        price_max,
        in_stock,
        sort: params.parsed("sort", SORTS)?.unwrap_or_default(),
        ..ListingQuery::new(view.channel.clone(), view.currency, params.limit()?)
    };
    Ok(Question { collection, query })
}

fn amount(params: &mut Params, name: &str) -> Result<Option<i64>, Problem> {
    let what = "a whole number of minor units, not negative";
    let amount: Option<i64> = params.parsed(name, what)?;
    if amount.is_some_and(|amount| !(0..=AMOUNT_MAX).contains(&amount)) {
        return Err(invalid(name, &format!("it must be {what}")));
    }
    Ok(amount)
}

fn facets(params: &mut Params) -> Result<BTreeMap<String, Vec<String>>, Problem> {
    let mut facets: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (code, value) in params.with_prefix("facet.") {
        if code.is_empty() || code.len() > FACET_TEXT_MAX {
            return Err(invalid("facet.CODE", "CODE must be that of a facet"));
        }
        if value.is_empty() || value.len() > FACET_TEXT_MAX {
            return Err(invalid(&format!("facet.{code}"), "it must be a value of the facet"));
        }
        facets.entry(code).or_default().push(value);
    }
    for values in facets.values_mut() {
        values.sort_unstable();
        values.dedup();
    }
    Ok(facets)
}

impl Question {
    /// The question in one form, however it was asked: what its cursors are bound to. The limit
    /// and the language may change from page to page.
    pub fn text(&self) -> String {
        let ListingQuery {
            channel, currency, facets, price_min, price_max, in_stock, sort, ..
        } = &self.query;
        let mut text =
            format!("products {sort} {channel} {currency} {price_min:?} {price_max:?} {in_stock}");
        if let Some(collection) = &self.collection {
            let _ = write!(text, " in {collection}");
        }
        for (code, values) in facets {
            // Debug quotes them, so that no value can pass for the next.
            let _ = write!(text, " {code:?}={values:?}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrow_engine::catalog::listing::Sort;
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

    fn parse(query: &str) -> Result<Question, &'static str> {
        let mut params = Params::parse(Some(query)).map_err(|problem| problem.code().as_str())?;
        let question = question(&mut params, &view()).map_err(|problem| problem.code().as_str())?;
        params.finish().map_err(|problem| problem.code().as_str())?;
        Ok(question)
    }

    #[test]
    fn reads_every_filter() {
        let Question { collection, query } = parse(
            "collection=chairs&facet.material=oak&facet.color=red&facet.color=blue&facet.color=red\
             &price_min=100&price_max=9900&in_stock=true&sort=-price&limit=7",
        )
        .unwrap();
        assert_eq!(collection.as_ref().map(Slug::as_str), Some("chairs"));
        assert_eq!(query.facets["color"], ["blue", "red"]);
        assert_eq!(query.facets["material"], ["oak"]);
        assert_eq!((query.price_min, query.price_max), (Some(100), Some(9900)));
        assert!(query.in_stock);
        assert_eq!((query.sort, query.limit), (Sort::PriceDesc, 7));
        let Question { collection, query } = parse("").unwrap();
        assert_eq!((query.sort, query.limit), (Sort::Featured, 24));
        assert!(!query.in_stock && query.facets.is_empty() && collection.is_none());
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
            ("limit=0", "invalid_parameter"),
        ] {
            assert_eq!(parse(query).map(|_| ()), Err(code), "{query}");
        }
    }

    #[test]
    fn the_same_question_has_one_form_and_another_question_another() {
        let form = |query: &str| parse(query).unwrap().text();
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
        let distinct: std::collections::BTreeSet<String> =
            forms.iter().map(|query| form(query)).collect();
        assert_eq!(distinct.len(), forms.len());
    }
}
