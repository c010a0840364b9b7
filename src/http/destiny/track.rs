//! `GET /api/v1/telemetry/history?unit=&from=&to=&format=json|geojson|gpx`: the way that a unit has gone, oldest first.
//!
//! `unit` is a number of `[[units]]`, absent the car's own; `from` (inclusive) and `to` (exclusive) are times of ISO 8601
//! with an offset, absent the last 24 h up to now. A point is kept every 10 s while the car moves, at each turn by 20°, and every
//! 600 s while it stands. The answer is told in pages of 256 points, so that a long way holds neither runtime nor memory.
//!
//! | `format` | what |
//! |---|---|
//! | `json` | `{"data": […]}`, each as the stream tells a position |
//! | `geojson` | a FeatureCollection (RFC 7946) of one Point for each position, with the rest as its properties |
//! | `gpx` | GPX 1.1: one track, a new segment after more than 20 minutes without a position |

use std::fmt::Write;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::{Response, StatusCode};
use serde_json::json;
use tokio::task::yield_now;

use super::super::body::{Body, Teller};
use super::super::fences::GEOJSON;
use super::super::gate::wall_now;
use super::super::problem::Problem;
use super::super::query::Query;
use super::super::reply::{JSON, typed};
use super::super::service::Call;
use super::super::settings::Unit;
use super::message::{Gps, Message};
use crate::clock::Wall;
use crate::feed::{Feed, TrackPoint};
use crate::vehicle::Vin;

const PAGE: usize = 256;

/// How far back, where nothing is said.
const USUAL: Duration = Duration::from_secs(24 * 3600);

/// Positions that lie further apart are not of one way without a break: a parked car has one every ten minutes.
const BREAK: Duration = Duration::from_secs(20 * 60);

/// How the way is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    GeoJson,
    Gpx,
}

impl Format {
    fn of(query: Query<'_>) -> Result<Format, Problem> {
        match query.get("format").as_deref() {
            None | Some("json") => Ok(Format::Json),
            Some("geojson") => Ok(Format::GeoJson),
            Some("gpx") => Ok(Format::Gpx),
            Some(_) => Err(Problem::parameter("format", "`format` is json, geojson or gpx")),
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Format::Json => JSON,
            Format::GeoJson => GEOJSON,
            Format::Gpx => "application/gpx+xml",
        }
    }
}

/// From when to when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    from: Wall,
    to: Wall,
}

impl Span {
    /// As the query wants it; without a word, from 24 h before its end, or before `now`, on. While nobody knows the time
    /// that is from the beginning on.
    fn of(query: Query<'_>, now: Option<Wall>) -> Result<Span, Problem> {
        let to = time(query, "to")?;
        let usual = to.or(now).map(|end| Wall::from_micros(end.micros().saturating_sub(micros(USUAL))));
        let from = time(query, "from")?.or(usual).unwrap_or_default();
        let to = to.unwrap_or(Wall::from_micros(i64::MAX));
        if from > to {
            return Err(Problem::parameter("from", "`from` must not be later than `to`"));
        }
        Ok(Span { from, to })
    }
}

