//! Which address leads where, and what every request and every answer goes through.

use std::ops::RangeInclusive;
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};

use super::error::Refusal;
use super::guard::{self, Reach};
use super::house::House;
use super::{act, assets, events, logs, pages};

/// The browser's cookie.
const COOKIE: &str = "byol-sweep";

/// What pages may do: load and send nothing but what is here, and be shown in no other page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; \
    base-uri 'none'";

/// Returns all of it.
pub(super) fn all(house: House) -> Router {
    let pages = Router::new()
        .route("/", get(pages::index::page))
        .route("/sweeps/{sweep}", get(pages::sweep::page))
        .route("/sweeps/{sweep}/trials/{key}", get(pages::trial::page))
        .route("/sweeps/{sweep}/trials/{key}/logs/{attempt}/{stream}", get(logs::serve))
        .route("/sweeps/{sweep}/figures", get(pages::figures::page))
        .route("/sweeps/{sweep}/figures/{file}", get(pages::figures::file))
        .route("/sweeps/{sweep}/act", get(act::question).post(act::act))
        .route("/devices", get(pages::devices::page))
        .route("/events", get(events::serve))
        .route_layer(middleware::from_fn_with_state(house.clone(), may_read));
    Router::new()
        .merge(pages)
        .route("/login", post(login))
        .route("/assets/{edition}/{name}", get(assets::serve))
        .fallback(nowhere)
        .layer(middleware::from_fn_with_state(house.clone(), is_meant))
        .layer(middleware::from_fn(with_headers))
        .with_state(house)
}

async fn nowhere() -> Refusal {
    Refusal::not_found("there is no such page", "the list of sweeps leads to all there are")
}

/// Refuses what is meant for another server, or sent by the page of another.
async fn is_meant(State(house): State<House>, request: Request, next: Next) -> Response {
    let host = text(request.headers(), header::HOST);
    if !house.rules.knows_host(host) {
        let title = format!("this server is not called `{host}`");
        let detail = "start it with `--host NAME` to allow a further name";
        return Refusal::new(StatusCode::MISDIRECTED_REQUEST, title, detail).into_response();
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads && !guard::is_own_origin(text(request.headers(), header::ORIGIN), host) {
        let title = "this request does not come from a page of this server";
        return Refusal::new(StatusCode::FORBIDDEN, title, "open the page itself").into_response();
    }
    next.run(request).await
}

/// Lets those read who may.
async fn may_read(State(house): State<House>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let has_cookie = || {
        let cookies = text(headers, header::COOKIE);
        guard::cookie(cookies, COOKIE).is_some_and(|told| house.token.is_cookie(told))
    };
    match house.rules.reach {
        Reach::Machine => next.run(request).await,
        Reach::Network if has_token(&house, headers) || has_cookie() => next.run(request).await,
        Reach::Network => pages::door(),
    }
}

/// Returns whether a request carries the token of this start.
pub(super) fn has_token(house: &House, headers: &HeaderMap) -> bool {
    let told = guard::bearer(text(headers, header::AUTHORIZATION));
    told.is_some_and(|told| house.token.is(told))
}

/// Lets a browser in that has the token.
async fn login(State(house): State<House>, headers: HeaderMap) -> Response {
    if !has_token(&house, &headers) {
        return stale().into_response();
    }
    let value = house.token.cookie();
    let cookie = format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict");
    ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()
}

/// Refuses a token that is not this start's.
pub(super) fn stale() -> Refusal {
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        "this needs the token of this start",
        "open the link that `byol-sweep serve` printed when it was started last",
    )
}

/// How long a page waits before it asks again: ten times what it cost, so that whoever watches
/// takes a tenth of a core at most.
const WAIT_MS: RangeInclusive<u128> = 400..=10_000;

async fn with_headers(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let mut response = next.run(request).await;
    let cost = begun.elapsed().as_millis();
    let wait = (10 * cost).clamp(*WAIT_MS.start(), *WAIT_MS.end());
    let headers = response.headers_mut();
    let fixed: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(wait) = HeaderValue::try_from(wait.to_string()) {
        headers.insert(HeaderName::from_static("x-wait"), wait);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Returns a header's text; nothing where it is missing or none.
fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
