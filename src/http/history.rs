//! `GET /api/v1/events?types=&since=&limit=`: history, oldest first.
//!
//! `{"events": […], "next": id}`: events with an id above `since`; `next` is the `since` of the next call, and at the end of
//! history the head. `types` are kinds (`child`) or types (`CHILD_LEFT_BEHIND`), with commas; `limit` up to 1,000, absent
//! 100. The answer is told in pages, so that a long one holds neither the runtime nor memory.

use std::io;
use std::sync::Arc;

use hyper::{Response, StatusCode};
use tokio::task::yield_now;

use super::body::{Body, Teller};
use super::gate::SignedIn;
use super::problem::Problem;
use super::query::Query;
use super::reply::{JSON, typed};
use super::service::Call;
use super::sse;
use crate::event::{EventId, EventType, Kind};
use crate::feed::{Feed, Filter, Page, Stored};
use crate::vehicle::Vin;

const MOST: u64 = 1000;
const USUAL: usize = 100;
const PAGE: usize = 64;

/// Which events are wanted.
#[derive(Debug, PartialEq)]
struct Wanted {
    kinds: Vec<Kind>,
    types: Vec<String>,
}

impl Wanted {
    fn of(query: Query<'_>) -> Result<Wanted, Problem> {
        let mut wanted = Wanted { kinds: Vec::new(), types: Vec::new() };
        let list = query.get("types").unwrap_or_default();
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match Kind::ALL.into_iter().find(|kind| kind.name() == name) {
                Some(kind) => wanted.kinds.push(kind),
                None if is_event_type(name) => wanted.types.push(name.to_owned()),
                None => {
                    let sentence =
                        "`types` is a list, with commas, of child, geofence, diagnosis, trip, published, or of event types";
                    return Err(Problem::parameter("types", sentence));
                }
            }
        }
        if wanted.kinds.is_empty() && wanted.types.is_empty() {
            wanted.kinds.extend(Kind::ALL);
        }
        Ok(wanted)
    }

    /// What the feed is asked for.
    fn filter(&self, member: &str) -> Filter {
        let kind_of = |name: &String| {
            EventType::ALL.iter().find(|known| known.name() == name).map_or(Kind::Published, |known| known.kind())
        };
        let kinds: Vec<Kind> = self.kinds.iter().copied().chain(self.types.iter().map(kind_of)).collect();
        let mut filter = Filter::of(&kinds);
        filter.member = Some(member.into());
        filter
    }

    fn includes(&self, event: &Stored) -> bool {
        self.kinds.contains(&event.kind) || self.types.iter().any(|name| **name == *event.event_type)
    }
}

/// `[A-Z][A-Z0-9_]{0,63}`: published events bring their own types.
pub(super) fn is_event_type(name: &str) -> bool {
    let rest = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    name.len() <= 64 && name.starts_with(|first: char| first.is_ascii_uppercase()) && name.bytes().all(rest)
}

/// Whether the query asks for something that there can be.
pub(super) fn is_well_formed(query: Query<'_>) -> bool {
    Wanted::of(query).is_ok() && query.position("since").is_ok() && query.number("limit", 1..=MOST).is_ok()
}

/// Reads history for one answer.
struct Reader {
    feed: Arc<dyn Feed>,
    vin: Vin,
    wanted: Wanted,
    filter: Filter,
    /// Where history ended when it was asked for.
    end: EventId,
    next: EventId,
    left: usize,
}

pub(super) async fn history(call: &Call<'_>, who: &SignedIn) -> Result<Response<Body>, Problem> {
    let wanted = Wanted::of(call.query)?;
    let filter = wanted.filter(&who.device.member);
    let next = call.query.position("since")?.unwrap_or_default();
    let left = call.query.number("limit", 1..=MOST)?.map_or(USUAL, |limit| limit as usize);
    let vin = call.own_vehicle()?;
    let feed = Arc::clone(&call.shared.feed);
    let end = *feed.head(&vin)?.borrow();
    let reader = Reader { feed, vin, wanted, filter, end, next, left };
    // The first page is read before the answer begins, so that a journal that cannot be read is an error and no torso.
    let first = reader.page().await?;
    Ok(typed(StatusCode::OK, JSON, Body::told(|teller| reader.tell(first, teller))))
}

impl Reader {
    async fn page(&self) -> Result<Page, Problem> {
        Ok(self.feed.events_after(&self.vin, self.next, &self.filter, self.left.min(PAGE)).await?)
    }

    async fn tell(mut self, first: Page, out: Teller) -> io::Result<()> {
        let mut page = first;
        let mut text = "{\"events\":[".to_owned();
        let mut separator = "";
        loop {
            let before = self.next;
            for event in page.events.iter().filter(|event| self.wanted.includes(event)).take(self.left) {
                text.push_str(separator);
                text.push_str(&sse::document(event));
                separator = ",";
                self.left -= 1;
                self.next = event.id;
            }
            if self.left > 0 {
                self.next = self.next.max(page.next);
            }
            if self.left == 0 || self.next >= self.end || self.next <= before {
                break;
            }
            out.tell(std::mem::take(&mut text)).await;
            yield_now().await;
            page = self.page().await.map_err(|_| io::Error::other("the journal cannot be read on"))?;
        }
        text.push_str(&format!("],\"next\":{}}}", self.next));
        out.tell(text).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_kinds_or_types() {
        let of = |query| Wanted::of(Query::new(Some(query)));
        let kinds = |query| of(query).unwrap().filter("mum").kinds().collect::<Vec<_>>();
        assert_eq!(kinds(""), Kind::ALL);
        assert_eq!(kinds("types=child,trip"), [Kind::Child, Kind::Trip]);
        assert_eq!(kinds("types=GEOFENCE_ENTER"), [Kind::Geofence]);
        assert_eq!(kinds("types=ICE_CREAM"), [Kind::Published], "somebody may publish that");
        assert!(of("types=chld").is_err() && of("types=_X").is_err());
    }
}