fn time(query: Query<'_>, name: &str) -> Result<Option<Wall>, Problem> {
    let wrong = |_| {
        let sentence = format!("`{name}` must be a time with its offset, such as 2026-02-20T00:06:47Z; write a + as %2B");
        Problem::parameter(name, sentence)
    };
    let read = |text: std::borrow::Cow<'_, str>| text.parse::<jiff::Timestamp>().map_err(wrong);
    Ok(query.get(name).map(read).transpose()?.map(|time| Wall::from_micros(time.as_microsecond())))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Whether the query asks for something that there can be.
pub(in crate::http) fn is_well_formed(query: Query<'_>) -> bool {
    Format::of(query).is_ok() && Span::of(query, None).is_ok()
}

/// The unit that the query means.
fn unit<'a>(query: Query<'_>, units: &'a [Unit]) -> Result<&'a Unit, Problem> {
    let number = query.number("unit", 1..=u64::from(u32::MAX))?;
    let found = units.iter().find(|unit| number.is_none_or(|number| u64::from(unit.id) == number));
    let unit = found.ok_or_else(|| super::no_unit(units))?;
    if unit.receiver.is_some_and(|place| place > 0) {
        let sentence = format!("the way of unit {} is not recorded, only that of the car's own unit; subscribe to it", unit.id);
        return Err(Problem::not_found(sentence));
    }
    Ok(unit)
}

/// Tells the track for one answer.
struct Reader {
    feed: Arc<dyn Feed>,
    vin: Vin,
    span: Span,
    pen: Pen,
}

/// `GET /api/v1/telemetry/history`.
pub(in crate::http) async fn history(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let format = Format::of(call.query)?;
    let feed = Arc::clone(&call.shared.feed);
    let span = Span::of(call.query, wall_now(&*feed))?;
    let unit = unit(call.query, &call.shared.settings.units)?.id;
    let vin = call.own_vehicle()?;
    let mut reader = Reader { feed, vin, span, pen: Pen { format, unit, last: None } };
    // The first page is read before the answer begins, so that a journal that cannot be read is an error and no torso.
    let first = reader.page().await?;
    Ok(typed(StatusCode::OK, format.content_type(), Body::told(|teller| reader.tell(first, teller))))
}

impl Reader {
    /// The next points.
    async fn page(&mut self) -> Result<Vec<TrackPoint>, Problem> {
        let page = self.feed.track(&self.vin, self.span.from, self.span.to, PAGE).await?;
        // Of a moment there is one point.
        let next = |last: &TrackPoint| Wall::from_micros(last.time.micros().saturating_add(1));
        self.span.from = page.last().map_or(self.span.to, next);
        Ok(page)
    }

    async fn tell(mut self, first: Vec<TrackPoint>, out: Teller) -> io::Result<()> {
        let mut page = first;
        let mut text = self.pen.begin().to_owned();
        while !page.is_empty() {
            for point in &page {
                self.pen.point(point, &mut text);
            }
            out.tell(std::mem::take(&mut text)).await;
            yield_now().await;
            page = self.page().await.map_err(|_| io::Error::other("the journal cannot be read on"))?;
        }
        text.push_str(self.pen.end());
        out.tell(text).await;
        Ok(())
    }
}

/// Writes points in one format, one after another.
#[derive(Debug)]
struct Pen {
    format: Format,
    unit: u32,
    last: Option<Wall>,
}

impl Pen {
    fn begin(&self) -> &'static str {
        match self.format {
            Format::Json => "{\"data\":[",
            Format::GeoJson => "{\"type\":\"FeatureCollection\",\"features\":[",
            Format::Gpx => {
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                 <gpx version=\"1.1\" creator=\"Telltale\" xmlns=\"http://www.topografix.com/GPX/1/1\">\n<trk><trkseg>\n"
            }
        }
    }

    fn end(&self) -> &'static str {
        match self.format {
            Format::Json | Format::GeoJson => "]}",
            Format::Gpx => "</trkseg></trk>\n</gpx>\n",
        }
    }

    fn point(&mut self, point: &TrackPoint, text: &mut String) {
        let last = self.last.replace(point.time);
        match self.format {
            Format::Json | Format::GeoJson => {
                if last.is_some() {
                    text.push(',');
                }
                text.push_str(&if self.format == Format::Json { self.json(point) } else { self.feature(point) });
            }
            Format::Gpx => {
                if last.is_some_and(|last| point.time.micros().saturating_sub(last.micros()) > micros(BREAK)) {
                    text.push_str("</trkseg><trkseg>\n");
                }
                // Writing into a String cannot fail.
                let _ = waypoint(point, text);
            }
        }
    }

    fn json(&self, point: &TrackPoint) -> String {
        serde_json::to_string(&Message::position(self.unit, point.time, Gps::from(point))).unwrap_or_default()
    }

    fn feature(&self, point: &TrackPoint) -> String {
        let Gps { latitude, longitude, altitude, speed, heading, accuracy, .. } = Gps::from(point);
        let coordinates: Vec<f64> = [longitude, latitude].into_iter().chain(altitude).collect();
        let mut properties = json!({"unit_id": self.unit, "timestamp": point.time.to_string(), "accuracy": accuracy});
        if let Some(properties) = properties.as_object_mut() {
            for (key, value) in [("speed", speed), ("heading", heading)] {
                properties.extend(value.map(|value| (key.to_owned(), json!(value))));
            }
        }
        let geometry = json!({"type": "Point", "coordinates": coordinates});
        json!({"type": "Feature", "geometry": geometry, "properties": properties}).to_string()
    }
}

