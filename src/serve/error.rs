//! What a request gets instead of a page: a status, what is wrong, what to do.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::pages;
use crate::store::StoreError;

/// A request that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// What is wrong, in a few words.
    pub(super) title: String,
    /// Cause and remedy; may be empty.
    pub(super) detail: String,
}

impl Refusal {
    pub(super) fn new(
        status: StatusCode,
        title: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self { status, title: title.into(), detail: detail.into() }
    }

    /// Nothing has this address.
    pub(super) fn not_found(title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, title, detail)
    }

    /// What was asked makes no sense.
    pub(super) fn bad_request(title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, title, detail)
    }

    /// Something that should have worked did not.
    pub(super) fn internal(error: &dyn std::error::Error) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong", causes(error))
    }
}

/// Returns an error with all its causes.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        // Many messages quote their cause already.
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let unavailable = matches!(
            error,
            StoreError::Newer { .. } | StoreError::Older { .. } | StoreError::Busy { .. }
        );
        if unavailable {
            let title = "the database cannot be read now";
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, title, causes(&error));
        }
        Self::internal(&error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        pages::refusal(&self)
    }
}
