//! Where a request looks at the catalog from: what it says of channel, currency and language,
//! the shop's defaults where it says nothing, and now.

use barrow_actors::catalog::Viewpoint;
use http::HeaderMap;

use crate::app::App;
use crate::edge::{Params, Problem, Selling};

/// Takes `currency`, `channel` and `locale`.
pub fn catalog_view(
    app: &App,
    params: &mut Params,
    headers: &HeaderMap,
) -> Result<Viewpoint, Problem> {
    let Selling { channel, currency, locale } = Selling::from_params(&app.shop, params, headers)?;
    Ok(Viewpoint { channel, currency, locale, now: app.clock.now() })
}