/// One `trkpt`. The schema has longitudes from -180 up to, and without, 180.
fn waypoint(point: &TrackPoint, text: &mut String) -> std::fmt::Result {
    let Gps { latitude, longitude, altitude, .. } = Gps::from(point);
    let longitude = if longitude >= 180.0 { -180.0 } else { longitude };
    write!(text, "<trkpt lat=\"{latitude}\" lon=\"{longitude}\">")?;
    if let Some(altitude) = altitude {
        write!(text, "<ele>{altitude}</ele>")?;
    }
    writeln!(text, "<time>{}</time></trkpt>", point.time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::Point;

    fn point(second: i64, longitude: f64) -> TrackPoint {
        let (point, time) = (Point { latitude: 37.5, longitude }, Wall::from_micros(second * 1_000_000));
        TrackPoint { time, point, altitude: Some(30.0), speed: None, heading: Some(182.0), accuracy: 4.123 }
    }

    fn written(format: Format, points: &[TrackPoint]) -> String {
        let mut pen = Pen { format, unit: 7, last: None };
        let mut text = pen.begin().to_owned();
        points.iter().for_each(|point| pen.point(point, &mut text));
        text + pen.end()
    }

    #[test]
    fn each_format_as_its_book_has_it() {
        let points = [point(0, 127.1), point(1201, 180.0)];
        assert_eq!(
            written(Format::Gpx, &points),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <gpx version=\"1.1\" creator=\"Telltale\" xmlns=\"http://www.topografix.com/GPX/1/1\">\n<trk><trkseg>\n\
             <trkpt lat=\"37.5\" lon=\"127.1\"><ele>30</ele><time>1970-01-01T00:00:00.000Z</time></trkpt>\n\
             </trkseg><trkseg>\n\
             <trkpt lat=\"37.5\" lon=\"-180\"><ele>30</ele><time>1970-01-01T00:20:01.000Z</time></trkpt>\n\
             </trkseg></trk>\n</gpx>\n"
        );
        let features: serde_json::Value = serde_json::from_str(&written(Format::GeoJson, &points)).unwrap();
        let properties = json!({"unit_id": 7, "timestamp": "1970-01-01T00:00:00.000Z", "heading": 182.0, "accuracy": 4.12});
        let geometry = json!({"type": "Point", "coordinates": [127.1, 37.5, 30.0]});
        assert_eq!(features["features"][0], json!({"type": "Feature", "geometry": geometry, "properties": properties}));
        let data: serde_json::Value = serde_json::from_str(&written(Format::Json, &points)).unwrap();
        let gps = json!({"latitude": 37.5, "longitude": 127.1, "altitude": 30.0, "heading": 182.0, "accuracy": 4.12});
        assert_eq!((&data["data"][0]["telemetry"]["gps"], data["data"].as_array().unwrap().len()), (&gps, 2));
    }

    #[test]
    fn a_way_without_points_is_valid_too() {
        assert_eq!(written(Format::Json, &[]), "{\"data\":[]}");
        assert_eq!(written(Format::GeoJson, &[]), "{\"type\":\"FeatureCollection\",\"features\":[]}");
    }

    #[test]
    fn times_have_an_offset_and_their_order() {
        let span = |query| Span::of(Query::new(Some(query)), Some(Wall::from_micros(2 * micros(USUAL)))).map_err(|_| ());
        let (day, end) = (Wall::from_micros(micros(USUAL)), Wall::from_micros(i64::MAX));
        assert_eq!(span(""), Ok(Span { from: day, to: end }));
        assert_eq!(span("to=1970-01-02T00:00:00Z"), Ok(Span { from: Wall::from_micros(0), to: day }));
        let hour = Wall::from_micros(3_600_000_000);
        assert_eq!(span("from=1970-01-01T01:00:00Z&to=1970-01-01T03:00:00%2B02:00"), Ok(Span { from: hour, to: hour }));
        for wrong in ["from=yesterday", "to=1970-01-01T00:00:00", "from=1970-01-01T02:00:00Z&to=1970-01-01T01:00:00Z"] {
            assert_eq!(span(wrong), Err(()), "{wrong}");
        }
    }
}
