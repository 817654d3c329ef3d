//! Requests to Stripe, and what their answers say of the effect that they had.
//!
//! Nothing is repeated here: whoever asked does that, under the same key.

use std::time::Duration;

use barrow_engine::ports::GatewayError;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;

use super::wire::{Problem, ProblemDetail};
use super::{StripeSettingsError, unknown};

/// The form of requests and answers that this was written for. An account's own may be another.
pub const STRIPE_VERSION: &str = "2025-03-31.basil";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long one request may take. Captures ask the card's bank, which takes its seconds.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// The longest answer that is read: a page of 100 refunds has some 100 KiB.
const ANSWER_MAX: usize = 1024 * 1024;

pub(super) struct Client {
    http: reqwest::Client,
    /// Without a slash at the end.
    url: String,
}

/// Names and values, as a form or a query.
pub(super) type Fields<'a> = Vec<(&'a str, String)>;

/// What became of a request that is to have an effect.
pub(super) enum Posted<T> {
    Done {
        value: T,
        /// Whether it is what was answered to the first such request, which may be long ago.
        is_replay: bool,
    },
    /// It had no effect, and never will.
    Refused(ProblemDetail),
}

impl Client {
    pub fn new(url: &str, secret_key: &str) -> Result<Client, StripeSettingsError> {
        let wrong = |what: &str| StripeSettingsError(what.to_owned());
        let is_http = url.starts_with("https://") || url.starts_with("http://");
        if !is_http || reqwest::Url::parse(url).is_err() {
            return Err(wrong("its address is not one"));
        }
        let mut bearer = HeaderValue::from_str(&format!("Bearer {secret_key}"))
            .map_err(|_| wrong("the secret key cannot stand in a header"))?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, bearer);
        headers.insert("stripe-version", HeaderValue::from_static(STRIPE_VERSION));
        crate::cryptography::install();
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| StripeSettingsError(error.to_string()))?;
        Ok(Client { http, url: url.trim_end_matches('/').to_owned() })
    }

    /// Looks. Whatever fails says nothing of what was asked before.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Fields<'_>,
    ) -> Result<T, GatewayError> {
        let separator = if query.is_empty() { "" } else { "?" };
        let url = format!("{}{path}{separator}{}", self.url, encode(query));
        let (status, body, _) = match send(self.http.get(url)).await {
            Ok(answer) => answer,
            Err(GatewayError::Unavailable(what) | GatewayError::OutcomeUnknown(what)) => {
                return Err(GatewayError::OutcomeUnknown(what));
            }
        };
        match status.is_success() {
            true => read(&body),
            false => {
                let what = problem(&body).map_or(String::new(), |problem| words(&problem));
                if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
                    tracing::error!(%status, path, what, "stripe does not answer a look up");
                }
                Err(unknown(&format!("a look up was answered {status} {what}")))
            }
        }
    }

    /// Asks for something, once for all requests under the key.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        key: &str,
        form: &Fields<'_>,
    ) -> Result<Posted<T>, GatewayError> {
        let request = self.http.post(format!("{}{path}", self.url));
        let request = request
            .header("idempotency-key", key)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(encode(form));
        let (status, body, is_replay) = send(request).await?;
        if status.is_success() {
            return Ok(Posted::Done { value: read(&body)?, is_replay });
        }
        let problem = problem(&body);
        let what = || problem.as_ref().map_or(String::new(), words);
        match status {
            // Turned away before anything is done.
            StatusCode::TOO_MANY_REQUESTS => {
                Err(GatewayError::Unavailable(format!("stripe is too busy {}", what())))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                tracing::error!(%status, path, problem = what(), "stripe does not take our key");
                Err(GatewayError::Unavailable(format!("stripe does not take our key {}", what())))
            }
            // The first request under the key is still being done.
            StatusCode::CONFLICT => Err(unknown("stripe is still at it")),
            _ if status.is_client_error() => match problem {
                // Something else was asked under the key before, and may have been done.
                Some(problem) if problem.kind == "idempotency_error" => {
                    tracing::error!(path, key, "stripe knows the key from another request");
                    Err(unknown("stripe knows the key from another request"))
                }
                Some(problem) => Ok(Posted::Refused(problem)),
                // Not in Stripe's form: somebody between us and it.
                None => Err(unknown(&format!("a request was answered {status}"))),
            },
            _ => Err(unknown(&format!("a request was answered {status} {}", what()))),
        }
    }
}

/// Sends; the status, the body, and whether it is a repeated answer.
async fn send(request: RequestBuilder) -> Result<(StatusCode, Vec<u8>, bool), GatewayError> {
    let response = request.send().await.map_err(|error| {
        let what = error.without_url();
        match what.is_connect() || what.is_builder() {
            true => GatewayError::Unavailable(reason(&what)),
            false => GatewayError::OutcomeUnknown(reason(&what)),
        }
    })?;
    let status = response.status();
    let replayed = response.headers().get("idempotent-replayed");
    let is_replay = replayed.is_some_and(|value| value.as_bytes() == b"true");
    Ok((status, body_of(response).await?, is_replay))
}

async fn body_of(mut response: Response) -> Result<Vec<u8>, GatewayError> {
    let mut body = Vec::new();
    let lost = |error: reqwest::Error| GatewayError::OutcomeUnknown(reason(&error.without_url()));
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > ANSWER_MAX {
            return Err(unknown("the answer has no end"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An error with what caused it: `reqwest` alone says only where it was.
fn reason(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, GatewayError> {
    serde_json::from_slice(body).map_err(|error| unknown(&format!("unreadable answer: {error}")))
}

fn problem(body: &[u8]) -> Option<ProblemDetail> {
    serde_json::from_slice::<Problem>(body).ok().map(|problem| problem.error)
}

fn words(problem: &ProblemDetail) -> String {
    format!("{} {}", problem.kind, problem.code.as_deref().unwrap_or_default())
}

fn encode(fields: &Fields<'_>) -> String {
    let pairs = fields.iter().map(|(name, value)| {
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        format!("{}={}", encoded(name), encoded(value))
    });
    pairs.collect::<Vec<_>>().join("&")
}
