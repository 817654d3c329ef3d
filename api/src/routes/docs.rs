//! `/openapi.json`, `/docs` and `/docs/errors`: the API, told to machines and to people. All of
//! it comes out of the binary; nothing is fetched from anywhere else.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use utoipa_swagger_ui::Config;

use super::reply;
use crate::app::SharedApp;
use crate::edge::Problem;
use crate::openapi::{document_json, error_index, error_page};

/// The pages run their own scripts only, and may call only this server.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; \
                      frame-ancestors 'none'";

pub fn routes() -> Router<SharedApp> {
    Router::new()
        .route("/openapi.json", get(document))
        .route("/docs", get(|| async { browser("index.html") }))
        .route("/docs/", get(|| async { browser("index.html") }))
        .route("/docs/errors", get(|| async { page(error_index()) }))
        .route("/docs/errors/{code}", get(explain))
        .route("/docs/{file}", get(file))
}

async fn document(headers: HeaderMap) -> Response {
    static BODY: OnceLock<Bytes> = OnceLock::new();
    let body = BODY.get_or_init(|| Bytes::from_static(document_json().as_bytes()));
    reply::cacheable_bytes(body.clone(), &headers)
}

async fn explain(path: Option<Path<String>>) -> Result<Response, Problem> {
    let found = path.and_then(|Path(code)| error_page(&code));
    Ok(page(found.ok_or_else(|| Problem::not_found("there is no such code"))?))
}

async fn file(path: Option<Path<String>>) -> Response {
    browser(path.as_ref().map_or("", |Path(name)| name))
}

fn page(html: String) -> Response {
    with_type(Body::from(html), "text/html; charset=utf-8")
}

fn with_type(body: Body, mime: &str) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let mime = HeaderValue::try_from(mime).expect("a media type is ASCII");
    headers.insert(header::CONTENT_TYPE, mime);
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let referrer = HeaderName::from_static("referrer-policy");
    headers.insert(referrer, HeaderValue::from_static("no-referrer"));
    response
}

/// The page with its files beneath `/docs/`, whether or not its own address ends in a slash.
fn beneath_docs(index: &[u8]) -> Vec<u8> {
    let html = String::from_utf8_lossy(index);
    html.replacen("<head>", "<head><base href=\"/docs/\">", 1).into_bytes()
}

/// A file of the browsable document.
fn browser(name: &str) -> Response {
    if name.is_empty() {
        return Problem::not_found("there is no such file").into_response();
    }
    static CONFIG: OnceLock<Arc<Config<'static>>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let config = Config::from("/openapi.json")
            .use_base_layout()
            .deep_linking(true)
            .try_it_out_enabled(true)
            .display_request_duration(true)
            .default_models_expand_depth(0)
            .doc_expansion("list")
            // Else it shows the document to a server of its makers.
            .validator_url("none");
        Arc::new(config)
    });
    match utoipa_swagger_ui::serve(name, Arc::clone(config)) {
        Ok(Some(file)) => {
            let bytes = match name {
                "index.html" => beneath_docs(&file.bytes),
                _ => file.bytes.into_owned(),
            };
            let mut response = with_type(Body::from(bytes), &file.content_type);
            if file.gzpipped {
                let gzip = HeaderValue::from_static("gzip");
                response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
            }
            response
        }
        Ok(None) => Problem::not_found("there is no such file").into_response(),
        Err(error) => {
            tracing::error!(%error, "the browsable document could not be written");
            let wait = std::time::Duration::from_secs(1);
            Problem::unavailable("the document cannot be shown now", wait).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[tokio::test]
    async fn the_browsable_document_is_whole_and_loads_nothing_from_elsewhere() {
        let index = browser("index.html");
        assert_eq!(index.status(), StatusCode::OK);
        assert!(!index.headers().contains_key(header::CONTENT_ENCODING));
        let bytes = axum::body::to_bytes(index.into_body(), 1 << 20).await.unwrap();
        let html = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(html.contains("<base href=\"/docs/\">"));
        let links = html.split("href=\"").chain(html.split("src=\"")).skip(1);
        let mut files = 0;
        for link in links.map(|rest| rest.split('"').next().unwrap()) {
            assert!(!link.starts_with("http") && !link.starts_with("//"), "{link}");
            if let Some(file) = link.strip_prefix("./") {
                assert_eq!(browser(file).status(), StatusCode::OK, "{file}");
                files += 1;
            }
        }
        assert!(files >= 3, "only {files} files");
        assert_eq!(browser("nothing.js").status(), StatusCode::NOT_FOUND);
        assert_eq!(browser("").status(), StatusCode::NOT_FOUND);
    }
}
