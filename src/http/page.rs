//! The page at `/`: plain files out of the binary, no build step, no byte of anybody else's, 60 kB together at most.
//!
//! It holds no data: what it shows it fetches with the token that the person brings by pairing (`#pair=…`), in the fragment
//! (`#token=…`; no request and no log ever holds one), or typed in.

use hyper::header::HeaderValue;
use hyper::{Response, StatusCode};

use super::body::Body;
use super::reply::typed;

/// A file of the page, by its place among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asset(usize);

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Path, type and text of each.
static FILES: [(&str, &str, &str); 13] = [
    ("/", HTML, include_str!("page/index.html")),
    ("/page.css", STYLE, include_str!("page/page.css")),
    ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
    ("/page.js", SCRIPT, include_str!("page/page.js")),
    ("/unit.js", SCRIPT, include_str!("page/unit.js")),
    ("/link.js", SCRIPT, include_str!("page/link.js")),
    ("/events.js", SCRIPT, include_str!("page/events.js")),
    ("/alarm.js", SCRIPT, include_str!("page/alarm.js")),
    ("/picture.js", SCRIPT, include_str!("page/picture.js")),
    ("/map.js", SCRIPT, include_str!("page/map.js")),
    ("/fence.js", SCRIPT, include_str!("page/fence.js")),
    ("/phone.js", SCRIPT, include_str!("page/phone.js")),
    ("/dom.js", SCRIPT, include_str!("page/dom.js")),
];

impl Asset {
    /// The file of this name.
    pub(super) fn of(name: &str) -> Option<Asset> {
        FILES.iter().position(|(path, ..)| path.strip_prefix('/') == Some(name)).map(Asset)
    }

    /// Its path.
    pub(super) fn path(self) -> &'static str {
        FILES.get(self.0).map_or("/", |(path, ..)| path)
    }
}

/// Nothing from anywhere else, nothing inline, no form that is sent, no frame around it.
pub(super) const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);

pub(super) fn answer(asset: Asset) -> Response<Body> {
    let (_, content_type, text) = FILES.get(asset.0).copied().unwrap_or_default();
    typed(StatusCode::OK, content_type, Body::whole(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_page_is_small_and_only_text_goes_into_it() {
        let bytes: usize = FILES.iter().map(|(.., text)| text.len()).sum();
        assert!(bytes < 60_000, "{bytes} bytes");
        for (path, _, text) in FILES {
            let ways = ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style=\"", "onclick="];
            assert!(!ways.iter().any(|way| text.contains(way)), "{path}");
            let from_elsewhere = ["https://", "http://", "//cdn"].iter().any(|other| text.contains(other));
            assert!(!from_elsewhere || path == "/icon.svg", "{path} has nothing from elsewhere");
        }
    }

    #[test]
    fn every_file_that_another_names_is_served() {
        for (path, content_type, text) in FILES {
            let named = text.split('"').filter_map(|quoted| match content_type {
                SCRIPT => quoted.strip_prefix("./"),
                _ => Some(quoted).filter(|name| [".js", ".css", ".svg"].iter().any(|end| name.ends_with(end))),
            });
            for name in named {
                assert!(Asset::of(name).is_some(), "{path} names {name}");
            }
            assert_eq!(Asset::of(path.trim_start_matches('/')).map(Asset::path), Some(path));
        }
    }
}
