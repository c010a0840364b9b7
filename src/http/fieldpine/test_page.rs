//! The test page: a live stream, and the few lines of script that show it, to cut and paste from.
//!
//! Plain files out of the binary, behind no sign-in and without data: a token is typed in, or the page asks for a ticket of
//! the session that its browser has. It goes nowhere but into the stream's own address.

use hyper::{Response, StatusCode};

use crate::http::body::Body;
use crate::http::reply::typed;

/// A file of the test page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum TestPage {
    /// `eventsource.htm`
    Page,
    /// `eventsource.css`
    Style,
    /// `eventsource.js`
    Script,
}

impl TestPage {
    /// The file of this name in that vendor's folder.
    pub(in crate::http) fn of(name: &str) -> Option<TestPage> {
        let known = [TestPage::Page, TestPage::Style, TestPage::Script];
        known.into_iter().find(|file| file.path().rsplit('/').next() == Some(name))
    }

    /// Its path.
    pub(in crate::http) const fn path(self) -> &'static str {
        match self {
            TestPage::Page => "/report/pos/tests/eventsource.htm",
            TestPage::Style => "/report/pos/tests/eventsource.css",
            TestPage::Script => "/report/pos/tests/eventsource.js",
        }
    }

    /// The file.
    pub(in crate::http) fn answer(self) -> Response<Body> {
        let (content_type, text) = match self {
            TestPage::Page => ("text/html; charset=utf-8", include_str!("eventsource.htm")),
            TestPage::Style => ("text/css; charset=utf-8", include_str!("eventsource.css")),
            TestPage::Script => ("text/javascript; charset=utf-8", include_str!("eventsource.js")),
        };
        typed(StatusCode::OK, content_type, Body::whole(text))
    }
}
