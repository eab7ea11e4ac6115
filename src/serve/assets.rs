//! The style sheet, the script and the icon: parts of the program, known by their content, so that
//! browsers keep them until another version serves others.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::error::Refusal;

/// A file that pages load.
pub(super) struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

pub(super) const STYLE: Asset = Asset {
    name: "style.css",
    kind: "text/css; charset=utf-8",
    text: include_str!("../../assets/serve/style.css"),
};
pub(super) const SCRIPT: Asset = Asset {
    name: "script.js",
    kind: "text/javascript; charset=utf-8",
    text: include_str!("../../assets/serve/script.js"),
};
pub(super) const ICON: Asset = Asset {
    name: "icon.svg",
    kind: "image/svg+xml",
    text: include_str!("../../assets/serve/icon.svg"),
};

const ALL: [&Asset; 3] = [&STYLE, &SCRIPT, &ICON];

/// Digits of the hash of all assets.
static EDITION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = blake3::Hasher::new();
    for asset in ALL {
        hash.update(asset.text.as_bytes());
    }
    hash.finalize().to_hex()[..16].to_owned()
});

impl Asset {
    /// Returns the address that pages load it by.
    pub(super) fn address(&self) -> String {
        format!("/assets/{}/{}", *EDITION, self.name)
    }
}

/// Answers with an asset of this edition.
pub(super) async fn serve(Path((edition, name)): Path<(String, String)>) -> Response {
    match ALL.iter().find(|asset| asset.name == name && *EDITION == edition) {
        Some(asset) => {
            let lasts = "public, max-age=31536000, immutable";
            let headers = [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, lasts)];
            (headers, asset.text).into_response()
        }
        None => Refusal::not_found("there is no such file", "load the page again").into_response(),
    }
}
