//! Query parameters: each is asked for by name, none may come twice unless it may repeat, and
//! what nobody asked for is refused, so that a misspelt filter never answers the whole shop.

use std::str::FromStr;

use axum::extract::FromRequestParts;
use http::request::Parts;
use percent_encoding::percent_decode;

use super::{Code, Problem};

/// The most parameters one query may carry: more than any route has, facets included.
const PARAMETERS_MAX: usize = 200;
/// How many a list answers where nothing is said, and at most.
pub const PAGE_SIZE_DEFAULT: usize = 24;
pub const PAGE_SIZE_MAX: usize = 100;

/// The parameters of a request that nobody has taken yet, decoded, in their order.
#[derive(Debug, Default)]
pub struct Params {
    pairs: Vec<(String, String)>,
}

impl Params {
    /// Reads a query string (`+` is a space, as forms send it).
    pub fn parse(query: Option<&str>) -> Result<Params, Problem> {
        let mut pairs = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            if pairs.len() == PARAMETERS_MAX {
                let detail = format!("there are more than {PARAMETERS_MAX} parameters");
                return Err(Problem::new(Code::InvalidParameter, detail));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((decode(name)?, decode(value)?));
        }
        Ok(Params { pairs })
    }

    /// Takes a parameter that may come once.
    pub fn one(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let mut values = self.all(name);
        match values.len() {
            0 => Ok(None),
            1 => Ok(values.pop()),
            _ => Err(invalid(name, "it is given more than once")),
        }
    }

    /// Takes a parameter that may repeat; its values in their order.
    pub fn all(&mut self, name: &str) -> Vec<String> {
        self.pairs.extract_if(.., |(key, _)| key == name).map(|(_, value)| value).collect()
    }

    /// Takes all whose name begins with `prefix` (`facet.`): the rest of the name, the value.
    pub fn with_prefix(&mut self, prefix: &str) -> Vec<(String, String)> {
        self.pairs
            .extract_if(.., |(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key[prefix.len()..].to_owned(), value))
            .collect()
    }

    /// Takes a parameter of a type; `what` tells the client what it must be.
    pub fn parsed<T: FromStr>(&mut self, name: &str, what: &str) -> Result<Option<T>, Problem> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| invalid(name, &format!("it must be {what}")))
    }

    /// Takes `limit`.
    pub fn limit(&mut self) -> Result<usize, Problem> {
        let limit = self.parsed("limit", "a number from 1 to 100")?.unwrap_or(PAGE_SIZE_DEFAULT);
        if !(1..=PAGE_SIZE_MAX).contains(&limit) {
            return Err(invalid("limit", "it must be a number from 1 to 100"));
        }
        Ok(limit)
    }

    /// Refuses what is left.
    pub fn finish(self) -> Result<(), Problem> {
        match self.pairs.first() {
            None => Ok(()),
            Some((name, _)) => {
                let name: String = name.chars().take(80).collect();
                let detail = format!("the parameter '{name}' is not known here");
                Err(Problem::new(Code::UnknownParameter, detail))
            }
        }
    }
}

/// 400 `invalid_parameter`.
pub fn invalid(name: &str, why: &str) -> Problem {
    Problem::new(Code::InvalidParameter, format!("the parameter '{name}' is invalid: {why}"))
}

fn decode(text: &str) -> Result<String, Problem> {
    let text = text.replace('+', " ");
    let decoded = percent_decode(text.as_bytes()).decode_utf8().map_err(|_| {
        Problem::new(Code::InvalidParameter, "a parameter is not UTF-8 once decoded")
    })?;
    Ok(decoded.into_owned())
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Params, Problem> {
        Params::parse(parts.uri.query())
    }
}

/// For routes that take no parameter: refuses any.
#[derive(Debug)]
pub struct NoParams;

impl<S: Sync> FromRequestParts<S> for NoParams {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<NoParams, Problem> {
        match parts.uri.query() {
            None => Ok(NoParams),
            query => Params::parse(query)?.finish().map(|()| NoParams),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Params {
        Params::parse(Some(query)).unwrap()
    }

    #[test]
    fn takes_decodes_and_refuses_the_rest() {
        let mut params = params("facet.color=red&facet.color=d%C3%A4mmer+grau&sort=-price&x=1");
        assert_eq!(params.one("sort").unwrap().as_deref(), Some("-price"));
        assert_eq!(
            params.with_prefix("facet."),
            [
                ("color".to_owned(), "red".to_owned()),
                ("color".to_owned(), "dämmer grau".to_owned()),
            ]
        );
        assert_eq!(params.finish().unwrap_err().code(), Code::UnknownParameter);
    }

    #[test]
    fn refuses_what_comes_twice_or_is_not_text() {
        assert_eq!(params("a=1&a=1").one("a").unwrap_err().code(), Code::InvalidParameter);
        let bad = Params::parse(Some("a=%FF")).unwrap_err();
        assert_eq!(bad.code(), Code::InvalidParameter);
        let many = "a&".repeat(PARAMETERS_MAX + 1);
        assert_eq!(Params::parse(Some(&many)).unwrap_err().code(), Code::InvalidParameter);
    }

    #[test]
    fn limit_is_1_to_100() {
        for (query, limit) in [("", Some(24)), ("limit=1", Some(1)), ("limit=100", Some(100))] {
            assert_eq!(params(query).limit().ok(), limit, "{query}");
        }
        for query in ["limit=0", "limit=101", "limit=x", "limit=", "limit=1&limit=1"] {
            assert_eq!(params(query).limit().unwrap_err().code(), Code::InvalidParameter);
        }
    }
}
