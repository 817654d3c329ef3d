//! The selling context of a request: which channel, currency and language it is about, where
//! it says so, and the shop's defaults where it does not.

use barrow_engine::catalog::{ChannelId, Locale};
use barrow_engine::money::Currency;
use barrow_engine::pricing::{Channel, Shop};
use http::{HeaderMap, header};

use super::params::invalid;
use super::{Params, Problem};

/// Where, in what and in which language is sold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selling {
    pub channel: ChannelId,
    pub currency: Currency,
    pub locale: Locale,
}

/// What a request asked for that the shop does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SellingError {
    #[error("the shop has no such channel")]
    Channel,
    #[error("the channel does not sell in this currency")]
    Currency,
    #[error("the channel has no such locale")]
    Locale,
}

impl SellingError {
    /// The parameter or field that is to blame.
    pub fn field(self) -> &'static str {
        match self {
            SellingError::Channel => "channel",
            SellingError::Currency => "currency",
            SellingError::Locale => "locale",
        }
    }

    /// The code of the field's error in a body.
    pub fn code(self) -> &'static str {
        match self {
            SellingError::Channel => "unknown_channel",
            SellingError::Currency => "unknown_currency",
            SellingError::Locale => "unknown_locale",
        }
    }
}

impl Selling {
    /// Fits what was asked for to what the shop has. A language that is asked for by name must
    /// be there; one that a browser merely prefers need not.
    pub fn resolve(
        shop: &Shop,
        channel: Option<&str>,
        currency: Option<&str>,
        locale: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Selling, SellingError> {
        let id = channel.unwrap_or(shop.default_channel.as_str());
        let channel =
            shop.channels.iter().find(|c| c.id.as_str() == id).ok_or(SellingError::Channel)?;
        let currency = match currency {
            None => channel.currencies.first(),
            Some(code) => channel.currencies.iter().find(|c| c.code() == code),
        };
        let locale = match locale {
            Some(tag) => find_locale(channel, tag).ok_or(SellingError::Locale)?,
            None => preferred_locale(channel, headers)
                .or(channel.locales.first())
                .ok_or(SellingError::Locale)?,
        };
        Ok(Selling {
            channel: channel.id.clone(),
            currency: *currency.ok_or(SellingError::Currency)?,
            locale: locale.clone(),
        })
    }

    /// Takes `currency`, `channel` and `locale` from the query.
    pub fn from_params(
        shop: &Shop,
        params: &mut Params,
        headers: &HeaderMap,
    ) -> Result<Selling, Problem> {
        let currency = params.one("currency")?;
        let channel = params.one("channel")?;
        let locale = params.one("locale")?;
        Selling::resolve(shop, channel.as_deref(), currency.as_deref(), locale.as_deref(), headers)
            .map_err(|error| invalid(error.field(), &error.to_string()))
    }
}

/// The channel's locale of this tag, else the one of its language.
fn find_locale<'a>(channel: &'a Channel, tag: &str) -> Option<&'a Locale> {
    let exact = channel.locales.iter().find(|locale| locale.as_str().eq_ignore_ascii_case(tag));
    exact.or_else(|| {
        let language = tag.split('-').next().unwrap_or_default();
        channel.locales.iter().find(|locale| {
            locale.as_str().split('-').next().unwrap_or_default().eq_ignore_ascii_case(language)
        })
    })
}

/// The best of `Accept-Language` that the channel has.
fn preferred_locale<'a>(channel: &'a Channel, headers: &HeaderMap) -> Option<&'a Locale> {
    // More than anybody speaks; the rest of a longer list is not looked at.
    const LANGUAGES_MAX: usize = 20;

    let value = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
    let mut best: Option<(u16, &Locale)> = None;
    for item in value.split(',').take(LANGUAGES_MAX) {
        let (tag, quality) = item.split_once(';').unwrap_or((item, "q=1"));
        let quality = quality.trim().strip_prefix("q=").and_then(thousandths).unwrap_or(0);
        let Some(locale) = find_locale(channel, tag.trim()) else { continue };
        if quality > best.map_or(0, |(quality, _)| quality) {
            best = Some((quality, locale));
        }
    }
    best.map(|(_, locale)| locale)
}

/// A quality from 0 to 1 with at most three decimals, in thousandths.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let whole: u16 = whole.parse().ok().filter(|whole| *whole <= 1)?;
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    Some((whole * 1000 + decimals).min(1000))
}

#[cfg(test)]
mod tests {
    use barrow_engine::pricing::TaxTable;

    use super::*;

    fn shop() -> Shop {
        let channel = |id: &str, currencies: &[&str], locales: &[&str]| Channel {
            id: id.parse().unwrap(),
            currencies: currencies.iter().map(|c| Currency::from_code(c).unwrap()).collect(),
            locales: locales.iter().map(|l| l.parse().unwrap()).collect(),
            countries: vec!["DE".parse().unwrap()],
            tax_included: true,
        };
        Shop {
            name: "Test".into(),
            default_channel: "web".parse().unwrap(),
            channels: vec![
                channel("web", &["EUR", "GBP"], &["en", "de"]),
                channel("us", &["USD"], &["en-US", "en-GB"]),
            ],
            tax: TaxTable::default(),
            shipping_methods: Vec::new(),
        }
    }

    fn check(
        [channel, currency, locale, accept]: [&str; 4],
        expected: Result<[&str; 3], SellingError>,
    ) {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(header::ACCEPT_LANGUAGE, accept.parse().unwrap());
        }
        let found = Selling::resolve(
            &shop(),
            given(channel).as_deref(),
            given(currency).as_deref(),
            given(locale).as_deref(),
            &headers,
        );
        let found =
            found.map(|s| [s.channel.to_string(), s.currency.to_string(), s.locale.to_string()]);
        let expected = expected.map(|parts| parts.map(str::to_owned));
        assert_eq!(found, expected, "{channel} {currency} {locale} {accept}");
    }

    #[test]
    fn what_is_not_said_is_the_shops_default() {
        check(["", "", "", ""], Ok(["web", "EUR", "en"]));
        check(["us", "", "", ""], Ok(["us", "USD", "en-US"]));
        check(["", "GBP", "de", ""], Ok(["web", "GBP", "de"]));
        check(["", "", "de-AT", ""], Ok(["web", "EUR", "de"]));
        check(["us", "", "en-gb", ""], Ok(["us", "USD", "en-GB"]));
    }

    #[test]
    fn what_the_shop_does_not_have_is_refused() {
        check(["nowhere", "", "", ""], Err(SellingError::Channel));
        check(["", "USD", "", ""], Err(SellingError::Currency));
        check(["", "eur", "", ""], Err(SellingError::Currency));
        check(["", "", "fr", ""], Err(SellingError::Locale));
    }

    #[test]
    fn the_browser_is_asked_for_its_language() {
        check(["", "", "", "de"], Ok(["web", "EUR", "de"]));
        check(["", "", "", "fr, de;q=0.5, en;q=0.9"], Ok(["web", "EUR", "en"]));
        check(["", "", "", "fr;q=1, de;q=0.001"], Ok(["web", "EUR", "de"]));
        check(["", "", "", "de;q=0, fr"], Ok(["web", "EUR", "en"]));
        check(["", "", "", "rubbish;;q=x"], Ok(["web", "EUR", "en"]));
        check(["", "", "en", "de"], Ok(["web", "EUR", "en"]));
    }
}
