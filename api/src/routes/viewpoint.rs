//! Where a request looks at the catalog from: `?currency=&channel=&locale=`, else what the
//! channel does by default; the language also by `Accept-Language`.

use barrow_actors::catalog::Viewpoint;
use barrow_engine::catalog::Locale;
use barrow_engine::money::Currency;
use barrow_engine::pricing::{Channel, Shop};
use barrow_engine::time::Timestamp;
use http::{HeaderMap, header};

use crate::edge::Problem;
use crate::edge::params::{Params, invalid};

/// The most languages of one `Accept-Language` that are looked at; browsers send under ten.
const LANGUAGES_MAX: usize = 32;

/// Takes the three parameters.
pub fn viewpoint(
    params: &mut Params,
    headers: &HeaderMap,
    shop: &Shop,
    now: Timestamp,
) -> Result<Viewpoint, Problem> {
    let channel = channel(params, shop)?;
    let currency = currency(params, channel)?;
    let locale = match params.one("locale")? {
        Some(text) => locale(&text, channel)?,
        None => accepted(headers, channel).unwrap_or_else(|| default_locale(channel)),
    };
    Ok(Viewpoint { channel: channel.id.clone(), currency, locale, now })
}

fn channel<'a>(params: &mut Params, shop: &'a Shop) -> Result<&'a Channel, Problem> {
    let wanted = params.one("channel")?;
    let wanted = wanted.as_deref().unwrap_or(shop.default_channel.as_str());
    shop.channels
        .iter()
        .find(|channel| channel.id.as_str() == wanted)
        .ok_or_else(|| invalid("channel", "the shop has no such channel, see /v1/shop"))
}

fn currency(params: &mut Params, channel: &Channel) -> Result<Currency, Problem> {
    let Some(code) = params.one("currency")? else {
        return Ok(*channel.currencies.first().expect("a shop is checked at start"));
    };
    let mut known = channel.currencies.iter().copied();
    known
        .find(|currency| currency.code() == code)
        .ok_or_else(|| invalid("currency", "the channel does not sell in it, see /v1/shop"))
}

fn default_locale(channel: &Channel) -> Locale {
    channel.locales.first().expect("a shop is checked at start").clone()
}

/// A locale the channel has, or a region of a language it has.
fn locale(text: &str, channel: &Channel) -> Result<Locale, Problem> {
    let locale =
        Locale::new(text).map_err(|_| invalid("locale", "it must be like 'de' or 'pt-BR'"))?;
    match supported(text, channel) {
        Some(_) => Ok(locale),
        None => Err(invalid("locale", "the channel does not speak it, see /v1/shop")),
    }
}

/// The channel's locale that serves a language range best: itself, else its language.
fn supported<'a>(range: &str, channel: &'a Channel) -> Option<&'a Locale> {
    let language = |text: &str| text.split('-').next().unwrap_or_default().to_ascii_lowercase();
    let exact = channel.locales.iter().find(|one| one.as_str().eq_ignore_ascii_case(range));
    let wanted = language(range);
    exact.or_else(|| channel.locales.iter().find(|one| language(one.as_str()) == wanted))
}

/// The best of `Accept-Language` that the channel has; of equal weights the first.
fn accepted(headers: &HeaderMap, channel: &Channel) -> Option<Locale> {
    let text = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
    let mut best: Option<(u32, &Locale)> = None;
    for range in text.split(',').take(LANGUAGES_MAX) {
        let (range, weight) = range.split_once(';').unwrap_or((range, ""));
        let Some(weight) = thousandths(weight) else { continue };
        if let Some(locale) = supported(range.trim(), channel)
            && weight > best.map_or(0, |(weight, _)| weight)
        {
            best = Some((weight, locale));
        }
    }
    best.map(|(_, locale)| locale.clone())
}

/// `q=0.8` in thousandths; 1000 where nothing is said, `None` where it is no weight.
fn thousandths(text: &str) -> Option<u32> {
    let text = text.trim();
    if text.is_empty() {
        return Some(1000);
    }
    let weight: f32 = text.strip_prefix("q=")?.trim().parse().ok()?;
    (0.0..=1.0).contains(&weight).then_some((weight * 1000.0) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrow_engine::catalog::{ChannelId, CountryCode};

    fn shop() -> Shop {
        let channel = |id: &str, currencies: &[&str], locales: &[&str]| Channel {
            id: ChannelId::new(id).unwrap(),
            currencies: currencies.iter().map(|c| Currency::from_code(c).unwrap()).collect(),
            locales: locales.iter().map(|l| Locale::new(l).unwrap()).collect(),
            countries: vec![CountryCode::new("DE").unwrap()],
            tax_included: true,
        };
        Shop {
            name: "Test".to_owned(),
            default_channel: ChannelId::new("web").unwrap(),
            channels: vec![
                channel("web", &["EUR", "USD"], &["en", "de", "pt-BR"]),
                channel("uk", &["GBP"], &["en-GB"]),
            ],
            tax: Default::default(),
            shipping_methods: Vec::new(),
        }
    }

    fn look(query: &str, language: Option<&str>) -> Result<String, String> {
        let mut params = Params::parse(Some(query)).unwrap();
        let mut headers = HeaderMap::new();
        if let Some(language) = language {
            headers.insert(header::ACCEPT_LANGUAGE, language.parse().unwrap());
        }
        viewpoint(&mut params, &headers, &shop(), Timestamp(0))
            .map(|view| format!("{} {} {}", view.channel, view.currency, view.locale))
            .map_err(|problem| problem.code().as_str().to_owned())
    }

    #[test]
    fn parameters_win_then_the_header_then_the_channel() {
        for (query, language, expected) in [
            ("", None, "web EUR en"),
            ("", Some("de-AT,de;q=0.9,en;q=0.8"), "web EUR de"),
            ("", Some("fr, en;q=0.2, de;q=0.5"), "web EUR de"),
            ("", Some("de;q=0, en;q=0.1"), "web EUR en"),
            ("", Some("fr;q=nonsense, *, ;;;"), "web EUR en"),
            ("", Some("pt"), "web EUR pt-BR"),
            ("locale=de", Some("en"), "web EUR de"),
            ("locale=de-AT", None, "web EUR de-AT"),
            ("currency=USD", None, "web USD en"),
            ("channel=uk", None, "uk GBP en-GB"),
        ] {
            assert_eq!(look(query, language).as_deref(), Ok(expected), "{query} {language:?}");
        }
    }

    #[test]
    fn what_the_channel_does_not_have_is_refused() {
        for query in [
            "channel=nowhere",
            "channel=",
            "currency=GBP",
            "channel=uk&currency=EUR",
            "currency=eur",
            "currency=ZZZ",
            "locale=fr",
            "locale=",
            "locale=%00",
            "currency=EUR&currency=EUR",
        ] {
            assert_eq!(look(query, None).as_deref(), Err("invalid_parameter"), "{query}");
        }
    }
}
