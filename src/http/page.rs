//! The page at `/`: plain files out of the binary, no build step, no byte of anybody else's.
//!
//! It holds no data: what it shows it fetches with the token that the person brings, in the fragment (`#token=…`, which no
//! request and no log ever holds), by pairing (`#pair=…`), or typed in.

use hyper::header::HeaderValue;
use hyper::{Response, StatusCode};

use super::body::Body;
use super::reply::typed;

/// A file of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asset {
    /// `/`
    Page,
    /// `/page.css`
    Style,
    /// `/page.js`
    Script,
    /// `/icon.svg`
    Icon,
}

impl Asset {
    const ALL: [Asset; 4] = [Asset::Page, Asset::Style, Asset::Script, Asset::Icon];

    /// The file of this name.
    pub(super) fn of(name: &str) -> Option<Asset> {
        Asset::ALL.into_iter().find(|asset| asset.path().strip_prefix('/') == Some(name))
    }

    /// Its path.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Asset::Page => "/",
            Asset::Style => "/page.css",
            Asset::Script => "/page.js",
            Asset::Icon => "/icon.svg",
        }
    }
}

/// Nothing from anywhere else, nothing inline, no form that is sent, no frame around it.
pub(super) const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
);

pub(super) fn answer(asset: Asset) -> Response<Body> {
    let (content_type, text) = match asset {
        Asset::Page => ("text/html; charset=utf-8", include_str!("page/index.html")),
        Asset::Style => ("text/css; charset=utf-8", include_str!("page/page.css")),
        Asset::Script => ("text/javascript; charset=utf-8", include_str!("page/page.js")),
        Asset::Icon => ("image/svg+xml", include_str!("page/icon.svg")),
    };
    typed(StatusCode::OK, content_type, Body::whole(text))
}
