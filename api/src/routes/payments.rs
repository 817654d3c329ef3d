//! `/v1/payments`: what gateways tell, and the page of the test gateway.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use barrow_actors::orders::NoticeRefusal;
use barrow_engine::orders::{OperationKey, Payment, PaymentStatus};
use barrow_engine::ports::WebhookError;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::orders::desk;
use super::orders::refusal::desk_problem;
use crate::app::{App, SharedApp};
use crate::edge::{Code, FieldError, NoParams, Params, Problem, read_body};

/// When a gateway calls again whose notice could not be written.
const RETRY: Duration = Duration::from_secs(5);

pub fn routes(app: &App) -> Router<SharedApp> {
    let router = Router::new().route("/v1/payments/{gateway}/webhook", post(webhook));
    match &app.test_payments {
        Some(_) => {
            router.route("/v1/payments/test/pay/{order}/{attempt}/{operation}", get(page).post(pay))
        }
        // A shop that takes money has no page where one says that it was paid.
        None => router,
    }
}

async fn webhook(
    State(app): State<SharedApp>,
    _: NoParams,
    Path(gateway): Path<String>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let headers = request.headers().clone();
    let body = read_body(request, &app.settings).await?;
    let header = |name: &str| text_of(&headers, name);
    match desk(&app)?.webhook(&gateway, &header, &body).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(NoticeRefusal::UnknownGateway) => {
            Err(Problem::not_found("There is no such payment gateway."))
        }
        Err(NoticeRefusal::NotBelieved(WebhookError::Unreadable(why))) => {
            tracing::warn!(gateway, why, "a signed notice cannot be read");
            let detail = "it is signed, but cannot be read";
            Err(Problem::invalid(vec![FieldError::new("", "unreadable", detail)]))
        }
        Err(NoticeRefusal::NotBelieved(why)) => {
            tracing::warn!(gateway, %why, "a notice is not believed");
            Err(Problem::new(Code::Unauthenticated, why.to_string()))
        }
        Err(NoticeRefusal::NotTaken(error)) => {
            tracing::warn!(gateway, %error, "a notice could not be taken in");
            Err(Problem::unavailable("the notice cannot be taken in now", RETRY))
        }
    }
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

type OperationPath = Path<(String, String, String)>;

/// What somebody is to pay there, if there is such a payment at the test gateway.
async fn to_pay(
    app: &SharedApp,
    path: &OperationPath,
) -> Result<(OperationKey, Payment, String), Problem> {
    let nothing = || Problem::not_found("There is nothing to be paid here.");
    let (order, attempt, operation) = &path.0;
    let key: OperationKey =
        format!("{order}/{attempt}/{operation}").parse().map_err(|_| nothing())?;
    let found = desk(app)?.payment(key).await.map_err(desk_problem)?;
    let is_ours = |payment: &Payment| payment.gateway == "test" && app.test_payments.is_some();
    let (payment, amount) = found.filter(|(payment, _)| is_ours(payment)).ok_or_else(nothing)?;
    Ok((key, payment, amount.to_string()))
}

async fn page(
    State(app): State<SharedApp>,
    _: NoParams,
    path: OperationPath,
) -> Result<Response, Problem> {
    let (_, payment, amount) = to_pay(&app, &path).await?;
    Ok(match payment.status() {
        PaymentStatus::RequiresAction | PaymentStatus::Pending => html(&ask_page(&amount)),
        _ => over(&payment),
    })
}

/// The buyer's answer comes as the page's form sends it: `?paid=true`, with an empty body.
async fn pay(
    State(app): State<SharedApp>,
    path: OperationPath,
    mut params: Params,
) -> Result<Response, Problem> {
    let has_paid = params.one("paid")?;
    params.finish()?;
    let has_paid = match has_paid.as_deref() {
        Some("true") => true,
        Some("false") => false,
        _ => {
            let detail = "the parameter 'paid' is invalid: it must be true or false";
            return Err(Problem::new(Code::InvalidParameter, detail));
        }
    };
    let (key, payment, _) = to_pay(&app, &path).await?;
    if let Some(told) = &app.test_payments {
        let notice = told(key, has_paid);
        desk(&app)?.notice("test", vec![notice]).await.map_err(desk_problem)?;
    }
    Ok(over(&payment))
}

/// Back to where the buyer came from, or a word where that is not known.
fn over(payment: &Payment) -> Response {
    let back = payment.return_url.as_deref().and_then(|url| HeaderValue::try_from(url).ok());
    match back {
        Some(url) => (StatusCode::SEE_OTHER, [(header::LOCATION, url)]).into_response(),
        None => html(&written("<p>That is settled. You can close this page.</p>")),
    }
}

fn ask_page(amount: &str) -> String {
    written(&format!(
        "<p>Somebody wants <strong>{amount}</strong> from you. No money moves here.</p>\
         <form method=\"post\" action=\"?paid=true\"><button autofocus>Pay</button></form>\
         <form method=\"post\" action=\"?paid=false\"><button>Refuse</button></form>"
    ))
}

fn written(body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Test payment</title><style>{STYLE}</style></head>\
         <body><main><h1>Test payment</h1>{body}</main></body></html>"
    )
}

/// Plain and readable, in the dark too.
const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.6 system-ui,sans-serif;margin:0;padding:1rem}\
main{max-width:24rem;margin:10vh auto;padding:1.5rem;border:1px solid #8885;border-radius:8px}\
h1{font-size:1.25rem;margin:0 0 .5rem}strong{white-space:nowrap}\
form{display:inline-block;margin:.5rem .5rem 0 0}\
button{font:inherit;min-height:44px;padding:0 1.25rem;border:1px solid #8888;border-radius:6px}";

/// It may be reached from anywhere, shows nothing of anybody else, and is in no frame.
fn html(page: &str) -> Response {
    const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    let mut response = Response::new(Body::from(page.to_owned()));
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("referrer-policy", HeaderValue::from_static("no-referrer"));
    response
}
